import type { Log } from '../core/ports.js';
import { CallFault } from './fault.js';
import { PendingResult } from './pending-result.js';
import { conditionalRead, withoutCause, writingBatches } from './secrets.js';
import type { OpenTransport, WriteAnswer } from './transport.js';

/** What the source said may hold a field value; a status, or the system's own code for a failed connection, does not. */
const STATUS = /\b(?:status|it says) (\d{3})\b/;
const NO_ANSWER = 'it did not answer as it should';

/**
 * A connection whose faults tell nothing that its source said: what a system writes into its error texts may be a field value, and faults
 * are logged and kept (F29). Answers of writes that say no keep theirs: who passes them on takes care.
 */
export function hideWords(transport: OpenTransport): OpenTransport {
  async function without<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (thrown) {
      throw thrown instanceof CallFault ? faultTold(thrown) : thrown;
    }
  }

  function faultTold(fault: CallFault): CallFault {
    return new CallFault(fault.kind, withoutWords(fault.message, fault.cause), withoutCause(fault));
  }

  /** Also of what a later question is answered. */
  async function read<T>(call: Promise<T | PendingResult<T>>): Promise<T | PendingResult<T>> {
    const answer = await without(call);
    return answer instanceof PendingResult ? answer.through(read<T>) : answer;
  }

  async function written(call: ReturnType<OpenTransport['write']>): Promise<WriteAnswer | PendingResult<WriteAnswer>> {
    const answer = await without(call);
    return answer instanceof PendingResult ? answer.through(written) : told(answer);
  }

  function told(answer: WriteAnswer): WriteAnswer {
    return 'reason' in answer ? { ...answer, reason: withoutWords(answer.reason) } : answer;
  }

  return {
    readPage: (...call) => read(transport.readPage(...call)),
    readRow: (...call) => read(transport.readRow(...call)),
    ...conditionalRead(transport, without),
    lookUp: (...call) => read(transport.lookUp(...call)),
    write: (...call) => written(transport.write(...call)),
    ...writingBatches(transport, without, (end) => (end instanceof CallFault ? faultTold(end) : told(end))),
    close: () => transport.close(),
  };
}

function withoutWords(message: string, cause?: unknown): string {
  const status = STATUS.exec(message)?.[1];
  if (status !== undefined) return `${NO_ANSWER} (status ${status})`;
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? `${NO_ANSWER} (${code})` : NO_ANSWER;
}

/** A log for what reads foreign texts by functions of a connector: why one of them failed may be in its words. */
export function withoutWhy(log: Log): Log {
  const bare = ({ why: _hidden, ...rest }: Readonly<Record<string, unknown>> = {}): typeof rest => rest;
  return {
    debug: (what, details) => log.debug(what, bare(details)),
    info: (what, details) => log.info(what, bare(details)),
    warn: (what, details) => log.warn(what, bare(details)),
    error: (what, details) => log.error(what, bare(details)),
  };
}
