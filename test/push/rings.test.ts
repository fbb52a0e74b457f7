import { randomUUID } from 'node:crypto';
import { removal } from './pushing-clinic.js';
import { changeOf, createReferringClinic, PARENT_PATIENCE_MS, type ReferringClinic } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];
const id = (): string => randomUUID();

/** What the source was told of customers, in order. */
function told({ sources }: ReferringClinic): readonly unknown[] {
  return sources.customers.calls.filter(({ kind }) => kind !== 'delete').map(({ fields }) => fields);
}

/** Nothing is known of B when A is accepted: A waits for it, and B comes later. */
async function waiting(clinic: ReferringClinic, a: string, b: string) {
  const first = changeOf('customers', a, { name: 'A', parent: b });
  expect(await clinic.send([first])).toMatchObject([{ status: 'ACCEPTED' }]);
  return first;
}

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

describe('F18: a change that waits for a record which came later', () => {
  test('goes without it when that waits for this one, over others too', async () => {
    const clinic = await createReferringClinic();
    const [a, b, c, d] = [id(), id(), id(), id()];
    const first = await waiting(clinic, a, b);
    const others = [
      changeOf('customers', d, { name: 'D', parent: a }),
      changeOf('customers', c, { name: 'C', parent: d }),
      changeOf('customers', b, { name: 'B', parent: c }),
    ];
    await clinic.send(others);
    await clinic.until(async () => (await clinic.fate(first)) === 'MERGED');
    await clinic.until(async () => (await clinic.fate(others[2]!)) === 'APPLIED');
    expect(told(clinic)).toEqual([
      { name: 'A' },
      { name: 'D', parent: 'made-1' },
      { name: 'C', parent: 'made-2' },
      { name: 'B', parent: 'made-3' },
    ]);
  });

  test('goes with it when that waits for nobody: this record has a key already', async () => {
    const clinic = await createReferringClinic();
    const b = id();
    await clinic.known('customers', '7', { name: 'A' });
    const baseVersion = await clinic.version('customers', '7');
    const first = changeOf('customers', '7', { parent: b }, { baseVersion });
    await clinic.send([first]);
    // So that B is on its way for a while.
    clinic.sources.customers.script.push('notSent', 'notSent', 'notSent', 'notSent');
    await clinic.send([changeOf('customers', b, { name: 'B', parent: '7' })]);
    await clinic.until(async () => (await clinic.fate(first)) === 'APPLIED');
    expect(told(clinic).at(-1)).toEqual({ parent: 'made-2' });
  });

  test('goes with it when that waits for nobody: what waits for this one has its key', async () => {
    const clinic = await createReferringClinic();
    const [a, b] = [id(), id()];
    await clinic.known('customers', '7', { name: 'between' });
    const baseVersion = await clinic.version('customers', '7');
    const first = await waiting(clinic, a, b);
    await clinic.send([changeOf('customers', '7', { parent: a }, { baseVersion })]);
    clinic.sources.customers.script.push('notSent', 'notSent', 'notSent', 'notSent');
    await clinic.send([changeOf('customers', b, { name: 'B', parent: '7' })]);
    await clinic.until(async () => (await clinic.fate(first)) === 'APPLIED');
    expect(told(clinic)).toContainEqual({ name: 'A', parent: 'made-2' });
  });

  test('goes without it when its patience is over and a deletion is on the way, which may wait for this one', async () => {
    const clinic = await createReferringClinic();
    const [a, b, d] = [id(), id(), id()];
    await clinic.known('customers', '7', { name: 'to be deleted' });
    const baseVersion = await clinic.version('customers', '7');
    const first = await waiting(clinic, a, b);
    // The deletion waits for the second change of D, that for the first one, and that for A.
    await clinic.send([changeOf('customers', d, { name: 'D', parent: a }), changeOf('customers', d, { parent: '7' })]);
    const gone = removal('7', baseVersion, { collection: 'customers' });
    const last = changeOf('customers', b, { name: 'B', parent: '7' });
    await clinic.send([gone]);
    await clinic.send([last]);
    await clinic.pass(PARENT_PATIENCE_MS / 2);
    expect(told(clinic)).toEqual([]);
    await clinic.until(async () => (await clinic.fate(last)) === 'MERGED');
    expect([await clinic.fate(first), await clinic.fate(gone)]).toEqual(['MERGED', 'APPLIED']);
    expect(told(clinic)).toEqual([{ name: 'A' }, { name: 'D', parent: 'made-2' }, { parent: '7' }, { name: 'B' }]);
  });

  test('goes without it when its patience is over and the way is too long to be followed', async () => {
    const clinic = await createReferringClinic();
    const ids = Array.from({ length: 120 }, id);
    // Each refers to the next one, the last one to the first.
    const ring = ids.map((own, at) =>
      changeOf('customers', own, { name: `${at}`, parent: ids[(at + 1) % ids.length]! }),
    );
    const results = await clinic.send(ring);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['ACCEPTED']));
    await clinic.pass(PARENT_PATIENCE_MS / 2);
    expect(told(clinic)).toEqual([]);
    await clinic.until(async () => (await clinic.fate(ring[1]!)) === 'APPLIED');
    expect(await clinic.fate(ring[0]!)).toBe('MERGED');
    expect(clinic.sources.customers.journal).toHaveLength(ids.length);
  });
});
