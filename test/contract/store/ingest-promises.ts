import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import { BEGINNING, FAR_FUTURE_MS, NEW, shown, VISITS, type World } from './world.js';

const LONG_MS = 60_000;
const NO_LEASE_MS = -1;
const key = (text: string): SourceKey => text as SourceKey;

/** Cursors, rechecks, known keys, deletions and the leases of pollers. */
export function ingestPromises(begin: () => Promise<World>): void {
  test('a collection that nothing is known of is PRIMING, without cursor', async () => {
    const world = await begin();
    expect(await world.store.readCollection(world.tenant, VISITS)).toEqual({
      state: 'PRIMING',
      cursor: null,
      floor: 0,
      polledAtMs: null,
      scannedAtMs: null,
      recordCount: 0,
      heldDeletions: 0,
      allowedDeletions: 0,
      scanAskedAtMs: null,
      readAs: null,
      provenAs: null,
      shape: null,
    });
  });

  test('R16: cursor, state, times and rechecks become true with the writes', async () => {
    const world = await begin();
    const ingest = {
      collection: VISITS,
      cursor: '{"since":"2026-01-05T08:00:00\'Z","page":"é"}',
      state: 'READY' as const,
      polledAtMs: 1_700_000_000_123,
      addRechecks: [{ sourceKey: key('k1'), reason: 'a write is in flight', notBeforeMs: 1_000 }],
    };
    await world.write([{ collection: VISITS, id: 'v1' as RecordId, expected: NEW, next: shown('v1') }], { ingest });
    expect(await world.store.readCollection(world.tenant, VISITS)).toEqual({
      state: 'READY',
      cursor: ingest.cursor,
      floor: 0,
      polledAtMs: 1_700_000_000_123,
      scannedAtMs: null,
      recordCount: 1,
      heldDeletions: 0,
      allowedDeletions: 0,
      scanAskedAtMs: null,
      readAs: null,
      provenAs: null,
      shape: null,
    });
    expect(await world.store.dueRechecks(world.tenant, VISITS, FAR_FUTURE_MS, 10)).toEqual(ingest.addRechecks);
    await world.write([], { ingest: { collection: VISITS, scannedAtMs: 1_700_000_000_456 } });
    expect(await world.store.readCollection(world.tenant, VISITS)).toMatchObject({
      state: 'READY',
      cursor: ingest.cursor,
      polledAtMs: 1_700_000_000_123,
      scannedAtMs: 1_700_000_000_456,
    });
    await world.write([], { ingest: { collection: VISITS, cursor: null } });
    expect((await world.store.readCollection(world.tenant, VISITS)).cursor).toBeNull();
  });

  test('R16: under a lost fence nothing is written: no record, no cursor, no recheck', async () => {
    const world = await begin();
    const name = 'poll:visits';
    const lost = await world.store.acquireLease(world.tenant, name, 'node 1', NO_LEASE_MS);
    const write = { collection: VISITS, id: 'v1' as RecordId, expected: NEW, next: shown('v1') };
    const ingest = {
      collection: VISITS,
      cursor: 'moved',
      addRechecks: [{ sourceKey: key('k1'), reason: 'stale', notBeforeMs: 0 }],
    };
    const expired = await world.store.commit(world.tenant, [write], { fence: { name, ...lost! }, ingest });
    const held = await world.store.acquireLease(world.tenant, name, 'node 2', LONG_MS);
    const taken = await world.store.commit(world.tenant, [write], { fence: { name, ...lost! }, ingest });
    expect([...expired, ...taken]).toEqual([{ kind: 'fenceLost' }, { kind: 'fenceLost' }]);
    expect((await world.view('v1')).seq).toBe(0);
    expect(await world.store.readCollection(world.tenant, VISITS)).toMatchObject({ cursor: null, recordCount: 0 });
    expect(await world.store.dueRechecks(world.tenant, VISITS, FAR_FUTURE_MS, 10)).toEqual([]);
    await world.write([write], { fence: { name, ...held! }, ingest });
    expect(await world.store.readCollection(world.tenant, VISITS)).toMatchObject({ cursor: 'moved', recordCount: 1 });
  });

  test('what does not fit is listed by key with its reason, since when, and until it is released', async () => {
    const { store, tenant } = await begin();
    const misfit = (text: string, reason = 'expected a text, got a number', field: string | null = 'note') => ({
      sourceKey: key(text),
      field,
      reason,
    });
    const note = (atMs: number, misfits: readonly ReturnType<typeof misfit>[], released: readonly SourceKey[] = []) =>
      store.noteQuarantine(tenant, VISITS, { misfits, released, atMs, atMost: 3 });
    const listed = async () =>
      (await store.readQuarantine(tenant, VISITS)).map((one) => [one.sourceKey, one.firstSeenAtMs, one.lastSeenAtMs]);
    expect(await note(1_000, [misfit('b'), misfit("a'é", 'it threw', null)])).toEqual({
      listed: ["a'é", 'b'],
      isNew: ["a'é", 'b'],
    });
    expect(await store.readQuarantine(tenant, VISITS)).toEqual([
      { ...misfit("a'é", 'it threw', null), firstSeenAtMs: 1_000, lastSeenAtMs: 1_000 },
      { ...misfit('b'), firstSeenAtMs: 1_000, lastSeenAtMs: 1_000 },
    ]);
    expect(await note(2_000, [misfit("a'é", 'it threw', null), misfit('b', 'another reason')])).toEqual({
      listed: ["a'é", 'b'],
      isNew: ['b'],
    });
    expect((await note(2_500, [misfit('b', 'another reason', null)])).isNew).toEqual(['b']);
    expect(await note(3_000, [misfit('b'), misfit('c'), misfit('d'), misfit('e')], [key("a'é")])).toEqual({
      listed: ['b', 'c', 'd'],
      isNew: ['b', 'c', 'd'],
    });
    expect(await listed()).toEqual([
      ['b', 1_000, 3_000],
      ['c', 3_000, 3_000],
      ['d', 3_000, 3_000],
    ]);
    expect(await note(4_000, [misfit('e'), misfit('c')])).toEqual({ listed: ['c'], isNew: [] });
    await store.noteQuarantine(tenant, 'other', { misfits: [misfit('b')], released: [], atMs: 1, atMost: 3 });
    expect(await note(5_000, [], [key('b'), key('c'), key('nobody')])).toEqual({ listed: [], isNew: [] });
    expect(await listed()).toEqual([['d', 3_000, 3_000]]);
    expect(await store.countQuarantined(tenant)).toEqual(
      new Map([
        [VISITS, 1],
        ['other', 1],
      ]),
    );
  });

  test('how a collection is read is kept part by part', async () => {
    const { store, tenant } = await begin();
    await store.noteReading(tenant, VISITS, { readAs: 'a:1', provenAs: 'b:1', shape: '{"key":"id"}' });
    await store.noteReading(tenant, VISITS, { readAs: "a:2'" });
    const progress = await store.readCollection(tenant, VISITS);
    expect(progress).toMatchObject({ state: 'PRIMING', readAs: "a:2'", provenAs: 'b:1', shape: '{"key":"id"}' });
  });

  test('R17: the same state in another text takes no seq; what moved meanwhile stays as it is', async () => {
    const world = await begin();
    const { store, tenant } = world;
    for (const id of ['v1', 'v2']) await world.show(id, ['route:1', 'route:2'], { sourceKey: key(id) });
    const [v1, v2] = [await world.view('v1'), await world.view('v2')];
    const { head } = await store.readHead(tenant);
    const texts = { body: '{"route":null,"note":"é\\u0000"}', hash: 'other', vis: '{"route":"seen"}' };
    const named = ({ id, seq, mark }: typeof v1) => ({ id, expected: { seq, mark }, ...texts });
    await store.restate(tenant, VISITS, [named(v1), { ...named(v2), expected: { seq: v2.seq, mark: v2.mark + 1 } }]);
    expect(await world.view('v1')).toEqual({ ...v1, ...texts });
    expect(await world.view('v2')).toEqual(v2);
    await store.restate(tenant, 'other', [named(v2)]);
    await store.restate(tenant, VISITS, []);
    expect(await world.view('v2')).toEqual(v2);
    expect((await store.readHead(tenant)).head).toBe(head);
  });

  test('R4: the scopes of live records are those that they are in now', async () => {
    const world = await begin();
    await world.show('v1', ['route:2', 'route:1'], { sourceKey: key('v1') });
    await world.show('v1', ['route:3', 'route:1'], { sourceKey: key('v1') });
    await world.show('v2', [], { sourceKey: key('v2') });
    const scopes = await world.store.readScopes(world.tenant, VISITS, [key('v1'), key('v2'), key('nobody')]);
    expect(scopes).toEqual(
      new Map([
        ['v1', ['route:1', 'route:3']],
        ['v2', []],
      ]),
    );
  });

  test('R16: an ingested write that comes back stale or keyTaken is on the recheck list at once', async () => {
    const world = await begin();
    await world.show('v1', [], { sourceKey: key('k1') });
    await world.show('v2', [], { sourceKey: key('k2') });
    const writes = [
      { collection: VISITS, id: 'v1' as RecordId, expected: NEW, next: { ...shown('v1'), sourceKey: key('k1') } },
      { collection: VISITS, id: 'v3' as RecordId, expected: NEW, next: { ...shown('v3'), sourceKey: key('k2') } },
    ];
    const outcomes = await world.store.commit(world.tenant, writes, { ingest: { collection: VISITS, cursor: 'on' } });
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['stale', 'keyTaken']);
    const due = await world.store.dueRechecks(world.tenant, VISITS, FAR_FUTURE_MS, 10);
    expect(due.map((one) => one.sourceKey).sort()).toEqual(['k1', 'k2']);
    expect((await world.store.readCollection(world.tenant, VISITS)).cursor).toBe('on');
  });

  test('R16: a key whose write was stale stays on the list, although its commit meant to take it off', async () => {
    const world = await begin();
    await world.show('v1', [], { sourceKey: key('k1') });
    const recheck = { sourceKey: key('k1'), reason: 'a write is in flight', notBeforeMs: 1_000 };
    await world.write([], { ingest: { collection: VISITS, addRechecks: [recheck] } });
    const write = {
      collection: VISITS,
      id: 'v1' as RecordId,
      expected: NEW,
      next: { ...shown('v1'), sourceKey: key('k1') },
    };
    const ingest = { collection: VISITS, dropRechecks: [key('k1')] };
    expect(await world.store.commit(world.tenant, [write], { ingest })).toEqual([{ kind: 'stale' }]);
    const due = await world.store.dueRechecks(world.tenant, VISITS, FAR_FUTURE_MS, 10);
    expect(due.map((one) => one.sourceKey)).toEqual(['k1']);
  });

  test('R15: rechecks are due by their time, at most `limit`, and are dropped by name', async () => {
    const world = await begin();
    const addRechecks = [1, 2, 3].map((n) => ({ sourceKey: key(`k${n}`), reason: 'stale', notBeforeMs: n * 1_000 }));
    await world.write([], { ingest: { collection: VISITS, addRechecks } });
    const due = async (nowMs: number, limit = 10): Promise<readonly string[]> =>
      (await world.store.dueRechecks(world.tenant, VISITS, nowMs, limit)).map((one) => one.sourceKey);
    expect(await due(2_000)).toEqual(['k1', 'k2']);
    expect(await due(FAR_FUTURE_MS, 1)).toEqual(['k1']);
    expect(await due(Number.MAX_SAFE_INTEGER)).toEqual(['k1', 'k2', 'k3']);
    expect(await world.store.dueRechecks(world.tenant, 'elsewhere', FAR_FUTURE_MS, 10)).toEqual([]);
    const later = { sourceKey: key('k1'), reason: 'again', notBeforeMs: 9_000 };
    await world.write([], { ingest: { collection: VISITS, addRechecks: [later], dropRechecks: [key('k2')] } });
    expect(await due(FAR_FUTURE_MS)).toEqual(['k3', 'k1']);
  });

  test('R14: known keys are those of live records from before, without open intents, each once', async () => {
    const world = await begin();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await world.show(name, []);
    await world.lose('b');
    await world.accept('c', 'c1');
    const before = await world.head();
    await world.show('f', []);
    await world.show('a', []);
    const known = (seq: Seq, after: SourceKey | null, limit: number): Promise<readonly SourceKey[]> =>
      world.store.knownKeys(world.tenant, VISITS, seq, after, limit);
    expect(await known(before, null, 10)).toEqual(['a', 'd', 'e']);
    expect(await known(before, null, 2)).toEqual(['a', 'd']);
    expect(await known(before, key('d'), 2)).toEqual(['e']);
    expect(await known(BEGINNING, null, 10)).toEqual([]);
  });

  test('R14: a record that came back after a deletion is no older than its return', async () => {
    const world = await begin();
    await world.show('a', []);
    await world.lose('a');
    const before = await world.head();
    const back = await world.show('a', []);
    expect(await world.store.knownKeys(world.tenant, VISITS, before, null, 10)).toEqual([]);
    expect(await world.store.knownKeys(world.tenant, VISITS, back, null, 10)).toEqual(['a']);
  });

  test('R14: deletions that ingest emitted are counted, those through us are not', async () => {
    const world = await begin();
    for (const name of ['a', 'b', 'c', 'd']) await world.show(name, ['route:1']);
    await world.lose('a');
    await world.lose('b');
    const { seq } = await world.view('c');
    const gone = { ...shown('c'), deleted: true, throughUs: true };
    await world.write([{ collection: VISITS, id: 'c' as RecordId, expected: { seq, mark: 0 }, next: gone }]);
    expect(await world.store.countDeletions(world.tenant, VISITS, 0)).toEqual({ deletions: 2, live: 1 });
    expect(await world.store.countDeletions(world.tenant, VISITS, FAR_FUTURE_MS)).toEqual({ deletions: 0, live: 1 });
    expect((await world.store.readCollection(world.tenant, VISITS)).recordCount).toBeLessThanOrEqual(1);
  });

  test('R14: held deletions are counted, and leave everything else of the collection as it is', async () => {
    const { store, tenant } = await begin();
    await store.noteHeldDeletions(tenant, VISITS, 143);
    expect(await store.readCollection(tenant, VISITS)).toMatchObject({ state: 'PRIMING', heldDeletions: 143 });
    await store.commit(tenant, [], { ingest: { collection: VISITS, cursor: 'c', state: 'HELD' } });
    await store.noteHeldDeletions(tenant, VISITS, 7);
    expect(await store.readCollection(tenant, VISITS)).toMatchObject({ state: 'HELD', cursor: 'c', heldDeletions: 7 });
  });

  test('a lease is exclusive, is renewed by its holder under the same fence, and passes on under a higher one', async () => {
    const { store, tenant } = await begin();
    const name = 'poll:visits';
    const first = await store.acquireLease(tenant, name, 'node 1', LONG_MS);
    expect(await store.acquireLease(tenant, name, 'node 2', LONG_MS)).toBeNull();
    expect(await store.acquireLease(tenant, name, 'node 1', LONG_MS)).toEqual(first);
    await store.releaseLease(tenant, name, 'node 2');
    expect(await store.acquireLease(tenant, name, 'node 2', LONG_MS)).toBeNull();
    await store.releaseLease(tenant, name, 'node 1');
    const second = await store.acquireLease(tenant, name, 'node 2', NO_LEASE_MS);
    expect(second?.fence).toBeGreaterThan(first?.fence as number);
    const third = await store.acquireLease(tenant, name, 'node 1', LONG_MS);
    expect(third?.fence).toBeGreaterThan(second?.fence as number);
  });
}
