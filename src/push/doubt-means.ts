import type { SourceCollection, SourceFacts } from '../core/source-port.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import { lastCallOf, type NotedCall } from './noted-call.js';

/** A call whose outcome is unknown. */
export interface Doubt {
  /** What was sent; null: nobody remembers, it may have been sent before a restore (F5). */
  readonly call: NotedCall | null;
  /** The source version that guarded it; null: none. */
  readonly guard: string | null;
  /** How long ago its deadline passed; negative: it has not. */
  readonly sinceDeadlineMs: number;
  /** What the call came to; null: its holder is gone. */
  readonly reason: string | null;
  /** Did the call end just now, in this process? */
  readonly isNew: boolean;
}

/** A doubt of which it is known, or guessed, what was sent. */
export type KnownDoubt = Doubt & { readonly call: NotedCall };

/** What follows when a look shows that a call had no effect and will have none. */
export interface AfterLook {
  notApplied(): Promise<void>;
  /** What became of a repeat, for an operator; empty: there was none. */
  readonly sentAgain: string;
}

/** A doubt is looked at again after a part of its age, but not sooner and not later than this. */
const FIRST_LOOK_MS = 1_000;
const LAST_LOOK_MS = 60_000;

/** When a doubt is looked at again, ms: ever later, without a count that would have to be kept. @param chance 0 <= chance < 1 */
export function lookAgainMs({ sinceDeadlineMs }: Doubt, chance: number): number {
  const ageMs = Math.min(LAST_LOOK_MS, Math.max(FIRST_LOOK_MS, sinceDeadlineMs / 2));
  return Math.round(ageMs * (1 - chance / 2));
}

/** The doubt of an intent that was found without its holder. */
export function doubtOf(intent: LeasedIntent): Doubt {
  // Without a deadline nothing was ever sent in the life that the store remembers.
  const sinceDeadlineMs = intent.sinceDeadlineMs ?? Number.POSITIVE_INFINITY;
  return { call: lastCallOf(intent), guard: intent.guard, sinceDeadlineMs, reason: null, isNew: false };
}

/** How it can be found out what became of a call. */
export type Means =
  /** The same call under the same idempotency key has no second effect. */
  | 'sendAgain'
  /** What a create made can be found by its idempotency key. */
  | 'lookUp'
  /** What a create made can be found by its natural key. */
  | 'findAlike'
  /** The record can be read by its key and compared. */
  | 'readBack'
  | 'none';

/** A call that nobody waits for any more may take effect this long after its deadline, unless its source declares otherwise. */
const REQUEST_LIFETIME_MS = 30_000;
/** A key is not relied on in the last part of its life: clocks differ, and nobody says when exactly the source began to count. */
const KEY_LIFE_USED = 0.9;

/** From the deadline of a call until it can have no effect any more that a read does not show (F13, F30), ms. */
export function quietAfterMs({ maxRequestLifetimeMs, readAfterWriteMs }: SourceFacts): number {
  return (maxRequestLifetimeMs ?? REQUEST_LIFETIME_MS) + (readAfterWriteMs ?? 0);
}

/** The best means that a source declares for this call, at this time. */
export function meansOf(source: SourceCollection, known: KnownCall, nowMs: number): Means {
  return isKeyAlive(source.facts, known.call.sentAtMs, nowMs) ? 'sendAgain' : readingMeansOf(source, known);
}

/** The best means that has no effect of its own. */
export function readingMeansOf(source: SourceCollection, { call, isKnown }: KnownCall): Exclude<Means, 'sendAgain'> {
  const { facts } = source;
  if (!isKnown) return 'none';
  if (call.kind === 'create' && facts.lookUp === true && source.lookUp !== undefined) return 'lookUp';
  if (call.alike !== undefined && source.findAlike !== undefined) return 'findAlike';
  return facts.readOne && call.sourceKey !== null ? 'readBack' : 'none';
}

/** A call, and whether it is known to be what was sent: else what it would make cannot be compared with anything. */
export interface KnownCall {
  readonly call: NotedCall;
  readonly isKnown: boolean;
}

/**
 * What is known of a call. Of one that nobody remembers it is a guess what an edit sent: other fields, or to a record that was there and
 * is to be made again by now. A create and a deletion can have been nothing else.
 */
export function knownCall(doubt: Doubt, { baseSeq }: LeasedIntent, call: NotedCall): KnownCall {
  const isCreate = call.kind === 'create' && baseSeq === 0;
  return { call, isKnown: doubt.call !== null || isCreate || call.kind === 'delete' };
}

/**
 * May a repeat of the call be answered with a state that is older than what is known of the record? Than its end: unless what was noted as a
 * create made it again on purpose; of a call that nobody remembers it is a guess whether it was one (F5). Than all else: only of such a call,
 * while which others' changes of the record were not held back. A copy that lags says nothing better.
 */
export function isAnsweredLate(
  { readAfterWriteMs = 0 }: SourceFacts,
  { kind, isGuess }: NotedCall,
  { deleted }: Pick<RecordView, 'deleted'>,
): boolean {
  if (kind === 'delete') return false;
  return deleted ? kind === 'update' || isGuess === true : isGuess === true && readAfterWriteMs === 0;
}

/** Would a repeat still arrive within the life of the key of the first call? */
function isKeyAlive(facts: SourceFacts, sentAtMs: number, nowMs: number): boolean {
  const { idempotencyKeyLifetimeMs, callTimeoutMs, maxRequestLifetimeMs } = facts;
  if (idempotencyKeyLifetimeMs === undefined) return false;
  const arrivesWithinMs = callTimeoutMs + (maxRequestLifetimeMs ?? REQUEST_LIFETIME_MS);
  return nowMs - sentAtMs + arrivesWithinMs <= idempotencyKeyLifetimeMs * KEY_LIFE_USED;
}
