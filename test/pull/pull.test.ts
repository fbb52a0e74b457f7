import type { RecordId, Seq } from '../../src/core/change.js';
import { MAX_PULL_LIMIT } from '../../src/pull/pull.js';
import { acceptedFinal, PATIENTS, settled, shown, VISITS } from '../contract/store/world.js';
import { changesOf } from './model/device-model.js';
import { priming } from './priming.js';
import { createPullingClinic, said, type PullingClinic } from './pulling-clinic.js';

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'a page',
    (thrown: unknown) => (thrown as { code?: string }).code,
  );
const bytesOf = (page: { readonly texts: readonly Uint8Array[] }): string => Buffer.concat(page.texts).toString();

/** Snapshots whose main slices look at one row each, as a store may. */
function stingySnapshot({ store }: PullingClinic): PullingClinic['store']['snapshot'] {
  return (tenant, read) =>
    store.snapshot(tenant, (real) =>
      read({
        ...real,
        main: async (range, room, form) => {
          for (let upTo = range.after + 1; upTo < range.upTo; upTo++) {
            const slice = await real.main({ ...range, upTo: upTo as Seq }, room, form);
            if (slice.position !== null) return { ...slice, exhausted: false };
          }
          return real.main(range, room, form);
        },
      }),
    );
}

/** The nurse's change of a visit is settled. @returns the seq of its receipt */
async function settle(clinic: PullingClinic, id: string, changeId: string, inEffect = true): Promise<Seq> {
  const { world } = clinic;
  const { seq, mark } = await world.view(id);
  const [written] = await world.write([
    {
      collection: VISITS,
      id: id as RecordId,
      expected: { seq, mark },
      ...(inEffect ? { next: { ...shown(id), scopes: ['route:1'], throughUs: true } } : {}),
      acceptance: acceptedFinal(world.nurse, changeId),
      settlement: settled(world.nurse, changeId, { inEffect, status: inEffect ? 'APPLIED' : 'REJECTED' }),
    },
  ]);
  return written?.seq as Seq;
}

test('R1: paging by any limit yields every change once, in its latest state, in order', async () => {
  const clinic = await createPullingClinic();
  for (let n = 0; n < 7; n++) await clinic.world.show(`v${n}`, n % 2 === 0 ? ['route:1', 'route:2'] : ['route:1']);
  await clinic.world.show('v2', ['route:2'], { body: '{"note":"newest"}' });
  const scopes = ['route:1', 'route:2'];
  const { last } = await clinic.round(null, { scopes });
  await clinic.world.show('v3', ['route:1']);
  await clinic.world.lose('v4');
  await clinic.world.show('v5', ['route:9']);
  const initial = ['v0', 'v1', 'v6', 'v2', 'v3'].map((id) => `UPSERT ${id}`);
  for (const limit of [1, 2, 3, 4, 5, 1_000, MAX_PULL_LIMIT]) {
    expect((await clinic.round(null, { scopes, limit })).said).toEqual(initial);
    const delta = await clinic.round(last.checkpoint, { scopes, limit });
    expect(delta.said).toEqual(['UPSERT v3', 'DELETE v4', 'REVOKE v5']);
    expect(delta.pages.every((page) => page.count <= limit)).toBe(true);
  }
});

test('R2: a page is the same however often it is asked for', async () => {
  const clinic = await createPullingClinic();
  for (const id of ['v1', 'v2', 'v3']) await clinic.world.show(id, ['route:1']);
  const first = await clinic.page(null, { limit: 2 });
  const again = await clinic.page(null, { limit: 2 });
  expect([bytesOf(again), again.checkpoint]).toEqual([bytesOf(first), first.checkpoint]);
  const second = await clinic.page(first.checkpoint, { limit: 2 });
  expect(bytesOf(await clinic.page(first.checkpoint, { limit: 2 }))).toBe(bytesOf(second));
});

test('R2: a round ends although writers go on', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  for (let n = 0; n < 6; n++) await clinic.world.show(`v${n}`, ['route:1']);
  let page = await clinic.page(last.checkpoint, { limit: 2 });
  let pages = 1;
  for (; page.hasMore; pages++) {
    for (let n = 0; n < 6; n++) await clinic.world.show(`w${pages}-${n}`, ['route:1']);
    page = await clinic.page(page.checkpoint, { limit: 2 });
    expect(pages).toBeLessThan(10);
  }
  expect(pages).toBe(3);
  expect(page.complete).toBe(false);
});

