import type { RecordId, Seq, SourceKey } from '../src/core/change.js';
import { EVERY_FIELD } from '../src/core/conflict.js';
import type { NextState, RecordWrite } from '../src/core/record-port.js';
import { SOURCE_WRITER, type Session } from '../src/core/session.js';
import { fullShape } from '../src/core/shape.js';
import type { ViaName } from '../src/core/via.js';
import { createPull, type Pull } from '../src/pull/pull.js';
import { systemClock } from '../src/server/clock.js';
import { hashText } from '../src/server/telemetry.js';
import { openDatabase } from '../src/store/database.js';
import { openStore } from '../src/store/open.js';
import { item } from './items.js';
import { createSource } from '../src/connectors/define.js';
import { items } from './items-connector.js';
import { cpuOfTreeMs, inParallel, median, ownCpuMs, report, timed } from './measure.js';
import { openOwnStore, quietLog, TENANT, type OwnStore } from './own-store.js';

/** Of the records: those of one region in 200 routes, and others that are nobody's here, of which some lie in the north. */
const OWN = 20_000;
const ROUTES = 200;
const NORTH = 10_000;
const OTHERS = 80_000;
const CHILDREN = 10_000;
const PAGE = 1_000;
const BATCH = 1_000;
const ROUNDS = 5;
const POLLS = 500;
const SHAPE = fullShape(['items']);

const region: readonly string[] = ['region'];
const routes: readonly string[] = Array.from({ length: ROUTES }, (_, route) => `route:${route}`);

/**
 * What many scopes cost: a pull of 20,000 records, and one that brings nothing, by a user with 200 scopes and by one with a single scope over the
 * same records (goal: 2, and 1.2 times the CPU); and how a user who is given 10,000 records more, and loses them again, has them after one
 * round of pulls, with the index entries that it reads: those of these records, among 100,000. And how long a record takes that moves with 10,000
 * others, whose scopes are its own.
 */
export async function benchScopes(): Promise<void> {
  const own = await openOwnStore();
  await fill(own);
  const pull = await pullOn(own);

  const initial = await inTurns((scopes) => costOf(own, () => pullToEnd(pull, scopes, null)));
  report({ bench: 'scopes: pull of 20,000', ...initial, goalRatio: 2 });

  const known = new Map<readonly string[], string>();
  for (const scopes of [region, routes]) known.set(scopes, (await pullToEnd(pull, scopes, null)).checkpoint);
  const nothing = await inTurns((scopes) =>
    costOf(own, async () => {
      for (let poll = 0; poll < POLLS; poll++) await pull(sessionOf(scopes), request(known.get(scopes) ?? null));
    }),
  );
  report({ bench: 'scopes: nothing new', polls: POLLS, ...nothing, goalRatio: 1.2 });

  let { checkpoint } = await pullToEnd(pull, region, null);
  for (const [what, scopes] of [
    ['given', [...region, 'north']],
    ['taken away', region],
  ] as const) {
    const { value: read, rows } = await countingRows(own, (counted) =>
      timed(() => pullToEnd(counted, scopes, checkpoint)),
    );
    ({ checkpoint } = read.value);
    const { changes, pages } = read.value;
    if (changes !== NORTH) throw new Error(`expected ${NORTH} changes, got ${changes}`);
    report({
      bench: `scopes: ${NORTH} records ${what}`,
      ms: read.ms,
      changes,
      pages,
      ofRecords: OWN + OTHERS,
      indexEntriesRead: rows,
    });
  }
  await moveParent(own);
  await own.stop();
}

/** A record moves to another scope, and with it those that have its scopes: all in one commit. */
async function moveParent({ store }: OwnStore): Promise<void> {
  const parent = itemWrite(OWN + OTHERS, { scopes: ['before'] });
  await store.commit(TENANT, [parent]);
  const via = `k items ${parent.id}` as ViaName;
  for (let from = 0; from < CHILDREN; from += BATCH) {
    const children = Array.from({ length: BATCH }, (_, at) =>
      itemWrite(OWN + OTHERS + 1 + from + at, { scopes: [], via }),
    );
    await store.commit(TENANT, children);
  }
  const timesMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [view] = await store.readRecords(TENANT, [parent]);
    const moved = itemWrite(OWN + OTHERS, { scopes: [`after ${round}`] });
    const { ms } = await timed(() => store.commit(TENANT, [{ ...moved, expected: view ?? moved.expected }]));
    timesMs.push(ms);
  }
  const { head } = await store.readHead(TENANT);
  report({ bench: `scopes: a record moves with ${CHILDREN} others via it`, ms: median(timesMs), rounds: ROUNDS, head });
}

