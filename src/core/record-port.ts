import type { PushKind, RecordId, Seq, SourceKey } from './change.js';
import type { Stamps } from './conflict.js';
import type { DeviceStanding } from './device-port.js';
import type { ChangeError } from './errors.js';
import type { OpenState, PushStatus } from './intent.js';
import type { OutboxStore } from './outbox-port.js';
import type { DeviceKey } from './session.js';
import type { ViaName } from './via.js';

/** A record as decisions need it. A record that was never there (or is only being created) has `seq` 0. */
export interface RecordView {
  readonly collection: string;
  readonly id: RecordId;
  readonly sourceKey: SourceKey | null;
  readonly seq: Seq;
  /** Moves with every change of the record's open intents; part of what a write is compared with. */
  readonly mark: number;
  readonly deleted: boolean;
  /** The ready text of the source layer (`src`), references as source keys; null while nothing is known of it. */
  readonly body: string | null;
  /**
   * The ready text that devices see where it differs from `body`: references as ids, open intents whose overlay is taken laid
   * over it (specification part 3). Null: `body` is what they see.
   */
  readonly vis: string | null;
  /** An overlay is part of what devices see, or the record has an open DELETE (F8). */
  readonly pending: boolean;
  /** The record that this id turned out to be (F9); everything else of such a view is what the alias was. */
  readonly aliasOf: RecordId | null;
  readonly sourceVersion: string | null;
  readonly hash: string | null;
  readonly stamps: Stamps;
  /** The scopes that it is in now; of a tombstone those that it was last in. */
  readonly scopes: readonly string[];
  /** The seq of the last write through us: an observation begun before it is stale (R15). */
  readonly written: Seq;
  readonly changedAtMs: number;
  /** In accept order. */
  readonly intents: readonly OpenIntent[];
}

/** An accepted change that is not settled yet. */
export interface OpenIntent {
  readonly intentNo: number;
  readonly device: DeviceKey;
  readonly changeId: string;
  readonly collection: string;
  readonly id: RecordId;
  readonly kind: PushKind;
  /** The pushed fields as JSON text of an object; `{}` for DELETE. */
  readonly fields: string;
  readonly baseSeq: Seq;
  /** Skew-corrected time of the edit. */
  readonly editedAtMs: number;
  readonly state: OpenState;
  readonly attempt: number;
  /** The seq of its overlay; null until taken. */
  readonly seq: Seq | null;
  /** The open intent that must be settled first: of the record that this one refers to, say (F18). Null: none. */
  readonly waitsFor: number | null;
  /** Grows with each lease; who acts for the intent names the one of its own lease. */
  readonly fence: number;
  readonly acceptedAtMs: number;
  /** What was sent with the last attempt, as JSON text of a `SentCall`; null before the first. */
  readonly payload: string | null;
  /** The source version that guarded the last attempt; null: none, or it was unguarded. */
  readonly guard: string | null;
}

/** What was read when a write was decided; the store compares it under the tenant lock (design section 4). */
export interface Expected {
  readonly seq: Seq;
  readonly mark: number;
}

/** What a record becomes. Taking it gives the record a new seq. */
export interface NextState {
  readonly sourceKey: SourceKey | null;
  readonly deleted: boolean;
  /** The whole ready text; for a deleted record the last one known, which is not sent any more. */
  readonly body: string | null;
  readonly sourceVersion: string | null;
  readonly hash: string | null;
  /** As in `RecordView`. */
  readonly vis: string | null;
  readonly pending: boolean;
  /** Empty for deleted records, and with `via`. */
  readonly scopes: readonly string[];
  /**
   * The record whose scopes this one has: those that it is in when this is written, and from then on whatever they become. Each record
   * that follows another one into other scopes takes a seq of its own, in the same commit. One that is not there, or not any more, is in
   * none. Absent or null: `scopes`.
   */
  readonly via?: ViaName | null;
  /** True for a write through us: sets `written` to the new seq. */
  readonly throughUs: boolean;
}

