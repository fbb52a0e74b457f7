import { EXIT_CODES } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { systemClock } from '../server/clock.js';
import { startStallWatchdog, type StallWatchdog } from '../server/stall-watchdog.js';

/**
 * Resolves with the first signal that asks the process to end. A second one ends it at once: whoever presses Ctrl-C twice
 * means it, and nothing is lost by it.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve(signal);
      });
    }
  });
}

/** Ends this process, as after a fault, when it stood still for too long: see `startStallWatchdog` (F13). */
export function endWhenStalled(log: Log): StallWatchdog {
  return startStallWatchdog({ clock: systemClock, log, end: () => process.exit(EXIT_CODES.fault) });
}
