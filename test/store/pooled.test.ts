import pg from 'pg';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import { runStoreContract } from '../contract/store.contract.js';
import { BEGINNING, changesOf, createWorld, FULL, VISITS } from '../contract/store/world.js';
import { hasPgBouncer, pgBouncerVersion, startPgBouncer, type PgBouncer } from '../support/pgbouncer.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** `POOLED=all`: every promise of the store, through the pooler (a quarter of a minute). */
const ALL = process.env['POOLED'] === 'all';
const IGNORED = 'ignore_startup_parameters = options';

let server: TestPostgres;
let pooler: PgBouncer;
const poolers: PgBouncer[] = [];

async function startPooler(settings: readonly string[] = []): Promise<PgBouncer> {
  const started = await startPgBouncer(await server.freshDatabase(), settings);
  poolers.push(started);
  return started;
}

function open(url: string, directUrl?: string): Promise<Store> {
  return openStore({ url, ...(directUrl === undefined ? {} : { directUrl }), clock: systemClock, log: silentLog });
}

const title = hasPgBouncer() ? pgBouncerVersion() : 'PgBouncer (skipped: none is installed)';
(hasPgBouncer() ? describe : describe.skip)(`${title} between store and server, in transaction mode`, () => {
  beforeAll(async () => {
    server = await startTestPostgres();
    pooler = await startPooler();
  });

  afterAll(async () => {
    await Promise.all(poolers.map((one) => one.stop()));
    await server.stop();
  });

  test('is refused at the start without the address of the server, in one sentence that names the setting', async () => {
    const url = await server.freshDatabase();
    const sentence =
      /^DATABASE_URL: 127\.0\.0\.1:\d+\/test_\d+: a connection pooler answers; .*TIDEGATE_DIRECT_DATABASE_URL/;
    await expect(open(pooler.urlOf(url))).rejects.toThrow(sentence);
    const swallowing = await startPooler([IGNORED]);
    await expect(open(swallowing.urlOf(url))).rejects.toThrow(sentence);
    await expect(open(swallowing.urlOf(url), swallowing.urlOf(url))).rejects.toThrow(
      /^TIDEGATE_DIRECT_DATABASE_URL: .*a connection pooler answers/,
    );
  });

  test('is refused where the two addresses lead to different databases', async () => {
    const [url, other] = [await server.freshDatabase(), await server.freshDatabase()];
    // So that the settings are there.
    await (await open(pooler.urlOf(url), url)).close();
    await expect(open(pooler.urlOf(url), other)).rejects.toThrow(
      /^TIDEGATE_DIRECT_DATABASE_URL: .*expected the database and user that DATABASE_URL leads to/,
    );
  });

  test('is refused while its sessions are older than the settings that ours need', async () => {
    const url = await server.freshDatabase();
    const earlier = new pg.Client({ connectionString: pooler.urlOf(url) });
    await earlier.connect();
    await earlier.query('select 1');
    await expect(open(pooler.urlOf(url), url)).rejects.toThrow(/expected lock_timeout 4000, got 0; .*RECONNECT/);
    await earlier.end();
  });

  test('F5: every transaction is durable and has its limits, whichever session it gets', async () => {
    const url = await server.freshDatabase();
    const store = await open(pooler.urlOf(url), url);
    const client = new pg.Client({ connectionString: pooler.urlOf(url) });
    await client.connect();
    const { rows } = await client.query(
      `select current_setting('synchronous_commit') as durable, current_setting('lock_timeout') as lock,
         current_setting('statement_timeout') as statement, current_setting('enable_seqscan') as scans`,
    );
    expect(rows).toEqual([{ durable: 'on', lock: '4s', statement: '20s', scans: 'off' }]);
    await client.end();
    // Again, and beside another node: nothing is left to be done.
    await (await open(pooler.urlOf(url), url)).close();
    await store.close();
  });

  test('R1, R18: carries commits and pages, and what one node commits is heard by another', async () => {
    const url = await server.freshDatabase();
    const [one, other] = [await open(pooler.urlOf(url), url), await open(pooler.urlOf(url), url)];
    const heard: unknown[] = [];
    other.onAdvance(({ touched }) => void heard.push(touched?.[0]?.scope));
    const world = await createWorld(one);
    // More at once than it has sessions, so that each statement meets any of them.
    await Promise.all(Array.from({ length: 40 }, (_, n) => world.show(`v${n}`, ['route:1'])));
    await Promise.all(Array.from({ length: 40 }, (_, n) => world.show(`v${n}`, ['route:2'])));
    expect(await world.head()).toBe(80);
    const page = await other.snapshot(world.tenant, async (snapshot) =>
      snapshot.fill({ set: await snapshot.everyPair([VISITS]), after: BEGINNING, upTo: snapshot.feed.head }, 100, FULL),
    );
    expect(changesOf(page)).toHaveLength(40);
    await until('the other node hears of it', async () => heard.includes('route:1'));
    await Promise.all([one.close(), other.close()]);
  });

  if (ALL) {
    runStoreContract('the store behind a pooler', async () => {
      const url = await server.freshDatabase();
      return open(pooler.urlOf(url), url);
    });
  }
});
