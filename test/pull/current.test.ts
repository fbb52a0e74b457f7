import type { RecordId } from '../../src/core/change.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { VISITS } from '../contract/store/world.js';
import { collectionNamed, createPullingClinic } from './pulling-clinic.js';

const names = (...ids: readonly string[]) => ids.map((id) => ({ collection: VISITS, id: id as RecordId }));

test('R13: records come as they now stand, invisible ones like absent ones, in the order asked', async () => {
  const clinic = await createPullingClinic();
  const { world, store } = clinic;
  await world.show('v1', ['route:1'], { body: '{"route":1}' });
  await world.show('v2', ['route:2'], { body: '{"route":2}' });
  await world.show('v3', ['route:1'], { body: '{"route":1}' });
  await world.lose('v3');
  await world.accept('v4', 'c1');
  const readCurrent = createReadCurrent({ store, collections: [collectionNamed(VISITS)] });
  const nurse = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const { epoch } = await store.readHead(world.tenant);
  const [gone, absent, ghost, hidden, current] = await readCurrent(nurse, names('v3', 'nobody', 'v4', 'v2', 'v1'));
  expect([absent, ghost, hidden]).toEqual([null, null, null]);
  expect(gone).toMatchObject({ id: 'v3', kind: 'DELETE', json: null });
  expect(current).toEqual({
    collection: VISITS,
    id: 'v1',
    version: `${epoch}.${(await world.view('v1')).seq}`,
    changedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    kind: 'UPSERT',
    pending: false,
    mine: [],
    json: { route: 1 },
  });
});

test('R13: a record of a collection that is no longer configured is not shown', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1'], { body: '{"route":1}' });
  const readCurrent = createReadCurrent({ store: clinic.store, collections: [] });
  expect(await readCurrent(clinic.session({ kind: 'every' }), names('v1'))).toEqual([null]);
  expect(await readCurrent(clinic.session({ kind: 'every' }), [])).toEqual([]);
});
