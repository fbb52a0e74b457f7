import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { NextState, OpenIntent, RecordWrite } from '../../../src/core/record-port.js';
import { lease, LONG_MS, NO_LEASE_MS, noteOf, sent, settle } from './delivery.js';
import {
  accepted,
  changesOf,
  FAR_FUTURE_MS,
  FULL,
  intended,
  onSnapshot,
  scopes,
  settled,
  shown,
  VISITS,
  type World,
} from './world.js';

/** Records that turned out to be others (F9). */
export function aliasPromises(begin: () => Promise<World>): void {
  const gone = (id: string): NextState => ({
    ...shown(id),
    sourceKey: null,
    deleted: true,
    body: null,
    sourceVersion: null,
    hash: null,
  });

  async function aliasWrite(world: World, id: string, aliasOf: string, parts: Partial<RecordWrite> = {}) {
    const { seq, mark } = await world.view(id);
    return {
      collection: VISITS,
      id: id as RecordId,
      expected: { seq, mark },
      next: gone(id),
      aliasOf: aliasOf as RecordId,
      ...parts,
    };
  }
  const makeAlias = async (world: World, id: string, aliasOf: string, parts: Partial<RecordWrite> = {}) =>
    world.write([await aliasWrite(world, id, aliasOf, parts)]);

  /** A record of the source, and one that a device created and everybody sees. */
  async function twins(world: World): Promise<OpenIntent> {
    await world.show('real', ['route:1'], { sourceKey: 'K' as SourceKey });
    const overlay = {
      ...shown('mine'),
      sourceKey: null,
      body: null,
      vis: '{"note":"edited"}',
      pending: true,
      scopes: ['route:1'],
    };
    await world.show('mine', ['route:1'], overlay);
    return sent(world, 'mine', 'c1');
  }
  const fate = (world: World, { intentNo }: OpenIntent) =>
    settled(world.nurse, 'c1', { status: 'MERGED', intent: { intentNo, fence: 1 } });

  test('F9: an alias is read as the deleted record that it was, and says whose alias it is', async () => {
    const world = await begin();
    const intent = await twins(world);
    const before = await world.head();
    expect((await world.view('mine')).aliasOf).toBeNull();
    const [written] = await makeAlias(world, 'mine', 'real', { settlement: fate(world, intent) });
    expect(await world.view('mine')).toMatchObject({
      id: 'mine',
      seq: written?.seq,
      aliasOf: 'real',
      deleted: true,
      sourceKey: null,
      intents: [],
    });
    expect((await world.view('real')).aliasOf).toBeNull();
    const slice = await onSnapshot(world, (snapshot) => {
      const range = { cover: scopes('route:1'), after: before, upTo: snapshot.feed.head, heldUpTo: before };
      return snapshot.main(range, 10, { ...FULL, device: world.nurse });
    });
    expect(changesOf(slice)).toMatchObject([{ kind: 'DELETE', id: 'mine', mine: ['c1'] }]);
  });

  test('F9: what was decided on the other record before is stale', async () => {
    const world = await begin();
    const intent = await twins(world);
    const { seq, mark } = await world.view('real');
    await makeAlias(world, 'mine', 'real', { settlement: fate(world, intent) });
    expect(await world.view('real')).toMatchObject({ seq, mark: mark + 1 });
    const late = { collection: VISITS, id: 'real' as RecordId, expected: { seq, mark }, next: shown('K') };
    expect(await world.store.commit(world.tenant, [late])).toEqual([{ kind: 'stale' }]);
  });

  test('F9: open intents of the alias go on in the lane of the other record, in accept order', async () => {
    const world = await begin();
    const create = await twins(world);
    const edit = await world.accept('mine', 'c2');
    const other = await world.accept('real', 'c3', world.dispatcher);
    const { seq: at, mark: of } = await world.view('mine');
    const overlay = {
      ...shown('mine'),
      sourceKey: null,
      body: null,
      vis: '{"note":"edited"}',
      pending: true,
      scopes: [],
    };
    const mine = { collection: VISITS, id: 'mine' as RecordId, expected: { seq: at, mark: of } };
    await world.write([{ ...mine, next: overlay, shown: [edit.intentNo] }]);
    await makeAlias(world, 'mine', 'real', { settlement: fate(world, create) });
    const { intents } = await world.view('real');
    // An overlay lay over the alias: over the other record it is to be taken anew.
    expect(intents.map(({ seq }) => seq)).toEqual([null, null]);
    expect(intents.map(({ intentNo, changeId, id }) => [intentNo, changeId, id])).toEqual([
      [edit.intentNo, 'c2', 'real'],
      [other.intentNo, 'c3', 'real'],
    ]);
    expect((await lease(world, NO_LEASE_MS)).map(({ changeId }) => changeId)).toEqual(['c2']);
    const before = await world.head();
    const { seq, mark } = await world.view('real');
    const fence = (await world.view('real')).intents[0]?.fence as number;
    await world.write([
      {
        collection: VISITS,
        id: 'real' as RecordId,
        expected: { seq, mark },
        next: { ...shown('K'), scopes: ['route:1'], throughUs: true },
        settlement: settled(world.nurse, 'c2', { intent: { intentNo: edit.intentNo, fence } }),
      },
    ]);
    expect((await world.store.readChanges(world.nurse, ['c2'])).known).toMatchObject([
      { id: 'mine', status: 'APPLIED' },
    ]);
    const slice = await onSnapshot(world, (snapshot) => {
      const range = { cover: scopes('route:1'), after: before, upTo: snapshot.feed.head, heldUpTo: before };
      return snapshot.main(range, 10, { ...FULL, device: world.nurse });
    });
    expect(changesOf(slice)).toMatchObject([{ kind: 'UPSERT', id: 'real', mine: ['c2'] }]);
    const receipts = await onSnapshot(world, (snapshot) => snapshot.receipts(world.nurse, before, (seq + 9) as Seq));
    expect(receipts).toMatchObject([{ changeId: 'c2', id: 'mine' }]);
  });

  test('R8: an earlier intent that comes with an alias waits for a call that is under way behind it', async () => {
    const world = await begin();
    const create = await twins(world);
    await world.accept('mine', 'c2');
    const under = await world.accept('real', 'c3', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    expect(await world.store.noteSent(world.tenant, [await noteOf(world, under, 1)])).toEqual(['sent']);
    await makeAlias(world, 'mine', 'real', { settlement: fate(world, create) });
    expect(await lease(world, NO_LEASE_MS)).toEqual([]);
    await settle(world, under);
    expect((await lease(world, NO_LEASE_MS)).map(({ changeId }) => changeId)).toEqual(['c2']);
  });

  test('F9: the other record may be made by the same commit', async () => {
    const world = await begin();
    await world.show('mine', ['route:1'], { sourceKey: null });
    const made = { collection: VISITS, id: 'real' as RecordId, expected: { seq: 0 as Seq, mark: 0 }, next: shown('K') };
    await world.write([await aliasWrite(world, 'mine', 'real'), made]);
    expect((await world.view('mine')).aliasOf).toBe('real');
    expect(await world.view('real')).toMatchObject({ mark: 1, sourceKey: 'K' });
  });

  test('F9: an alias of an alias leads to the last one, whichever was made first', async () => {
    const world = await begin();
    for (const id of ['a', 'b', 'c', 'd']) await world.show(id, []);
    await makeAlias(world, 'b', 'c');
    await makeAlias(world, 'a', 'b');
    await makeAlias(world, 'c', 'd');
    const ends = await Promise.all(['a', 'b', 'c', 'd'].map(async (id) => (await world.view(id)).aliasOf));
    expect(ends).toEqual(['d', 'd', 'd', null]);
  });

  test('F9: no record is an alias of itself, of one that leads to it, or of none', async () => {
    const world = await begin();
    for (const id of ['a', 'b']) await world.show(id, ['route:1']);
    await makeAlias(world, 'a', 'b');
    const head = await world.head();
    const before = await world.view('b');
    for (const to of ['a', 'b', 'nobody']) {
      await expect(world.store.commit(world.tenant, [await aliasWrite(world, 'b', to)])).rejects.toThrow();
    }
    expect([await world.view('b'), await world.head()]).toEqual([before, head]);
  });

  test('F9: a stale write makes no alias', async () => {
    const world = await begin();
    for (const id of ['a', 'b']) await world.show(id, ['route:1']);
    const write = await aliasWrite(world, 'a', 'b', { expected: { seq: 0 as Seq, mark: 0 } });
    expect(await world.store.commit(world.tenant, [write])).toEqual([{ kind: 'stale' }]);
    expect((await world.view('a')).aliasOf).toBeNull();
    expect((await world.view('b')).mark).toBe(0);
  });

  test('F18: what refers to the alias refers to the other record', async () => {
    const world = await begin();
    const create = await twins(world);
    const refersTo = [{ collection: VISITS, id: 'mine' as RecordId }];
    const acceptance = { ...accepted(world.nurse, 'c2'), intent: intended({ refersTo }) };
    const expected = { seq: 0 as Seq, mark: 0 };
    const [child] = await world.write([{ collection: VISITS, id: 'child' as RecordId, expected, acceptance }]);
    await makeAlias(world, 'mine', 'real', { settlement: fate(world, create) });
    const referring = (id: string) =>
      world.store.readReferring(world.tenant, { collection: VISITS, id: id as RecordId }, 1e12);
    expect(await referring('real')).toEqual([{ intentNo: child?.intentNo, changeId: 'c2' }]);
    expect(await referring('mine')).toEqual([]);
  });

  test('F9: an alias is for ever, and so is what it leads to', async () => {
    const world = await begin();
    await world.show('a', ['route:1']);
    await world.show('b', ['route:1']);
    await makeAlias(world, 'a', 'b');
    await world.lose('b');
    await world.show('c', ['route:1']);
    await world.store.purge(world.tenant, FAR_FUTURE_MS);
    expect(await world.view('a')).toMatchObject({ deleted: true, aliasOf: 'b' });
    expect((await world.view('b')).deleted).toBe(true);
  });
}
