import type { ClientChance, ClientClock } from './client-clock.js';
import { GatewayFault } from './gateway.js';

/** How often, ms. */
export interface Pace {
  /** Without any reason, since hints may be lost. */
  readonly intervalMs: number;
  /** After a first failure; doubled with each further one. */
  readonly retryMs: number;
  /** The longest pause between two tries. */
  readonly mostRetryMs: number;
}

export const DEFAULT_PACE: Pace = { intervalMs: 300_000, retryMs: 1_000, mostRetryMs: 300_000 };

/** When to sync: one cycle at a time, again at every reason, ever later while it fails. */
export interface SyncLoop {
  /** From now on by itself. Safe to repeat. */
  start(): void;
  /** There is something to do. @param isUrgent also in the pause after a failure */
  wake(isUrgent: boolean): void;
  /** One whole cycle that begins now, or when the one under way is over. @throws GatewayFault what it failed with */
  run(): Promise<void>;
  /** Work of which no cycle is in the midst. @throws GatewayFault CLOSED, and what the work throws */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** No cycle begins any more. Resolves when the one under way is over. */
  stop(): Promise<void>;
}

/**
 * @param cycle one cycle; true: something stays to be tried again soon
 * @param failed is told of each failure of a cycle that nobody waits for
 */
export function createSyncLoop(
  cycle: () => Promise<boolean>,
  { clock, chance, pace }: { readonly clock: ClientClock; readonly chance: ClientChance; readonly pace: Pace },
  failed: (fault: GatewayFault) => void,
): SyncLoop {
  let failures = 0;
  /** The last cycle failed. One after which something stays queued did not: what is new need not wait for that. */
  let isFailing = false;
  let isClosed = false;
  let isStarted = false;
  /** A reason came that no cycle has begun for. */
  let isDue = false;
  /** And one that ends the pause after a failure, too. */
  let isUrgentlyDue = false;
  let pause = new AbortController();
  const closing = new AbortController();
  let last: Promise<unknown> = Promise.resolve();

  /** Queued behind those before: a single flight. */
  function alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(async () => {
      if (isClosed) throw new GatewayFault('CLOSED', 'this client was closed');
      return work();
    });
    last = turn.catch(() => undefined);
    return turn;
  }

  async function loop(): Promise<void> {
    while (!isClosed) {
      [isDue, isUrgentlyDue] = [false, false];
      let leastMs = 0;
      try {
        failures = (await alone(cycle)) ? failures + 1 : 0;
        isFailing = false;
      } catch (thrown) {
        const fault = GatewayFault.from(thrown, 'LOCAL_STORE');
        failures += 1;
        isFailing = true;
        leastMs = fault.retryAfterMs ?? 0;
        if (!isClosed) failed(fault);
      }
      if (isClosed || (leastMs === 0 && (isUrgentlyDue || (isDue && !isFailing)))) continue;
      pause = new AbortController();
      // Many devices that lost the same gateway do not come back in the same moment.
      const steadyMs =
        failures === 0 ? pace.intervalMs : Math.min(pace.mostRetryMs, pace.retryMs * 2 ** (failures - 1));
      // A gateway that asked to be left alone is, whatever comes.
      const { signal } = leastMs > 0 ? closing : pause;
      await clock.wait(Math.max(leastMs, steadyMs * (0.5 + chance() / 2)), signal).catch(() => undefined);
    }
  }

  return {
    start() {
      if (isStarted) return;
      isStarted = true;
      void loop();
    },
    wake(isUrgent) {
      isDue = true;
      isUrgentlyDue ||= isUrgent;
      if (isUrgent || !isFailing) pause.abort();
    },
    run: async () => void (await alone(cycle)),
    alone,
    async stop() {
      isClosed = true;
      closing.abort();
      pause.abort();
      await last;
    },
  };
}
