import type { RecordId, Seq } from '../../../src/core/change.js';
import type { SliceForm } from '../../../src/core/feed-port.js';
import type { NextState, OpenIntent, RecordWrite } from '../../../src/core/record-port.js';
import { settle } from './delivery.js';
import {
  accepted,
  BEGINNING,
  changesOf,
  FULL,
  intended,
  onSnapshot,
  scopes,
  settled,
  shown,
  VISITS,
  type World,
  type Written,
} from './world.js';

const EDITED = '{"note":"edited"}';
/** A create that only devices see. */
const OVERLAY = { sourceKey: null, body: null, sourceVersion: null, hash: null, vis: EDITED, pending: true } as const;

/** What devices see before the source has it (specification part 3). */
export function overlayPromises(begin: () => Promise<World>): void {
  /** One write of a visit, decided on what it is now. */
  async function write(world: World, id: string, parts: Partial<RecordWrite>): Promise<Written> {
    const { seq, mark } = await world.view(id);
    const [written] = await world.write([
      { collection: VISITS, id: id as RecordId, expected: { seq, mark }, ...parts },
    ]);
    return written as Written;
  }
  const overlay = (id: string, parts: Partial<NextState> = {}): NextState => ({
    ...shown(id),
    ...OVERLAY,
    scopes: ['route:1'],
    ...parts,
  });
  const fallen = (id: string): NextState => ({ ...overlay(id), vis: null, pending: false, deleted: true, scopes: [] });
  const seenFrom = (world: World, after: Seq) =>
    onSnapshot(world, async (snapshot) => {
      const range = { cover: scopes('route:1'), after, upTo: snapshot.feed.head, heldUpTo: after };
      return changesOf(await snapshot.main(range, 10, FULL)).map(({ kind, id, json, pending }) => ({
        kind,
        id,
        json,
        pending,
      }));
    });
  const recordCount = async (world: World): Promise<number> =>
    (await world.store.readCollection(world.tenant, VISITS)).recordCount;
  const known = (world: World, before: Seq) => world.store.knownKeys(world.tenant, VISITS, before, null, 10);

  test('devices see the overlay and that it is pending, decisions see both layers', async () => {
    const world = await begin();
    await world.show('v1', ['route:1'], { vis: EDITED, pending: true });
    expect(await world.view('v1')).toMatchObject({ body: shown('v1').body, vis: EDITED, pending: true, aliasOf: null });
    const marks = await world.store.readHashes(world.tenant, VISITS, [shown('v1').sourceKey as never]);
    expect([...marks.values()]).toMatchObject([{ pending: true, openIntents: 0 }]);
    const seen = { kind: 'UPSERT', id: 'v1' };
    expect(await seenFrom(world, BEGINNING)).toEqual([{ ...seen, json: JSON.parse(EDITED), pending: true }]);
    await onSnapshot(world, async (snapshot) => {
      const filled = await snapshot.fill(
        { set: scopes('route:1'), after: BEGINNING, upTo: snapshot.feed.head },
        10,
        FULL,
      );
      expect(changesOf(filled)).toMatchObject([{ json: JSON.parse(EDITED), pending: true }]);
    });
    await world.show('v1', ['route:1']);
    expect(await world.view('v1')).toMatchObject({ vis: null, pending: false });
    expect(await seenFrom(world, BEGINNING)).toEqual([
      { ...seen, json: JSON.parse(shown('v1').body as string), pending: false },
    ]);
  });

  test('an open DELETE makes a record pending and changes nothing that is seen of it', async () => {
    const world = await begin();
    await world.show('v1', ['route:1'], { pending: true });
    const json = JSON.parse(shown('v1').body as string) as unknown;
    expect(await seenFrom(world, BEGINNING)).toEqual([{ kind: 'UPSERT', id: 'v1', json, pending: true }]);
  });

  test('an intent that is shown at accept has the seq of its write, one that is not has none', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const intent = intended({ isShown: true });
    const { seq, intentNo } = await write(world, 'v1', {
      acceptance: { ...accepted(world.nurse, 'c1'), intent },
      next: { ...shown('v1'), vis: EDITED, pending: true, scopes: ['route:1'] },
    });
    const view = await world.view('v1');
    expect(view).toMatchObject({ seq, mark: 1, intents: [{ intentNo, seq }] });
    await world.accept('v1', 'c2');
    expect((await world.view('v1')).intents.map((one) => one.seq)).toEqual([seq, null]);
  });

  test('a write that shows open intents gives them its seq, once and never a later one', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const first = await world.accept('v1', 'c1');
    const second = await world.accept('v1', 'c2');
    const next = { ...shown('v1'), vis: EDITED, pending: true, scopes: ['route:1'] };
    const { seq } = await write(world, 'v1', { next, shown: [first.intentNo] });
    expect((await world.view('v1')).intents.map((one) => one.seq)).toEqual([seq, null]);
    const later = await write(world, 'v1', { next, shown: [first.intentNo, second.intentNo] });
    expect((await world.view('v1')).intents.map((one) => one.seq)).toEqual([seq, later.seq]);
  });

  test('R5: `mine` names open changes of the device that are laid over the record, behind its settled ones', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await settle(world, await world.accept('v1', 'c1'), { inEffect: true });
    const hidden = await world.accept('v1', 'c2');
    const next = { ...shown('v1'), vis: EDITED, pending: true, scopes: ['route:1'] };
    const mine = (device: SliceForm['device'], mineAfter: Seq) =>
      onSnapshot(world, async (snapshot) => {
        const range = { set: scopes('route:1'), after: BEGINNING, upTo: snapshot.feed.head };
        return changesOf(await snapshot.fill(range, 10, { ...FULL, device, mineAfter })).map((change) => change.mine);
      });
    expect(await mine(world.nurse, BEGINNING)).toEqual([['c1']]);
    const { seq } = await write(world, 'v1', { next, shown: [hidden.intentNo] });
    expect(await mine(world.nurse, BEGINNING)).toEqual([['c1', 'c2']]);
    expect(await mine(world.nurse, (seq - 1) as Seq)).toEqual([['c2']]);
    expect(await mine(world.nurse, seq)).toEqual([[]]);
    expect(await mine({ ...world.nurse, device: 'another' }, BEGINNING)).toEqual([[]]);
  });

  test('a stale write shows no intent', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const { intentNo } = await world.accept('v1', 'c1');
    const stale = { collection: VISITS, id: 'v1' as RecordId, expected: { seq: BEGINNING, mark: 0 } };
    const outcomes = await world.store.commit(world.tenant, [
      { collection: VISITS, id: 'v2' as RecordId, expected: { seq: BEGINNING, mark: 0 }, next: shown('v2') },
      { ...stale, next: shown('v1'), shown: [intentNo] },
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['written', 'stale']);
    expect((await world.view('v1')).intents).toMatchObject([{ seq: null }]);
  });

  test('a create is seen before its source has it, and is no live record, no known key and no deletion', async () => {
    const world = await begin();
    await world.show('other', ['route:9']);
    const before = await world.head();
    const expected = { seq: BEGINNING, mark: 0 };
    const create = overlay('v1', { sourceKey: shown('v1').sourceKey });
    const [{ seq } = { seq: BEGINNING }] = await world.write([
      { collection: VISITS, id: 'v1' as RecordId, expected, next: create },
      { collection: VISITS, id: 'seen' as RecordId, expected, next: shown('seen') },
    ]);
    expect(seq).toBeGreaterThan(before);
    const seen = { kind: 'UPSERT', id: 'v1', json: JSON.parse(EDITED) as unknown, pending: true };
    expect(await seenFrom(world, before)).toEqual([seen]);
    expect(await recordCount(world)).toBe(2);
    expect(await known(world, seq)).toEqual(['other']);
    expect(await world.store.countDeletions(world.tenant, VISITS, 0)).toEqual({ deletions: 0, live: 2 });
  });

  test('an overlay that falls takes the record from who held it, and is no deletion at the source', async () => {
    const world = await begin();
    const { seq } = await write(world, 'v1', { next: overlay('v1') });
    await write(world, 'v1', { next: fallen('v1') });
    expect(await seenFrom(world, seq)).toEqual([{ kind: 'DELETE', id: 'v1', json: null, pending: false }]);
    expect(await recordCount(world)).toBe(0);
    expect(await world.store.countDeletions(world.tenant, VISITS, 0)).toEqual({ deletions: 0, live: 0 });
  });

  test('R14: a record is as old as its life at the source, not as its overlay', async () => {
    const world = await begin();
    const { seq } = await write(world, 'v1', { next: overlay('v1') });
    const next = { ...shown('v1'), scopes: ['route:1'] };
    const born = await write(world, 'v1', { next });
    expect(await known(world, seq)).toEqual([]);
    expect(await known(world, born.seq)).toEqual(['v1']);
    expect(await recordCount(world)).toBe(1);
    const moved = await write(world, 'v1', { next: { ...next, vis: EDITED } });
    expect(await known(world, born.seq)).toEqual(['v1']);
    await world.lose('v1');
    const again = await write(world, 'v1', { next: overlay('v1') });
    const back = await write(world, 'v1', { next });
    expect([await known(world, moved.seq), await known(world, again.seq)]).toEqual([[], []]);
    expect(await known(world, back.seq)).toEqual(['v1']);
    expect(await recordCount(world)).toBe(1);
  });

  test('R14: a deletion at the source is counted once, however often its tombstone is written', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await world.show('v2', ['route:1']);
    await world.lose('v1');
    await world.lose('v1');
    expect(await world.store.countDeletions(world.tenant, VISITS, 0)).toEqual({ deletions: 1, live: 1 });
    await write(world, 'v2', { next: { ...shown('v2'), deleted: true, throughUs: true } });
    await world.lose('v2');
    expect(await world.store.countDeletions(world.tenant, VISITS, 0)).toEqual({ deletions: 1, live: 0 });
  });

  test('readUnshown names records whose overlay is not taken, each once, the oldest first', async () => {
    const world = await begin();
    const { tenant } = world;
    const unshown = async (olderThanMs: number, limit = 10_000, collections = [VISITS]): Promise<readonly string[]> => {
      const found = await world.store.readUnshown({ tenant, collections, olderThanMs, limit });
      return found.map(({ collection, id }) => `${collection} ${id}`);
    };
    const intents: OpenIntent[] = [];
    for (const [id, changeId] of [
      ['b', 'c1'],
      ['a', 'c2'],
      ['b', 'c3'],
      ['c', 'c4'],
    ] as const) {
      intents.push(await world.accept(id, changeId));
    }
    expect(await unshown(0)).toEqual(['visits b', 'visits a', 'visits c']);
    expect(await unshown(3_600_000)).toEqual([]);
    expect(await unshown(0, 10_000, ['elsewhere'])).toEqual([]);
    expect((await world.store.readUnshown({ tenant, collections: [VISITS], olderThanMs: 0, limit: 1 })).length).toBe(1);
    await write(world, 'b', { next: overlay('b'), shown: [(intents[0] as OpenIntent).intentNo] });
    expect(await unshown(0)).toEqual(['visits a', 'visits b', 'visits c']);
    await settle(world, intents[1] as OpenIntent);
    expect(await unshown(0)).toEqual(['visits b', 'visits c']);
  });

  test('R15: a create is one until its record has a key and a state of the source, overlay or not', async () => {
    const world = await begin();
    const creates = () => world.store.readCreates(world.tenant, VISITS);
    const lease = { holder: 'node', leaseMs: 60_000 };
    await write(world, 'v1', {
      next: overlay('v1'),
      acceptance: { ...accepted(world.nurse, 'c1'), intent: intended({ isShown: true, lease }) },
    });
    expect(await creates()).toEqual({ inFlight: false, parked: [] });
    const [intent] = (await world.view('v1')).intents;
    const { seq, mark } = await world.view('v1');
    const note = { collection: VISITS, id: 'v1' as RecordId, payload: '{}', guard: null, deadlineMs: 60_000 };
    const named = { ...note, intentNo: intent?.intentNo as number, fence: 1, expected: { seq, mark } };
    expect(await world.store.noteSent(world.tenant, [named])).toEqual(['sent']);
    expect(await creates()).toEqual({ inFlight: true, parked: [] });
    await settle(world, intent as OpenIntent, { status: 'PARKED', inEffect: false });
    expect(await creates()).toEqual({ inFlight: false, parked: ['{"note":"edited"}'] });
    await write(world, 'v1', { next: overlay('v1', { sourceKey: shown('v1').sourceKey }) });
    expect((await creates()).parked).toHaveLength(1);
    await write(world, 'v1', { next: { ...shown('v1'), scopes: ['route:1'] } });
    expect(await creates()).toEqual({ inFlight: false, parked: [] });
    await write(world, 'v1', { next: { ...shown('v1'), sourceKey: null, scopes: ['route:1'] } });
    expect((await creates()).parked).toHaveLength(1);
    await write(world, 'v1', {
      next: { ...shown('v1'), scopes: ['route:1'] },
      settlement: settled(world.nurse, 'c1', { intent: { intentNo: intent?.intentNo as number, fence: 1 } }),
    });
    expect(await creates()).toEqual({ inFlight: false, parked: [] });
  });

  test('F5: a create of which nobody remembers a call holds what it may have made, as a parked one does', async () => {
    const world = await begin();
    await write(world, 'v1', {
      next: overlay('v1'),
      acceptance: { ...accepted(world.nurse, 'c1'), intent: intended({ inDoubt: true }) },
    });
    const creates = await world.store.readCreates(world.tenant, VISITS);
    expect(creates).toEqual({ inFlight: false, parked: ['{"note":"edited"}'] });
  });
}
