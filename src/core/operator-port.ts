import type { RecordId, Seq } from './change.js';
import type { ChangeError } from './errors.js';
import type { OpenState } from './intent.js';
import type { LeasedIntent } from './outbox-port.js';
import type { KnownChange } from './record-port.js';
import type { DeviceKey } from './session.js';

/** What operators see and do; low-rate. */
export interface OperatorStore {
  /** Open intents, oldest first, after an intent's number. */
  readOutbox(
    tenant: string,
    request: {
      /** Empty: every state. */
      readonly states: readonly OpenState[];
      readonly collection: string | null;
      readonly after: number | null;
      readonly limit: number;
    },
  ): Promise<readonly OutboxEntry[]>;
  /** Open intents by state; states without any are missing. */
  countOutbox(tenant: string): Promise<ReadonlyMap<OpenState, number>>;
  /** PARKED → PENDING: it is told as ACCEPTED again, and sent again. False when it is not parked (any more). */
  reopenIntent(tenant: string, intentNo: number): Promise<boolean>;
  /** What became of an intent that is settled (`push_change.intent_no`, without an index: asked for after a miss only); null: unknown. */
  readSettled(tenant: string, intentNo: number): Promise<SettledIntent | null>;
  /** Kept conflicts, oldest first, after a seq. */
  readConflicts(tenant: string, after: Seq | null, limit: number): Promise<readonly KeptConflict[]>;
  /**
   * A scan of a collection shall be made as soon as may be. Safe to repeat: a later one takes the place of an earlier one.
   *
   * @param allow within an hour so many deletions are no reason to hold them, for so long; null: what is allowed stays as it is
   */
  askScan(
    tenant: string,
    collection: string,
    allow: { readonly deletions: number; readonly forMs: number } | null,
  ): Promise<void>;
  /** Forgets the kept edit; false when there is none. */
  dismissConflict(device: DeviceKey, changeId: string): Promise<boolean>;
}

/** An open intent as an operator sees it. */
export interface OutboxEntry extends LeasedIntent {
  /** Why it is parked; null otherwise. */
  readonly error: ChangeError | null;
  /** The change that it waits for: the one of its `waitsFor`, or else the last earlier one of its record. */
  readonly blockedBy: string | null;
  /** When its next attempt is due or its call is looked after, ms since 1970; in the past: now. */
  readonly dueAtMs: number;
}

/** An edit that was refused as CONFLICT and is kept for an operator, until it is dismissed or retention takes it. */
export interface KeptConflict {
  readonly device: DeviceKey;
  readonly changeId: string;
  readonly collection: string;
  readonly id: RecordId;
  readonly error: ChangeError | null;
  /** JSON text of a `KeptEdit`. */
  readonly kept: string;
  readonly settledSeq: Seq;
}

/** What became of an intent that is not open any more. */
export interface SettledIntent extends KnownChange {
  readonly intentNo: number;
  readonly device: DeviceKey;
}
