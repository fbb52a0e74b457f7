import type { Clock } from '../core/ports.js';

/** How fast the calls to one source end: what may be leased ahead of its turn, so that a long outbox is not leased one by one. */
export interface CallPace {
  /** A call has ended, or was not needed. */
  ended(): void;
  /** How many ended lately: as many more will have their turn well within a lease. */
  lately(): number;
}

/** As long as this, or twice as long, counts as lately. */
const LATELY_MS = 2_500;

export function createCallPace(clock: Clock): CallPace {
  let begunMs = clock.monotonicMs();
  let now = 0;
  let before = 0;

  function moveOn(): void {
    const passed = Math.floor((clock.monotonicMs() - begunMs) / LATELY_MS);
    if (passed === 0) return;
    before = passed === 1 ? now : 0;
    now = 0;
    begunMs += passed * LATELY_MS;
  }

  return {
    ended() {
      moveOn();
      now += 1;
    },
    lately() {
      moveOn();
      return before + now;
    },
  };
}
