import { jest } from '@jest/globals';
import { createClient } from 'graphql-ws/client';
import type { RxCollection } from 'rxdb';
import { WebSocket } from 'ws';
import { hintSocketOptions } from '../../src/client/rxdb/hint-socket.js';

/** Nobody listens at port 1. */
const NOWHERE = 'ws://127.0.0.1:1';
/** Longer than any wait between two tries. */
const LONG_MS = 60_000;

beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance'] }));
afterEach(() => jest.useRealTimers());

/** @returns how often a real client of graphql-ws tried, and how to wait for that and to let it go */
function openClient(collection: { closed: boolean }) {
  const options = hintSocketOptions(collection as unknown as RxCollection, async () => ({
    'tidegate-device': 'phone',
  }));
  let tries = 0;
  let waits = 0;
  const client = createClient({
    ...options,
    url: NOWHERE,
    webSocketImpl: WebSocket,
    shouldRetry: () => true,
    retryWait: (retries) => {
      waits += 1;
      return options.retryWait(retries);
    },
    on: { connecting: () => (tries += 1) },
  });
  client.subscribe(
    { query: 'subscription { hints { collections } }' },
    { next: () => undefined, error: () => undefined, complete: () => undefined },
  );
  return { client, tries: () => tries, waits: () => waits };
}

/** Lets sockets do their work while timers stand still. */
async function reaches(count: () => number, wanted: number): Promise<void> {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  while (count() < wanted) await turn();
}

test('a WebSocket that fails is tried again, also long after five times', async () => {
  const { client, tries, waits } = openClient({ closed: false });
  for (let wanted = 1; wanted <= 8; wanted += 1) {
    await reaches(waits, wanted);
    await jest.advanceTimersByTimeAsync(LONG_MS);
  }
  expect(tries()).toBeGreaterThanOrEqual(8);
  void Promise.resolve(client.dispose()).catch(() => undefined);
});

test('once the collection is closed nothing is tried any more, and nothing fails where nobody listens', async () => {
  const collection = { closed: false };
  const { client, tries, waits } = openClient(collection);
  await reaches(waits, 1);
  collection.closed = true;
  const failed = jest.fn();
  // As RxDB does, which waits for nothing.
  void Promise.resolve(client.dispose()).catch(failed);
  await jest.advanceTimersByTimeAsync(LONG_MS);
  expect(tries()).toBe(1);
  expect(failed).not.toHaveBeenCalled();
});
