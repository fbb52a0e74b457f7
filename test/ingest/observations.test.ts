import type { RecordId, SourceKey } from '../../src/core/change.js';
import { createReferenceMap } from '../../src/core/reference-map.js';
import type { Store } from '../../src/core/store-port.js';
import { FenceLost } from '../../src/ingest/fenced-commit.js';
import { ingestBatch } from '../../src/ingest/ingest.js';
import { POLL_LEASE_MS } from '../../src/ingest/leased-work.js';
import { readToken } from '../../src/ingest/observed-batches.js';
import { openQuarantine } from '../../src/ingest/quarantine.js';
import { createSeenPages } from '../../src/ingest/seen-pages.js';
import { intended, VISITS } from '../contract/store/world.js';
import { createIngestingClinic, hash, notes, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, unavailable, type ToySource } from './toy-source.js';

const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';

async function clinicWith(
  keys: readonly string[],
  facts: Parameters<typeof createToySource>[0] = {},
  wrap?: (store: Store) => Store,
): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource(facts);
  for (const key of keys) source.put(key);
  const clinic = await createIngestingClinic([source], wrap === undefined ? {} : { wrap });
  await clinic.poller.round(VISITS);
  return [clinic, source];
}

const head = async ({ store, world }: IngestingClinic) => (await store.readHead(world.tenant)).head;
const waiting = async (clinic: IngestingClinic) => (await clinic.rechecks()).map((one) => one.sourceKey);