test('R2, F23: the last page goes on to the head of its own snapshot, and says whether it got there', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  for (const id of ['v1', 'v2', 'v3']) await clinic.world.show(id, ['route:1']);
  const first = await clinic.page(last.checkpoint, { limit: 2 });
  expect([first.hasMore, first.complete]).toEqual([true, false]);
  await clinic.world.show('v1', ['route:1']);
  await clinic.world.show('v4', ['route:1']);
  const short = await clinic.page(first.checkpoint, { limit: 2 });
  expect([said(short), short.hasMore, short.complete]).toEqual([['UPSERT v3', 'UPSERT v1'], false, false]);
  const whole = await clinic.page(first.checkpoint, { limit: 3 });
  expect([said(whole), whole.hasMore, whole.complete]).toEqual([['UPSERT v3', 'UPSERT v1', 'UPSERT v4'], false, true]);
});

test('R2: an empty page does not mean the end: rows that nobody may know of are passed over in several', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  const stingy = { ...clinic.store, snapshot: stingySnapshot(clinic) };
  const pull = await clinic.open({ store: stingy });
  for (let n = 0; n < 40; n++) {
    await clinic.world.show(`v${n}`, ['route:1']);
    await clinic.world.show(`v${n}`, []);
  }
  await clinic.world.show('seen', ['route:1']);
  const { pages, said: all } = await clinic.round(last.checkpoint, { pull });
  expect(all).toEqual(['UPSERT seen']);
  expect(pages.map((page) => [page.count, page.hasMore])).toEqual([
    [0, true],
    [0, true],
    [1, false],
  ]);
});

test('R3, attack 26: too old, of another user or tenant, or of another epoch: the pull begins again, once', async () => {
  const clinic = await createPullingClinic();
  const { world } = clinic;
  await world.show('v1', ['route:1']);
  const { last } = await clinic.round(null);
  expect(last.reset).toBe(false);
  const others = [await clinic.page(last.checkpoint, { who: { user: 'dispatcher' } })];
  await world.store.openTenant('elsewhere');
  others.push(await clinic.page(last.checkpoint, { who: { tenant: 'elsewhere' } }));
  await world.show('v2', ['route:1']);
  await world.lose('v1');
  await world.store.purge(world.tenant, Date.UTC(2100, 0));
  others.push(await clinic.page(last.checkpoint));
  const fresh = (await clinic.round(null)).last;
  await world.store.newEpoch(world.tenant, fresh.epoch);
  others.push(await clinic.page(fresh.checkpoint));
  expect(others.map((page) => [said(page), page.reset])).toEqual([
    [['UPSERT v1'], true],
    [[], true],
    [['UPSERT v2'], true],
    [['UPSERT v2'], true],
  ]);
  const after = await clinic.page(others[3]?.checkpoint as string);
  expect([after.reset, after.complete, after.count]).toEqual([false, true, 0]);
});

test('R3: a forged checkpoint is an error', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  expect(await codeOf(clinic.page(`${last.checkpoint.slice(0, -2)}AA`))).toBe('BAD_CHECKPOINT');
  expect(await codeOf(clinic.page('nonsense'))).toBe('BAD_CHECKPOINT');
});

test('R3: a checkpoint belongs to one list of collections; its order and repeats do not matter', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  await clinic.world.show('p1', ['route:1'], { collection: PATIENTS });
  const both = await clinic.round(null, { collections: [VISITS, PATIENTS] });
  expect(both.said).toEqual(['UPSERT v1', 'UPSERT p1']);
  const since = both.last.checkpoint;
  const same = await clinic.page(since, { collections: [PATIENTS, VISITS, PATIENTS] });
  expect([same.count, same.reset, same.complete]).toEqual([0, false, true]);
  expect(await codeOf(clinic.page(since, { collections: [VISITS] }))).toBe('CHECKPOINT_COLLECTIONS');
  expect(await codeOf(clinic.page(since, { collections: null }))).toBe('CHECKPOINT_COLLECTIONS');
  expect((await clinic.round(null, { collections: [VISITS] })).said).toEqual(['UPSERT v1']);
});

