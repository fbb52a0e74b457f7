import type { Clock } from './ports.js';

/**
 * Turns of work by name, such as a user's: of each name at most so many are under way, the others wait in the order in which they came. Who waits is
 * kept waiting by its own name only; so where names queue for something further on, each has at most `atOnce` places in that queue, and whoever comes
 * there is served after at most so many of each other name.
 */
export interface Turns {
  /** @returns gives the turn back; safe to repeat */
  enter(name: string): Promise<() => void>;
  /** How many of this name wait. */
  waiting(name: string): number;
}

/** How far apart those begin who had to wait: a crowd is worked off evenly, and in between there is room for others. */
interface Pace {
  readonly gapMs: number;
  readonly clock: Pick<Clock, 'monotonicMs' | 'wait'>;
}

interface Lane {
  busy: number;
  /** When the last one began of those who had to wait, or is to begin. */
  begunAtMs: number;
  readonly waiting: (() => void)[];
}

/**
 * @param atOnce under way of one name, >= 1; Infinity: nobody waits
 * @param pace null: who waited begins as soon as there is a turn
 */
export function createTurns(atOnce: number, pace: Pace | null = null): Turns {
  /** Of names with work under way. */
  const lanes = new Map<string, Lane>();

  async function untilPaced(lane: Lane): Promise<void> {
    if (pace === null) return;
    const nowMs = pace.clock.monotonicMs();
    lane.begunAtMs = Math.max(nowMs, lane.begunAtMs + pace.gapMs);
    if (lane.begunAtMs > nowMs) await pace.clock.wait(lane.begunAtMs - nowMs);
  }

  return {
    async enter(name) {
      const lane = lanes.get(name) ?? { busy: 0, begunAtMs: -Infinity, waiting: [] };
      lanes.set(name, lane);
      if (lane.busy >= atOnce) {
        await new Promise<void>((resolve) => lane.waiting.push(resolve));
        await untilPaced(lane);
      } else lane.busy += 1;
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        const next = lane.waiting.shift();
        if (next !== undefined) return next();
        lane.busy -= 1;
        if (lane.busy === 0) lanes.delete(name);
      };
    },

    waiting: (name) => lanes.get(name)?.waiting.length ?? 0,
  };
}

/**
 * Works in a turn, which ends with the work: not when whoever asked goes away, since what was asked for is worked on all the same.
 *
 * @throws why there was no turn, and whatever the work throws
 */
export async function inTurn<T>(entered: Promise<() => void>, work: () => Promise<T>): Promise<T> {
  const leave = await entered;
  try {
    return await work();
  } finally {
    leave();
  }
}
