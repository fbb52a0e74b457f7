import type { Chance } from '../core/ports.js';

/** Rest after the first round that failed; it doubles with each further one. */
const FIRST_BACKOFF_MS = 5_000;
/** Longest rest after rounds that failed, or the poll's own interval where that is longer. */
const LONGEST_BACKOFF_MS = 60_000;

/** The pace of one collection's loop. */
export interface Pace {
  failures: number;
  scanFailures: number;
  /** A scan that failed rests until then, on the monotonic clock. */
  scanRestsUntilMs: number;
  /** Of the lease under which its last round ran. */
  fence: number;
  /** Its fence when it was given to another node; null: it was not given. */
  givenFence: number | null;
}

export function newPace(): Pace {
  return { failures: 0, scanFailures: 0, scanRestsUntilMs: Number.NEGATIVE_INFINITY, fence: 0, givenFence: null };
}

/** Doubles with each failure; chance keeps collections and nodes from asking a sick source all at once. @param everyMs its interval when it is well */
export function backoffMs(everyMs: number, failures: number, chance: Chance): number {
  const longestMs = Math.max(LONGEST_BACKOFF_MS, everyMs);
  return Math.min(longestMs, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20)) * (1 - chance() / 4);
}
