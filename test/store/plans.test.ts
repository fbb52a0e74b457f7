import { SEQ_ZERO, type RecordId, type Seq, type SourceKey } from '../../src/core/change.js';
import { EVERY_FIELD } from '../../src/core/conflict.js';
import type { NextState, RecordWrite } from '../../src/core/record-port.js';
import { fullShape } from '../../src/core/shape.js';
import type { Store } from '../../src/core/store-port.js';
import { SOURCE_WRITER } from '../../src/core/session.js';
import { systemClock } from '../../src/server/clock.js';
import { commitWrites } from '../../src/store/commit.js';
import { openDatabase } from '../../src/store/database.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

const TENANT = 'clinic';
const BATCH = 500;
/** As a clinic's collections come in: small ones first, large ones side by side. */
const LOAD = [
  ['routes', 8],
  ['staff', 40],
  ['supplies', 100],
  ['supplies', 95],
  ['supplies', 84],
  ['patients', 360],
  ...Array.from({ length: 5 }, () => [['visits', BATCH] as const, ['places', BATCH] as const]).flat(),
] as const;

/** As a device's first changes come in: one, a few, then many. */
const PUSHES = [1, 3, 20, ...Array.from({ length: 10 }, () => 200)];

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});

afterAll(async () => {
  await postgres.stop();
});

test('the first load reads each record by its whole key, although plans are made while the tables are nearly empty', async () => {
  const url = await postgres.freshDatabase();
  const store = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  await store.openTenant(TENANT);
  let written = 0;
  for (const [collection, count] of LOAD) {
    const writes = Array.from({ length: count }, () => appearance(collection, written++));
    await store.readHashes(
      TENANT,
      collection,
      writes.map((write) => write.next?.sourceKey as SourceKey),
    );
    const outcomes = await store.commit(TENANT, writes);
    expect(outcomes.every(({ kind }) => kind === 'written')).toBe(true);
  }
  await store.close();
  // What planner and migration read to prepare is some thousands; a plan that goes by collection reads five million.
  expect(await rowsRead(url, ['record', 'membership'])).toBeLessThan(20 * written);
});

test('a push reads its records, intents and change ids by their whole keys, on plans of nearly empty tables', async () => {
  const url = await postgres.freshDatabase();
  const store = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  await store.openTenant(TENANT);
  let pushed = 0;
  for (const count of PUSHES) {
    await pushAndSettle(
      store,
      Array.from({ length: count }, () => `pushed-${pushed++}`),
    );
  }
  await store.close();
  // A plan that goes by device, collection or tenant reads all that was pushed before, for each change: two million.
  expect(await rowsRead(url, ['record', 'membership', 'intent', 'push_change'])).toBeLessThan(40 * pushed);
});

test('changes that wait are shown, repeated and looked for by their whole keys, on plans of nearly empty tables', async () => {
  const url = await postgres.freshDatabase();
  const store = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  await store.openTenant(TENANT);
  let waiting = 0;
  for (const count of PUSHES) {
    await acceptAndShow(
      store,
      Array.from({ length: count }, () => `waiting-${waiting++}`),
    );
  }
  await store.close();
  // A plan that goes by collection or tenant reads all that waits, for each change: four million.
  expect(await rowsRead(url, ['record', 'membership', 'intent', 'push_change'])).toBeLessThan(20 * waiting);
});

test('a parent that moves reads its children by its name, and what has none looks for none, on plans of nearly empty tables', async () => {
  const url = await postgres.freshDatabase();
  const store = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  await store.openTenant(TENANT);
  let written = 0;
  const patients = Array.from({ length: 2_000 }, (_, no) => `patients-${no}`);
  for (let from = 0; from < patients.length; from += BATCH) {
    const some = patients.slice(from, from + BATCH);
    const children = some.map((patient) => following(patient, written++));
    await commitAll(store, [...children, ...some.map((patient) => moving(patient, 0, ['a']))]);
    written += some.length;
  }
  let moved = 0;
  for (const patient of patients.filter((_, at) => at % 10 === 0)) {
    const [view] = await store.readRecords(TENANT, [{ collection: 'patients', id: patient as RecordId }]);
    await commitAll(store, [moving(patient, view?.seq ?? 0, ['b'])]);
    moved++;
  }
  await store.close();
  // A plan that goes by tenant or collection reads 2,000 records for each child: four million, and 400,000 for the moves.
  expect(await rowsRead(url, ['record', 'membership'])).toBeLessThan(30 * (written + moved));
});

