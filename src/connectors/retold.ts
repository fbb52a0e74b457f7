import { CallFault } from './fault.js';
import { PendingResult } from './pending-result.js';
import type { OpenTransport, WriteAnswer } from './transport.js';

/** How what a source said is told further. */
export interface Telling {
  fault(fault: CallFault): CallFault;
  answer(answer: WriteAnswer): WriteAnswer;
}

/** A connection whose faults and answers to writes are told in another way, also those of later questions for a result. */
export function retold(transport: OpenTransport, telling: Telling): OpenTransport {
  async function guarded<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (thrown) {
      throw thrown instanceof CallFault ? telling.fault(thrown) : thrown;
    }
  }

  async function read<T>(call: Promise<T | PendingResult<T>>): Promise<T | PendingResult<T>> {
    const answer = await guarded(call);
    return answer instanceof PendingResult ? answer.through(read<T>) : answer;
  }

  async function written(call: ReturnType<OpenTransport['write']>): Promise<WriteAnswer | PendingResult<WriteAnswer>> {
    const answer = await guarded(call);
    return answer instanceof PendingResult ? answer.through(written) : telling.answer(answer);
  }

  const { readRowUnless } = transport;
  const writeBatch = transport.writeBatch?.bind(transport);
  return {
    readPage: (...call) => read(transport.readPage(...call)),
    readRow: (...call) => read(transport.readRow(...call)),
    ...(readRowUnless === undefined ? {} : { readRowUnless: (...call) => guarded(readRowUnless(...call)) }),
    lookUp: (...call) => read(transport.lookUp(...call)),
    write: (...call) => written(transport.write(...call)),
    ...(writeBatch === undefined
      ? {}
      : {
          writeBatch: async (...batch) =>
            (await guarded(writeBatch(...batch))).map((end) => {
              if (end === 'single') return end;
              return end instanceof CallFault ? telling.fault(end) : telling.answer(end);
            }),
        }),
    close: () => transport.close(),
  };
}

/** The same fault in other words; without its cause, which may tell what they leave out. */
export function inWords(
  { kind, retryAfterMs, sourceIsSick, status, isExpired }: CallFault,
  message: string,
): CallFault {
  return new CallFault(kind, message, { retryAfterMs, sourceIsSick, status, isExpired });
}
