import type { Fields, PushKind, Seq, SourceKey } from './change.js';
import { SyncError, type ChangeError } from './errors.js';

/**
 * States in which an accepted change holds its record's lane (specification part 4). SENT is durable before the call is made;
 * a call whose outcome is unknown is IN_DOUBT, and PARKED from there: never repeated blindly (R11). A settled change has no
 * state any more, but a status.
 */
export type OpenState = 'PENDING' | 'SENT' | 'IN_DOUBT' | 'PARKED';
/** What a device is told; the first four are final (R7). */
export type PushStatus = 'APPLIED' | 'MERGED' | 'CONFLICT' | 'REJECTED' | 'ACCEPTED' | 'PARKED';
/** What was sent to a source: `payload` of an intent, and what an operator is shown. References as source keys. */
export interface SentCall {
  readonly kind: 'create' | 'update' | 'delete';
  readonly sourceKey: SourceKey | null;
  readonly fields: Fields;
  /** What the change will be when the source took it. */
  readonly status: 'APPLIED' | 'MERGED';
  /** What its device is told with a MERGED one: why not all of it was sent. Absent: nothing. */
  readonly error?: ChangeError;
}

/** An edit that was refused as CONFLICT, as it is kept. */
export interface KeptEdit {
  readonly kind: PushKind;
  /** As pushed: references as ids. */
  readonly fields: Fields;
  /** The seq of the version that the edit was made from; 0: a new record, 1: made on top of one before a version of it was pulled. */
  readonly baseSeq: Seq;
  /** The fields in which it conflicts. */
  readonly conflicting: readonly string[];
}

/** What can happen to an open intent; the whole list. */
export type IntentEvent =
  /** Taken by a process, to be delivered or to find out what became of its call. */
  | 'leased'
  /** The note of its next call is durable. */
  | 'noted'
  /** The source took it. */
  | 'applied'
  /** The source took it as a record whose key is not known here. */
  | 'appliedWithoutKey'
  /** The source said no for good. */
  | 'refused'
  /** The binding decision: the policy says no; in doubt, since nobody can tell whether it took effect (F4). */
  | 'refusedByPolicy'
  /** The call certainly had no effect, or was never made. */
  | 'notSent'
  /** The source holds another version. */
  | 'stale'
  /** It met another version too often. */
  | 'gaveUp'
  /** The call may have taken effect. */
  | 'unknown'
  /** Its holder is gone. */
  | 'leaseLost'
  /** Read back, looked up or sent again under its key: it took effect. */
  | 'foundApplied'
  /** Read back or looked up: it had no effect, and will have none. */
  | 'foundNotApplied'
  /** The same, after a repeat under its key was refused: it will not be sent again. */
  | 'foundRefused'
  /** It cannot be told (any more) whether it took effect. */
  | 'undecided'
  /** It cannot be told yet: its time has not come, or the source does not answer. */
  | 'notYetTold'
  /** An operator: to be sent again; what is on its way stays as it is. */
  | 'operatorRetry'
  /** An operator: it shall not take effect. */
  | 'operatorReject'
  /** An operator: it did take effect. */
  | 'operatorSettle'
  /** A new epoch begins: nobody knows what was done after the backup (F5). */
  | 'epochChanged';

/** What an intent becomes; SETTLED: it has a final status and is open no more. */
export type NextIntentState = OpenState | 'SETTLED';

/** Something that cannot happen in a state, and why. */
export interface Impossible {
  readonly impossible: string;
}

const never = (impossible: string): Impossible => ({ impossible });
const NO_CALL = never('no call is under way');
const NOT_IN_DOUBT = never('nothing is in doubt');
const CALLED = never('a call is under way, and its outcome comes first');
const OPERATORS = never('a parked change is not touched before an operator has decided');

/**
 * The intent machine, whole (specification part 4). A change whose call may have taken effect is never PENDING before it is
 * proven that it had none: IN_DOUBT it is sent again only under the same idempotency key (R11).
 */
