import type { Log } from '../core/ports.js';
import { inWords, retold } from './retold.js';
import type { OpenTransport } from './transport.js';

/** What the source said may hold a field value; a status, or the system's own code for a failed connection, does not. */
const STATUS = /\b(?:status|it says) (\d{3})\b/;
const NO_ANSWER = 'it did not answer as it should';

/**
 * A connection whose faults tell nothing that its source said: what a system writes into its error texts may be a field value, and faults
 * are logged and kept (F29). Answers of writes that say no keep theirs: who passes them on takes care.
 */
export function hideWords(transport: OpenTransport): OpenTransport {
  return retold(transport, {
    fault: (fault) => inWords(fault, withoutWords(fault.message, fault.cause)),
    answer: (answer) => ('reason' in answer ? { ...answer, reason: withoutWords(answer.reason) } : answer),
  });
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
