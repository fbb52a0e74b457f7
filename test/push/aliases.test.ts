import { randomUUID } from 'node:crypto';
import type { RecordId, Seq, SourceKey } from '../../src/core/change.js';
import { fullShape } from '../../src/core/shape.js';
import type { Store } from '../../src/core/store-port.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { changesOf, FULL } from '../contract/store/world.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { removal } from './pushing-clinic.js';
import { changeOf, createReferringClinic, type ReferringClinic } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];

/** The source knows a customer by name: who is made twice is changed. */
async function createUpsertingClinic(
  options: Parameters<typeof createReferringClinic>[0] = {},
): Promise<ReferringClinic> {
  const clinic = await createReferringClinic(options);
  const { customers } = clinic.sources;
  const plain = customers.write.bind(customers);
  customers.write = async (write, signal) => {
    const [known] = [...customers.rows].filter(([, { fields }]) => fields['name'] === write.fields['name']);
    if (write.kind !== 'create' || known === undefined) return plain(write, signal);
    customers.calls.push(write);
    const { fields } = known[1];
    const isNew = Object.entries(write.fields).some(([name, value]) => fields[name] !== value);
    if (isNew) customers.edit(known[0], write.fields);
    return { kind: 'applied', observation: customers.showAs(known[0] as SourceKey) };
  };
  return clinic;
}

/** Ids that a device which begins now is told of. */
async function idsShown({ store, tenant }: ReferringClinic): Promise<readonly string[]> {
  return store.snapshot(tenant, async (snapshot) => {
    const set = await snapshot.everyPair(['customers']);
    const shape = { ...FULL, shape: fullShape(['customers']) };
    const filled = await snapshot.fill({ set, after: 0 as Seq, upTo: snapshot.feed.head }, 100, shape);
    return changesOf(filled).map(({ id }) => id);
  });
}

