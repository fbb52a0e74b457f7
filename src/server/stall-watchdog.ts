import type { Clock, Log } from '../core/ports.js';
import { LEASE_MS } from '../push/outbox.js';

/** Watches that this process is not suspended for so long that others take over what it holds. */
export interface StallWatchdog {
  stop(): Promise<void>;
}

/** The event loop is asked for a sign of life this often. */
const EVERY_MS = 1_000;

/**
 * Ends the process when its event loop stood still for longer than half a lease (F13): others may have taken over by then what it
 * holds. It is the second line: a call looks at its own deadline in the very tick in which it begins, and every commit at its fence. A
 * process that is started again finds its work in the store, so the end costs nothing but the calls under way. By the clock that never
 * goes back: a computer whose lid was closed need not start everything anew.
 *
 * @param end ends the process at once, with the exit code of a fault
 */
export function startStallWatchdog(options: {
  readonly clock: Clock;
  readonly log: Log;
  readonly end: () => void;
  readonly limitMs?: number;
}): StallWatchdog {
  const { clock, log, end, limitMs = LEASE_MS / 2 } = options;
  const stopping = new AbortController();

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const begunMs = clock.monotonicMs();
      await clock.wait(EVERY_MS, stopping.signal).catch(() => undefined);
      const stoodMs = clock.monotonicMs() - begunMs - EVERY_MS;
      if (stopping.signal.aborted || stoodMs <= limitMs) continue;
      log.error('the process stood still for too long and ends: others may have taken over what it was doing', {
        stoodMs: Math.round(stoodMs),
        limitMs,
      });
      end();
      return;
    }
  }

  const running = watch();
  return {
    async stop() {
      stopping.abort(new Error('the watchdog stops'));
      await running;
    },
  };
}
