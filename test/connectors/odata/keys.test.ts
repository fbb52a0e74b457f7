import { sourceKey } from '../../../src/core/id.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import fc from '../../support/properties.js';
import { scanned } from '../scripted-source.js';
import { LINES, PATIENTS, ROOMS, startCare, VISITS, type CareUnderTest } from './care-under-test.js';

const NEVER = new AbortController().signal;
const COLLECTIONS = { visits: VISITS, patients: PATIENTS, lines: LINES, rooms: ROOMS };

let care: CareUnderTest;
let visits: SourceCollection, patients: SourceCollection, lines: SourceCollection, rooms: SourceCollection;
beforeAll(async () => {
  care = await startCare();
  [visits, patients, lines, rooms] = care.open(COLLECTIONS) as [
    SourceCollection,
    SourceCollection,
    SourceCollection,
    SourceCollection,
  ];
});
afterAll(() => care.close());

/** Everything that people put into keys: slashes, quotes, percent signs, question marks, other scripts, dots. */
const text = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    fc.string({
      minLength: 1,
      maxLength: 8,
      unit: fc.constantFrom("'", '/', '%', '..', '?', '#', '(', ')', ',', '=', '+', ' ', '&', '\\', '"', 'ß', '€'),
    }),
  )
  .filter((one) => one.isWellFormed() && one !== '');

test('R12: each text that is a key finds its own record, and a write to it changes that one', async () => {
  await fc.assert(
    fc.asyncProperty(text, async (id) => {
      care.service.store.put('Visits', [id], { Status: 'Planned', Note: id }, false);
      const key = sourceKey([id]);
      const found = await visits.readOne(key, NEVER);
      expect(found).toMatchObject({ sourceKey: key, fields: { note: id } });
      const guard = found === 'absent' ? null : found.sourceVersion;
      const base = { sourceKey: key, current: null, idempotencyKey: 'i', guard };
      const outcome = await visits.write({ ...base, kind: 'update', fields: { note: `${id}!` } }, NEVER);
      expect(outcome).toMatchObject({ kind: 'applied', observation: { sourceKey: key, fields: { note: `${id}!` } } });
    }),
    { numRuns: 150 },
  );
  const seen = (await scanned(visits)).map((one) => [one.sourceKey, one.fields?.['note']]);
  for (const [key, note] of seen) expect(note).toBe(`${decodeURIComponent(key as string)}!`);
});

test('R12: a key of two parts is named part by part, in whatever order its connector has them', async () => {
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), async (visit, number) => {
      care.service.store.put('Lines', [visit, number], { Sku: `${visit} ${number}` }, false);
      const key = sourceKey([number, visit]);
      expect(await lines.readOne(key, NEVER)).toMatchObject({ sourceKey: key, fields: { sku: `${visit} ${number}` } });
    }),
    { numRuns: 100 },
  );
});

test('R12: a guid is a key without quotes, and a device makes it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), async (id) => {
      const key = sourceKey([id]);
      const base = { current: null, guard: null, idempotencyKey: 'i' };
      const outcome = await rooms.write({ ...base, kind: 'create', sourceKey: key, fields: { name: id } }, NEVER);
      expect(outcome).toMatchObject({ kind: 'applied', observation: { sourceKey: key, fields: { name: id } } });
      expect(await rooms.readOne(key, NEVER)).toMatchObject({ sourceKey: key });
    }),
    { numRuns: 30 },
  );
});

test('R12: the key that the service gives is read from the address of what it made', async () => {
  const base = { sourceKey: null, current: null, guard: null, idempotencyKey: 'made' };
  const outcome = await patients.write({ ...base, kind: 'create', fields: { name: 'Cora' } }, NEVER);
  const key = outcome.kind === 'applied' ? outcome.observation?.sourceKey : undefined;
  expect(outcome).toMatchObject({ kind: 'applied', observation: { fields: { name: 'Cora' } } });
  expect(await patients.readOne(key ?? sourceKey(['none']), NEVER)).toMatchObject({ fields: { name: 'Cora' } });
});

test.each<[string, () => SourceCollection, string]>([
  ['a text where it counts', () => patients, 'P-1'],
  ['a number where it has guids', () => rooms, '17'],
  ['more than a number', () => patients, '1) or (true'],
])('R12: a key that the service cannot have is absent, and nothing is asked: %s', async (_what, of, id) => {
  const asked = care.service.asked.length;
  expect(await of().readOne(sourceKey([id]), NEVER)).toBe('absent');
  expect(care.service.asked).toHaveLength(asked);
});
