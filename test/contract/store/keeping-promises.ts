import type { OwedBody } from '../../../src/core/keeping.js';
import { PATIENTS, VISITS, type World } from './world.js';

/** What every store keeps for collections whose values it does not. */
export function keepingPromises(begin: () => Promise<World>): void {
  const due = async ({ store, tenant }: World, collection = VISITS): Promise<readonly OwedBody[]> =>
    store.dueBodies(tenant, collection, 10);

  test('a collection is kept as was said first; one with records of which nobody said is a snapshot', async () => {
    const world = await begin();
    const { store, tenant } = world;
    expect(await store.keepAs(tenant, VISITS, 'metadataOnly')).toBe('metadataOnly');
    expect(await store.keepAs(tenant, VISITS, 'snapshot')).toBe('metadataOnly');
    await store.commit(tenant, [], { ingest: { collection: VISITS, state: 'READY' } });
    expect(await store.keepAs(tenant, VISITS, 'snapshot')).toBe('metadataOnly');
    await world.show('p1', ['all'], { collection: PATIENTS });
    expect(await store.keepAs(tenant, PATIENTS, 'metadataOnly')).toBe('snapshot');
  });

  test('the first text of a name stays, until it is replaced by whoever knows it', async () => {
    const { store, tenant } = await begin();
    expect(await store.keepSecret(tenant, 'secret', 'one')).toBe('one');
    expect(await store.keepSecret(tenant, 'secret', 'two')).toBe('one');
    await store.replaceSecret(tenant, 'secret', 'two', 'three');
    expect(await store.keepSecret(tenant, 'secret', 'x')).toBe('one');
    await store.replaceSecret(tenant, 'secret', 'one', 'three');
    expect(await store.keepSecret(tenant, 'secret', 'x')).toBe('three');
  });

  test('R17: texts are put in the place of others without a seq, of deleted records, too; what moved meanwhile is left', async () => {
    const world = await begin();
    const { store, tenant } = world;
    for (const id of ['v1', 'v2', 'v3']) await world.show(id, ['all']);
    await world.lose('v2');
    await world.show('v1', ['all'], { collection: PATIENTS });
    const first = await store.readTexts(tenant, VISITS, null, 2);
    expect(first.map(({ id }) => id)).toEqual(['v1', 'v2']);
    const texts = [...first, ...(await store.readTexts(tenant, VISITS, first[1]?.id ?? null, 2))];
    expect(texts).toHaveLength(3);
    expect(texts[1]).toMatchObject({ body: '{"note":"note of v2"}', vis: null });
    await world.show('v3', ['all'], { body: '{"note":"moved"}' });
    const head = await world.head();
    await store.rewriteTexts(
      tenant,
      VISITS,
      texts.map(({ id, expected }) => ({ id, expected, body: `\u0003${id}\u0004`, vis: 'seen', hash: null })),
    );
    expect(await world.head()).toBe(head);
    const [one, two, three] = await store.readTexts(tenant, VISITS, null, 10);
    expect(one).toEqual({ id: 'v1', expected: texts[0]?.expected, body: '\u0003v1\u0004', vis: 'seen', hash: null });
    expect(two).toMatchObject({ body: '\u0003v2\u0004' });
    expect(three).toMatchObject({ body: '{"note":"moved"}' });
    expect(await world.view('v1', PATIENTS)).toMatchObject({ body: '{"note":"note of v1"}' });
    expect(await store.readTexts(`other of ${tenant}`, VISITS, null, 10).catch(() => [])).toEqual([]);
  });

  test('F29: an owed body is due until it is settled, once for a record, for its latest state', async () => {
    const world = await begin();
    const { store, tenant } = world;
    const one = { collection: VISITS, id: 'v1', seq: 5 };
    await store.oweBodies(tenant, [one, { ...one, id: 'v2' }, { ...one, collection: PATIENTS }, { ...one, seq: 7 }], 0);
    await store.oweBodies(tenant, [one], 0);
    expect((await due(world)).map(({ id, seq }) => [id, seq])).toEqual(
      expect.arrayContaining([
        ['v1', 7],
        ['v2', 5],
      ]),
    );
    expect(await due(world)).toHaveLength(2);
    expect(await due(world, PATIENTS)).toHaveLength(1);
    expect(await store.dueBodies(tenant, VISITS, 1)).toHaveLength(1);
    expect(await store.owingCollections(tenant)).toEqual(new Set([VISITS, PATIENTS]));
    await store.settleBodies(
      tenant,
      (await due(world)).map(({ owedNo }) => owedNo),
    );
    expect(await due(world)).toEqual([]);
    expect(await store.owingCollections(tenant)).toEqual(new Set([PATIENTS]));
    expect(await store.owingCollections(`other of ${tenant}`)).toEqual(new Set());
  });

  test('F29: what is owed anew is neither put off nor settled by whoever saw it before', async () => {
    const world = await begin();
    const { store, tenant } = world;
    const one = { collection: VISITS, id: 'v1', seq: 5 };
    await store.oweBodies(tenant, [one], 0);
    const [before] = await due(world);
    const seen = [before?.owedNo ?? 0];
    // Asked for again and again it would never be due.
    await store.oweBodies(tenant, [one], 3_600_000);
    await store.deferBodies(tenant, seen, 3_600_000);
    await store.settleBodies(tenant, seen);
    const [after] = await due(world);
    expect(after).toMatchObject({ id: 'v1', seq: 5 });
    expect(after?.owedNo).toBeGreaterThan(seen[0] as number);
    await store.deferBodies(tenant, [after?.owedNo ?? 0], 3_600_000);
    expect(await due(world)).toEqual([]);
    expect(await store.owingCollections(tenant)).toEqual(new Set([VISITS]));
    await store.oweBodies(tenant, [{ ...one, id: 'v2' }], 3_600_000);
    expect(await due(world)).toEqual([]);
  });
}
