import { compileChangeNumber } from './change-number.js';
import type { DeletionLogFacts, LogTimeFacts } from './deletion-log.js';
import { durationMs, type Duration } from './duration.js';
import type { Lateness } from './number-run.js';
import { compileUpdatedSince } from './updated-since.js';

/** By what entries of a log are told apart and asked for: their numbers, or their times of deletion in ms. */
export interface LogScale {
  readonly param: string;
  /** Does an entry's place on it say when its record was deleted? */
  readonly isTime: boolean;
  readonly lateness: Lateness;
  /** So long after an entry was seen another one of its key may still stand at the same place; null: entries do not show where they stand. */
  readonly sameWithinMs: number | null;
  /** What the parameter takes, so that every entry from here on comes. */
  argument(from: bigint): string;
  /** Where an entry stands; null: it does not show it. @throws CallFault badAnswer - a number that cannot be read */
  of(entry: unknown): bigint | null;
}

export function logScale(since: DeletionLogFacts['since'], readAfterWrite: Duration = '0s'): LogScale {
  if (since.kind !== 'number') return timeScale(since, readAfterWrite);
  const numbers = compileChangeNumber(since);
  const lateMs = durationMs(since.longestTransaction ?? '0s') + durationMs(readAfterWrite);
  return {
    param: since.param,
    isTime: false,
    lateness: { gap: BigInt(since.gap ?? 0), lateMs },
    sameWithinMs: 0,
    argument: (from) => numbers.argument(from),
    of: (entry) => numbers.of(entry),
  };
}

function timeScale(facts: LogTimeFacts, readAfterWrite: Duration): LogScale {
  const since = compileUpdatedSince(facts, readAfterWrite);
  return {
    param: facts.param,
    isTime: true,
    // What may come late is asked for again.
    lateness: { gap: 0n, lateMs: 0 },
    sameWithinMs: facts.stamp === undefined ? null : since.overlapMs,
    argument: (from) => since.argument(Math.max(0, Number(from) - since.overlapMs)),
    of(entry) {
      const ms = since.stampMs(entry);
      return ms === null ? null : BigInt(Math.floor(ms));
    },
  };
}
