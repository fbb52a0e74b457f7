import type { Epoch, Seq } from './change.js';
import type { DrainPosition, Fill } from './checkpoint.js';
import type { ChangeError } from './errors.js';
import type { PushStatus } from './intent.js';
import type { ScopePair, ScopeSet } from './scope.js';
import type { DeviceKey } from './session.js';
import type { ChangeShape } from './shape.js';

/** Where a tenant's feed stands. */
export interface FeedHead {
  readonly epoch: Epoch;
  readonly head: Seq;
  readonly horizon: Seq;
}

/**
 * Part of a page: changes as ready JSON texts, UTF-8. Each of `texts` holds some of them joined by commas; joined by commas
 * they are the slice. Short and empty slices say nothing about the end; `exhausted` does.
 */
export interface FeedSlice<Position> {
  readonly texts: readonly Uint8Array[];
  readonly count: number;
  /** The last row looked at, given out or not; null when none was. */
  readonly position: Position | null;
  /** True: no row of the range is left behind `position`. */
  readonly exhausted: boolean;
}

/** How the changes of a slice are written, and whose `mine` they carry. */
export interface SliceForm {
  readonly shape: ChangeShape;
  /** Null: `mine` is always empty. */
  readonly device: DeviceKey | null;
  /** `mine` names the device's changes whose effect, settled or laid over, has a seq above this one. */
  readonly mineAfter: Seq;
}

/**
 * One consistent snapshot of a tenant's feed: everything read through it is of one moment (R2). Each method is one query
 * of at most `room` changes (>= 1) in the order of its positions; specification part 1 gives the rules of each.
 */
export interface FeedSnapshot {
  readonly feed: FeedHead;
  /** Every (collection, scope) pair in which there ever was a record, of these collections (development sessions). */
  everyPair(collections: readonly string[]): Promise<ScopeSet>;
  /** Step 1: rows of lost scopes that the device holds and nothing else covers, as DELETE or REVOKE. */
  drain(
    range: {
      readonly set: ScopeSet;
      readonly after: DrainPosition | null;
      readonly seq: Seq;
      readonly cover: ScopeSet;
      readonly fill: Fill | null;
    },
    room: number,
    form: SliceForm,
  ): Promise<FeedSlice<DrainPosition>>;
  /** Step 2: live rows of gained scopes with `after < seq <= upTo`, by seq, as UPSERT. */
  fill(
    range: { readonly set: ScopeSet; readonly after: Seq; readonly upTo: Seq },
    room: number,
    form: SliceForm,
  ): Promise<FeedSlice<Seq>>;
  /**
   * Step 3: rows of the cover with `after < seq <= upTo`, by seq, one change per record and seq; rows that left and
   * entered only above `heldUpTo` (the page's starting seq) are passed over.
   */
  main(
    range: { readonly cover: ScopeSet; readonly after: Seq; readonly upTo: Seq; readonly heldUpTo: Seq },
    room: number,
    form: SliceForm,
  ): Promise<FeedSlice<Seq>>;
  /** What is live in these pairs, by collection, if nothing of them moved above `upTo`; null: something did. */
  tally(set: ScopeSet, upTo: Seq): Promise<ReadonlyMap<string, Tally> | null>;
  /** Receipts of a device with `after < seq <= upTo`, by seq (F10). */
  receipts(device: DeviceKey, after: Seq, upTo: Seq): Promise<readonly StoredReceipt[]>;
}

/** Records of a collection: how many, and the sum of their versions' hashes, each 64 bits, not reduced. */
export interface Tally {
  readonly count: number;
  readonly sum: bigint;
}

/** A change's fate as it is kept for its device. */
export interface StoredReceipt {
  readonly changeId: string;
  readonly status: PushStatus;
  readonly collection: string;
  readonly id: string;
  readonly error: ChangeError | null;
  readonly blockedBy: string | null;
  readonly seq: Seq;
}

/** Reading side of the store, used by pull. Always the primary (F17). */
export interface FeedReader {
  /** Read after the call began; calls that wait together may share one query. */
  readHead(tenant: string): Promise<FeedHead>;
  /** Runs `read` on one snapshot. @throws SyncError UNAVAILABLE - the database cannot be reached */
  snapshot<T>(tenant: string, read: (snapshot: FeedSnapshot) => Promise<T>): Promise<T>;
  /** Keeps scope sets under their hashes before a token that names them leaves. Safe to repeat. */
  saveScopeSets(tenant: string, sets: ReadonlyMap<string, ScopeSet>): Promise<void>;
  /** The set of a hash, or null when it is not known (any more). */
  readScopeSet(tenant: string, hash: string): Promise<ScopeSet | null>;
  /** Keys that sign checkpoints, newest first; made at the first start and kept in the store (F24). */
  readSigningKeys(): Promise<readonly SigningKey[]>;
}

export interface SigningKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}

/** A commit moved a tenant's head: what the hub needs to hint the right devices (R18). Never data. */
export interface FeedAdvance {
  readonly tenant: string;
  readonly epoch: Epoch;
  /** The head before it: what is above the last head heard and not above this was never announced here. */
  readonly after: Seq;
  readonly head: Seq;
  /** The pairs whose rows moved; null: unknown (heard from another node), compare with `changedPairs`. */
  readonly touched: readonly TouchedPair[] | null;
  /** Devices for which a receipt waits now. */
  readonly receipts: readonly WaitingReceipt[];
}

export interface WaitingReceipt {
  readonly device: DeviceKey;
  readonly collection: string;
}

export interface TouchedPair extends ScopePair {
  /** The device whose own unaltered change this is, if nothing else moved the pair. */
  readonly author: DeviceKey | null;
}

/** Tells who listens that feeds advanced, on every node. May lose, double and delay (R18); heads are compared besides. */
export interface Announcer {
  onAdvance(listener: (advance: FeedAdvance) => void): () => void;
  /** Those of the pairs in which a row has `seq > after`. */
  changedPairs(tenant: string, pairs: ScopeSet, after: Seq): Promise<ScopeSet>;
}