export const INTENT_MACHINE: {
  readonly [State in OpenState]: { readonly [Event in IntentEvent]: NextIntentState | Impossible };
} = {
  PENDING: {
    leased: 'PENDING',
    noted: 'SENT',
    applied: NO_CALL,
    appliedWithoutKey: NO_CALL,
    refused: NO_CALL,
    refusedByPolicy: 'SETTLED',
    notSent: 'PENDING',
    stale: NO_CALL,
    gaveUp: 'PARKED',
    unknown: NO_CALL,
    leaseLost: 'PENDING',
    foundApplied: NOT_IN_DOUBT,
    foundNotApplied: NOT_IN_DOUBT,
    foundRefused: NOT_IN_DOUBT,
    undecided: NOT_IN_DOUBT,
    notYetTold: NOT_IN_DOUBT,
    operatorRetry: 'PENDING',
    operatorReject: 'SETTLED',
    operatorSettle: 'SETTLED',
    epochChanged: 'IN_DOUBT',
  },
  SENT: {
    leased: CALLED,
    noted: CALLED,
    applied: 'SETTLED',
    appliedWithoutKey: 'PARKED',
    refused: 'SETTLED',
    refusedByPolicy: CALLED,
    notSent: 'PENDING',
    stale: 'PENDING',
    gaveUp: CALLED,
    unknown: 'IN_DOUBT',
    leaseLost: 'IN_DOUBT',
    foundApplied: CALLED,
    foundNotApplied: CALLED,
    foundRefused: CALLED,
    undecided: CALLED,
    notYetTold: CALLED,
    operatorRetry: 'SENT',
    operatorReject: CALLED,
    operatorSettle: CALLED,
    epochChanged: 'IN_DOUBT',
  },
  IN_DOUBT: {
    leased: 'IN_DOUBT',
    noted: 'SENT',
    applied: NO_CALL,
    appliedWithoutKey: NO_CALL,
    refused: NO_CALL,
    refusedByPolicy: 'SETTLED',
    notSent: NO_CALL,
    stale: NO_CALL,
    gaveUp: never('it is not decided again before the doubt is resolved'),
    unknown: NO_CALL,
    leaseLost: 'IN_DOUBT',
    foundApplied: 'SETTLED',
    foundNotApplied: 'PENDING',
    foundRefused: 'SETTLED',
    undecided: 'PARKED',
    notYetTold: 'IN_DOUBT',
    operatorRetry: 'IN_DOUBT',
    operatorReject: 'SETTLED',
    operatorSettle: 'SETTLED',
    epochChanged: 'IN_DOUBT',
  },
  PARKED: {
    leased: OPERATORS,
    noted: OPERATORS,
    applied: NO_CALL,
    appliedWithoutKey: NO_CALL,
    refused: NO_CALL,
    refusedByPolicy: OPERATORS,
    notSent: NO_CALL,
    stale: NO_CALL,
    gaveUp: OPERATORS,
    unknown: NO_CALL,
    leaseLost: never('nobody holds a parked change'),
    foundApplied: OPERATORS,
    foundNotApplied: OPERATORS,
    foundRefused: OPERATORS,
    undecided: OPERATORS,
    notYetTold: OPERATORS,
    operatorRetry: 'PENDING',
    operatorReject: 'SETTLED',
    operatorSettle: 'SETTLED',
    epochChanged: 'PARKED',
  },
};

/** Every open state. */
export const OPEN_STATES = Object.keys(INTENT_MACHINE) as readonly OpenState[];

/**
 * What an intent in this state becomes.
 *
 * @throws SyncError INTERNAL - it cannot happen there: a fault of the gateway, after which nothing may be written
 */
export function nextIntentState(state: OpenState, event: IntentEvent): NextIntentState {
  const next = INTENT_MACHINE[state][event];
  if (typeof next === 'string') return next;
  throw new SyncError('INTERNAL', `expected no "${event}" of a change that is ${state}: ${next.impossible}`);
}

/** Attempts after which a change that keeps meeting newer versions is parked (specification part 4). */
export const MAX_ATTEMPTS = 5;

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 60_000;

/**
 * How long an intent waits after its n-th failed attempt that certainly had no effect: doubling from 0.5 s to 60 s, with
 * up to half of it taken off by chance so that many waiting intents do not come back together.
 *
 * @param chance 0 <= chance < 1
 */
export function retryDelayMs(attempt: number, chance: number): number {
  const full = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(full * (1 - chance / 2));
}