test('R4: a parent of more children than a statement has time for moves with all of them', async () => {
  const url = await postgres.freshDatabase();
  const store = await openStore({ url, clock: systemClock, log: silentLog });
  await store.openTenant(TENANT);
  await commitAll(store, [moving('patients-0', 0, ['a'])]);
  for (let from = 0; from < 2_000; from += BATCH)
    await commitAll(
      store,
      Array.from({ length: BATCH }, (_, at) => following('patients-0', from + at)),
    );
  const database = await openDatabase(url, 1);
  // Shorter than any real one: what it took for 2,000 of them is 200 ms.
  await database.query('set statement_timeout = 20');
  const { outcomes } = await commitWrites(database, TENANT, [moving('patients-0', 1, ['b'])], {});
  expect(outcomes).toMatchObject([{ kind: 'written' }]);
  await database.end();
  const names = [0, 1_999].map((n) => ({ collection: 'visits', id: `visits-${n}` as RecordId }));
  expect((await store.readRecords(TENANT, names)).map(({ scopes }) => scopes)).toEqual([['b'], ['b']]);
  await store.close();
});

test('R4: a scope that is taken away is drained without reading the rows of others, whatever the planner knows of them', async () => {
  const url = await postgres.freshDatabase();
  const filling = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  await filling.openTenant(TENANT);
  const total = 20_000;
  const lost = 1_000;
  for (let from = 0; from < total; from += BATCH) {
    const writes = Array.from({ length: BATCH }, (_, at) => appearance('visits', from + at));
    const scoped = writes.map((write, at) => {
      const scopes = [(from + at) % (total / lost) === 0 ? 'north' : 'elsewhere'];
      return { ...write, next: { ...stateOf(write.id), scopes } };
    });
    await filling.commit(TENANT, scoped);
  }
  await filling.close();
  const database = await openDatabase(url, 1);
  await database.query('vacuum (analyze) record, membership');
  await database.end();
  const before = await rowsRead(url, ['record', 'membership']);
  const store = await openStore({ url, clock: systemClock, log: silentLog, poolSize: 1 });
  const pair = (scope: string) => [{ collection: 'visits', scope }];
  const form = { shape: fullShape(['visits']), device: null, mineAfter: SEQ_ZERO };
  await store.snapshot(TENANT, async (snapshot) => {
    const held = { set: pair('north'), seq: snapshot.feed.head, cover: pair('elsewhere'), fill: null };
    const first = await snapshot.drain({ ...held, after: null }, 500, form);
    const second = await snapshot.drain({ ...held, after: first.position }, 500, form);
    expect([first.count, second.count, second.exhausted]).toEqual([500, 500, true]);
  });
  await store.close();
  // Each page reads what is left of the scope, looks each record up, and writes it; by the key of all it would read 20,000 for each.
  expect((await rowsRead(url, ['record', 'membership'])) - before).toBeLessThan(8 * lost);
});

/** Index entries read so far, by all connections that have ended: one that ends hands its counts in. */
async function rowsRead(url: string, tables: readonly string[]): Promise<number> {
  const database = await openDatabase(url, 1);
  const { rows } = await database.query<{ read: number }>(
    'select sum(idx_tup_read) as read from pg_stat_user_indexes where relname = any ($1)',
    [tables],
  );
  await database.end();
  return Number(rows[0]?.read);
}