describe('an observation that may be stale', () => {
  test('R15: is not applied while a write of its record is SENT, waits on the list, and is applied by the recheck', async () => {
    const [clinic, source] = await clinicWith(['a', 'b']);
    const intent = await clinic.send('a', { note: 'from the tablet' });
    source.put('a', { note: 'from the office', route: '1' });
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ b: 'note of b' });
    expect((await clinic.record('a')).body).toContain('note of a');
    expect(await waiting(clinic)).toEqual(['a']);
    await clinic.settle(intent, { note: 'from the tablet', route: '1' });
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ a: 'from the office' });
    expect(await waiting(clinic)).toEqual([]);
  });

  test('R15: is not applied while a write of its record is IN_DOUBT', async () => {
    const [clinic, source] = await clinicWith(['a']);
    await clinic.send('a', { note: 'from the tablet' });
    clinic.clock.advance(120_000);
    await clinic.store.leaseInDoubt({ tenant: clinic.world.tenant, holder: 'node 1', leaseMs: 60_000, limit: 10 });
    source.put('a', { note: 'from the office', route: '1' });
    await clinic.poller.round(VISITS);
    expect((await clinic.record('a')).body).toContain('note of a');
    expect(await waiting(clinic)).toEqual(['a']);
  });

  test('R15: is not applied if its read began before the last write through us was settled', async () => {
    const [clinic, source] = await clinicWith(['a']);
    source.put('a', { note: 'old', route: '1' });
    const intent = await clinic.send('a', { note: 'new' });
    // The source has read its answer; the write is settled before that answer arrives.
    source.before = async (call) => {
      if (call === 'changes') {
        source.before = () => undefined;
        await clinic.settle(intent, { note: 'new', route: '1' });
      }
    };
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toEqual({ a: 'new' });
    expect(await waiting(clinic)).toEqual(['a']);
    source.put('a', { note: 'new', route: '1' });
    const before = await head(clinic);
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS);
    expect(await head(clinic)).toBe(before);
    expect(await waiting(clinic)).toEqual([]);
  });

  test('R15: has the token of its own batch: a write between two batches does not make the second one stale', async () => {
    let afterCommit: (() => Promise<void>) | null = null;
    const [clinic, source] = await clinicWith(['a', 'b', 'c', 'd'], {}, (store) => ({
      ...store,
      async commit(...request) {
        const outcomes = await store.commit(...request);
        const act = afterCommit;
        afterCommit = null;
        await act?.();
        return outcomes;
      },
    }));
    for (const key of ['a', 'b', 'c', 'd']) source.put(key, { note: `${key} in the office`, route: '1' });
    const intent = await clinic.send('d', { note: 'tablet' });
    afterCommit = () => clinic.settle(intent, { note: 'tablet', route: '1' });
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ a: 'a in the office', d: 'd in the office' });
    expect(await waiting(clinic)).toEqual([]);
  });

  test('R15: of an unknown key waits while a create is in flight, and becomes no second record', async () => {
    const [clinic, source] = await clinicWith(['a'], { createKey: 'source' });
    const intent = await clinic.send(UUID, { note: 'made on the road', route: '1' });
    source.put(UUID, { note: 'made on the road', route: '1' });
    source.put('other', { note: 'made in the office', route: '1' });
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic))).toEqual(['a']);
    expect((await waiting(clinic)).toSorted()).toEqual([UUID, 'other'].toSorted());
    await clinic.settle(intent, { note: 'made on the road', route: '1' });
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic)).toSorted()).toEqual([UUID, 'a', 'other'].toSorted());
    expect(await waiting(clinic)).toEqual([]);
  });

  test('R15: of a key whose create is parked is applied in the end', async () => {
    const [clinic, source] = await clinicWith(['a']);
    const intent = await clinic.send(UUID, { note: 'made on the road', route: '1' });
    await clinic.park(intent);
    source.put(UUID, { note: 'it got there', route: '1' });
    await clinic.poller.round(VISITS);
    clinic.clock.advance(5_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ [UUID]: 'it got there' });
    expect(await waiting(clinic)).toEqual([]);
    expect((await clinic.record(UUID)).intents).toHaveLength(1);
  });

  test('F26: is not applied if it is older than the floor', async () => {
    const [clinic, source] = await clinicWith(['a', 'b']);
    source.put('a', { note: 'old', route: '1' });
    source.before = async (call) => {
      if (call !== 'changes') return;
      source.before = () => undefined;
      source.put('b', { note: 'newer', route: '1' });
      await clinic.world.show('elsewhere', []);
      clinic.clock.advance(1_000);
      await clinic.store.purge(clinic.world.tenant, clinic.clock.nowMs());
    };
    await clinic.poller.round(VISITS);
    expect((await waiting(clinic)).toSorted()).toEqual(['a', 'b']);
  });

  test('F6: waits on after a recheck that found a write in flight, or no answer, without holding up the others', async () => {
    const [clinic, source] = await clinicWith(['a', 'b', 'c']);
    const intents = [];
    for (const key of ['a', 'b', 'c']) {
      intents.push(await clinic.send(key, { note: 'tablet' }));
      source.put(key, { note: `${key} in the office`, route: '1' });
    }
    await clinic.poller.round(VISITS);
    for (const intent of intents.slice(1)) await clinic.settle(intent, { note: 'tablet', route: '1' });
    source.before = (call, key) => {
      if (call === 'read' && key === 'b') throw unavailable('500');
    };
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ b: 'tablet', c: 'c in the office' });
    expect((await waiting(clinic)).toSorted()).toEqual(['a', 'b']);
    source.before = () => undefined;
    await clinic.settle(intents[0]!, { note: 'tablet', route: '1' });
    clinic.clock.advance(5_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ a: 'a in the office', b: 'b in the office' });
    expect(await waiting(clinic)).toEqual([]);
  });

  test('F6: leaves the list when it is gone and nobody here knows it', async () => {
    const [clinic, source] = await clinicWith(['a'], { createKey: 'source' });
    const intent = await clinic.send(UUID, { note: 'made on the road', route: '1' });
    source.put('other', { note: 'short-lived', route: '1' });
    await clinic.poller.round(VISITS);
    expect(await waiting(clinic)).toEqual(['other']);
    source.remove('other');
    await clinic.settle(intent, { note: 'made on the road', route: '1' });
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS);
    expect(await waiting(clinic)).toEqual([]);
  });

  test('R15: without a keyed read the next scan applies it, and forgets what is nobody’s', async () => {
    const [clinic, source] = await clinicWith(['a'], { readOne: false, changes: 'list', createKey: 'source' });
    const first = await clinic.send('a', { note: 'tablet' });
    const second = await clinic.send(UUID, { note: 'made on the road', route: '1' });
    source.put('a', { note: 'office', route: '1' });
    source.put('other', { note: 'short-lived', route: '1' });
    await clinic.poller.round(VISITS);
    expect((await waiting(clinic)).toSorted()).toEqual(['a', 'other']);
    await clinic.settle(first, { note: 'tablet', route: '1' });
    await clinic.settle(second, { note: 'made on the road', route: '1' });
    source.put(UUID, { note: 'made on the road', route: '1' });
    source.remove('other');
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toEqual({ a: 'office', [UUID]: 'made on the road' });
    expect(await waiting(clinic)).toEqual([]);
  });
});

