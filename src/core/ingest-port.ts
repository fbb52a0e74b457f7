import type { RecordId, Seq, SourceKey } from './change.js';
import type { MisfitRecord } from './misfit.js';
import type { KeptReading } from './reading.js';
import type { CollectionState, Expected, Recheck } from './record-port.js';

/** What ingest keeps per collection, beside its records. */
export interface IngestStore {
  readCollection(tenant: string, collection: string): Promise<CollectionProgress>;
  /**
   * Creates of this collection whose key is not known yet (R15, F9): is one SENT or IN_DOUBT, and the pushed fields (JSON texts)
   * of those that are PARKED, or in doubt since nobody remembers a call of them (F5): these may wait for an operator, too. Read after the
   * observation was made.
   */
  readCreates(
    tenant: string,
    collection: string,
  ): Promise<{ readonly inFlight: boolean; readonly parked: readonly string[] }>;
  dueRechecks(tenant: string, collection: string, nowMs: number, limit: number): Promise<readonly Recheck[]>;
  /** Keys of live records first seen at or before `before`, without open intents, in key order after `after`. */
  knownKeys(
    tenant: string,
    collection: string,
    before: Seq,
    after: SourceKey | null,
    limit: number,
  ): Promise<readonly SourceKey[]>;
  /** Deletions that ingest emitted since then (the mass-delete limit), and live records now. */
  countDeletions(
    tenant: string,
    collection: string,
    sinceMs: number,
  ): Promise<{ readonly deletions: number; readonly live: number }>;
  /** So many deletions wait for an operator: told while the collection is HELD. */
  noteHeldDeletions(tenant: string, collection: string, deletions: number): Promise<void>;
  /** A scan is complete that began when `askedAtMs` was read; one that was asked for since is still to be made. */
  noteScanned(tenant: string, collection: string, askedAtMs: number): Promise<void>;
  /** Records in quarantine, in key order. */
  readQuarantine(tenant: string, collection: string): Promise<readonly QuarantinedRecord[]>;
  /** How many there are of each collection; collections without any are missing. */
  countQuarantined(tenant: string): Promise<ReadonlyMap<string, number>>;
  /**
   * Notes records that do not fit, and forgets others, in one transaction. Safe to repeat. Past `atMost` records of the collection
   * no more are taken.
   *
   * @param noting.misfits each key once, none of them in `released`
   * @returns which of the misfits are listed now, and which of those were not before, or for another reason
   */
  noteQuarantine(
    tenant: string,
    collection: string,
    noting: {
      readonly misfits: readonly MisfitRecord[];
      readonly released: readonly SourceKey[];
      readonly atMs: number;
      readonly atMost: number;
    },
  ): Promise<{ readonly listed: readonly SourceKey[]; readonly isNew: readonly SourceKey[] }>;
  /** Keeps how the collection is read. What is absent stays. Safe to repeat. */
  noteReading(tenant: string, collection: string, reading: Partial<KeptReading>): Promise<void>;
  /** The scopes that live records of these keys are in now, in their order; keys without such a record are missing. */
  readScopes(
    tenant: string,
    collection: string,
    keys: readonly SourceKey[],
  ): Promise<ReadonlyMap<SourceKey, readonly string[]>>;
  /**
   * Writes the same states in another text: no seq, nothing for devices (R17). A record that moved since it was read, or has open
   * intents, is left as it is.
   */
  restate(tenant: string, collection: string, records: readonly Restated[]): Promise<void>;
  /** Exclusive right for a limited time; null when another holder has it. The holder itself renews it, with the same fence. */
  acquireLease(
    tenant: string,
    name: string,
    holder: string,
    leaseMs: number,
  ): Promise<{ readonly fence: number } | null>;
  releaseLease(tenant: string, name: string, holder: string): Promise<void>;
  /** Gateways that are connected to this store now, this one included. */
  countGateways(): Promise<number>;
}

/** An equal state of a record in another text: fields in another order, or one more that is null. */
export interface Restated {
  readonly id: RecordId;
  readonly expected: Expected;
  readonly body: string;
  readonly hash: string;
  readonly vis: string | null;
}

/** A record that is set aside because it does not fit, until it comes out well or is gone. */
export interface QuarantinedRecord extends MisfitRecord {
  readonly firstSeenAtMs: number;
  readonly lastSeenAtMs: number;
}

export interface CollectionProgress extends KeptReading {
  readonly state: CollectionState;
  readonly cursor: string | null;
  /** Observations whose read began before this seq are rechecked (specification part 2). */
  readonly floor: Seq;
  readonly polledAtMs: number | null;
  readonly scannedAtMs: number | null;
  readonly recordCount: number;
  /** Deletions that the limit held when it was last passed (R14); says something while `state` is HELD. */
  readonly heldDeletions: number;
  /** So many within an hour an operator allows now; 0: the limit alone decides. */
  readonly allowedDeletions: number;
  /** When an operator asked for a scan that is not complete yet, ms since 1970 by the store's clock. */
  readonly scanAskedAtMs: number | null;
}
