import { createClient } from 'graphql-ws/client';
import type { RxCollection } from 'rxdb';
import { WebSocket } from 'ws';
import { hintSocketOptions } from '../../src/client/rxdb/hint-socket.js';
import { until } from '../support/until.js';

/** Nobody listens at port 1. */
const NOWHERE = 'ws://127.0.0.1:1';

/** A real client of graphql-ws, as RxDB makes it, whose waits end when the test says so. */
function openClient(collection: { closed: boolean }) {
  const waits: { readonly ms: number; readonly end: () => void }[] = [];
  const wait = (ms: number): Promise<void> => new Promise((end) => void waits.push({ ms, end }));
  let tries = 0;
  const client = createClient({
    ...hintSocketOptions(collection as RxCollection, async () => ({}), { nowMs: () => 0, wait }),
    url: NOWHERE,
    webSocketImpl: WebSocket,
    shouldRetry: () => true,
    on: { connecting: () => (tries += 1) },
  });
  const nothing = (): void => undefined;
  client.subscribe(
    { query: 'subscription { hints { collections } }' },
    { next: nothing, error: nothing, complete: nothing },
  );
  return { client, waits, tries: () => tries };
}

test('a WebSocket that fails is tried again, also long after five times, after at most 30 s', async () => {
  const collection = { closed: false };
  const { waits, tries } = openClient(collection);
  for (let failed = 1; failed <= 12; failed += 1) {
    await until(`try ${failed} has failed`, async () => waits.length === failed);
    collection.closed = failed === 12;
    waits.at(-1)?.end();
  }
  expect(tries()).toBe(12);
  expect(waits[0]?.ms).toBeLessThanOrEqual(500);
  for (const { ms } of waits.slice(-2)) {
    expect(ms).toBeGreaterThanOrEqual(15_000);
    expect(ms).toBeLessThanOrEqual(30_000);
  }
});

test('once the collection is closed nothing is tried any more, and nothing fails where nobody listens', async () => {
  const collection = { closed: false };
  const { client, waits, tries } = openClient(collection);
  await until('the first try has failed', async () => waits.length === 1);
  collection.closed = true;
  let isRejected = false;
  // As RxDB does, which waits for nothing.
  void Promise.resolve(client.dispose()).catch(() => (isRejected = true));
  waits[0]?.end();
  // Long enough for a further try: it would be made at once, and fail at once.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(tries()).toBe(1);
  expect(isRejected).toBe(false);
});
