import type { ChangeError } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import type { Clock } from '../core/ports.js';

/** What became of an intent; ACCEPTED means that nothing is to be waited for now. */
export interface Fate {
  readonly status: PushStatus;
  readonly error: ChangeError | null;
  /** The change with which it fell; absent: none. */
  readonly blockedBy?: string;
}

/** Where deliveries tell what became of intents, and pushes wait for it (R10). Lives in this process only. */
export interface Fates {
  /** Begins to listen, before anything can be told. */
  expect(intentNos: readonly number[]): Expectation;
  tell(intentNo: number, fate: Fate): void;
}

/** One push's wait for its own intents. */
export interface Expectation {
  /** What was told until all is told or `patienceMs` are over; then nobody listens any more. */
  gather(patienceMs: number): Promise<ReadonlyMap<number, Fate>>;
}

interface Listener {
  readonly told: Map<number, Fate>;
  missing: number;
  readonly complete: AbortController;
}

export function createFates(clock: Clock): Fates {
  const listeners = new Map<number, Listener>();

  return {
    expect(intentNos) {
      const listener: Listener = { told: new Map(), missing: intentNos.length, complete: new AbortController() };
      for (const intentNo of intentNos) listeners.set(intentNo, listener);
      return {
        async gather(patienceMs) {
          // One timer for the whole push; it ends early when everything is told.
          if (listener.missing > 0) await clock.wait(patienceMs, listener.complete.signal).catch(() => undefined);
          for (const intentNo of intentNos) listeners.delete(intentNo);
          return listener.told;
        },
      };
    },
    tell(intentNo, fate) {
      const listener = listeners.get(intentNo);
      if (listener === undefined) return;
      listeners.delete(intentNo);
      listener.told.set(intentNo, fate);
      listener.missing -= 1;
      if (listener.missing === 0) listener.complete.abort();
    },
  };
}