describe('an observation that is equal to what is known', () => {
  test('R17: makes no change', async () => {
    const [clinic, source] = await clinicWith(['a', 'b']);
    const before = await head(clinic);
    clinic.clock.advance(3_600_000);
    await clinic.poller.round(VISITS);
    expect(source.calls).toContain('page');
    expect(await head(clinic)).toBe(before);
  });

  test('R17: moves the source version, and nothing else, when only that is new', async () => {
    const [clinic, source] = await clinicWith(['a', 'b']);
    const before = await clinic.record('a');
    const feed = await head(clinic);
    source.put('a');
    await clinic.poller.round(VISITS);
    const after = await clinic.record('a');
    expect(after).toEqual({ ...before, sourceVersion: '3' });
    expect(after.sourceVersion).not.toBe(before.sourceVersion);
    expect(await head(clinic)).toBe(feed);
  });

  test('R17: is compared with the source layer while a change of the record is open, and settles nothing', async () => {
    const [clinic, source] = await clinicWith(['a']);
    const { seq, mark } = await clinic.record('a');
    const intent = intended({ fields: '{"note":"tablet"}', baseSeq: seq });
    const acceptance = { device: clinic.world.nurse, changeId: 'c1', bodyHash: 'c1', intent };
    await clinic.world.write([{ collection: VISITS, id: 'a' as RecordId, expected: { seq, mark }, acceptance }]);
    const before = await head(clinic);
    source.put('a');
    await clinic.poller.round(VISITS);
    expect(await head(clinic)).toBe(before);
    source.put('a', { note: 'tablet', route: '1' });
    await clinic.poller.round(VISITS);
    expect(await head(clinic)).toBe(before + 1);
    expect((await clinic.record('a')).intents.map((one) => one.state)).toEqual(['PENDING']);
  });

  test('R17: of a record that was gone brings it back', async () => {
    const [clinic, source] = await clinicWith(['a', 'b']);
    source.remove('a');
    clinic.clock.advance(3_600_000);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic))).toEqual(['b']);
    source.put('a');
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic)).toSorted()).toEqual(['a', 'b']);
  });

  test('stamps name the source for the fields that changed, and only for those', async () => {
    const [clinic, source] = await clinicWith(['a']);
    const { seq: first } = await clinic.record('a');
    source.put('a', { note: 'changed', route: '1' });
    await clinic.poller.round(VISITS);
    const { seq, stamps } = await clinic.record('a');
    expect(stamps).toEqual({ '*': { seq: first, writer: 'source' }, note: { seq, writer: 'source' } });
  });
});

describe('a batch', () => {
  test('R16: moves the cursor with its changes: a round that breaks off between batches goes on where it was', async () => {
    const source = createToySource();
    for (let n = 1; n <= 8; n++) source.put(`v${n}`);
    const clinic = await createIngestingClinic([source]);
    let asked = 0;
    source.before = () => {
      if (++asked === 3) throw unavailable('reset');
    };
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('reset');
    const { cursor, state } = await clinic.store.readCollection(clinic.world.tenant, VISITS);
    expect([cursor, state]).toEqual(['6', 'PRIMING']);
    expect(Object.keys(await notes(clinic))).toHaveLength(6);
    source.calls.length = 0;
    await clinic.poller.round(VISITS);
    expect(source.calls).toEqual(['changes', 'changes']);
    expect(Object.keys(await notes(clinic))).toHaveLength(8);
    expect((await clinic.store.readCollection(clinic.world.tenant, VISITS)).state).toBe('READY');
  });

  test('R16: keeps its place when the store fails in its commit', async () => {
    let isBroken = false;
    const [clinic, source] = await clinicWith(['a'], {}, (store) => ({
      ...store,
      commit: (...request) => (isBroken ? Promise.reject(unavailable('store away')) : store.commit(...request)),
    }));
    isBroken = true;
    source.put('b');
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('store away');
    isBroken = false;
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic)).toSorted()).toEqual(['a', 'b']);
  });

  test('R16: writes nothing under a lost fence, and says so', async () => {
    const [clinic, source] = await clinicWith(['a']);
    const { tenant } = clinic.world;
    const name = 'poll:lost';
    const lost = await clinic.store.acquireLease(clinic.world.tenant, name, 'node 1', POLL_LEASE_MS);
    clinic.clock.advance(POLL_LEASE_MS);
    await clinic.store.acquireLease(tenant, name, 'node 2', POLL_LEASE_MS);
    const { store, clock } = clinic;
    const references = createReferenceMap(store, [source]);
    const ports = { store, clock, hash, log: { ...console }, references, pages: createSeenPages(hash) };
    const batch = {
      observations: [{ sourceKey: 'z' as SourceKey, fields: { note: 'z', route: '1' }, sourceVersion: null }],
      cursor: 'moved',
    };
    const quarantine = await openQuarantine(ports, tenant, source.collection);
    const context = { fence: { name, fence: lost!.fence }, awaiting: new Set<SourceKey>(), quarantine };
    const token = await readToken(ports, tenant);
    await expect(ingestBatch(ports, tenant, source, batch, token, context)).rejects.toThrow(FenceLost);
    expect(Object.keys(await notes(clinic))).toEqual(['a']);
    expect((await clinic.store.readCollection(tenant, VISITS)).cursor).toBe('1');
  });

  test('R16: puts what moved between decision and commit on the recheck list', async () => {
    let between: (() => Promise<void>) | null = null;
    const [clinic, source] = await clinicWith(['a', 'b'], {}, (store) => ({
      ...store,
      async commit(...request) {
        const act = between;
        between = null;
        await act?.();
        return store.commit(...request);
      },
    }));
    source.put('a', { note: 'office', route: '1' });
    between = () => clinic.world.show('a', [], { sourceKey: 'a' as SourceKey }).then(() => undefined);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ a: 'office' });
    expect(await waiting(clinic)).toEqual([]);
  });
});
