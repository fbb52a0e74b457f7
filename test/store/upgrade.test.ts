import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RecordId, Seq, SourceKey } from '../../src/core/change.js';
import { scopeSet } from '../../src/core/scope.js';
import { fullShape } from '../../src/core/shape.js';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { openDatabase } from '../../src/store/database.js';
import { migrate, migrationsFolder } from '../../src/store/migrate.js';
import { openStore } from '../../src/store/open.js';
import { shown } from '../contract/store/world.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

const TENANT = 'clinic';
const VISITS = 'visits';
const NURSE = { tenant: TENANT, user: 'nurse', device: 'phone' };

let postgres: TestPostgres;
let store: Store;

/** A write as the program of the first migration gave it to its database. */
type OldWrite = Readonly<Record<string, unknown>>;

const live = (id: string): OldWrite => ({ nd: false, nk: id, nb: '{"note":"old"}', nv: 'v1', nh: 'h', ns: ['all'] });
const change = (dc: string): OldWrite => ({ du: NURSE.user, dd: NURSE.device, dc });
const intended = (dc: string): OldWrite => ({
  ...change(dc),
  ah: 'h',
  ak: 'UPSERT',
  af: '{"note":"new"}',
  ab: 1,
  ae: 1,
});

/** Three records of which one is gone, a settled change, one that is parked, one under way and a create that waits. */
async function fillFirstVersion(url: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-first-'));
  cpSync(path.join(migrationsFolder(), '0001_init'), path.join(folder, '0001_init'), { recursive: true });
  const database = await openDatabase(url);
  await migrate(database, folder);
  rmSync(folder, { recursive: true });
  await database.query('insert into tenant (id, epoch) values ($1, $2)', [TENANT, 'firstone']);
  const marks = new Map<string, readonly [seq: number, mark: number]>();
  const write = async (id: string, parts: OldWrite): Promise<number> => {
    const [es, em] = marks.get(id) ?? [0, 0];
    const takes = 'nd' in parts || 'ss' in parts;
    const { rows } = await database.query<{ answer: { outcomes: [string, number, number][] } }>(
      'select tidegate_commit($1, $2, $3, $4) as answer',
      [TENANT, JSON.stringify([{ c: VISITS, i: id, es, em, nt: false, ...parts }]), takes ? 1 : 0, '{}'],
    );
    const [kind, seq, intentNo] = rows[0]?.answer.outcomes[0] ?? [];
    expect(kind).toBe('written');
    marks.set(id, ['nd' in parts ? (seq as number) : es, em + ('ak' in parts ? 1 : 0) + ('sn' in parts ? 1 : 0)]);
    return intentNo as number;
  };
  for (const id of ['a', 'b', 'gone']) await write(id, live(id));
  await write('gone', { ...live('gone'), nd: true, ns: [] });
  await write('a', { ...live('a'), ...change('settled'), ah: 'h', ss: 'APPLIED', si: true, nt: true });
  const parked = await write('a', intended('parked'));
  await write('a', { ...change('parked'), ss: 'PARKED', se: '{"code":"OUTCOME_UNKNOWN"}', sn: parked, sf: 0 });
  const under = await write('b', { ...intended('under way'), al: 'node', am: 60_000 });
  const note = {
    intentNo: under,
    fence: 1,
    c: VISITS,
    i: 'b',
    es: 2,
    em: 1,
    payload: '{}',
    guard: 'v1',
    deadlineMs: -60_000,
  };
  await database.query('select tidegate_note_sent($1, $2)', [TENANT, JSON.stringify([note])]);
  await database.query('update intent set lease_until = now()');
  await write('made', intended('create'));
  await database.end();
}

beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = await postgres.freshDatabase();
  await fillFirstVersion(url);
  store = await openStore({ url, clock: systemClock, log: silentLog });
});

afterAll(async () => {
  await store.close();
  await postgres.stop();
});

const view = async (id: string) => {
  const [found] = await store.readRecords(TENANT, [{ collection: VISITS, id: id as RecordId }]);
  return found as NonNullable<typeof found>;
};