/** The store's part of a push, call by call as push makes them. */
async function pushAndSettle(store: Store, ids: readonly string[]): Promise<void> {
  const device = { tenant: TENANT, user: 'nurse', device: 'phone' };
  const names = ids.map((id) => ({ collection: 'visits', id: id as RecordId }));
  await store.readChanges(device, ids);
  await store.readRecords(TENANT, names);
  const lease = { holder: 'node', leaseMs: 60_000 };
  const intent = {
    kind: 'UPSERT',
    fields: '{}',
    baseSeq: 0 as Seq,
    editedAtMs: 0,
    waitsFor: null,
    isShown: false,
    lease,
  } as const;
  const accepted = await store.commit(
    TENANT,
    names.map((name) => ({
      ...name,
      expected: { seq: 0 as Seq, mark: 0 },
      acceptance: { device, changeId: name.id, bodyHash: 'h', intent },
    })),
  );
  const intentNos = accepted.map((outcome) => (outcome.kind === 'written' ? (outcome.intentNo as number) : 0));
  const note = { fence: 1, payload: '{}', guard: null, deadlineMs: 10_000 };
  await store.noteSent(
    TENANT,
    names.map((name, at) => ({
      ...note,
      ...name,
      intentNo: intentNos[at] as number,
      expected: { seq: 0 as Seq, mark: 1 },
    })),
  );
  const settled = await store.commit(
    TENANT,
    names.map((name, at) => ({
      ...appearance(name.collection, 0),
      ...name,
      expected: { seq: 0 as Seq, mark: 2 },
      next: { ...stateOf(name.id), throughUs: true },
      settlement: {
        device,
        changeId: name.id,
        status: 'APPLIED',
        error: null,
        inEffect: true,
        intent: { intentNo: intentNos[at] as number, fence: 1 },
      },
    })),
  );
  expect(settled.every(({ kind }) => kind === 'written')).toBe(true);
}

/** What a push does while its source is down; every change refers to a record of its own. */
async function acceptAndShow(store: Store, ids: readonly string[]): Promise<void> {
  const device = { tenant: TENANT, user: 'nurse', device: 'phone' };
  const names = ids.map((id) => ({ collection: 'visits', id: id as RecordId }));
  const intent = {
    kind: 'UPSERT',
    fields: '{}',
    baseSeq: 0 as Seq,
    editedAtMs: 0,
    lease: null,
    waitsFor: null,
  } as const;
  const accepted = await store.commit(
    TENANT,
    names.map((name) => ({
      ...name,
      expected: { seq: 0 as Seq, mark: 0 },
      acceptance: {
        device,
        changeId: name.id,
        bodyHash: 'h',
        intent: { ...intent, isShown: false, refersTo: [{ collection: 'patients', id: name.id }] },
      },
    })),
  );
  const intentNos = accepted.map((outcome) => (outcome.kind === 'written' ? (outcome.intentNo as number) : 0));
  const shown = await store.commit(
    TENANT,
    names.map((name, at) => ({
      ...name,
      expected: { seq: 0 as Seq, mark: 1 },
      next: { ...stateOf(name.id), body: null, vis: '{}', pending: true },
      shown: [intentNos[at] as number],
    })),
  );
  expect(shown.every(({ kind }) => kind === 'written')).toBe(true);
  expect((await store.readChanges(device, ids)).known).toHaveLength(ids.length);
  await store.readHashes(TENANT, 'visits', ids as unknown as readonly SourceKey[]);
  for (const { id } of names.filter((_name, at) => at % 20 === 0)) {
    expect(await store.readReferring(TENANT, { collection: 'patients', id }, 1e12)).toHaveLength(1);
  }
}

async function commitAll(store: Store, writes: readonly RecordWrite[]): Promise<void> {
  const outcomes = await store.commit(TENANT, writes);
  expect(outcomes.every(({ kind }) => kind === 'written')).toBe(true);
}

/** A parent with scopes of its own. */
function moving(id: string, seq: number, scopes: readonly string[]): RecordWrite {
  const expected = { seq: seq as Seq, mark: 0 };
  return { collection: 'patients', id: id as RecordId, expected, next: { ...stateOf(id), scopes } };
}

/** A new record that has the scopes of a patient. */
function following(patient: string, n: number): RecordWrite {
  const one = appearance('visits', n);
  return { ...one, next: { ...stateOf(one.id), scopes: [], via: `k patients ${patient as SourceKey}` } };
}

function appearance(collection: string, n: number): RecordWrite {
  const key = `${collection}-${n}`;
  return {
    collection,
    id: key as RecordId,
    expected: { seq: 0 as Seq, mark: 0 },
    next: stateOf(key),
    stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
  };
}

function stateOf(key: string): NextState {
  return {
    sourceKey: key as SourceKey,
    deleted: false,
    body: `{"notes":"${'x'.repeat(400)}"}`,
    vis: null,
    pending: false,
    sourceVersion: '1',
    hash: key,
    scopes: ['all'],
    throughUs: false,
  };
}
