import type { Epoch, Seq } from './change.js';

/** What a feed forgets, by age or all at once. */
export interface RetentionStore {
  /**
   * Forgets by age (specification part 2): moves the horizon and the floors, drops left rows, tombstones and receipts.
   *
   * @param olderThanMs a time, ms since 1970
   */
  purge(tenant: string, olderThanMs: number): Promise<{ readonly horizon: Seq }>;
  /**
   * Makes a new key to sign checkpoints if the newest was made before a time, and forgets keys that another one took the place of before
   * another time (F24). Of every tenant. Safe to repeat.
   *
   * @param times ms since 1970; Infinity: always
   */
  rotateSigningKeys(times: { readonly newestBeforeMs: number; readonly replacedBeforeMs: number }): Promise<void>;
  /**
   * Begins a new epoch if `from` is still in force, in one transaction (F5, specification part 8): what is PENDING or SENT becomes
   * IN_DOUBT and due, every collection is polled without a cursor and scanned, all leases are void, and no number or fence that was
   * given out before is given out again. Safe to repeat.
   *
   * @param seenHead the highest seq that anybody is known to have seen; the head goes to it at least
   * @returns the epoch that is now in force
   */
  newEpoch(tenant: string, from: Epoch, seenHead?: Seq): Promise<Epoch>;
}
