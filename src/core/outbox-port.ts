import type { RecordId } from './change.js';
import type { Expected, OpenIntent } from './record-port.js';

/** An intent leased for delivery. */
export interface LeasedIntent extends OpenIntent {
  readonly tenant: string;
  /** How long ago the deadline of its last attempt passed, by the database's clock when it was leased; negative: it has not. */
  readonly sinceDeadlineMs: number | null;
}

/** An intent as its holder names it. */
export type HeldIntent = Pick<LeasedIntent, 'tenant' | 'intentNo' | 'fence'>;

/** The durable note before a call (R11): compared like a write, so that the decision is binding. */
export interface SendNote {
  readonly intentNo: number;
  readonly fence: number;
  readonly collection: string;
  readonly id: RecordId;
  readonly expected: Expected;
  /** What will be sent, as JSON text. */
  readonly payload: string;
  /** The source version that guards the call; null: unguarded. */
  readonly guard: string | null;
  /** The call ends this long after the note, by the database's clock (F13). */
  readonly deadlineMs: number;
}

/** The outbox: accepted changes on their way to a source. Every method is one transaction. */
export interface OutboxStore {
  /**
   * Leases a tenant's due intents whose turn it is, oldest first: no earlier one of their record is open, no other one of it has left PENDING (an
   * alias may have brought earlier ones into its lane), and the one that they wait for is settled. Expiry by the database's clock.
   */
  leaseIntents(request: {
    readonly tenant: string;
    readonly collections: readonly string[];
    readonly holder: string;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<readonly LeasedIntent[]>;
  /**
   * PENDING or IN_DOUBT → SENT, durable before the call; moves the record's mark by one, so that what others decided before is
   * stale. `lost`: another holder has it; `stale`: decide again.
   */
  noteSent(tenant: string, notes: readonly SendNote[]): Promise<readonly ('sent' | 'stale' | 'lost')[]>;
  /**
   * Back to PENDING after a call that certainly had no effect, was never made, or turned out to have had none (IN_DOUBT); the fence
   * stays the caller's until somebody leases it. False when the fence is lost.
   *
   * @param waitsFor not due before this intent is settled, either; absent: as before
   */
  releaseIntent(intent: HeldIntent, retryInMs: number, waitsFor?: number | null): Promise<boolean>;
  /**
   * SENT or IN_DOUBT → IN_DOUBT, the lease given up: `leaseInDoubt` finds it again after this long. False when the fence is lost.
   */
  leaveInDoubt(intent: HeldIntent, lookInMs: number): Promise<boolean>;
  /** A tenant's SENT and IN_DOUBT intents whose lease ran out: their calls' outcome is unknown. Leased to the caller, who finds it out. */
  leaseInDoubt(request: {
    readonly tenant: string;
    readonly holder: string;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<readonly LeasedIntent[]>;
  /** Records of a tenant with an open intent of these collections whose overlay is not taken, accepted at least so long ago; oldest first. */
  readUnshown(request: {
    readonly tenant: string;
    readonly collections: readonly string[];
    readonly olderThanMs: number;
    readonly limit: number;
  }): Promise<readonly { readonly collection: string; readonly id: RecordId }[]>;
  /** Earlier accepted open intents, in order, of records of this tenant that refer to a record: a DELETE waits for them (F18). */
  readReferring(
    tenant: string,
    to: { readonly collection: string; readonly id: RecordId },
    before: number,
  ): Promise<readonly { readonly intentNo: number; readonly changeId: string }[]>;
}
