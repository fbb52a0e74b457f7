import type { SourceKey } from '../core/change.js';
import type { SentCall } from '../core/intent.js';
import type { OpenIntent } from '../core/record-port.js';
import type { SourceWrite } from '../core/source-port.js';
import type { DeliveryDecision } from './decide-delivery.js';

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
  /** Nobody remembered a call of its change when it was first noted (F5): it is a guess that an earlier one sent the same. Absent: no. */
  readonly isGuess?: true;
}

/** What was sent by a life of the gateway that nobody remembers, if anything was (F5): the same as would be now. */
export function guessedCall(
  { acceptedAtMs, editedAtMs }: OpenIntent,
  { write, status, error }: DeliveryDecision & { readonly kind: 'send' },
): NotedCall {
  const told = error === undefined ? {} : { error };
  // It cannot have been sent before it was made; when it was accepted first, nobody remembers either.
  const sentAtMs = Math.min(acceptedAtMs, editedAtMs);
  return { ...write, status, ...told, madeOn: null, sentAtMs, staleAnswers: 0, isGuess: true };
}

/** The text that is kept with the note before a call. */
export function payloadOf(
  { kind, sourceKey, fields }: Pick<SourceWrite, 'kind' | 'sourceKey' | 'fields'>,
  { status, error, madeOn, sentAtMs, staleAnswers, alike, isGuess }: Omit<NotedCall, 'kind' | 'sourceKey' | 'fields'>,
): string {
  const told = error === undefined ? {} : { error };
  const others = alike === undefined ? {} : { alike };
  const guess = isGuess === undefined ? {} : { isGuess };
  const noted = { madeOn, sentAtMs, staleAnswers, ...others, ...guess };
  const call: NotedCall = { kind, sourceKey, fields, status, ...told, ...noted };
  return JSON.stringify(call);
}

/** The last call of an intent; null: none was made, as far as is known here. */
export function lastCallOf({ payload, guard, acceptedAtMs }: OpenIntent): NotedCall | null {
  if (payload === null) return null;
  const noted = JSON.parse(payload) as SentCall & Partial<NotedCall>;
  // Notes of an earlier release said less: no earlier than accepted, and made on its guard.
  return { madeOn: guard, sentAtMs: acceptedAtMs, staleAnswers: 0, ...noted, status: noted.status ?? 'APPLIED' };
}

/** Is it in doubt since a new epoch began, although no call of it is remembered (F5)? It holds nothing back, and keeps its place in the lane. */
export function isForgotten({ state, payload }: Pick<OpenIntent, 'state' | 'payload'>): boolean {
  return state === 'IN_DOUBT' && payload === null;
}

/** Was it so at first? Then others' changes of its record were taken in beside it, for some of the time. */
export function wasForgotten(intent: OpenIntent): boolean {
  return isForgotten(intent) || lastCallOf(intent)?.isGuess === true;
}

/** What was sent and when, for people: no field values. */
export function callText({ kind, sourceKey, sentAtMs }: NotedCall, reason: string | null): string {
  const of = sourceKey === null ? '' : ` of ${sourceKey}`;
  const ended = reason ?? 'the process that made the call ended before its outcome was kept';
  return `the ${kind}${of} was sent at ${new Date(sentAtMs).toISOString()}: ${ended}`;
}
