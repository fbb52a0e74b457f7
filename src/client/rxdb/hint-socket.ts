import type { RxCollection } from 'rxdb';
import { deviceChance, deviceClock, type ClientClock } from '../client-clock.js';

/** Between two tries to reach a gateway by WebSocket; without a limit graphql-ws would wait ever longer, and stop after five. */
const LONGEST_WAIT_MS = 30_000;

/**
 * How RxDB's WebSocket signs in and comes back: for ever, at most every 30 s, until the collection is closed.
 *
 * Once it is closed no further try is made. RxDB waits for the one that is to come when it lets its socket go, and hears of its failure where
 * nobody listens: a process of Node would end of it.
 *
 * @param credentials of the device and its user, as the gateway takes them over HTTP; asked for anew with each try
 */
export function hintSocketOptions<Doc>(
  collection: RxCollection<Doc>,
  credentials: () => Promise<Readonly<Record<string, string>>>,
  clock: ClientClock = deviceClock,
) {
  return {
    connectionParams: async () => {
      const { 'tidegate-device': device, ...others } = await credentials();
      return { ...others, device };
    },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: async (retries: number): Promise<void> => {
      const longest = Math.min(LONGEST_WAIT_MS, 500 * 2 ** retries);
      await clock.wait(longest * (0.5 + deviceChance() / 2));
      if (collection.closed) await new Promise(() => undefined);
    },
  };
}
