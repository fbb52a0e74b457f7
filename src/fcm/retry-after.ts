import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Agent } from 'node:https';

const CHANNEL = 'http.client.response.finish';
/** Over quota, and not available. */
const STATUSES: readonly (number | undefined)[] = [429, 503];
/** FCM names a minute or so; nothing that is said there holds hints back for longer than this. */
const LONGEST_MS = 3_600_000;

/** What FCM last said of when to come again: the SDK's errors do not have it. */
export interface RetryAfter {
  /** Null: the last answer of that kind named none, or there was none. */
  ms(): number | null;
  close(): void;
}

/**
 * Looks at the answers that come over this agent, before the SDK does, and takes the header away: the SDK would sleep for as long as it says four times
 * over, with the hint in its hands and the process kept from its end.
 */
export function watchRetryAfter(agent: Agent, nowMs: () => number): RetryAfter {
  let lastMs: number | null = null;
  const look = (message: unknown): void => {
    const { request, response } = message as { readonly request: ClientRequest; readonly response: IncomingMessage };
    if ((request as unknown as { readonly agent?: unknown }).agent !== agent || !STATUSES.includes(response.statusCode))
      return;
    lastMs = readRetryAfter(response.headers['retry-after'], nowMs());
    delete response.headers['retry-after'];
  };
  subscribe(CHANNEL, look);
  return { ms: () => lastMs, close: () => void unsubscribe(CHANNEL, look) };
}

/** Seconds, or a date. Null: neither, or a time that is over. */
function readRetryAfter(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return ms > 0 ? Math.min(ms, LONGEST_MS) : null;
}