test('R3: a gained scope is filled to its end while writers and purges go on', async () => {
  const clinic = await createPullingClinic();
  const { world } = clinic;
  for (let n = 0; n < 4; n++) await world.show(`v${n}`, ['route:2']);
  const { last } = await clinic.round(null);
  const scopes = ['route:1', 'route:2'];
  const first = await clinic.page(last.checkpoint, { scopes, limit: 2 });
  await world.store.purge(world.tenant, Date.UTC(2100, 0));
  await world.show('v0', ['route:2']);
  await world.show('v3', ['route:1']);
  const rest = await clinic.round(first.checkpoint, { scopes, limit: 2 });
  expect(rest.pages.some((page) => page.reset)).toBe(false);
  expect([...said(first), ...rest.said]).toEqual(['UPSERT v0', 'UPSERT v1', 'UPSERT v2', 'UPSERT v0', 'UPSERT v3']);
});

test('R4, attack 22: gaining a scope brings its records, losing one takes back what no other scope shows', async () => {
  const clinic = await createPullingClinic();
  const { world } = clinic;
  await world.show('v1', ['route:1']);
  await world.show('v2', ['route:1', 'route:2']);
  await world.show('v3', ['route:2']);
  const one = await clinic.round(null);
  const two = await clinic.round(one.last.checkpoint, { scopes: ['route:1', 'route:2'] });
  expect([one.said, two.said]).toEqual([
    ['UPSERT v1', 'UPSERT v2'],
    ['UPSERT v2', 'UPSERT v3'],
  ]);
  await world.lose('v1');
  const back = await clinic.round(two.last.checkpoint, { scopes: ['route:2'] });
  expect(back.said).toEqual(['DELETE v1']);
  const none = await clinic.round(back.last.checkpoint, { scopes: [], limit: 1 });
  expect(none.said).toEqual(['REVOKE v2', 'REVOKE v3']);
  expect(none.last.complete).toBe(true);
});

test('R4: lost scopes are taken back before anything else is sent', async () => {
  const clinic = await createPullingClinic();
  const { world } = clinic;
  for (const id of ['v1', 'v2', 'v3']) await world.show(id, ['route:1']);
  const { last } = await clinic.round(null);
  await world.show('v4', ['route:2']);
  const pages = (await clinic.round(last.checkpoint, { scopes: ['route:2'], limit: 2 })).pages.map(said);
  expect(pages).toEqual([
    ['REVOKE v1', 'REVOKE v2'],
    ['REVOKE v3', 'UPSERT v4'],
  ]);
});

test('R5: rows are always sent, with `mine` for the device that made the change', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  await settle(clinic, 'v1', 'c1');
  const [mine] = changesOf(await clinic.page(last.checkpoint));
  expect(mine).toMatchObject({ id: 'v1', mine: ['c1'] });
  const again = changesOf(await clinic.page(null));
  expect(again).toMatchObject([{ id: 'v1', mine: ['c1'] }]);
  const phone = changesOf(await clinic.page(null, { who: { device: 'phone' } }));
  expect(phone).toMatchObject([{ id: 'v1', mine: [] }]);
  const next = (await clinic.page(last.checkpoint)).checkpoint;
  await clinic.world.show('v1', ['route:1']);
  expect(changesOf(await clinic.page(next))).toMatchObject([{ id: 'v1', mine: [] }]);
});

test('F10: a receipt comes in the page whose main position reaches it, and does not count', async () => {
  const clinic = await createPullingClinic();
  const { last } = await clinic.round(null);
  await clinic.world.show('v1', ['route:1']);
  await settle(clinic, 'v2', 'c1');
  await settle(clinic, 'v9', 'c2', false);
  await clinic.world.show('v3', ['route:1']);
  const { pages } = await clinic.round(last.checkpoint, { limit: 1 });
  const told = pages.map((page) => [said(page).join(), page.receipts.map((receipt) => receipt.changeId).join()]);
  expect(told).toEqual([
    ['UPSERT v1', ''],
    ['UPSERT v2', 'c1'],
    ['UPSERT v3', 'c2'],
  ]);
});

