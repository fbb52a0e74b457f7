import type { SourceKey } from '../core/change.js';
import type { SentCall } from '../core/intent.js';
import type { OpenIntent } from '../core/record-port.js';
import type { SourceWrite } from '../core/source-port.js';

/** What an intent remembers of its last attempt: its `payload`. */
export interface NotedCall extends SentCall {
  /** The source version that it was decided on; null: none was known. A create is made on nothing. */
  readonly madeOn: string | null;
  /** When it was first sent, ms since 1970: what is sent again under the same idempotency key keeps it. */
  readonly sentAtMs: number;
  /** How often the source had said by then that it holds another version. */
  readonly staleAnswers: number;
  /** Of a create: records that had its natural key before it was sent, which it cannot have made. Absent: nobody looked. */
  readonly alike?: readonly SourceKey[];
}

/** The text that is kept with the note before a call. */
export function payloadOf(
  { kind, sourceKey, fields }: Pick<SourceWrite, 'kind' | 'sourceKey' | 'fields'>,
  { status, error, madeOn, sentAtMs, staleAnswers, alike }: Omit<NotedCall, 'kind' | 'sourceKey' | 'fields'>,
): string {
  const told = error === undefined ? {} : { error };
  const others = alike === undefined ? {} : { alike };
  const call: NotedCall = { kind, sourceKey, fields, status, ...told, madeOn, sentAtMs, staleAnswers, ...others };
  return JSON.stringify(call);
}

/** The last call of an intent; null: none was made, as far as is known here. */
export function lastCallOf({ payload, guard, acceptedAtMs }: OpenIntent): NotedCall | null {
  if (payload === null) return null;
  const noted = JSON.parse(payload) as SentCall & Partial<NotedCall>;
  // Notes of an earlier release said less: no earlier than accepted, and made on its guard.
  return { madeOn: guard, sentAtMs: acceptedAtMs, staleAnswers: 0, ...noted, status: noted.status ?? 'APPLIED' };
}

/** What was sent and when, for people: no field values. */
export function callText({ kind, sourceKey, sentAtMs }: NotedCall, reason: string | null): string {
  const of = sourceKey === null ? '' : ` of ${sourceKey}`;
  const ended = reason ?? 'the process that made the call ended before its outcome was kept';
  return `the ${kind}${of} was sent at ${new Date(sentAtMs).toISOString()}: ${ended}`;
}
