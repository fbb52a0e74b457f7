import { randomUUID } from 'node:crypto';
import type { RecordId, Seq } from '../../src/core/change.js';
import type { Session } from '../../src/core/session.js';
import { fullShape } from '../../src/core/shape.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { createSessionScopes } from '../../src/pull/session-scopes.js';
import { changesOf, FULL } from '../contract/store/world.js';
import { removal } from './pushing-clinic.js';
import { changeOf, createReferringClinic, PARENT_PATIENCE_MS } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];

describe('a reference to a record that a device made', () => {
  test('R12: goes to the source as the key that the source gave, and stays an id for devices', async () => {
    const clinic = await createReferringClinic();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    const visit = randomUUID();
    const [result] = await clinic.send([changeOf('visits', visit, { note: 'n', customer: A, helpers: [A] })]);
    expect(result).toMatchObject({ status: 'APPLIED', error: null });
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: 'made-1', helpers: ['made-1'] } }]);
    expect(await clinic.seen('visits', visit)).toMatchObject({ customer: A, helpers: [A] });
    expect((await clinic.view('visits', visit)).body).toContain('"customer":"made-1"');
  });

  test('R12: is kept through changes of other fields, without being looked up', async () => {
    const clinic = await createReferringClinic();
    const visit = randomUUID();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    await clinic.send([changeOf('visits', visit, { note: 'n', customer: A })]);
    const baseVersion = await clinic.version('visits', visit);
    const [result] = await clinic.send([changeOf('visits', visit, { note: 'later' }, { baseVersion })]);
    expect(result).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.seen('visits', visit)).toMatchObject({ note: 'later', customer: A });
    clinic.sources.visits.script.push('refuse');
    const [refused] = await clinic.send([changeOf('visits', visit, { note: 'no' })]);
    expect(refused).toMatchObject({ status: 'REJECTED' });
    expect(await clinic.seen('visits', visit)).toMatchObject({ note: 'later', customer: A });
  });

  test('F18: within one push is sent after its record, whatever their order, and results keep theirs', async () => {
    const clinic = await createReferringClinic();
    const visit = changeOf('visits', randomUUID(), { note: 'first', customer: A });
    const create = changeOf('customers', A, { name: 'Ida', parent: B });
    const results = await clinic.send([visit, create, changeOf('customers', B, { name: 'Mother' })]);
    expect(results.map(({ changeId, status }) => [changeId, status]).slice(0, 2)).toEqual([
      [visit.changeId, 'APPLIED'],
      [create.changeId, 'APPLIED'],
    ]);
    expect(clinic.sources.customers.calls.map(({ fields }) => fields)).toEqual([
      { name: 'Mother' },
      { name: 'Ida', parent: 'made-1' },
    ]);
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: 'made-2' } }]);
  });

  test('F18: that comes before its record waits for it', async () => {
    const clinic = await createReferringClinic();
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([order])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(PARENT_PATIENCE_MS / 2);
    expect(clinic.sources.orders.calls).toEqual([]);
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    await clinic.until(async () => (await clinic.fate(order)) === 'APPLIED');
    expect(clinic.sources.orders.calls).toMatchObject([{ fields: { customer: 'made-1' } }]);
  });

  test('F18: waits as long as the source is down, and not a moment of it counts', async () => {
    const clinic = await createReferringClinic();
    clinic.sources.customers.isBroken = true;
    const create = changeOf('customers', A, { name: 'Ida' });
    await clinic.send([create]);
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([order])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    await clinic.pass(2 * PARENT_PATIENCE_MS);
    expect(await clinic.fate(order)).toBe('ACCEPTED');
    clinic.sources.customers.isBroken = false;
    await clinic.until(async () => (await clinic.fate(order)) === 'APPLIED');
  });

  test('F18: falls with it, naming the field', async () => {
    const clinic = await createReferringClinic();
    clinic.sources.customers.script.push('refuse');
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A });
    const results = await clinic.send([changeOf('customers', A, { name: 'Ida' }), visit]);
    expect(results).toMatchObject([
      { status: 'REJECTED', error: { code: 'SOURCE_REFUSED' } },
      { status: 'REJECTED', error: { code: 'PARENT_REFUSED', field: 'customer' } },
    ]);
    expect(clinic.sources.visits.calls).toEqual([]);
  });

  test('F18: is held by a parked one, and told so', async () => {
    const clinic = await createReferringClinic({ facts: { readOne: false } });
    clinic.sources.customers.script.push('applyUnanswered');
    const create = changeOf('customers', A, { name: 'Ida' });
    await clinic.send([create]);
    await clinic.until(async () => (await clinic.fate(create)) === 'PARKED');
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    await clinic.pass(2 * PARENT_PATIENCE_MS);
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    expect(clinic.sources.visits.calls).toEqual([]);
  });
});

