import type { Fields } from '../core/change.js';
import type { OutboxEntry } from './outbox-entry.js';

/** The name of a record. */
export interface RecordName {
  readonly collection: string;
  readonly id: string;
}

/** A record as the gateway sent it last, without the device's own edits. */
export interface HeldRecord extends RecordName {
  readonly version: string;
  readonly fields: Fields;
  /** Changes that the source has not confirmed are part of it. */
  readonly isPending: boolean;
  /** Of the lineage that brought it; older than the state's after a reset: stale until it comes again (F25). */
  readonly generation: number;
}

/** Where a device stands: one per store. */
export interface SyncState {
  /** Moves with every guarded commit. */
  readonly revision: number;
  readonly device: string;
  /** Whose records these are; null: the app did not say. */
  readonly user: string | null;
  /** The list that the checkpoint belongs to; null: all collections. */
  readonly collections: readonly string[] | null;
  /** Null: the next pull begins an initial sync. */
  readonly checkpoint: string | null;
  readonly epoch: string | null;
  /** How often it began again: records of an older one are stale (F25), and what a push was answered of an older one is old (F10). */
  readonly generation: number;
  /** Something may be held that is older than the generation: swept when the round ends. */
  readonly isStale: boolean;
  /** When a round last ended, ms since 1970. */
  readonly lastSyncedAtMs: number | null;
  /** An operator took this installation's rights away, for ever. */
  readonly isRevoked: boolean;
}

/** What decides about syncing, read together. */
export interface SyncRead {
  /** Null: the store is new. */
  readonly state: SyncState | null;
  /** In the order in which they were made. */
  readonly entries: readonly OutboxEntry[];
}

/** What is shown of a collection, or of one record of it, read together. */
export interface RecordsRead {
  /** In no order. */
  readonly records: readonly HeldRecord[];
  /** Those of these records, in the order in which they were made. */
  readonly entries: readonly OutboxEntry[];
}

/** What one local transaction writes: all of it or nothing, in the order of these parts. */
export interface StoreWrites {
  /** Everything that is held goes first. */
  readonly isWiped?: boolean;
  readonly state?: SyncState;
  /** Put in, or over what is held. */
  readonly records?: readonly HeldRecord[];
  /** Those that are held become of this generation, without a body. */
  readonly seen?: { readonly names: readonly RecordName[]; readonly generation: number };
  readonly gone?: readonly RecordName[];
  /** Records of older generations than this go. */
  readonly sweepBelow?: number;
  /** At the end of the outbox. */
  readonly added?: readonly OutboxEntry[];
  /** In the place of the entries of the same changeId; one that is not there any more stays away. */
  readonly changed?: readonly OutboxEntry[];
  /** By changeId. */
  readonly dropped?: readonly string[];
}

/**
 * What a device keeps, on any storage: records, outbox and where it stands. Whoever syncs reads, decides, and commits under the revision
 * that it read, so that a page and its checkpoint land together and only on the checkpoint that the page continues. Every
 * implementation passes `test/contract/local-store.contract.ts`.
 */
export interface LocalStore {
  /** Other tabs that share it know it by this name; null: nobody shares it. */
  readonly sharedAs: string | null;
  /** Null: the store is new. */
  readState(): Promise<SyncState | null>;
  /** As long as the outbox is long. */
  readSync(): Promise<SyncRead>;
  /** @param id one record; absent: the whole collection */
  readRecords(collection: string, id?: string): Promise<RecordsRead>;
  /**
   * Writes in one transaction, durably.
   *
   * @param ifRevision the revision of the state that the writes were decided on (a store without a state has 0); null: whatever it is
   * @returns false: the state moved on, and nothing was written
   */
  commit(writes: StoreWrites, ifRevision: number | null): Promise<boolean>;
  close(): Promise<void>;
}
