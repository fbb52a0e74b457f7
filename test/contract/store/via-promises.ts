import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { NextState, RecordMark, RecordWrite } from '../../../src/core/record-port.js';
import type { ViaName } from '../../../src/core/via.js';
import { scopeSet } from '../../../src/core/scope.js';
import { FULL, NEW, onSnapshot, PATIENTS, said, shown, VISITS, type World } from './world.js';

const NOTES = 'notes';
const ofPatient = (key: string): Partial<NextState> => ({ via: `k patients ${key as SourceKey}` });
const ofVisit = (key: string): Partial<NextState> & { collection: string } => ({
  collection: NOTES,
  via: `k visits ${key as SourceKey}`,
});

/** Records that have the scopes of another one. */
export function viaPromises(begin: () => Promise<World>): void {
  const patient = (world: World, id: string, scopes: readonly string[]): Promise<Seq> =>
    world.show(id, scopes, { collection: PATIENTS });
  const visit = (world: World, id: string, of: string): Promise<Seq> => world.show(id, [], ofPatient(of));
  const scopesOf = async (world: World, id: string, collection = VISITS): Promise<readonly string[]> =>
    (await world.view(id, collection)).scopes;
  const markOf = async (world: World, id: string, collection = VISITS): Promise<RecordMark | undefined> =>
    (await world.store.readHashes(world.tenant, collection, [id as SourceKey])).get(id as SourceKey);

  test('R4: a record is in the scopes of the record that it names, whatever they become', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a', 'b']);
    await visit(world, 'v1', 'p1');
    expect(await scopesOf(world, 'v1')).toEqual(['a', 'b']);
    await patient(world, 'p1', ['b', 'c']);
    expect(await scopesOf(world, 'v1')).toEqual(['b', 'c']);
  });

  test('R4: what hangs on a record goes with it, each under a seq of its own, and chains to their end', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    for (const id of ['v1', 'v2']) await visit(world, id, 'p1');
    for (const [id, of] of [
      ['n1', 'v1'],
      ['n2', 'v1'],
      ['n3', 'v2'],
    ] as const)
      await world.show(id, [], ofVisit(of));
    const seq = await patient(world, 'p1', ['b']);
    const views = await Promise.all([
      ...['v1', 'v2'].map((id) => world.view(id)),
      ...['n1', 'n2', 'n3'].map((id) => world.view(id, NOTES)),
    ]);
    expect(views.map(({ scopes }) => scopes)).toEqual([['b'], ['b'], ['b'], ['b'], ['b']]);
    const seqs = views.map((view) => view.seq).sort((a, b) => a - b);
    expect(seqs).toEqual([1, 2, 3, 4, 5].map((step) => seq + step));
    expect(await world.head()).toBe(seq + 5);
  });

  test('R4: whoever has the scopes that a parent left is told of its children, and whoever has those that it entered gets them', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    const before = await world.head();
    await patient(world, 'p1', ['b']);
    const main = (scope: string): Promise<readonly string[]> =>
      onSnapshot(world, async (snapshot) =>
        said(
          await snapshot.main(
            {
              cover: scopeSet([VISITS, PATIENTS].map((collection) => ({ collection, scope }))),
              after: before,
              upTo: snapshot.feed.head,
              heldUpTo: before,
            },
            10,
            FULL,
          ),
        ),
      );
    expect(await main('a')).toEqual(['REVOKE p1', 'REVOKE v1']);
    expect(await main('b')).toEqual(['UPSERT p1', 'UPSERT v1']);
  });

  test('R17: what changes in a parent beside its scopes gives its children no seq', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    const seq = await visit(world, 'v1', 'p1');
    await world.show('p1', ['a'], { collection: PATIENTS, body: '{"note":"another"}' });
    expect((await world.view('v1')).seq).toBe(seq);
  });

  test('R15: a child that only followed its parent has not changed itself', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    const seq = await visit(world, 'v1', 'p1');
    expect(await markOf(world, 'v1')).toMatchObject({ seq, ownSeq: seq, via: 'k patients p1' });
    await patient(world, 'p1', ['b']);
    await patient(world, 'p1', ['c']);
    const moved = await markOf(world, 'v1');
    expect(moved).toMatchObject({ ownSeq: seq, via: 'k patients p1' });
    expect(moved?.seq).toBeGreaterThan(seq);
    const again = await visit(world, 'v1', 'p1');
    expect(await markOf(world, 'v1')).toMatchObject({ seq: again, ownSeq: again });
    expect(await markOf(world, 'p1', PATIENTS)).toMatchObject({ via: null });
  });

  test('a child decided on before it followed its parent is stale', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    const { seq, mark } = await world.view('v1');
    await patient(world, 'p1', ['b']);
    const write = { collection: VISITS, id: 'v1' as RecordId, expected: { seq, mark }, next: shown('v1') };
    expect(await world.store.commit(world.tenant, [write])).toEqual([{ kind: 'stale' }]);
  });

  test('a child of a parent that nobody knows is in no scope until it comes', async () => {
    const world = await begin();
    await visit(world, 'v1', 'p1');
    await world.show('n1', [], ofVisit('v1'));
    expect(await scopesOf(world, 'v1')).toEqual([]);
    const seq = await patient(world, 'p1', ['a']);
    expect(await scopesOf(world, 'v1')).toEqual(['a']);
    expect(await scopesOf(world, 'n1', NOTES)).toEqual(['a']);
    expect((await world.view('v1')).seq).toBe(seq + 1);
  });

  test.each([['parent first'], ['child first']])('one commit brings both (%s), each under one seq', async (order) => {
    const world = await begin();
    const writes: RecordWrite[] = [
      { collection: PATIENTS, id: 'p1' as RecordId, expected: NEW, next: { ...shown('p1'), scopes: ['a'] } },
      { collection: VISITS, id: 'v1' as RecordId, expected: NEW, next: { ...shown('v1'), ...ofPatient('p1') } },
      {
        collection: NOTES,
        id: 'n1' as RecordId,
        expected: NEW,
        next: { ...shown('n1'), via: 'k visits v1' as ViaName },
      },
    ];
    await world.write(order === 'child first' ? writes.reverse() : writes);
    expect(await scopesOf(world, 'v1')).toEqual(['a']);
    expect(await scopesOf(world, 'n1', NOTES)).toEqual(['a']);
    expect(await world.head()).toBe(3);
  });

  test("R4: children of a deleted parent are nobody's, and come back with it; they are not deleted", async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    await world.lose('p1', PATIENTS);
    expect(await world.view('v1')).toMatchObject({ scopes: [], deleted: false });
    await patient(world, 'p1', ['b']);
    expect(await scopesOf(world, 'v1')).toEqual(['b']);
  });

  test('a child that names another parent goes there, and no longer with the first', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await patient(world, 'p2', ['b']);
    await visit(world, 'v1', 'p1');
    await visit(world, 'v1', 'p2');
    expect(await scopesOf(world, 'v1')).toEqual(['b']);
    const { seq } = await world.view('v1');
    await patient(world, 'p1', ['c']);
    expect(await world.view('v1')).toMatchObject({ scopes: ['b'], seq });
  });

  test('a deleted child follows nobody', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    const seq = await world.lose('v1');
    await patient(world, 'p1', ['b']);
    expect(await world.view('v1')).toMatchObject({ seq, scopes: ['a'], deleted: true });
  });

  test('F21: a parent that its source does not have yet is named by its id, and by its key from then on', async () => {
    const world = await begin();
    const pending = { sourceKey: null, body: null, vis: '{}', pending: true } as const;
    await world.show('u1', ['device:nurse/tablet'], { ...pending, collection: PATIENTS });
    await world.show('v1', [], { ...pending, via: 'i patients u1' as ViaName });
    expect(await scopesOf(world, 'v1')).toEqual(['device:nurse/tablet']);
    await world.show('u1', ['a'], { collection: PATIENTS, sourceKey: 'k1' as SourceKey });
    expect(await scopesOf(world, 'v1')).toEqual(['a']);
    await visit(world, 'v2', 'k1');
    expect(await scopesOf(world, 'v2')).toEqual(['a']);
  });

  test('F9: children of an id that became an alias go with the record that it is', async () => {
    const world = await begin();
    const pending = { sourceKey: null, body: null, vis: '{}', pending: true } as const;
    await patient(world, 'p1', ['b']);
    await world.show('u1', ['a'], { ...pending, collection: PATIENTS });
    await world.show('v1', [], { ...pending, via: 'i patients u1' as ViaName });
    const { seq, mark } = await world.view('u1', PATIENTS);
    const gone = { ...shown('u1'), sourceKey: null, body: null, deleted: true };
    const alias = { collection: PATIENTS, id: 'u1' as RecordId, expected: { seq, mark }, next: gone };
    await world.write([{ ...alias, aliasOf: 'p1' as RecordId }]);
    expect(await scopesOf(world, 'v1')).toEqual(['b']);
    await patient(world, 'p1', ['c']);
    expect(await scopesOf(world, 'v1')).toEqual(['c']);
  });

  test('F20: children of a key that another record has now go with that one', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    await world.lose('p1', PATIENTS);
    await world.show('p1', [], { collection: PATIENTS, deleted: true, sourceKey: null });
    await world.show('p1~2', ['b'], { collection: PATIENTS, sourceKey: 'p1' as SourceKey });
    expect(await scopesOf(world, 'v1')).toEqual(['b']);
  });

  test('a record that loses its key while it lives leaves those behind that named it', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    await world.show('p1', ['a'], { collection: PATIENTS, sourceKey: 'p9' as SourceKey });
    expect(await scopesOf(world, 'v1')).toEqual([]);
  });

  test('a record that has scopes of its own again follows nobody', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    await world.show('v1', ['x']);
    await patient(world, 'p1', ['b']);
    expect(await scopesOf(world, 'v1')).toEqual(['x']);
    expect(await markOf(world, 'v1')).toMatchObject({ via: null });
  });

  test("records that follow each other in a circle are nobody's, and hold nothing up", async () => {
    const world = await begin();
    const inside = (id: string, of: string): RecordWrite => ({
      collection: VISITS,
      id: id as RecordId,
      expected: NEW,
      next: { ...shown(id), via: `k visits ${of as SourceKey}` },
    });
    await world.show('v1', ['a']);
    await world.show('v2', ['b']);
    const writes = [['v1', 'v2'] as const, ['v2', 'v1'] as const].map(async ([id, of]) => {
      const { seq, mark } = await world.view(id);
      return { ...inside(id, of), expected: { seq, mark } };
    });
    await world.write(await Promise.all(writes));
    await world.write([inside('v3', 'v1')]);
    for (const id of ['v1', 'v2', 'v3']) expect(await scopesOf(world, id)).toEqual([]);
  });

  test('what others are laid over a child does not hold it back', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    const intent = await world.accept('v1', 'c1');
    await patient(world, 'p1', ['b']);
    expect(await world.view('v1')).toMatchObject({ scopes: ['b'], intents: [{ intentNo: intent.intentNo }] });
  });

  test('R18: whoever listens is told of the pairs that children left and entered, up to the head', async () => {
    const world = await begin();
    await patient(world, 'p1', ['a']);
    await visit(world, 'v1', 'p1');
    const heard = new Promise<unknown>((resolve) => {
      const stop = world.store.onAdvance((advance) => {
        if (advance.tenant !== world.tenant || advance.touched === null) return;
        stop();
        resolve({
          head: advance.head,
          pairs: advance.touched.map(({ collection, scope }) => `${collection} ${scope}`).sort(),
        });
      });
    });
    const seq = await patient(world, 'p1', ['b']);
    expect(await heard).toEqual({ head: seq + 1, pairs: ['patients a', 'patients b', 'visits a', 'visits b'] });
  });

  test("other tenants' records with the same names stay where they are", async () => {
    const [world, other] = [await begin(), await begin()];
    for (const one of [world, other]) {
      await patient(one, 'p1', ['a']);
      await visit(one, 'v1', 'p1');
    }
    await patient(world, 'p1', ['b']);
    expect(await scopesOf(other, 'v1')).toEqual(['a']);
  });
}
