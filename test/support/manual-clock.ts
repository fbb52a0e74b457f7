import type { Clock } from '../../src/core/ports.js';

/** A clock that moves only when a test says so; both of its hands move together. */
export interface ManualClock extends Clock {
  /** Moves time on and wakes every waiter whose time has come, in the order of their deadlines. */
  advance(ms: number): void;
}

interface Waiter {
  readonly atMs: number;
  readonly wake: () => void;
}

export function createManualClock(startMs = Date.UTC(2026, 0, 5, 8)): ManualClock {
  let elapsedMs = 0;
  let waiters: Waiter[] = [];
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    wait: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const stop = (): void => {
          waiters = waiters.filter((one) => one !== waiter);
          reject(signal?.reason as Error);
        };
        const wake = (): void => {
          signal?.removeEventListener('abort', stop);
          resolve();
        };
        const waiter: Waiter = { atMs: elapsedMs + ms, wake };
        waiters.push(waiter);
        signal?.addEventListener('abort', stop, { once: true });
      }),
    advance(ms) {
      elapsedMs += ms;
      const due = waiters.filter((waiter) => waiter.atMs <= elapsedMs).sort((a, b) => a.atMs - b.atMs);
      waiters = waiters.filter((waiter) => waiter.atMs > elapsedMs);
      for (const waiter of due) waiter.wake();
    },
  };
}
