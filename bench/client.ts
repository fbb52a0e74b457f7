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
const ROUNDS = 3;
/** Records per second of an initial sync. */
const GOALS = { memory: 30_000, sqlite: 10_000 } as const;
const GOAL_PUSH_SECONDS = 2;

type Items = SyncClient<{ readonly items: Partial<Omit<Item, 'id'>> }>;

/**
 * The client of `tidegate/client` in this process, in front of a gateway and an instant source: initial sync of 100,000 records into memory
 * and into SQLite (WebAssembly, its file in memory), pages of 1,000, requests and parsing included; then 1,000 edits made offline, pushed.
 */
export async function benchClient(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url, { BENCH_SOURCE_CONCURRENCY: '100' });
  const requests = requestsTo(gateway.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  const stores: Readonly<Record<keyof typeof GOALS, () => Promise<LocalStore>>> = {
    memory: async () => createMemoryStore(),
    sqlite: async () => openSqliteStore(await openSqlJs()),
  };
  for (const [store, open] of Object.entries(stores)) {
    const rates: number[] = [];
    const pushes: number[] = [];
    const making: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const client: Items = await createSyncClient({
        url: `${gateway.url}/graphql`,
        store: await open(),
        device: randomUUID(),
      });
      const synced = await timed(() => client.sync());
      const held = (await client.collection('items').list()).length;
      if (held < RECORDS) throw new Error(`expected ${RECORDS} records at least, got ${held}`);
      const made = await timed(() => makeEdits(client));
      const pushed = await timed(() => pushAll(client));
      await client.close();
      // The first round warms up.
      if (round === 0) continue;
      rates.push((held * 1_000) / synced.ms);
      pushes.push(pushed.ms / 1_000);
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
  }
  await requests.close();
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

async function pushAll(client: Items): Promise<void> {
  await client.sync();
  const left = await client.outbox.list();
  if (left.length > 0) throw new Error(`expected every edit to be in effect, got ${JSON.stringify(left[0])}`);
}
