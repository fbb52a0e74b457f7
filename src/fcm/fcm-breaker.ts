import type { Clock } from '../core/ports.js';

/** Faults in a row that open it. One call tells of many tokens, so a device that is over its own quota does not. */
const FAULTS_TO_OPEN = 5;
/** An open breaker lets one hint through after 5 s, then after 10, 20 … up to a minute. */
const FIRST_PROBE_MS = 5_000;
const LAST_PROBE_MS = 60_000;

/** Keeps hints from a push service that takes none, and lets one through now and then. On the clock that never goes back. */
export interface FcmBreaker {
  /** `free`: send. `probe`: send this one alone, and say how it ended. Else: how long to wait. */
  enter(): 'free' | 'probe' | { readonly afterMs: number };
  /** FCM said something about a hint: it closes. */
  heard(): void;
  /** FCM took no hint, and asks to be left alone for so long. */
  failed(afterMs: number): void;
  /** The probe's end says nothing: somebody stopped it. */
  left(): void;
}

/** @param told is called when it opens, and when it closes again */
export function createFcmBreaker(
  clock: Pick<Clock, 'monotonicMs'>,
  told: { readonly opened: (forMs: number) => void; readonly closed: () => void },
): FcmBreaker {
  let faults = 0;
  let probes = 0;
  let isProbing = false;
  let openUntilMs: number | null = null;

  /** At least as long as FCM asks, and longer with every probe in vain. */
  function open(afterMs: number): number {
    const forMs = Math.max(afterMs, Math.min(LAST_PROBE_MS, FIRST_PROBE_MS * 2 ** probes));
    openUntilMs = clock.monotonicMs() + forMs;
    probes += 1;
    return forMs;
  }

  return {
    enter() {
      if (openUntilMs === null) return 'free';
      const leftMs = openUntilMs - clock.monotonicMs();
      if (isProbing || leftMs > 0) return { afterMs: Math.max(leftMs, FIRST_PROBE_MS) };
      isProbing = true;
      return 'probe';
    },
    heard() {
      faults = 0;
      probes = 0;
      isProbing = false;
      if (openUntilMs === null) return;
      openUntilMs = null;
      told.closed();
    },
    failed(afterMs) {
      faults += 1;
      if (openUntilMs !== null) {
        // Hints that were under way when it opened say nothing new; the probe does.
        if (isProbing) open(afterMs);
        isProbing = false;
      } else if (faults >= FAULTS_TO_OPEN) told.opened(open(afterMs));
    },
    left() {
      isProbing = false;
    },
  };
}