/** The record of this key is a tombstone. */
async function remove(clinic: ReferringClinic, key: string): Promise<void> {
  clinic.sources.customers.rows.delete(key);
  const gone = await clinic.view('customers', key);
  const next = { ...gone, deleted: true, scopes: [], throughUs: false };
  const [outcome] = await clinic.store.commit(clinic.tenant, [
    { collection: 'customers', id: gone.id, expected: gone, next },
  ]);
  expect(outcome?.kind).toBe('written');
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
    expect(await clinic.view('customers', B)).toMatchObject({ aliasOf: A, deleted: true, body: null, intents: [] });
    expect(await idsShown(clinic)).toEqual([A]);
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
    const many = ['north', 'east', 'south', 'west'].map((region) => changeOf('customers', B, { region, name: 'Eve' }));
    expect((await clinic.send(many)).map(({ status }) => status)).toEqual(many.map(() => 'APPLIED'));
    expect(await clinic.seen('customers', A)).toMatchObject({ name: 'Eve', region: 'west' });
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
    const { seq, written, stamps, sourceVersion } = await clinic.view('customers', '7');
    expect(stamps['region']).toEqual({ seq, writer: 'device:nurse/nurse-phone' });
    // What was read before is older than the write (R15), and the next one is guarded by its version.
    expect({ written, sourceVersion }).toEqual({ written: seq, sourceVersion: 'v2' });
  });

  test('F9: an alias of a record that is just the same is its author’s to change, although the record is not its own', async () => {
    const clinic = await createUpsertingClinic();
    const { seq } = await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'north' })])).toMatchObject([
      { status: 'MERGED' },
    ]);
    expect((await clinic.view('customers', '7')).seq).toBe(seq);
    expect(await clinic.send([changeOf('customers', A, { region: 'east' })])).toMatchObject([{ status: 'APPLIED' }]);
    expect(await clinic.seen('customers', '7')).toMatchObject({ region: 'east' });
  });

  test('F9: the version of the record moves also when the second create changed nothing else', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    clinic.sources.customers.edit('7', {});
    await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'north' })]);
    expect(await clinic.view('customers', '7')).toMatchObject({ sourceVersion: 'v2' });
  });

  test('F3: who saw the record before does not overwrite unseen what the second create made of it', async () => {
    const clinic = await createUpsertingClinic();
    clinic.sources.customers.isBroken = true;
    // Shown from now on, under its own id.
    await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'east' })]);
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    const baseVersion = await clinic.version('customers', '7');
    clinic.sources.customers.isBroken = false;
    await clinic.until(async () => (await clinic.view('customers', A)).aliasOf !== null);
    const late = changeOf('customers', '7', { region: 'south' }, { baseVersion });
    expect(await clinic.send([late], clinic.session('max'))).toMatchObject([{ status: 'CONFLICT' }]);
    expect(await clinic.seen('customers', '7')).toMatchObject({ region: 'east' });
    expect(await idsShown(clinic)).toEqual(['7']);
  });

  test('R10: what is open on the record stays in view over what the second create made of it', async () => {
    const clinic = await createUpsertingClinic({ facts: { readOne: false } });
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    clinic.sources.customers.script.push('applyUnanswered');
    const baseVersion = await clinic.version('customers', '7');
    const open = changeOf('customers', '7', { region: 'west' }, { baseVersion });
    await clinic.send([open]);
    expect(await clinic.fate(open)).toBe('PARKED');
    await clinic.until(async () => (await clinic.view('customers', '7')).pending);
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'east' })])).toMatchObject([
      { status: 'MERGED' },
    ]);
    expect(await clinic.view('customers', '7')).toMatchObject({ pending: true });
    expect((await clinic.view('customers', '7')).body).toContain('east');
    expect(await clinic.seen('customers', '7')).toMatchObject({ region: 'west' });
  });

  test('R12: the record goes on naming what it refers to by ids', async () => {
    const clinic = await createUpsertingClinic();
    await clinic.send([changeOf('customers', A, { name: 'Mother' })]);
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    await clinic.send([changeOf('customers', B, { name: 'Ida', parent: A })]);
    expect(await clinic.seen('customers', '7')).toMatchObject({ parent: A });
    expect((await clinic.view('customers', '7')).body).toContain('"parent":"made-1"');
  });

  test('F9: a record that moves at the same moment takes the state all the same', async () => {
    const clock = createManualClock();
    const memory = createMemoryStore({ clock, chance: seededChance(11) });
    let moves = 0;
    const store: Store = {
      ...memory,
      async commit(tenant, writes, context) {
        // A poll comes in between.
        if (writes[0]?.id === '7' && writes[0].next?.throughUs === true && moves++ === 0) {
          const view = await clinic.view('customers', '7');
          const [outcome] = await memory.commit(tenant, [
            { collection: 'customers', id: view.id, expected: view, next: { ...view, scopes: [], throughUs: false } },
          ]);
          expect(outcome?.kind).toBe('written');
        }
        return memory.commit(tenant, writes, context);
      },
    };
    const clinic = await createUpsertingClinic({ store, clock });
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    const create = changeOf('customers', A, { name: 'Ida', region: 'east' });
    expect(await clinic.send([create])).toMatchObject([{ status: 'MERGED' }]);
    expect(moves).toBe(2);
    expect(await clinic.seen('customers', '7')).toMatchObject({ region: 'east' });
  });

  test('R11: an update that is answered with the key of another record makes no alias: an operator has to look', async () => {
    const clinic = await createReferringClinic();
    const { customers } = clinic.sources;
    await clinic.known('customers', '7', { name: 'Ida' });
    await clinic.known('customers', '8', { name: 'Max' });
    customers.write = async () => ({ kind: 'applied', observation: customers.showAs('8' as SourceKey) });
    const change = changeOf('customers', '7', { name: 'Eve' }, { baseVersion: await clinic.version('customers', '7') });
    const [result] = await clinic.send([change]);
    expect(result).toMatchObject({ status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(await clinic.view('customers', '7')).toMatchObject({ aliasOf: null, deleted: false });
    expect(await clinic.seen('customers', '8')).toMatchObject({ name: 'Max' });
  });

  test('F20: a key of a record that was deleted is the new record’s, and no alias', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', 'made-1', { name: 'Max' });
    await remove(clinic, 'made-1');
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida' })])).toMatchObject([{ status: 'APPLIED' }]);
    expect(await clinic.view('customers', A)).toMatchObject({ sourceKey: 'made-1', deleted: false, aliasOf: null });
    expect(await clinic.view('customers', 'made-1')).toMatchObject({ sourceKey: null, deleted: true });
  });

  test('F20: where keys are not reused, the record that was deleted is back, and the new id is its alias', async () => {
    const clinic = await createReferringClinic({ facts: { keysReused: false } });
    await clinic.known('customers', 'made-1', { name: 'Ida' });
    await remove(clinic, 'made-1');
    // Just as it was, down to its version.
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida' })])).toMatchObject([{ status: 'MERGED' }]);
    expect(await clinic.view('customers', A)).toMatchObject({ aliasOf: 'made-1', deleted: true });
    expect(await clinic.view('customers', 'made-1')).toMatchObject({ sourceKey: 'made-1', deleted: false });
    expect(await idsShown(clinic)).toEqual(['made-1']);
  });
});
