import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLINIC_COLLECTIONS, CLINIC_FIELDS, misfitOf, type ClinicCollection } from '../../demo/clinic-fields.js';
import { clinicRecords, type ClinicRecord } from '../../demo/clinic-records.js';
import type { PlaceRecord } from '../../demo/place-records.js';
import { supplyRecords } from '../../demo/supply-records.js';
import { buildDemo, run } from './built-demo.js';

const TODAY = '2026-11-24';
const demo = buildDemo();
const places = await readPlaces();
const clinic: Readonly<Record<ClinicCollection, readonly ClinicRecord[]>> = {
  places: places.map((place) => ({ ...place })),
  ...clinicRecords(places, 17, TODAY),
};
const supplies = supplyRecords(23, TODAY);
afterAll(() => demo.remove());

/** Unpacking the register takes 14 s inside Jest and 0.2 s outside. */
async function readPlaces(): Promise<readonly PlaceRecord[]> {
  const folder = demo.newFolder();
  const script = join(folder, 'places.js');
  writeFileSync(
    script,
    `import { placeRecords } from ${JSON.stringify(demo.path('place-records'))};
    import { writeFileSync } from 'node:fs';
    writeFileSync(process.argv[2], JSON.stringify(placeRecords(Date.parse(${JSON.stringify(TODAY)}))));
    console.log('written');`,
  );
  await run(script, [join(folder, 'places.json')]).line(/written/);
  return JSON.parse(readFileSync(join(folder, 'places.json'), 'utf8')) as readonly PlaceRecord[];
}

test('the same seed and day give the same records, another seed gives others', () => {
  expect(fingerprint(clinicRecords(places, 17, TODAY))).toBe(fingerprint(clinicRecords(places, 17, TODAY)));
  expect(fingerprint(clinicRecords(places, 18, TODAY))).not.toBe(fingerprint(clinicRecords(places, 17, TODAY)));
  expect(fingerprint(supplyRecords(23, TODAY))).toBe(fingerprint(supplies));
});

test('the clinic has the size of a real one', () => {
  const sizes = Object.fromEntries(CLINIC_COLLECTIONS.map((collection) => [collection, clinic[collection].length]));
  expect(sizes).toEqual({ places: 7244, routes: 8, staff: 40, patients: 360, visits: 2000, incidents: 48 });
  expect(supplies).toHaveLength(279);
});

test.each(CLINIC_COLLECTIONS)(
  'all %s fit their own rules, point to records that are there and differ in id and time of change',
  (collection) => {
    const records = clinic[collection];
    const fields = [...Object.keys(CLINIC_FIELDS[collection]), 'id', 'updatedAt', 'version'].sort().join();
    const misfits = records.flatMap((record) =>
      Object.entries(CLINIC_FIELDS[collection])
        .filter(([field, rule]) => misfitOf(rule, record[field]) !== null)
        .map(([field]) => `${record.id} ${field}`),
    );
    expect(misfits).toEqual([]);
    expect(records.filter((record) => Object.keys(record).sort().join() !== fields)).toEqual([]);
    for (const [field, { references }] of Object.entries(CLINIC_FIELDS[collection])) {
      if (references === undefined) continue;
      const known = new Set(clinic[references].map((record) => record.id));
      expect(records.filter((record) => record[field] !== null && !known.has(String(record[field])))).toEqual([]);
    }
    expect(new Set(records.map((record) => record.id)).size).toBe(records.length);
    expect(new Set(records.map((record) => record.updatedAt)).size).toBe(records.length);
  },
);

test('visits name supplies that the store room has', () => {
  const skus = new Set(supplies.map((supply) => supply.sku));
  const used = clinic.visits.flatMap((visit) => visit['supplyIds'] as readonly string[]);
  expect(used.length).toBeGreaterThan(1000);
  expect(used.filter((sku) => !skus.has(sku))).toEqual([]);
});

test('supplies differ in sku and time of change, and their GTIN has the right check digit', () => {
  expect(new Set(supplies.map((supply) => supply.sku)).size).toBe(supplies.length);
  expect(new Set(supplies.map((supply) => supply.modifiedAt)).size).toBe(supplies.length);
  for (const { gtin } of supplies) {
    const sum = [...(gtin ?? '')].reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 1 : 3), 0);
    expect([gtin, sum % 10]).toEqual([gtin, 0]);
  }
});

function fingerprint(records: unknown): string {
  return createHash('sha256').update(JSON.stringify(records)).digest('hex');
}