async function pullOn({ store }: Pick<OwnStore, 'store'>): Promise<Pull> {
  const source = createSource(items({ baseUrl: 'http://127.0.0.1:1' }), {
    clock: systemClock,
    chance: Math.random,
    log: quietLog,
  });
  const { epoch } = await store.readHead(TENANT);
  const collections = source.collections.map(({ collection }) => collection);
  await source.close();
  return createPull({ store, collections, readPriming: async () => ({ epoch, priming: new Set() }) });
}

function sessionOf(scopes: readonly string[]): Session {
  return { tenant: TENANT, user: 'nurse', device: null, grant: { kind: 'listed', scopes } };
}

function request(since: string | null): Parameters<Pull>[1] {
  return { since, collections: null, limit: PAGE, shape: SHAPE };
}

async function pullToEnd(
  pull: Pull,
  scopes: readonly string[],
  since: string | null,
): Promise<{ readonly checkpoint: string; readonly changes: number; readonly pages: number }> {
  let changes = 0;
  for (let pages = 1, at = since; ; pages++) {
    const page = await pull(sessionOf(scopes), request(at));
    changes += page.count;
    at = page.checkpoint;
    if (!page.hasMore) return { checkpoint: at, changes, pages };
  }
}

/** CPU of Node and of Postgres, ms. */
async function costOf({ postgresPid }: OwnStore, work: () => Promise<unknown>): Promise<number> {
  const before = ownCpuMs() + cpuOfTreeMs(postgresPid);
  await work();
  return ownCpuMs() + cpuOfTreeMs(postgresPid) - before;
}

/** Both users turn by turn; the first round warms up. */
async function inTurns(costMs: (scopes: readonly string[]) => Promise<number>) {
  const rounds: { readonly one: number; readonly many: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const both = { one: await costMs(region), many: await costMs(routes) };
    if (round > 0) rounds.push(both);
  }
  return {
    oneScopeCpuMs: median(rounds.map(({ one }) => one)),
    scopes: ROUTES,
    manyScopesCpuMs: median(rounds.map(({ many }) => many)),
    ratio: median(rounds.map(({ one, many }) => many / one)),
  };
}

/** Index entries that some work reads, on connections of its own: one that ends hands its counts in. */
async function countingRows<T>(
  { url }: OwnStore,
  work: (pull: Pull) => Promise<T>,
): Promise<{ readonly value: T; readonly rows: number }> {
  const before = await rowsRead(url);
  const store = await openStore({ url, clock: systemClock, log: quietLog });
  const value = await work(await pullOn({ store }));
  await store.close();
  return { value, rows: (await rowsRead(url)) - before };
}

async function rowsRead(url: string): Promise<number> {
  const database = await openDatabase(url, 1);
  const { rows } = await database.query<{ read: string }>(
    `select sum(idx_tup_read) + (select sum(seq_tup_read) from pg_stat_user_tables where relname in ('record', 'membership')) as read
     from pg_stat_user_indexes where relname in ('record', 'membership')`,
  );
  await database.end();
  return Number(rows[0]?.read);
}

async function fill({ store, url }: OwnStore): Promise<void> {
  await inParallel((OWN + OTHERS) / BATCH, 2, async (batch) => {
    await store.commit(
      TENANT,
      Array.from({ length: BATCH }, (_, at) => {
        const n = batch * BATCH + at;
        return itemWrite(n, { scopes: scopesOf(n) });
      }),
    );
  });
  // As autovacuum leaves tables in its own time.
  const database = await openDatabase(url, 1);
  await database.query('vacuum (analyze) record, membership');
  await database.end();
}

function scopesOf(n: number): readonly string[] {
  if (n < OWN) return ['region', `route:${n % ROUTES}`];
  return [n < OWN + NORTH ? 'north' : 'elsewhere'];
}

function itemWrite(n: number, where: Pick<NextState, 'scopes' | 'via'>): RecordWrite {
  const { id, ...fields } = item(n);
  const body = JSON.stringify(fields);
  return {
    collection: 'items',
    id: id as RecordId,
    expected: { seq: 0 as Seq, mark: 0 },
    next: {
      sourceKey: id as SourceKey,
      deleted: false,
      body,
      vis: null,
      pending: false,
      sourceVersion: null,
      hash: hashText(body),
      throughUs: false,
      ...where,
    },
    stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
  };
}
