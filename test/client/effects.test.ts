import fc from 'fast-check';
import type { PulledPage } from '../../src/client/gateway.js';
import { openFilledTablet } from './device.js';
import { gone, upsert } from './scripted-gateway.js';
import { IDS, Showing, type Step } from './showing.js';

/** Rounds after which everything that was settled has come. */
const LAST_ROUNDS = 4;
/** Pages behind which more follows, and nothing equals one snapshot. */
const MIDST = { hasMore: true, complete: false };
const NEWER = { notes: 'of the office, later', status: 'planned' };

/** A tablet with an edit of V-1 that is answered so, after some pages. */
async function withEdit(status: 'ACCEPTED' | 'APPLIED', pages: (changeId: string) => readonly Partial<PulledPage>[]) {
  const tablet = await openFilledTablet();
  const visits = tablet.client.collection('visits');
  const { changeId } = await visits.patch('V-1', { notes: 'mine' });
  tablet.gateway.answer = ({ changes }) => changes.map((one) => ({ changeId: one.changeId, status }));
  tablet.gateway.pages.push(...pages(changeId ?? ''));
  await tablet.client.sync();
  return { tablet, notes: (await visits.get('V-1'))?.fields.notes };
}

describe('an edit that is in effect', () => {
  test('R10: an edit that is APPLIED is laid over its record until a round that was asked for later is complete', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.pages.push({ hasMore: true, complete: false }, { complete: false });
    await tablet.client.sync();
    expect(await tablet.client.outbox.list()).toMatchObject([{ status: 'APPLIED' }]);
    expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('mine');
    await tablet.client.sync();
    expect(await tablet.client.outbox.list()).toEqual([]);
  });

  test('R10: what another tab was told while a page was under way is not in that page', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => ({ changeId, status: 'ACCEPTED' }));
    const pull = tablet.gateway.pull.bind(tablet.gateway);
    tablet.gateway.pull = (request) => {
      const [entry] = tablet.contents.entries.values();
      if (entry !== undefined) tablet.contents.entries.set(entry.changeId, { ...entry, status: 'APPLIED' });
      tablet.gateway.pull = pull;
      return pull(request);
    };
    await tablet.client.sync();
    expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('mine');
    await tablet.client.sync();
    expect(await tablet.client.outbox.list()).toEqual([]);
  });

  test('R10, F10: gives way to the state that comes with its receipt, in the midst of a round and whatever is incomplete', async () => {
    const { tablet, notes } = await withEdit('ACCEPTED', (changeId) => [
      { ...MIDST, changes: [upsert('V-1', NEWER)], receipts: [{ changeId, status: 'APPLIED' }] },
      { complete: false },
    ]);
    expect([notes, await tablet.client.outbox.list()]).toEqual([NEWER.notes, []]);
  });

  test('R10, F10: stays on top of what came before its receipt, and gives way to the state behind that', async () => {
    const early = (changeId: string) => [
      { ...MIDST, changes: [upsert('V-1', NEWER)] },
      { receipts: [{ changeId, status: 'APPLIED' as const }], complete: false },
    ];
    expect((await withEdit('ACCEPTED', early)).notes).toBe('mine');
    const { notes } = await withEdit('ACCEPTED', (changeId) => [
      ...early(changeId).map((one) => ({ ...one, ...MIDST })),
      { ...MIDST, changes: [upsert('V-1', NEWER)] },
      { complete: false },
    ]);
    expect(notes).toBe(NEWER.notes);
  });

  test('R10: told by its push, it gives way to what the last page brings; those before may have been read ahead', async () => {
    const page = { changes: [upsert('V-1', NEWER)], complete: false };
    expect((await withEdit('APPLIED', () => [{ ...page, hasMore: true }, { complete: false }])).notes).toBe('mine');
    expect((await withEdit('APPLIED', () => [page])).notes).toBe(NEWER.notes);
  });

  describe('F5: while the gateway was restored,', () => {
    const restored = { changes: [upsert('V-1', NEWER)], reset: true, epoch: 'restored', complete: false };

    test('stays on top of what the backup had, until a round says that the source was looked through', async () => {
      const { tablet, notes } = await withEdit('APPLIED', () => [restored]);
      expect(notes).toBe('mine');
      tablet.gateway.pages.push({ changes: [upsert('V-1', NEWER)], epoch: 'restored', complete: false });
      await tablet.client.sync();
      expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('mine');
      tablet.gateway.pages.push({ epoch: 'restored' });
      await tablet.client.sync();
      expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe(NEWER.notes);
      expect(await tablet.client.outbox.list()).toEqual([]);
    });

    test('F12: or until a state names it', async () => {
      const named = (changeId: string) => ({ ...restored, changes: [upsert('V-1', NEWER, { mine: [changeId] })] });
      expect((await withEdit('APPLIED', (changeId) => [named(changeId)])).notes).toBe(NEWER.notes);
    });
  });

  test('F12: gives way to a state that names it, wherever that comes', async () => {
    const { notes } = await withEdit('APPLIED', (changeId) => [
      { ...MIDST, changes: [upsert('V-1', NEWER, { mine: [changeId] })] },
      { complete: false },
    ]);
    expect(notes).toBe(NEWER.notes);
  });

  test('R4, F29: gives way to a tombstone, and not to a state whose body cannot be read now', async () => {
    const receiptWith = (changes: PulledPage['changes']) => (changeId: string) => [
      { changes, receipts: [{ changeId, status: 'APPLIED' as const }], complete: false },
    ];
    expect((await withEdit('ACCEPTED', receiptWith([gone('V-1')]))).notes).toBeUndefined();
    const unread = upsert('V-1', null, { unavailable: { code: 'SOURCE_UNAVAILABLE' } });
    expect((await withEdit('ACCEPTED', receiptWith([unread]))).notes).toBe('mine');
  });
});

const id = fc.constantFrom(...IDS);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ do: fc.constant('edit' as const), id }), weight: 3 },
    { arbitrary: fc.record({ do: fc.constant('write' as const), id }), weight: 4 },
    { arbitrary: fc.record({ do: fc.constantFrom('push' as const, 'settle' as const) }), weight: 5 },
    {
      arbitrary: fc.record({
        do: fc.constant('pull' as const),
        pages: fc.integer({ min: 1, max: 3 }),
        limit: fc.integer({ min: 1, max: 3 }),
      }),
      weight: 8,
    },
    { arbitrary: fc.record({ do: fc.constantFrom('priming' as const, 'slow' as const), is: fc.boolean() }), weight: 2 },
    { arbitrary: fc.record({ do: fc.constant('expire' as const) }), weight: 1 },
  ),
  { maxLength: 30 },
);

test('R10, F10, F12: what the app shows of a record never goes back, and is the newest state in the end, complete or not', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const device = new Showing();
      const { model } = device;
      model.write('V-1', 'first');
      await device.pull(9, 3);
      for (const step of all) await device.take(step);
      model.isSlow = false;
      for (let round = 0; round < LAST_ROUNDS; round++) {
        await device.push();
        for (let waiting = 0; waiting < all.length; waiting++) model.settle();
        await device.pull(99, 2);
      }
      for (const [of, values] of device.shown) {
        const history = model.history.get(of) ?? [];
        const places = values.map((value) => (value === null ? -1 : history.indexOf(value)));
        expect([of, values, places]).toEqual([of, values, places.toSorted((a, b) => a - b)]);
        expect([of, values.at(-1) ?? null]).toEqual([of, history.at(-1) ?? null]);
      }
      if (!model.isPriming) expect(await device.outbox()).toEqual([]);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 150) },
  );
});
