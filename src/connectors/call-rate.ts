import type { CallRate } from '../core/call-budget-port.js';
import type { Clock } from '../core/ports.js';

/** Calls that go a second apart may arrive closer to each other by so much: on a busy machine each waits for its turn of the processor. */
const ARRIVAL_MS = 50;

/** The rate of a source that takes so many calls per second: a fraction is one call in a longer time. */
export function callRate(perSecond: number): CallRate {
  const most = Math.max(1, Math.floor(perSecond));
  return { most, windowMs: (most * 1_000) / perSecond + ARRIVAL_MS };
}

/** The turns that this process took. */
export interface OwnTurns {
  /** When the next one may be taken, ms from now; 0: now. */
  leftMs(): number;
  take(): void;
  /** How many were taken in the last so many ms. */
  takenWithin(ms: number): number;
}

/**
 * In no second do more calls go than the source allows, also not the first ones after a rest, as a bucket would let them: what counts
 * is when a call went, by the clock that never goes back.
 */
export function createOwnTurns({ most, windowMs }: CallRate, clock: Clock): OwnTurns {
  /** When the last turns were taken; the oldest stands at `oldest`. */
  const taken = Array<number>(most).fill(-Infinity);
  let oldest = 0;
  return {
    leftMs: () => Math.max(0, (taken[oldest] ?? -Infinity) + windowMs - clock.monotonicMs()),
    take() {
      taken[oldest] = clock.monotonicMs();
      oldest = (oldest + 1) % most;
    },
    takenWithin(ms) {
      const since = clock.monotonicMs() - ms;
      let count = 0;
      while (count < most && (taken[(oldest - 1 - count + 2 * most) % most] ?? -Infinity) > since) count += 1;
      return count;
    },
  };
}
