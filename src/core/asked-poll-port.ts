import type { SourceKey } from './change.js';

/** Polls that webhooks ask for, on whatever node: how they reach the node that polls. */
export interface AskedPollStore {
  /**
   * A collection shall be polled as soon as may be, or these records of it read. Safe to repeat. A record that waits to be read again
   * for another reason keeps its time, and the collection is polled instead.
   *
   * @param keys of records, 1,000 at most; none: a poll
   * @param nowMs by the clock of the node, as rechecks are
   */
  askPoll(tenant: string, collection: string, keys: readonly SourceKey[], nowMs: number): Promise<void>;
  /** How often each collection was asked for: it grows with each. Collections that never were are missing. */
  countAsked(tenant: string): Promise<ReadonlyMap<string, number>>;
  /** The newest ask that a poll must answer; null: none. */
  readAsked(tenant: string, collection: string): Promise<number | null>;
  /** A poll is complete that began when `askedNo` was read; what was asked since is still to be answered. */
  noteAnswered(tenant: string, collection: string, askedNo: number): Promise<void>;
}
