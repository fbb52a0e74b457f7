import pg from 'pg';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

const LONG_MS = 600_000;

let postgres: TestPostgres;
let url: string;
const stores: Store[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});

beforeEach(async () => {
  url = await postgres.freshDatabase();
});

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await postgres.stop();
});

async function start(): Promise<Store> {
  const store = await openStore({ url, clock: systemClock, log: silentLog });
  stores.push(store);
  return store;
}

test('a start without another gateway ends the leases of the one that was killed', async () => {
  await (await start()).acquireLease('clinic', 'poll:visits', 'killed', LONG_MS);
  const next = await start();
  expect(await next.acquireLease('clinic', 'poll:visits', 'next', LONG_MS)).toEqual({ fence: 2 });
});

test('gateways are counted by their processes, whatever they have connected', async () => {
  const store = await start();
  expect(await store.countGateways()).toBe(1);
  const others = ['tidegate:1-other', 'tidegate:1-other', 'tidegate:2-other', 'pooled tidegate:3', 'psql'].map(
    (application_name) => new pg.Client({ connectionString: url, application_name }),
  );
  await Promise.all(others.map((other) => other.connect()));
  expect(await store.countGateways()).toBe(3);
  await Promise.all(others.map((other) => other.end()));
});

test('a start beside another gateway leaves its leases alone', async () => {
  await (await start()).acquireLease('clinic', 'poll:visits', 'other', LONG_MS);
  const other = new pg.Client({ connectionString: url, application_name: 'tidegate:1-other' });
  await other.connect();
  const next = await start();
  expect(await next.acquireLease('clinic', 'poll:visits', 'next', LONG_MS)).toBeNull();
  await other.end();
});