/** Fields of the source layer that changed, and by whom; `at` only where specification part 4 dates them back. */
export interface Stamping {
  readonly fields: readonly string[];
  readonly writer: string;
  readonly at: Seq | null;
}

/** A pushed change that enters: its dedupe row, and an intent unless it is final at once (R7, R10). */
export interface Acceptance {
  readonly device: DeviceKey;
  readonly changeId: string;
  /** Hash of the change's body: the same id with another body is KEY_REUSED. */
  readonly bodyHash: string;
  /** Null: final at once, `settlement` of the same write says how. */
  readonly intent: {
    readonly kind: PushKind;
    readonly fields: string;
    readonly baseSeq: Seq;
    readonly editedAtMs: number;
    /** Leased to this holder from the start with fence 1, so that the accepting node delivers without a second trip. */
    readonly lease: { readonly holder: string; readonly leaseMs: number } | null;
    /** As in `OpenIntent`. */
    readonly waitsFor: number | null;
    /** The records that its fields refer to, for `readReferring`; absent: none. */
    readonly refersTo?: readonly { readonly collection: string; readonly id: RecordId }[];
    /** Its overlay is taken at once: its seq is the one of this write, whose `next` holds the overlay. */
    readonly isShown: boolean;
    /** It may have been sent already (F5): it begins IN_DOUBT and due, as if its last call had ended now. Absent: false. */
    readonly inDoubt?: boolean;
  } | null;
}

/** The fate of a change, kept for repeats (R7) and told in a pull (F10). PARKED keeps its intent open. */
export interface Settlement {
  readonly device: DeviceKey;
  readonly changeId: string;
  readonly status: Exclude<PushStatus, 'ACCEPTED'>;
  readonly error: ChangeError | null;
  /** True when the record's state now contains the change: it appears in `mine`. */
  readonly inEffect: boolean;
  /** The intent that closes and the fence under which its holder acts; null when it was final at accept. */
  readonly intent: { readonly intentNo: number; readonly fence: number } | null;
  /** The change that this one was settled because of, or waits for; absent: none (F18, F19). */
  readonly blockedBy?: string | null;
  /** The edit as JSON text of a `KeptEdit`, for an operator to look at: a CONFLICT that nobody shall lose. Absent: nothing. */
  readonly kept?: string;
}

/**
 * One record's part of a commit: compared with `expected`, then written whole or not at all. A write takes a seq of its
 * own if it has `next` or `settlement`.
 */
export interface RecordWrite {
  readonly collection: string;
  readonly id: RecordId;
  readonly expected: Expected;
  readonly next?: NextState;
  /** Only the source version moved: no seq, nothing for devices (R17). */
  readonly sourceVersion?: string | null;
  readonly stamps?: readonly Stamping[];
  readonly acceptance?: Acceptance;
  readonly settlement?: Settlement;
  /** Open intents of the record whose overlay is taken with this write: their seq becomes the write's. Needs `next`. */
  readonly shown?: readonly number[];
  /**
   * The record turned out to be this other one (F9): from now on its id is an alias of it, for ever, and its open intents are
   * in the other one's lane. Needs `next` (deleted, no key) so that whoever holds the alias removes it.
   */
  readonly aliasOf?: RecordId;
}

/** What became of one record's part. A lost `fence` of the context gives `fenceLost` for every write. */
export type WriteOutcome =
  | { readonly kind: 'written'; readonly seq: Seq; readonly intentNo: number | null }
  /** The record or its intents moved since the decision: read, decide and try again. */
  | { readonly kind: 'stale' }
  /** The change id is known: `readChanges` has its answer. */
  | { readonly kind: 'known' }
  /** The source key belongs to another record. */
  | { readonly kind: 'keyTaken'; readonly by: RecordId }
  /** The intent's lease went to another holder: nothing was written, the caller must stop. */
  | { readonly kind: 'fenceLost' };

