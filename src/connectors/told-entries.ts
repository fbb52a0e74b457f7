import type { Anchor } from './change-number.js';

/**
 * Entries of a log that need not be told again: the newest ones come with every poll, and one whose record was made again would be read
 * again each time. An entry is told until no other one can look like it any more.
 */
export interface ToldEntries {
  /** @param isContinued it goes on where the last one that ended stood; else nothing is known to have been told */
  begin(beganMs: number, isContinued: boolean): ToldRun;
}

/** One reading of the log. */
export interface ToldRun {
  /** Is it still to be told? On a page that came at this time on the monotonic clock. */
  isDue(entry: Anchor, atMs: number): boolean;
  /** All of it was read, and what was told is kept. */
  end(): void;
}

interface Seen {
  readonly firstMs: number;
  readonly isOver: boolean;
}

/** @param sameWithinMs so long after an entry was seen another one may still look the same */
export function createToldEntries(sameWithinMs: number): ToldEntries {
  let known: ReadonlyMap<string, Seen> = new Map();
  return {
    begin(beganMs, isContinued) {
      const before = isContinued ? known : new Map<string, Seen>();
      const seen = new Map<string, Seen>();
      return {
        isDue({ number, key }, atMs) {
          const name = `${number} ${key}`;
          const one = before.get(name) ?? { firstMs: atMs, isOver: false };
          seen.set(name, { ...one, isOver: one.isOver || beganMs >= one.firstMs + sameWithinMs });
          return !one.isOver;
        },
        end: () => void (known = seen),
      };
    },
  };
}