test('records of the first version are what they were: their source layer is what devices see', async () => {
  expect(await view('a')).toMatchObject({ body: '{"note":"old"}', vis: null, pending: false, aliasOf: null });
  expect(await view('gone')).toMatchObject({ deleted: true, pending: false, aliasOf: null });
  expect((await store.readCollection(TENANT, VISITS)).recordCount).toBe(2);
  expect(await store.countDeletions(TENANT, VISITS, 0)).toEqual({ deletions: 1, live: 2 });
  const { head } = await store.readHead(TENANT);
  const page = await store.snapshot(TENANT, (snapshot) =>
    snapshot.fill({ set: scopeSet([{ collection: VISITS, scope: 'all' }]), after: 0 as Seq, upTo: head }, 10, {
      shape: fullShape([VISITS]),
      device: NURSE,
      mineAfter: 0 as Seq,
    }),
  );
  expect(page.count).toBe(2);
});

test('R7: changes of the first version are known, and receipts wait for their devices', async () => {
  const { known } = await store.readChanges(NURSE, ['settled', 'parked', 'under way', 'create']);
  expect(known.map(({ status, blockedBy, kept }) => [status, blockedBy, kept])).toEqual([
    ['APPLIED', null, null],
    ['PARKED', null, null],
    ['ACCEPTED', null, null],
    ['ACCEPTED', null, null],
  ]);
  const { head } = await store.readHead(TENANT);
  const receipts = await store.snapshot(TENANT, (snapshot) => snapshot.receipts(NURSE, 0 as Seq, head));
  expect(receipts.map(({ changeId }) => changeId)).toEqual(['settled', 'parked']);
});

test('R11: open intents of the first version go on: in doubt, parked, or to be sent', async () => {
  const entries = await store.readOutbox(TENANT, { states: [], collection: null, after: null, limit: 10 });
  expect(entries.map(({ changeId, state, waitsFor, seq }) => [changeId, state, waitsFor, seq])).toEqual([
    ['parked', 'PARKED', null, null],
    ['under way', 'SENT', null, null],
    ['create', 'PENDING', null, null],
  ]);
  const [doubted] = await store.leaseInDoubt({ tenant: TENANT, holder: 'node', leaseMs: 60_000, limit: 10 });
  expect(doubted).toMatchObject({ changeId: 'under way', guard: 'v1', payload: '{}' });
  expect(doubted?.sinceDeadlineMs).toBeGreaterThan(0);
  const [parked] = entries;
  expect(await store.reopenIntent(TENANT, parked?.intentNo as number)).toBe(true);
  const leased = await store.leaseIntents({
    tenant: TENANT,
    collections: [VISITS],
    holder: 'node',
    leaseMs: 60_000,
    limit: 10,
  });
  expect(leased.map(({ changeId }) => changeId)).toEqual(['parked', 'create']);
});

test('a change of the first version settles in the second, and is found by the number of its intent', async () => {
  const { seq, mark, intents } = await view('made');
  const [intent] = intents;
  const { intentNo, fence } = intent as NonNullable<typeof intent>;
  const settlement = { device: NURSE, changeId: 'create', status: 'APPLIED', error: null, inEffect: true } as const;
  const outcomes = await store.commit(TENANT, [
    {
      collection: VISITS,
      id: 'made' as RecordId,
      expected: { seq, mark },
      next: { ...shown('made'), sourceKey: 'K' as SourceKey, scopes: ['all'], throughUs: true },
      settlement: { ...settlement, intent: { intentNo, fence } },
    },
  ]);
  expect(outcomes).toMatchObject([{ kind: 'written' }]);
  expect(await store.readSettled(TENANT, intentNo)).toMatchObject({ changeId: 'create', status: 'APPLIED' });
  expect((await store.readCollection(TENANT, VISITS)).recordCount).toBe(3);
  expect(await store.knownKeys(TENANT, VISITS, 1_000 as Seq, null, 10)).toEqual(['K']);
});
