import type { ScopeGrant } from '../../src/core/session.js';
import { PATIENTS, VISITS } from '../contract/store/world.js';
import { createPullingClinic, said } from './pulling-clinic.js';

const EVERY: ScopeGrant = { kind: 'every' };

test.each([
  ['listed scopes', { kind: 'listed', scopes: ['route:1', 'route:2'] }],
  ['every scope', EVERY],
] as const)('R2: nothing new is answered to a session of %s without reading a feed row', async (_, grant) => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  const { last } = await clinic.round(null, { grant });
  const before = clinic.snapshots();
  const page = await clinic.page(last.checkpoint, { grant });
  expect(page).toEqual({ ...last, texts: [], count: 0, hasMore: false, reset: false, complete: true });
  expect(clinic.snapshots()).toBe(before);
  await clinic.world.show('v1', ['route:1']);
  expect(said(await clinic.page(last.checkpoint, { grant }))).toEqual(['UPSERT v1']);
});

test('R4: a grant that changed is seen although the head stands still', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  await clinic.world.show('v2', ['route:2']);
  const one = (await clinic.round(null)).last;
  const two = await clinic.page(one.checkpoint, { scopes: ['route:2'] });
  expect(said(two)).toEqual(['REVOKE v1', 'UPSERT v2']);
  const every = await clinic.page(two.checkpoint, { grant: EVERY });
  expect(said(every)).toEqual(['UPSERT v1']);
  const none = await clinic.page(every.checkpoint, { scopes: [] });
  expect(said(none)).toEqual(['REVOKE v1', 'REVOKE v2']);
});

test('scopes are a set: their order and repeats change nothing', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  const { last } = await clinic.round(null, { scopes: ['route:1', 'route:2'] });
  const before = clinic.snapshots();
  const page = await clinic.page(last.checkpoint, { scopes: ['route:2', 'route:1', 'route:2'] });
  expect([page.count, page.checkpoint, clinic.snapshots()]).toEqual([0, last.checkpoint, before]);
});

test.each([
  ['listed scopes', { kind: 'listed', scopes: ['route:1'] }],
  ['every scope', EVERY],
] as const)(
  'R4: a collection gained or lost by configuration is seen by %s although the head stands still',
  async (_, grant) => {
    const clinic = await createPullingClinic();
    await clinic.world.show('v1', ['route:1']);
    await clinic.world.show('p1', ['route:1'], { collection: PATIENTS });
    const visitsOnly = await clinic.open({ collections: [VISITS] });
    const both = (await clinic.round(null, { grant })).last;
    const fewer = await clinic.page(both.checkpoint, { grant, pull: visitsOnly });
    expect(said(fewer)).toEqual(['REVOKE p1']);
    const same = await clinic.page(fewer.checkpoint, { grant, pull: visitsOnly });
    expect([same.count, same.checkpoint]).toEqual([0, fewer.checkpoint]);
    expect(said(await clinic.page(fewer.checkpoint, { grant }))).toEqual(['UPSERT p1']);
  },
);

test('a session of every scope gains a scope with its first record', async () => {
  const clinic = await createPullingClinic();
  const empty = await clinic.page(null, { grant: EVERY });
  expect([empty.complete, empty.count]).toEqual([true, 0]);
  await clinic.world.show('v1', ['route:77']);
  const first = await clinic.page(empty.checkpoint, { grant: EVERY });
  expect(said(first)).toEqual(['UPSERT v1']);
  await clinic.world.show('v2', ['route:78']);
  expect(said(await clinic.page(first.checkpoint, { grant: EVERY }))).toEqual(['UPSERT v2']);
});
