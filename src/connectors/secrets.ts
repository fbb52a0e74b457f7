import { CallFault } from './fault.js';
import { PendingResult } from './pending-result.js';
import type { OpenTransport, WriteAnswer } from './transport.js';

/** Shorter ones would hide ordinary words; nobody's password should be so short. */
const SHORTEST_SECRET = 6;
/** Tokens that sign-ins brought and that may still be told: those of the calls under way, and of some before them. */
const KEPT_TOKENS = 32;
const HIDDEN = '[hidden]';

/** What of a source's credentials must not be told. */
export interface Secrets {
  /** These came meanwhile, like a token. */
  add(texts: readonly string[]): void;
  /** A text without what is secret. */
  hide(text: string): string;
}

/** @param own are hidden as long as the source is open; those that are added later make room for newer ones */
export function createSecrets(own: readonly string[]): Secrets {
  let tokens: readonly string[] = [];
  let hidden = longestFirst(own);
  return {
    add(texts) {
      tokens = [...new Set([...texts, ...tokens])].slice(0, KEPT_TOKENS);
      hidden = longestFirst([...own, ...tokens]);
    },
    hide: (text) => hidden.reduce((told, secret) => told.replaceAll(secret, HIDDEN), text),
  };
}

/** A part of a secret must not be hidden before the whole. */
function longestFirst(texts: readonly string[]): readonly string[] {
  const secrets = texts.filter((text) => text.length >= SHORTEST_SECRET);
  return [...new Set(secrets)].sort((a, b) => b.length - a.length);
}

/** A connection whose faults and answers never repeat its credentials: some sources say "bad token …", and users read that. */
export function hideSecrets(transport: OpenTransport, secrets: Secrets): OpenTransport {
  const hidden = (text: string): string => secrets.hide(text);

  async function without<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (thrown) {
      throw thrown instanceof CallFault ? faultTold(thrown) : thrown;
    }
  }

  function faultTold(fault: CallFault): CallFault {
    const message = hidden(fault.message);
    return message === fault.message ? fault : new CallFault(fault.kind, message, withoutCause(fault));
  }

  async function written(call: ReturnType<OpenTransport['write']>): Promise<WriteAnswer | PendingResult<WriteAnswer>> {
    const answer = await without(call);
    return answer instanceof PendingResult ? answer.through(written) : told(answer);
  }

  function told(answer: WriteAnswer): WriteAnswer {
    if (answer.kind === 'refused') return { ...answer, message: hidden(answer.message) };
    return 'reason' in answer ? { ...answer, reason: hidden(answer.reason) } : answer;
  }

  /** Also of what a later question is answered. */
  async function read<T>(call: Promise<T | PendingResult<T>>): Promise<T | PendingResult<T>> {
    const answer = await without(call);
    return answer instanceof PendingResult ? answer.through(read<T>) : answer;
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

/** A connection's batches, each end of them told in another way; nothing where it takes none. */
export function writingBatches(
  transport: OpenTransport,
  without: <T>(call: Promise<T>) => Promise<T>,
  told: (end: WriteAnswer | CallFault) => WriteAnswer | CallFault,
): Pick<OpenTransport, 'writeBatch'> {
  if (transport.writeBatch === undefined) return {};
  return {
    writeBatch: async (...batch) =>
      (await without(transport.writeBatch?.(...batch) ?? Promise.resolve([]))).map((end) =>
        end === 'single' ? end : told(end),
      ),
  };
}

/** The conditional read, where the kit has one. */
export function conditionalRead(
  { readRowUnless }: OpenTransport,
  guarded: <T>(call: Promise<T>) => Promise<T>,
): Pick<OpenTransport, 'readRowUnless'> {
  return readRowUnless === undefined ? {} : { readRowUnless: (...call) => guarded(readRowUnless(...call)) };
}

/** What is known of a fault besides its message; its cause may tell the same. */
export function withoutCause({ retryAfterMs, sourceIsSick, status, isExpired }: CallFault) {
  return { retryAfterMs, sourceIsSick, status, isExpired };
}
