import { randomUUID } from 'node:crypto';
import type { RecordId, SourceKey } from '../../src/core/change.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { removal } from './pushing-clinic.js';
import { changeOf, createReferringClinic, type ReferringClinic } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];

/** The source knows a customer by name: who is made twice is changed. */
async function createUpsertingClinic(): Promise<ReferringClinic> {
  const clinic = await createReferringClinic();
  const { customers } = clinic.sources;
  const plain = customers.write.bind(customers);
  customers.write = async (write, signal) => {
    const [known] = [...customers.rows].filter(([, { fields }]) => fields['name'] === write.fields['name']);
    if (write.kind !== 'create' || known === undefined) return plain(write, signal);
    customers.calls.push(write);
    customers.edit(known[0], write.fields);
    return { kind: 'applied', observation: customers.showAs(known[0] as SourceKey) };
  };
  return clinic;
}

describe('two creates of one record', () => {
  test('F9: end with one record, of which the second id is an alias', async () => {
    const clinic = await createUpsertingClinic();
    const other = clinic.session('max');
    const [first] = await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'north' })]);
    const second = changeOf('customers', B, { name: 'Ida', region: 'south' });
    expect(first).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.send([second], other)).toMatchObject([{ status: 'MERGED', error: null }]);
    expect(await clinic.view('customers', A)).toMatchObject({ sourceKey: 'made-1', deleted: false, intents: [] });
    expect(await clinic.seen('customers', A)).toMatchObject({ name: 'Ida', region: 'south' });
    expect(await clinic.view('customers', B)).toMatchObject({ aliasOf: A, deleted: true, intents: [] });
    const readCurrent = createReadCurrent({ store: clinic.store, collections: [clinic.sources.customers.collection] });
    const current = await readCurrent(other, [{ collection: 'customers', id: B as RecordId }]);
    expect(current).toMatchObject([{ id: A, kind: 'UPSERT', json: { region: 'south' } }]);
  });

  test('F9: a change of the alias changes the record, also one made before the device knew', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    const release = clinic.sources.customers.hold();
    const create = changeOf('customers', B, { name: 'Ida' });
    const behind = changeOf('customers', B, { region: 'east' });
    await clinic.send([create, behind]);
    release();
    await clinic.until(async () => (await clinic.fate(behind)) === 'APPLIED');
    expect(await clinic.fate(create)).toBe('MERGED');
    expect(await clinic.seen('customers', A)).toMatchObject({ region: 'east' });
    const later = changeOf('customers', B, { region: 'west' });
    expect(await clinic.send([later])).toMatchObject([{ status: 'APPLIED', id: B }]);
    expect(await clinic.seen('customers', A)).toMatchObject({ region: 'west' });
    const baseVersion = await clinic.version('customers', A);
    const gone = removal(B, baseVersion, { collection: 'customers' });
    expect(await clinic.send([gone])).toMatchObject([{ status: 'APPLIED' }]);
    expect(await clinic.view('customers', A)).toMatchObject({ deleted: true });
  });

  test('F9: a reference to the alias is one to the record, before it was known and after', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: B });
    await clinic.send([changeOf('customers', B, { name: 'Ida' }), visit]);
    await clinic.until(async () => (await clinic.fate(visit)) === 'APPLIED');
    const late = changeOf('visits', randomUUID(), { note: 'n', customer: B });
    expect(await clinic.send([late])).toMatchObject([{ status: 'APPLIED' }]);
    expect(clinic.sources.visits.calls.map(({ fields }) => fields['customer'])).toEqual(['made-1', 'made-1']);
    expect(await clinic.seen('visits', visit.id)).toMatchObject({ customer: A });
  });

  test('F18: a deletion of the record waits for a change that refers to the alias', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    await clinic.send([changeOf('customers', B, { name: 'Ida' })]);
    clinic.sources.visits.isBroken = true;
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: B });
    await clinic.send([visit]);
    const gone = removal(A, await clinic.version('customers', A), { collection: 'customers' });
    await clinic.send([gone]);
    await clinic.pass(10_000);
    expect(await clinic.fate(gone)).toBe('ACCEPTED');
    clinic.sources.visits.isBroken = false;
    await clinic.until(async () => (await clinic.fate(gone)) === 'APPLIED');
    expect(await clinic.fate(visit)).toBe('APPLIED');
  });

  test('F9: a record that ingest saw first is the one that stays', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    const create = changeOf('customers', A, { name: 'Ida', region: 'east' });
    expect(await clinic.send([create])).toMatchObject([{ status: 'MERGED' }]);
    expect(await clinic.view('customers', A)).toMatchObject({ aliasOf: '7', deleted: true });
    expect(await clinic.seen('customers', '7')).toMatchObject({ region: 'east' });
    expect((await clinic.view('customers', '7')).stamps['region']?.writer).toBe('device:nurse/nurse-phone');
  });

  test('F20: a key of a record that was deleted is the new record’s, and no alias', async () => {
    const clinic = await createReferringClinic();
    const gone = await clinic.known('customers', 'made-1', { name: 'Max' });
    clinic.sources.customers.rows.delete('made-1');
    const next = { ...gone, deleted: true, scopes: [], throughUs: false };
    await clinic.store.commit(clinic.tenant, [{ collection: 'customers', id: gone.id, expected: gone, next }]);
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida' })])).toMatchObject([{ status: 'APPLIED' }]);
    expect(await clinic.view('customers', A)).toMatchObject({ sourceKey: 'made-1', deleted: false, aliasOf: null });
    expect(await clinic.view('customers', 'made-1')).toMatchObject({ sourceKey: null, deleted: true });
  });
});
