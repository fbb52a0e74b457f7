import type { FeedAdvance } from '../../src/core/feed-port.js';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { commitWrites } from '../../src/store/commit.js';
import { openDatabase, type Database } from '../../src/store/database.js';
import { openStore } from '../../src/store/open.js';
import { createWorld, shown, VISITS, type World } from '../contract/store/world.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let postgres: TestPostgres;
let store: Store;
let database: Database;
let world: World;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = await postgres.freshDatabase();
  store = await openStore({ url, clock: systemClock, log: silentLog });
  database = await openDatabase(url, 1);
  world = await createWorld(store);
});

afterAll(async () => {
  await database.end();
  await store.close();
  await postgres.stop();
});

test('R18: a commit of another node whose announcement was lost is noticed, also behind a later commit of our own', async () => {
  const heard: FeedAdvance[] = [];
  const stop = store.onAdvance((advance) => heard.push(advance));
  await world.show('v1', ['route:1']);
  await lostCommit('v2');
  await world.show('v3', ['route:3']);
  const seen = heard.map(({ touched }) => touched?.map(({ scope }) => scope) ?? 'unknown');
  expect(seen).toEqual([['route:1'], ['route:3']]);
  await until('what was not announced is told as unknown', async () => heard.some(({ touched }) => touched === null));
  expect(heard.at(-1)).toMatchObject({ head: await world.head(), touched: null });
  stop();
});

/** What another node commits and does not get to announce. */
async function lostCommit(id: string): Promise<void> {
  const write = {
    collection: VISITS,
    id,
    expected: { seq: 0, mark: 0 },
    next: { ...shown(id, '{}'), scopes: ['route:2'] },
  };
  const { outcomes } = await commitWrites(database, world.tenant, [write as never], {});
  expect(outcomes).toMatchObject([{ kind: 'written' }]);
}
