import type { RecordId, SourceKey } from '../../src/core/change.js';
import type { ScopeGrant, Session } from '../../src/core/session.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { changeOf, createReferringClinic, PARENT_PATIENCE_MS, type ReferringClinic } from './referring-clinic.js';

const [A, B, C] = [
  'a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c',
  'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c',
  'c2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c',
];
const NORTH: ScopeGrant = { kind: 'listed', scopes: ['region:north'] };

/** Trips have the scopes of their customer; the nurse sees the north. */
async function begin(): Promise<{ readonly clinic: ReferringClinic; readonly nurse: Session }> {
  const clinic = await createReferringClinic({ viaCustomer: ['trips', 'orders'] });
  return { clinic, nurse: clinic.session('nurse', NORTH) };
}

describe('a record that has its scopes from another one', () => {
  test('R13: is made by whoever sees that one', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    expect(await clinic.send([changeOf('trips', B, { note: 'n', customer: 'c1' })], nurse)).toMatchObject([
      { status: 'APPLIED' },
    ]);
    expect(await clinic.view('trips', B)).toMatchObject({ scopes: ['region:north'] });
  });

  test('R13: is refused for one outside the scopes just as for one that does not exist', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'south' });
    const answers = await clinic.send(
      [changeOf('trips', B, { customer: 'c1' }), changeOf('trips', C, { customer: 'c2' })],
      nurse,
    );
    const [outside, absent] = answers.map(({ status, error }) => ({ status, error }));
    expect(outside).toMatchObject({ status: 'REJECTED', error: { code: 'FORBIDDEN' } });
    expect(outside).toEqual(absent);
    expect(clinic.sources.trips.journal).toEqual([]);
  });

  test('R13: the same where a device made the id: both are waited for, and refused in the end', async () => {
    const { clinic, nurse } = await begin();
    const south = clinic.session('max', { kind: 'listed', scopes: ['region:south'] });
    await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'south' })], south);
    const [outside, absent] = [changeOf('trips', B, { customer: A }), changeOf('trips', C, { customer: C })];
    expect(await clinic.send([outside, absent], nurse)).toMatchObject([{ status: 'ACCEPTED' }, { status: 'ACCEPTED' }]);
    await clinic.pass(PARENT_PATIENCE_MS * 2);
    for (const change of [outside, absent]) {
      expect(await clinic.fate(change, nurse)).toBe('REJECTED');
      expect(await clinic.error(change, nurse)).toMatchObject({ code: 'UNKNOWN_REFERENCE', field: 'customer' });
    }
    expect(clinic.sources.trips.journal).toEqual([]);
  });

  test("R13: without a record that it names it is nobody's, and cannot be made", async () => {
    const { clinic } = await begin();
    const everything = clinic.session();
    expect(await clinic.send([changeOf('trips', B, { note: 'n' })], everything)).toMatchObject([
      { status: 'REJECTED', error: { code: 'FORBIDDEN' } },
    ]);
  });

  test('R13: of a customer that was deleted it cannot be made', async () => {
    const { clinic, nurse } = await begin();
    const { seq, mark } = await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    const gone = {
      ...{ sourceKey: null, deleted: true, body: '{"name":"Ida","region":"north"}', sourceVersion: null, hash: null },
      ...{ vis: null, pending: false, scopes: [], throughUs: false },
    };
    await clinic.store.commit(clinic.tenant, [
      { collection: 'customers', id: 'c1' as RecordId, expected: { seq, mark }, next: gone },
    ]);
    expect(await clinic.send([changeOf('trips', B, { customer: 'c1' })], nurse)).toMatchObject([
      { status: 'REJECTED', error: { code: 'FORBIDDEN' } },
    ]);
  });

  test('R13: is moved to another record only by whoever sees both', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('customers', 'c2', { name: 'Max', region: 'south' });
    await clinic.known('customers', 'c3', { name: 'Eva', region: 'north' });
    for (const [id, customer] of [
      ['t1', 'c1'],
      ['t2', 'c2'],
    ] as const)
      await clinic.known('trips', id, { customer });
    const move = async (id: string, customer: string) => {
      const baseVersion = await clinic.version('trips', id);
      const [answer] = await clinic.send([changeOf('trips', id, { customer }, { baseVersion })], nurse);
      return { status: answer?.status, code: answer?.error?.code };
    };
    expect(await move('t1', 'c2')).toEqual({ status: 'REJECTED', code: 'FORBIDDEN' });
    expect(await move('t2', 'c1')).toEqual({ status: 'REJECTED', code: 'NOT_FOUND' });
    expect(await move('t1', 'c3')).toEqual({ status: 'APPLIED', code: undefined });
    expect(await clinic.view('trips', 't1')).toMatchObject({ scopes: ['region:north'] });
  });

  test('R13: is not written by whoever may only see the scopes that it has from that one', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('trips', 't1', { customer: 'c1' });
    const reader = { ...nurse, writeGrant: { kind: 'listed', scopes: ['region:east'] } } as const;
    const baseVersion = await clinic.version('trips', 't1');
    const changes = [changeOf('trips', B, { customer: 'c1' }), changeOf('trips', 't1', { note: 'n' }, { baseVersion })];
    expect(await clinic.send(changes, reader)).toMatchObject([
      { status: 'REJECTED', error: { code: 'FORBIDDEN' } },
      { status: 'REJECTED', error: { code: 'FORBIDDEN' } },
    ]);
    expect(
      await clinic.send(
        changes.map((one) => ({ ...one, changeId: `${one.changeId}-2` })),
        nurse,
      ),
    ).toMatchObject([{ status: 'APPLIED' }, { status: 'APPLIED' }]);
  });

  test('R13: a change behind one that moves it is judged by where that one takes it', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('customers', 'c3', { name: 'Eva', region: 'north' });
    await clinic.known('trips', 't1', { customer: 'c1' });
    clinic.sources.trips.isBroken = true;
    const baseVersion = await clinic.version('trips', 't1');
    await clinic.send([changeOf('trips', 't1', { customer: 'c3' }, { baseVersion })], nurse);
    const more = changeOf('trips', 't1', { note: 'more' }, { baseVersion });
    expect(await clinic.send([more], nurse)).toMatchObject([{ status: 'ACCEPTED' }]);
  });

  test('R4: an overlay moves no record: it stays where the customer is that its source says', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('customers', 'c4', { name: 'Ada', region: 'east' });
    await clinic.known('trips', 't1', { customer: 'c1' });
    const both = { ...nurse, grant: { kind: 'listed', scopes: ['region:north', 'region:east'] } } as const;
    clinic.sources.trips.isBroken = true;
    const baseVersion = await clinic.version('trips', 't1');
    const move = changeOf('trips', 't1', { customer: 'c4' }, { baseVersion });
    expect(await clinic.send([move], both)).toMatchObject([{ status: 'ACCEPTED' }]);
    expect(await clinic.view('trips', 't1')).toMatchObject({ pending: true, scopes: ['region:north'] });
    clinic.sources.trips.isBroken = false;
    await clinic.until(async () => (await clinic.fate(move, nurse)) === 'APPLIED');
    expect(await clinic.view('trips', 't1')).toMatchObject({ pending: false, scopes: ['region:east'] });
  });

  test('F18, F21: made with its customer in one push, it goes where the customer goes, before either has a key and after', async () => {
    const { clinic, nurse } = await begin();
    clinic.sources.customers.isBroken = true;
    clinic.sources.trips.isBroken = true;
    const trip = changeOf('trips', B, { note: 'n', customer: A });
    const customer = changeOf('customers', A, { name: 'Ida', region: 'north' });
    expect(await clinic.send([trip, customer], nurse)).toMatchObject([{ status: 'ACCEPTED' }, { status: 'ACCEPTED' }]);
    expect(await clinic.view('trips', B)).toMatchObject({ pending: true, scopes: ['region:north'] });
    clinic.sources.customers.isBroken = false;
    clinic.sources.trips.isBroken = false;
    await clinic.until(async () => (await clinic.fate(trip, nurse)) === 'APPLIED');
    expect(await clinic.view('trips', B)).toMatchObject({ pending: false, scopes: ['region:north'] });
    await clinic.known('customers', 'c9', { name: 'Max', region: 'north' });
    const { seq } = await clinic.view('trips', B);
    const baseVersion = await clinic.version('customers', A);
    const both = { ...nurse, grant: { kind: 'listed', scopes: ['region:north', 'region:south'] } } as const;
    await clinic.send([changeOf('customers', A, { region: 'south' }, { baseVersion })], both);
    const moved = await clinic.view('trips', B);
    expect(moved).toMatchObject({ scopes: ['region:south'] });
    expect(moved.seq).toBeGreaterThan(seq);
  });

  test('F9: leaves the scopes that it has from its customer when it turns out to be another record', async () => {
    const { clinic, nurse } = await begin();
    const fields = { note: 'n', customer: 'c1' };
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('trips', 't1', fields);
    clinic.sources.trips.write = async () => ({
      kind: 'applied',
      observation: { sourceKey: 't1' as SourceKey, fields, sourceVersion: 'v1' },
    });
    expect(await clinic.send([changeOf('trips', B, fields)], nurse)).toMatchObject([{ status: 'MERGED' }]);
    expect(await clinic.view('trips', B)).toMatchObject({ aliasOf: 't1', deleted: true, scopes: [] });
  });

  test('F18: falls with the customer that was to be made', async () => {
    const { clinic, nurse } = await begin();
    clinic.sources.customers.isBroken = true;
    const trip = changeOf('trips', B, { customer: A });
    await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'north' }), trip], nurse);
    clinic.sources.customers.isBroken = false;
    clinic.sources.customers.script.push('refuse');
    await clinic.until(async () => (await clinic.fate(trip, nurse)) === 'REJECTED');
    expect(await clinic.error(trip, nurse)).toMatchObject({ code: 'PARENT_REFUSED' });
    expect(await clinic.view('trips', B)).toMatchObject({ deleted: true });
  });

  test('R13: a change of a record whose customer left the scopes finds none', async () => {
    const { clinic, nurse } = await begin();
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'north' });
    await clinic.known('trips', 't1', { customer: 'c1' });
    const baseVersion = await clinic.version('trips', 't1');
    await clinic.known('customers', 'c1', { name: 'Ida', region: 'south' });
    const edit = changeOf('trips', 't1', { note: 'n' }, { baseVersion });
    expect(await clinic.send([edit], nurse)).toMatchObject([{ status: 'REJECTED', error: { code: 'NOT_FOUND' } }]);
    const collections = Object.values(clinic.sources).map(({ collection }) => collection);
    const readCurrent = createReadCurrent({ store: clinic.store, collections });
    const name = { collection: 'trips', id: 't1' as RecordId };
    expect(await readCurrent(nurse, [name])).toEqual([null]);
    const south = clinic.session('max', { kind: 'listed', scopes: ['region:south'] });
    expect(await readCurrent(south, [name])).toMatchObject([{ id: 't1' }]);
  });
});