describe('a reference to a record that nobody knows', () => {
  test('F18: is left out in the end where it is optional, and the device is told', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A, helpers: [A, '7'] });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(PARENT_PATIENCE_MS - 5_000);
    expect(await clinic.fate(visit)).toBe('ACCEPTED');
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { note: 'n', helpers: ['7'] } }]);
    expect(clinic.sources.visits.calls[0]?.fields).not.toHaveProperty('customer');
    expect(await clinic.error(visit)).toEqual({
      code: 'UNKNOWN_REFERENCE',
      message: `customer: expected the id of a record of customers, there is none with the id ${A}`,
      field: 'customer',
      retryable: false,
    });
  });

  test('F18: rejects the change where it is required, or is all that there was', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('visits', '17', { note: 'n' });
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    const baseVersion = await clinic.version('visits', '17');
    const visit = changeOf('visits', '17', { customer: A }, { baseVersion });
    await clinic.send([order, visit]);
    for (const change of [order, visit]) {
      await clinic.until(async () => (await clinic.fate(change)) === 'REJECTED');
      expect(await clinic.error(change)).toMatchObject({ code: 'UNKNOWN_REFERENCE', field: 'customer' });
    }
    expect(clinic.sources.orders.calls).toEqual([]);
  });

  test('R13: looks like one to a record outside the scopes of the session, in time and in words', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    await clinic.known('customers', '8', { name: 'Max', region: 'south' });
    const south = clinic.session('max', { kind: 'listed', scopes: ['region:south', 'all'] });
    const [hidden, unknown, seen] = ['7', '9', '8'].map((key) =>
      changeOf('orders', randomUUID(), { note: 'n', customer: key }),
    );
    const results = await clinic.send([hidden!, unknown!, seen!], south);
    expect(results.map((one) => one.status)).toEqual(['ACCEPTED', 'ACCEPTED', 'APPLIED']);
    await clinic.until(async () => (await clinic.fate(unknown!, south)) === 'REJECTED');
    expect(await clinic.fate(hidden!, south)).toBe('REJECTED');
    const words = async (change: typeof hidden, key: string) =>
      JSON.stringify(await clinic.error(change!, south)).replace(`id ${key}`, 'id');
    expect(await words(hidden, '7')).toBe(await words(unknown, '9'));
    expect(clinic.sources.orders.calls).toHaveLength(1);
  });

  test('R13: is not judged where the record has it already', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('visits', '17', { note: 'n', customer: 'nobody', helpers: ['8'] });
    const baseVersion = await clinic.version('visits', '17');
    const same = { note: 'new', customer: 'nobody', helpers: ['8'] };
    const [result] = await clinic.send([changeOf('visits', '17', same, { baseVersion })]);
    expect(result).toMatchObject({ status: 'APPLIED' });
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: same }]);
  });
});