/** What else a commit carries; all of it becomes true together with the writes, or not at all (R16). */
export interface CommitContext {
  /** The lease that must still be held, checked in the transaction (F28). */
  readonly fence?: { readonly name: string; readonly fence: number };
  /**
   * In such a commit a write that comes back `stale` or `keyTaken` puts its `next.sourceKey` on the recheck list, due at
   * once, in the same transaction: nothing is passed over although the cursor moves (R16).
   */
  readonly ingest?: {
    readonly collection: string;
    /** Absent: unchanged. */
    readonly cursor?: string | null;
    readonly state?: CollectionState;
    readonly polledAtMs?: number;
    readonly scannedAtMs?: number;
    /** Keys to look at again (F6, R15), and those that an applied observation takes off the list. */
    readonly addRechecks?: readonly Recheck[];
    readonly dropRechecks?: readonly SourceKey[];
  };
}

/** PRIMING until the first ingest is complete; HELD while an operator must look at its deletions. */
export type CollectionState = 'PRIMING' | 'READY' | 'HELD';

export interface Recheck {
  readonly sourceKey: SourceKey;
  readonly reason: string;
  readonly notBeforeMs: number;
}

/** A pushed change as it is remembered for repeats (R7). */
export interface KnownChange {
  readonly changeId: string;
  readonly bodyHash: string;
  readonly collection: string;
  readonly id: RecordId;
  /** ACCEPTED while its intent is open and not parked. */
  readonly status: PushStatus;
  readonly error: ChangeError | null;
  /** As in `Settlement`; of an open change as in `OutboxEntry`. */
  readonly blockedBy: string | null;
  /** JSON text of a `KeptEdit`; null: nothing is kept of it (any more). */
  readonly kept: string | null;
}

/** Writing side of the store. Every method is one transaction; none holds it across a source call. */
export interface RecordStore extends OutboxStore {
  /** Records by id with their open intents; records that were never there come back as absent views (seq 0, mark 0). */
  readRecords(
    tenant: string,
    names: readonly { readonly collection: string; readonly id: RecordId }[],
  ): Promise<readonly RecordView[]>;
  /** Like `readRecords`, by source key; unknown keys are missing from the map. */
  readBySourceKey(
    tenant: string,
    collection: string,
    keys: readonly SourceKey[],
  ): Promise<ReadonlyMap<SourceKey, RecordView>>;
  /** The light form for scans: what it takes to see that nothing changed (R17). */
  readHashes(
    tenant: string,
    collection: string,
    keys: readonly SourceKey[],
  ): Promise<ReadonlyMap<SourceKey, RecordMark>>;
  /** The hash of `statesText` of these records, in the order of the keys; null where that is null. */
  readStates(tenant: string, collection: string, keys: readonly SourceKey[]): Promise<string | null>;
  /** What is remembered of these change ids of a device, and how the device stands. */
  readChanges(
    device: DeviceKey,
    changeIds: readonly string[],
  ): Promise<{ readonly standing: DeviceStanding; readonly known: readonly KnownChange[] }>;
  /**
   * Appends to the feed: outcomes in the order of `writes`, of which at most one may concern a record. Commits of one
   * tenant that wait together may be joined into one transaction; a failing one is repeated alone (F16).
   */
  commit(tenant: string, writes: readonly RecordWrite[], context?: CommitContext): Promise<readonly WriteOutcome[]>;
}

/** A record's mark for comparing during scans. */
export interface RecordMark extends Expected {
  readonly id: RecordId;
  readonly hash: string | null;
  readonly sourceVersion: string | null;
  readonly deleted: boolean;
  readonly written: Seq;
  /** The seq of its last change of its own: others it only took with the record whose scopes it has. */
  readonly ownSeq: Seq;
  /** As in `NextState`. */
  readonly via: ViaName | null;
  /** As in `RecordView`. */
  readonly pending: boolean;
  readonly openIntents: number;
  /** A call for this record may be under way at its source. */
  readonly inFlight: boolean;
}