test('F10: the page that completes an initial sync tells every receipt that is kept, before it none does', async () => {
  const clinic = await createPullingClinic();
  await settle(clinic, 'v1', 'c1');
  await settle(clinic, 'v2', 'c2', false);
  await clinic.world.show('v3', ['route:1']);
  const { pages } = await clinic.round(null, { limit: 1 });
  expect(pages.map((page) => page.receipts.length)).toEqual([0, 2]);
  const { last: unscoped } = await clinic.round(null, { scopes: [] });
  expect(unscoped.receipts.map((receipt) => receipt.changeId)).toEqual(['c1', 'c2']);
  expect((await clinic.round(null, { who: { device: null } })).last.receipts).toEqual([]);
  expect((await clinic.round(null, { who: { device: 'phone' } })).last.receipts).toEqual([]);
});

test('F10: an initial sync that loses its last scope on the way still tells the receipts', async () => {
  const clinic = await createPullingClinic();
  for (const id of ['v1', 'v2', 'v3']) await settle(clinic, id, `c of ${id}`);
  const first = await clinic.page(null, { limit: 2 });
  expect([first.hasMore, first.receipts]).toEqual([true, []]);
  const { last } = await clinic.round(first.checkpoint, { scopes: [], limit: 1 });
  expect(last.receipts).toHaveLength(3);
});

test.each([0, -1, MAX_PULL_LIMIT + 1, 1e9, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53 + 1])(
  'a limit of %p is LIMIT_EXCEEDED',
  async (limit) => {
    const clinic = await createPullingClinic();
    expect(await codeOf(clinic.page(null, { limit }))).toBe('LIMIT_EXCEEDED');
  },
);

test('an unknown collection is named, and an empty list is refused', async () => {
  const clinic = await createPullingClinic();
  await expect(clinic.page(null, { collections: [VISITS, 'vists'] })).rejects.toThrow(/patients, visits.*"vists"/);
  for (const collections of [['__proto__'], [''], [`${'x'.repeat(99)}\ud83d\ude00`], []]) {
    expect(await codeOf(clinic.page(null, { collections }))).toBe('BAD_REQUEST');
  }
});

test('a page is not complete while a collection of the list has its first ingest before it', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  const pull = await clinic.open({ readPriming: priming(clinic.store, PATIENTS) });
  const first = await clinic.page(null, { pull });
  expect([first.hasMore, first.complete]).toEqual([false, false]);
  const upToDate = await clinic.page(first.checkpoint, { pull });
  expect([upToDate.hasMore, upToDate.complete]).toEqual([false, false]);
  expect((await clinic.page(null, { pull, collections: [VISITS] })).complete).toBe(true);
  expect((await clinic.page(first.checkpoint)).complete).toBe(true);
});

test('a page is not complete when the epoch began after the progress of ingest was read', async () => {
  const clinic = await createPullingClinic();
  await clinic.world.show('v1', ['route:1']);
  const before = await priming(clinic.store)(clinic.world.tenant);
  const pull = await clinic.open({ readPriming: async () => before });
  expect((await clinic.page(null, { pull })).complete).toBe(true);
  await clinic.store.newEpoch(clinic.world.tenant, before.epoch);
  expect((await clinic.page(null, { pull })).complete).toBe(false);
});

test('F5: a checkpoint ahead of the head shows that the feed went back, and a new epoch begins for everybody', async () => {
  const clinic = await createPullingClinic();
  const { world, store } = clinic;
  await world.show('v1', ['route:1']);
  const backup = store.backup();
  const early = (await clinic.round(null, { who: { device: 'phone' } })).last;
  await world.show('v2', ['route:1']);
  const { last } = await clinic.round(null);
  store.restore(backup);
  const pull = await clinic.open({ feedWentBack: (tenant, epoch) => store.newEpoch(tenant, epoch) });
  const page = await clinic.page(last.checkpoint, { pull });
  expect([said(page), page.reset, page.epoch === last.epoch]).toEqual([['UPSERT v1'], true, false]);
  const other = await clinic.page(early.checkpoint, { pull, who: { device: 'phone' } });
  expect([said(other), other.reset, other.epoch]).toEqual([['UPSERT v1'], true, page.epoch]);
});