describe('a ring of references', () => {
  test('F18: is begun by a change that goes without its reference, and none waits for ever', async () => {
    const clinic = await createReferringClinic();
    const results = await clinic.send([
      changeOf('customers', A, { name: 'Ida', parent: B }),
      changeOf('customers', B, { name: 'Max', parent: A }),
    ]);
    expect(results.map((one) => one.status).sort()).toEqual(['APPLIED', 'MERGED']);
    expect(clinic.sources.customers.calls.map(({ fields }) => fields)).toEqual([
      { name: 'Ida' },
      { name: 'Max', parent: 'made-1' },
    ]);
  });

  test('F18: of a record with itself goes without it', async () => {
    const clinic = await createReferringClinic();
    const [result] = await clinic.send([changeOf('customers', A, { name: 'Ida', parent: A })]);
    expect(result).toMatchObject({ status: 'MERGED', error: { code: 'UNKNOWN_REFERENCE', field: 'parent' } });
  });
});

describe('a record whose scope hangs on a record that the source does not have yet', () => {
  test('F21: is in the hidden scope of its device, which its sessions have, and moves when the key is known', async () => {
    const clinic = await createReferringClinic();
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['region:none'] });
    const other = clinic.session('max', { kind: 'listed', scopes: ['region:none'] });
    clinic.sources.customers.isBroken = true;
    clinic.sources.trips.isBroken = true;
    const trip = changeOf('trips', B, { note: 'n', customer: A });
    const results = await clinic.send([trip, changeOf('customers', A, { name: 'Ida' })], nurse);
    expect(results).toMatchObject([{ status: 'ACCEPTED' }, { status: 'ACCEPTED' }]);
    const scopes = createSessionScopes(Object.values(clinic.sources).map((source) => source.collection));
    const shownTo = (session: Session) =>
      clinic.store.snapshot(clinic.tenant, async (snapshot) => {
        const set = await scopes.allowedOn(snapshot, session, ['trips']);
        const found = await snapshot.fill({ set, after: 0 as Seq, upTo: snapshot.feed.head }, 10, {
          ...FULL,
          shape: fullShape(['trips']),
        });
        return changesOf(found).map((change) => change.id);
      });
    expect(await shownTo(nurse)).toEqual([B]);
    expect(await shownTo(other)).toEqual([]);
    const readCurrent = createReadCurrent({ store: clinic.store, collections: [clinic.sources.trips.collection] });
    const name = { collection: 'trips', id: B as RecordId };
    expect(await readCurrent(nurse, [name])).toMatchObject([{ pending: true, json: { customer: A } }]);
    expect(await readCurrent(other, [name])).toEqual([null]);
    clinic.sources.customers.isBroken = false;
    clinic.sources.trips.isBroken = false;
    await clinic.until(async () => (await clinic.fate(trip, nurse)) === 'APPLIED');
    expect(await shownTo(nurse)).toEqual([]);
    const granted = clinic.session('max', { kind: 'listed', scopes: ['customer:made-1'] });
    expect(await shownTo(granted)).toEqual([B]);
  });

  test('R13: of another scope that its session does not have is refused', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['region:none'] });
    const [result] = await clinic.send([changeOf('trips', B, { note: 'n', customer: '7' })], nurse);
    expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'FORBIDDEN' } });
  });
});

describe('a deletion', () => {
  test('F18: waits for what was accepted before it and refers to its record', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    clinic.sources.visits.isBroken = true;
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: '7' });
    await clinic.send([visit]);
    const baseVersion = await clinic.version('customers', '7');
    const gone = removal('7', baseVersion, { collection: 'customers' });
    expect(await clinic.send([gone])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(10_000);
    expect(clinic.sources.customers.calls).toEqual([]);
    clinic.sources.visits.isBroken = false;
    await clinic.until(async () => (await clinic.fate(gone)) === 'APPLIED');
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: '7' } }]);
  });

  test('F18: is waited for by what was accepted after it', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const baseVersion = await clinic.version('customers', '7');
    const release = clinic.sources.customers.hold();
    const gone = removal('7', baseVersion, { collection: 'customers' });
    await clinic.send([gone]);
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: '7' });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: gone.changeId }]);
    release();
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
    expect(await clinic.error(visit)).toMatchObject({ code: 'UNKNOWN_REFERENCE', field: 'customer' });
  });
});
