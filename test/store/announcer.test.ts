import pg from 'pg';
import type { RecordId } from '../../src/core/change.js';
import type { FeedAdvance } from '../../src/core/feed-port.js';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { commitWrites } from '../../src/store/commit.js';
import { openDatabase, type Database } from '../../src/store/database.js';
import { openStore } from '../../src/store/open.js';
import { acceptedFinal, createWorld, NEW, settled, shown, VISITS, type World } from '../contract/store/world.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let postgres: TestPostgres;
let store: Store;
let database: Database;
let world: World;
let url: string;
/** Of another node on the same database, and what is heard there. Its time stands still unless a test moves it, and nobody commits there. */
let elsewhere: Store;
let time: ManualClock;
let heardThere: FeedAdvance[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.freshDatabase();
  time = createManualClock();
  elsewhere = await openStore({ url, clock: time, log: silentLog });
  elsewhere.onAdvance((advance) => void heardThere.push(advance));
  store = await openStore({ url, clock: systemClock, log: silentLog });
  database = await openDatabase(url, 1);
  world = await createWorld(store);
});

beforeEach(() => {
  heardThere = [];
});

afterAll(async () => {
  await database.end();
  await elsewhere.close();
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

test('F15: the first commit after a rest is told at once, those of the 20 ms after it together', async () => {
  const clock = createManualClock();
  const telling = await openStore({ url, clock, log: silentLog });
  const there = await createWorld(telling);
  await there.show('v1', ['route:1']);
  await until('the first is heard', async () => heardThere.length === 1);
  await there.show('v2', ['route:2']);
  await there.show('v3', ['route:3']);
  clock.advance(19);
  // What was sent before it is heard before it.
  await world.show('v4', ['route:4']);
  await until('a later one of another node is heard', async () =>
    heardThere.some((one) => one.tenant === world.tenant),
  );
  expect(scopesOf(heardThere, there.tenant)).toEqual([['route:1']]);
  clock.advance(1);
  await until('the others are heard', async () => scopesOf(heardThere, there.tenant).length > 1);
  expect(scopesOf(heardThere, there.tenant)).toEqual([['route:1'], ['route:2', 'route:3']]);
  await telling.close();
});

test('R18: while the line to the others is down their commits are found by comparing heads, and told at once when it is up again', async () => {
  await world.show('v5', ['route:5']);
  await until('it is heard', async () => heardThere.length > 0);
  await endLineElsewhere();
  await world.show('v6', ['route:6']);
  heardThere.length = 0;
  await until('it is found', async () => {
    time.advance(1_000);
    return heardThere.length > 0;
  });
  expect(heardThere).toMatchObject([{ head: await world.head(), touched: null }]);
  await until('it is told at once again', async () => {
    // The end of the line may be noticed only after the heads were compared.
    time.advance(1_000);
    heardThere.length = 0;
    await world.show('v7', ['route:7']);
    return until('it is heard', async () => heardThere.length > 0, 200).then(
      () => heardThere.some(({ touched }) => touched !== null),
      () => false,
    );
  });
});

test('R18: of a commit that touched more than can be told others hear who has a receipt waiting', async () => {
  const { tenant, nurse } = world;
  const id = 'refused' as RecordId;
  await world.write([
    ...Array.from({ length: 300 }, (_, n) => ({
      collection: VISITS,
      id: `many ${n}` as RecordId,
      expected: NEW,
      next: { ...shown(`many ${n}`), scopes: [`route:${n}`] },
    })),
    {
      collection: VISITS,
      id,
      expected: NEW,
      acceptance: acceptedFinal(nurse, 'c1'),
      settlement: settled(nurse, 'c1', { status: 'REJECTED', inEffect: false }),
    },
  ]);
  await until('it is heard', async () => heardThere.length > 0);
  expect(heardThere).toMatchObject([{ tenant, touched: null, receipts: [{ device: nurse, collection: VISITS }] }]);
});

/** The one that only listens: the last statement of the others' is that they told something. */
async function endLineElsewhere(): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'listen tidegate_advance'",
  );
  expect(rowCount).toBe(1);
  await client.end();
}

const scopesOf = (advances: readonly FeedAdvance[], tenant: string): readonly unknown[] =>
  advances.filter((one) => one.tenant === tenant).map(({ touched }) => touched?.map(({ scope }) => scope));

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
