import type { Fields } from '../../src/core/change.js';
import { sourceKey, sourceKeyParts } from '../../src/core/id.js';
import { connectorContract } from '../contract/connector.contract.js';
import type { SourceUnderTest } from '../contract/connector/source-under-test.js';
import { PATIENTS, startCare, TRACKED, VISITS } from './odata/care-under-test.js';

const VISIT: Fields = {
  note: "Größe “8” 🩹 O'Neil",
  price: '1234567890123456789.125',
  serial: '9007199254740993',
  minutes: 30,
  day: '2026-11-25',
  done: false,
  weight: 71.5,
  status: 'Planned',
  vitals: { Pulse: 71, Remark: null },
  tags: ['a', 'b'],
  patient: '17',
};
const COLLECTIONS = { visits: VISITS, patients: PATIENTS, tracked: TRACKED };

/** Fields as the service has them. */
function inItsNames(collection: keyof typeof COLLECTIONS, fields: Fields): Readonly<Record<string, unknown>> {
  const named = Object.entries(fields).map(([name, value]) => {
    const { from = name, type } = COLLECTIONS[collection].fields[name] ?? {};
    return [from, type === 'reference' && value !== null ? Number(value) : value] as const;
  });
  return Object.fromEntries(named);
}

/** @param isNumbered does the service give the keys? */
async function open(
  collection: keyof typeof COLLECTIONS,
  set: string,
  isNumbered: boolean,
  samples: SourceUnderTest['samples'],
): Promise<SourceUnderTest> {
  const care = await startCare();
  const { store } = care.service;
  store.put('Patients', [17], { Name: 'Anna' }, false);
  const put = (key: readonly (string | number)[] | null, fields: Fields): readonly (string | number)[] => {
    const stored = store.put(
      set,
      key,
      inItsNames(collection, fields),
      key !== null && store.get(set, key) !== undefined,
    );
    return [stored.entity['ID'] as string | number];
  };
  const keyOf = (parts: readonly string[]): readonly (string | number)[] => (isNumbered ? parts.map(Number) : parts);
  for (let n = 0; n < 20; n += 1) put(isNumbered ? null : [`V-${n}`], samples.whole);
  const view: SourceUnderTest['view'] = (facts) => {
    // References go into patients.
    const opened = { patients: PATIENTS, [collection]: COLLECTIONS[collection] };
    const found = care.open(opened, {}, facts).find((one) => one.collection.name === collection);
    if (found === undefined) throw new Error(`expected a collection ${collection}, got none`);
    return found;
  };
  return {
    collection: view({}),
    view,
    backDoor: {
      create: (wanted, fields) => Promise.resolve(sourceKey(put(isNumbered ? null : sourceKeyParts(wanted), fields))),
      edit: (key, fields) => Promise.resolve(void put(keyOf(sourceKeyParts(key)), fields)),
      remove: (key) => Promise.resolve(store.remove(set, keyOf(sourceKeyParts(key)))),
    },
    samples,
    stopSource: () => care.service.close(),
    close: () => care.close(),
  };
}

connectorContract("the care service's visits over OData", () =>
  open('visits', 'Visits', false, {
    whole: VISIT,
    edit: (number) => ({ note: `edit ${number}` }),
    refused: { fields: { patient: '18' }, field: 'patient' },
  }),
);

connectorContract("the care service's patients, which it numbers itself and of which its answers show nothing", () =>
  open('patients', 'Patients', true, {
    whole: { name: 'Bert' },
    edit: (number) => ({ name: `edit ${number}` }),
    refused: { fields: { name: '' }, field: 'name' },
  }),
);

connectorContract("the care service's visits over OData, by its delta links", () =>
  open('tracked', 'Visits', false, {
    whole: VISIT,
    edit: (number) => ({ note: `edit ${number}` }),
    refused: { fields: { patient: '18' }, field: 'patient' },
  }),
);
