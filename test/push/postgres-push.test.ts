import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import type { Store } from '../../src/core/store-port.js';
import type { PushedChange, PushResult } from '../../src/push/pushed-change.js';
import { createManualClock } from '../support/manual-clock.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { createClinic, edit, removal, type Clinic } from './pushing-clinic.js';

let postgres: TestPostgres;
let store: Store;

beforeAll(async () => {
  postgres = await startTestPostgres();
  store = await openStore({ url: await postgres.freshDatabase(), clock: systemClock, log: silentLog });
});

afterAll(async () => {
  await store.close();
  await postgres.stop();
});

/** The gateway's clock stands still unless a test moves it, that of leases is the database's. */
const open = (): Promise<Clinic> => createClinic({ store, clock: createManualClock(Date.now()) });

/** Waits as long as the database takes: the patience does not run out. */
const pushOne = async (clinic: Clinic, change: PushedChange, by = clinic.session()): Promise<PushResult> => {
  const [result] = await clinic.push.push(by, [change], null);
  return result as PushResult;
};

describe('push on Postgres', () => {
  test('R8, R10: a hundred changes of many records, some of the same one, are applied in order in one push', async () => {
    const clinic = await open();
    const ids = Array.from({ length: 40 }, () => randomUUID());
    const changes = [
      ...ids.map((id) => edit(id, null, { note: 'made', route: '7' })),
      ...ids.map((id) => edit(id, null, { note: 'edited' })),
      ...ids.slice(0, 20).map((id) => removal(id, null)),
    ];
    const release = clinic.source.hold();
    const answer = clinic.push.push(clinic.session(), changes, null);
    // Without moving the clock: the patience must not run out while the database takes its time.
    await until('the first calls are under way', async () => clinic.source.calls.length > 0);
    release();
    const results = await answer;
    expect(new Set(results.map((one) => one.status))).toEqual(new Set(['APPLIED']));
    expect(clinic.source.journal).toHaveLength(100);
    expect(await clinic.view(ids[0] as string)).toMatchObject({ deleted: true, intents: [] });
    expect(await clinic.view(ids[39] as string)).toMatchObject({ deleted: false, sourceVersion: 'v2' });
    expect(await clinic.push.push(clinic.session(), changes, null)).toEqual(
      results.map((one) => ({ ...one, blockedBy: null })),
    );
    expect(clinic.source.journal).toHaveLength(100);
    await clinic.push.stop();
  });

  test('R7, R9, R11: repeats, conflicts, refusals and doubts are kept as they were told', async () => {
    const clinic = await open();
    const version = await clinic.visit('17');
    clinic.source.script.push('refuse', 'apply', 'applyUnanswered');
    const refused = edit('17', version, { status: 'DONE' });
    const applied = edit('17', version, { note: 'nurse' });
    const conflict = edit('17', version, { note: 'doctor' });
    const inDoubt = edit('17', version, { note: 'in doubt' });
    const doctor = clinic.session('doctor');
    expect(await pushOne(clinic, refused)).toMatchObject({ status: 'REJECTED', error: { code: 'SOURCE_REFUSED' } });
    expect(await pushOne(clinic, applied)).toMatchObject({ status: 'APPLIED' });
    expect(await pushOne(clinic, conflict, doctor)).toMatchObject({ status: 'CONFLICT', error: { field: 'note' } });
    // Read back: the source shows it in a version that is not the one of its guard.
    expect(await pushOne(clinic, inDoubt)).toMatchObject({ status: 'APPLIED' });
    const repeats = await clinic.push.push(clinic.session(), [refused, applied, inDoubt], null);
    expect(repeats.map((one) => one.status)).toEqual(['REJECTED', 'APPLIED', 'APPLIED']);
    expect(await pushOne(clinic, conflict, doctor)).toMatchObject({ status: 'CONFLICT', error: { field: 'note' } });
    expect(clinic.source.calls).toHaveLength(3);
    await clinic.push.stop();
  });

  test('R9: a source that holds another version is read, and the rest of the change MERGED', async () => {
    const clinic = await open();
    const version = await clinic.visit('18');
    clinic.source.edit('18', { note: 'changed in the office' });
    const result = await pushOne(clinic, edit('18', version, { note: 'mine', status: 'DONE' }));
    expect(result).toMatchObject({ status: 'MERGED' });
    expect(JSON.parse((await clinic.view('18')).body ?? '')).toMatchObject({
      note: 'changed in the office',
      status: 'DONE',
    });
    await clinic.push.stop();
  });

  test('R10: two nodes share one outbox, and each change reaches the source once', async () => {
    const clinic = await open();
    const other = clinic.another();
    other.start();
    clinic.source.isBroken = true;
    const changes = Array.from({ length: 30 }, () => edit(randomUUID(), null, { note: 'made', route: '7' }));
    await clinic.push.push(clinic.session(), changes.slice(0, 15), null);
    await other.push(clinic.session('doctor'), changes.slice(15), null);
    expect(clinic.source.calls).toEqual([]);
    clinic.source.isBroken = false;
    await until('every change was called for', async () => {
      clinic.clock.advance(50);
      return clinic.source.journal.length >= 30;
    });
    await clinic.push.stop();
    await other.stop();
    expect(new Set(clinic.source.journal).size).toBe(30);
    expect(clinic.source.calls).toHaveLength(30);
  });
});
