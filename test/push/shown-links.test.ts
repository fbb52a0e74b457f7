import type { Fields, SourceKey } from '../../src/core/change.js';
import { createReferenceMap } from '../../src/core/reference-map.js';
import type { Store } from '../../src/core/store-port.js';
import { withLinks } from '../../src/push/shown-links.js';
import { createWard } from '../ingest/ward.js';

const NEW = { note: 'new', route: '1' };
const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';

/** A visit of nobody, and what becomes of the answer to a change of it in which its source shows that it is patient 41's. */
async function createAnswered() {
  const ward = await createWard();
  ward.visits.put('v1', { note: 'of nobody yet', route: '1', patient: null });
  await ward.rounds();
  const { store, world } = ward.clinic;
  const sources = [ward.patients, ward.visits];
  const seen = { note: 'done', route: '1', patient: '41' };
  const applied = {
    write: { kind: 'update', sourceKey: 'v1' as SourceKey, fields: { note: 'done' } },
    observation: { sourceKey: 'v1' as SourceKey, fields: seen as Fields, sourceVersion: '2' },
    status: 'APPLIED',
  } as const;
  return {
    ward,
    answer: async (through: Store = store) => {
      const references = createReferenceMap(through, sources);
      const view = await world.view('v1');
      const linked = await withLinks(references, world.tenant, ward.visits.collection, view, applied);
      const fields = linked.applied.observation?.fields ?? {};
      return { kept: fields, shown: linked.mapping.outgoing(fields) ?? fields };
    },
  };
}

describe('F9: an answer that names a patient whom nobody knows', () => {
  test('is kept without that name while a create is open that may have made the patient, and with it afterwards', async () => {
    const { ward, answer } = await createAnswered();
    const create = await ward.create(UUID, NEW);
    expect(await answer()).toMatchObject({ kept: { note: 'done', patient: null } });
    await ward.settle(create, '41', NEW);
    expect(await answer()).toMatchObject({ kept: { patient: '41' }, shown: { patient: UUID } });
  });

  test('is kept without that name while a create is parked', async () => {
    const { ward, answer } = await createAnswered();
    await ward.park(await ward.create(UUID, NEW));
    expect(await answer()).toMatchObject({ kept: { patient: null } });
  });

  test('is kept as it is where nothing is open', async () => {
    const { answer } = await createAnswered();
    expect(await answer()).toMatchObject({ kept: { patient: '41' }, shown: { patient: '41' } });
  });

  test('is read with what is open first: a create that ends in between has its key then', async () => {
    const { ward, answer } = await createAnswered();
    const create = await ward.create(UUID, NEW);
    const { store } = ward.clinic;
    const through: Store = {
      ...store,
      async readCreates(tenant, collection) {
        const open = await store.readCreates(tenant, collection);
        await ward.settle(create, '41', NEW);
        return open;
      },
    };
    expect(await answer(through)).toMatchObject({ kept: { patient: '41' }, shown: { patient: UUID } });
  });
});
