import { randomUUID } from 'node:crypto';
import type { LocalStore } from '../src/client/local-store.js';
import { createMemoryStore } from '../src/client/memory-store.js';
import { openSqliteStore } from '../src/client/sqlite-store.js';
import { createSyncClient, type SyncClient } from '../src/client/sync-client.js';
import { openSqlJs } from '../test/support/sqlite-driver.js';
import type { Item } from './items.js';
import { median, report, timed } from './measure.js';
import { startGateway, startInstantSource } from './processes.js';
import { requestsTo, untilIngested } from './requests.js';

const RECORDS = 100_000;
const EDITS = 1_000;
/** What is still on its way to its source is asked for again. */
const MOST_SYNCS = 100;
const ROUNDS = 3;
/** Records per second of an initial sync. */
const GOALS = { memory: 30_000, sqlite: 10_000 } as const;
const GOAL_PUSH_SECONDS = 2;

type Items = SyncClient<{ readonly items: Partial<Omit<Item, 'id'>> }>;

/**
 * The client of `tidegate/client` in this process, in front of a gateway and an instant source: initial sync of 100,000 records into memory
 * and into SQLite (WebAssembly, its file in memory), pages of 1,000, requests and parsing included; then 1,000 edits made offline, pushed: of as many records, and of one.
 */
export async function benchClient(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url, { BENCH_SOURCE_CONCURRENCY: '100' });
  const reader = requestsTo(gateway.url, 'bench', 1);
  await untilIngested(reader, RECORDS);
  const stores: Readonly<Record<keyof typeof GOALS, () => Promise<LocalStore>>> = {
    memory: async () => createMemoryStore(),
    sqlite: async () => openSqliteStore(await openSqlJs()),
  };
  for (const [store, open] of Object.entries(stores)) {
    const rates: number[] = [];
    const pushes: number[] = [];
    const ofOne: { readonly seconds: number; readonly requests: number }[] = [];
    const making: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      let requests = 0;
      const client: Items = await createSyncClient({
        fetch: (...asked) => {
          requests += 1;
          return fetch(...asked);
        },
        url: `${gateway.url}/graphql`,
        store: await open(),
        device: randomUUID(),
      });
      const synced = await timed(() => client.sync());
      const held = (await client.collection('items').list()).length;
      if (held < RECORDS) throw new Error(`expected ${RECORDS} records at least, got ${held}`);
      const made = await timed(() => makeEdits(client));
      const pushed = await timed(() => pushAll(client));
      await makeEditsOfOne(client);
      const before = requests;
      const pushedOfOne = await timed(() => pushAll(client));
      const requestsOfOne = requests - before;
      await client.close();
      // The first round warms up.
      if (round === 0) continue;
      rates.push((held * 1_000) / synced.ms);
      pushes.push(pushed.ms / 1_000);
      ofOne.push({ seconds: pushedOfOne.ms / 1_000, requests: requestsOfOne });
      making.push(made.ms / EDITS);
    }
    report({
      bench: `client: initial sync into ${store}`,
      records: RECORDS,
      recordsPerSecond: median(rates),
      goal: GOALS[store as keyof typeof GOALS],
    });
    report({
      bench: `client: ${EDITS} offline edits of ${store}`,
      seconds: median(pushes),
      goalSeconds: GOAL_PUSH_SECONDS,
      msToMakeOne: median(making),
    });
    report({
      bench: `client: ${EDITS} offline edits of one record of ${store}`,
      seconds: median(ofOne.map(({ seconds }) => seconds)),
      requests: median(ofOne.map(({ requests }) => requests)),
    });
  }
  await reader.close();
  await gateway.stop();
  await source.stop();
}

async function makeEdits(client: Items): Promise<void> {
  for (let n = 0; n < EDITS; n++) {
    await client
      .collection('items')
      .put({ name: `Customer of the phone ${n}`, status: 'OPEN', note: 'offline', count: n });
  }
}

async function makeEditsOfOne(client: Items): Promise<void> {
  const { id } = await client.collection('items').put({ name: 'Customer of the phone', status: 'OPEN', count: 0 });
  await pushAll(client);
  for (let n = 1; n <= EDITS; n++) await client.collection('items').patch(id, { count: n });
}

async function pushAll(client: Items): Promise<void> {
  for (let tries = 0; tries < MOST_SYNCS; tries++) {
    await client.sync();
    if ((await client.outbox.list()).length === 0) return;
  }
  throw new Error(`expected every edit to be in effect after ${MOST_SYNCS} syncs`);
}
