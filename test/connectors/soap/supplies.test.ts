import { supplies } from '../../../connectors/supplies.js';
import { createSource, type Source } from '../../../src/connectors/source.js';
import type { Fields, SourceKey } from '../../../src/core/change.js';
import type { Observation, SourceCollection, SourceWrite } from '../../../src/core/source-port.js';
import { buildDemo } from '../../demo/built-demo.js';
import { eagerDeps } from './eager-deps.js';

const demo = buildDemo();
const signal = new AbortController().signal;
let source: Source;
let stock: SourceCollection;

beforeAll(async () => {
  const program = demo.start('soap-source', ['--folder', demo.newFolder(), '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  source = createSource(supplies({ wsdl: `${url}/supplies?wsdl`, endpoint: `${url}/supplies` }), eagerDeps());
  stock = source.collections[0] as SourceCollection;
});
afterAll(async () => {
  await source.close();
  await demo.remove();
});

async function all(
  batches: AsyncIterable<{ readonly observations: readonly Observation[]; readonly cursor?: string }>,
) {
  const observations: Observation[] = [];
  let cursor: string | null = null;
  for await (const batch of batches) {
    observations.push(...batch.observations);
    cursor = batch.cursor ?? cursor;
  }
  return { observations, cursor };
}

async function read(key: string): Promise<Observation> {
  const found = await stock.readOne(key as SourceKey, signal);
  if (found === 'absent') throw new Error(`expected the supply ${key} to be there`);
  return found;
}

function write(kind: SourceWrite['kind'], key: string, given: Partial<SourceWrite>) {
  const sourceKey = key as SourceKey;
  return stock.write(
    { kind, sourceKey, fields: {}, current: null, guard: null, idempotencyKey: 'i', ...given },
    signal,
  );
}

const EYE_PATCH: Fields = {
  name: 'Eye dressing & patch <sterile> “Größe 8” 🩹',
  category: 'woundCare',
  unit: 'box',
  quantity: 4,
  reorderLevel: 2,
  unitPrice: '6.80',
  gtin: '2000000009990',
  expiresOn: '2028-02-29',
  shelf: 'A-1',
  supplier: null,
  coldChain: false,
};

describe('the store room behind the SOAP kit', () => {
  test('R14: a scan shows every supply once, with values of its declared types', async () => {
    const { observations } = await all(stock.scan(signal));
    expect(observations).toHaveLength(279);
    expect(new Set(observations.map((one) => one.sourceKey)).size).toBe(279);
    const gloves = observations.find((one) => one.sourceKey === 'GLV-006');
    expect(gloves).toMatchObject({
      sourceVersion: '1',
      fields: { quantity: expect.any(Number) as number, unitPrice: '1.60', coldChain: false, expiresOn: null },
    });
    expect(gloves?.fields?.['gtin']).toMatch(/^200\d+$/);
  });

  test('changes since a cursor are those that were made since, and the cursor moves behind them', async () => {
    const { cursor } = await all(stock.readChanges(null, signal));
    const before = await read('INF-002');
    await write('update', 'INF-002', { fields: { quantity: 77 }, current: before.fields, guard: before.sourceVersion });
    const { observations, cursor: moved } = await all(stock.readChanges(cursor, signal));
    const found = observations.find((one) => one.sourceKey === 'INF-002');
    expect(found).toMatchObject({ sourceVersion: '2', fields: { quantity: 77 } });
    expect(observations.length).toBeLessThan(279);
    expect(moved).not.toBe(cursor);
  });

  test('a supply that is not there is absent, also with a key that needs escaping', async () => {
    expect(await stock.readOne('NONE-1' as SourceKey, signal)).toBe('absent');
    expect(await stock.readOne(encodeURIComponent('<a>&"') as SourceKey, signal)).toBe('absent');
  });

  test("a create takes the caller's key and is answered with the whole supply", async () => {
    const key = '0d0f3a58-5a8e-4f7e-9d57-0f5a3f1c2b12';
    const outcome = await write('create', key, { fields: EYE_PATCH });
    const expected = { sourceKey: key, sourceVersion: '1', fields: EYE_PATCH };
    expect(outcome).toMatchObject({ kind: 'applied', observation: expected });
    expect(await read(key)).toMatchObject(expected);
  });

  test('a key that is taken is refused with its reason', async () => {
    const outcome = await write('create', 'WND-001', { fields: EYE_PATCH });
    const message = 'the sku WND-001 is taken';
    const fields = [{ field: null, message: `sku: ${message}` }];
    expect(outcome).toEqual({ kind: 'refused', message, field: null, fields });
  });

  test('an update of one field leaves all others as the source has them', async () => {
    const before = await read('GLV-006');
    const outcome = await write('update', 'GLV-006', {
      fields: { shelf: 'Z-9' },
      current: before.fields,
      guard: before.sourceVersion,
    });
    expect(outcome).toMatchObject({ kind: 'applied' });
    const { modifiedAt: _then, ...kept } = before.fields ?? {};
    expect(await read('GLV-006')).toMatchObject({ sourceVersion: '2', fields: { ...kept, shelf: 'Z-9' } });
  });

  test('an emptied field is empty at the source', async () => {
    const before = await read('GLV-007');
    const given = { fields: { supplier: null, gtin: null }, current: before.fields, guard: before.sourceVersion };
    await write('update', 'GLV-007', given);
    expect((await read('GLV-007')).fields).toMatchObject({ supplier: null, gtin: null });
  });

  test('R9: an update or delete from an old version is stale and changes nothing', async () => {
    const before = await read('WND-002');
    await write('update', 'WND-002', { fields: { quantity: 9 }, current: before.fields, guard: before.sourceVersion });
    const now = await read('WND-002');
    const late = { fields: { quantity: 1 }, current: before.fields, guard: before.sourceVersion };
    expect(await write('update', 'WND-002', late)).toEqual({ kind: 'stale' });
    expect(await write('delete', 'WND-002', { guard: before.sourceVersion })).toEqual({ kind: 'stale' });
    expect(await read('WND-002')).toEqual(now);
  });

  test('a value that the source does not take is refused with our field', async () => {
    const before = await read('WND-004');
    const outcome = await write('update', 'WND-004', {
      fields: { unitPrice: '1.005' },
      current: before.fields,
      guard: before.sourceVersion,
    });
    const message = 'unitPrice must be an amount with at most two decimals, like 6.80';
    const fields = [{ field: 'unitPrice', message }];
    expect(outcome).toEqual({ kind: 'refused', message, field: 'unitPrice', fields });
  });

  test('a text that XML cannot carry is refused with its field and never sent', async () => {
    const before = await read('WND-005');
    const outcome = await write('update', 'WND-005', {
      fields: { name: 'bell \u0007' },
      current: before.fields,
      guard: before.sourceVersion,
    });
    expect(outcome).toMatchObject({ kind: 'refused', field: 'name' });
    expect(await read('WND-005')).toEqual(before);
  });

  test('a deleted supply is gone; deleting it again says so', async () => {
    const { sourceVersion: guard } = await read('WND-006');
    expect(await write('delete', 'WND-006', { guard })).toEqual({ kind: 'applied', observation: null });
    expect(await stock.readOne('WND-006' as SourceKey, signal)).toBe('absent');
    expect(await write('delete', 'WND-006', { guard })).toEqual({ kind: 'applied', observation: null });
  });
});
