import { randomUUID } from 'node:crypto';
import type { Store } from '../../src/core/store-port.js';
import { createPoller, type Poller } from '../../src/ingest/poller.js';
import { createHub } from '../../src/realtime/hub.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import { BEGINNING, changesOf, createWorld, FULL, settled, VISITS, type World } from '../contract/store/world.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { hash } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

/** Two nodes on one database. The stores' clocks stand still unless a test moves them, the database's own goes on. */
interface Node {
  readonly store: Store;
  readonly storeClock: ManualClock;
  poller(source: ToySource, holder?: string): Poller;
}

let server: TestPostgres;
let first: Node;
let second: Node;
let world: World;

async function startNode(url: string): Promise<Node> {
  const storeClock = createManualClock();
  const store = await openStore({ url, clock: storeClock, log: silentLog });
  const ports = { store, clock: systemClock, hash, log: silentLog, chance: seededChance(1) };
  return {
    store,
    storeClock,
    poller: (source, holder = randomUUID()) => createPoller(ports, { tenant: world.tenant, holder, sources: [source] }),
  };
}

beforeAll(async () => {
  server = await startTestPostgres();
  const url = await server.freshDatabase();
  first = await startNode(url);
  second = await startNode(url);
});

beforeEach(async () => {
  world = await createWorld(first.store);
});

afterAll(async () => {
  await Promise.all([first.store.close(), second.store.close()]);
  await server.stop();
});

/** What a device that sees everything holds: id → note. */
async function live(): Promise<Readonly<Record<string, unknown>>> {
  return second.store.snapshot(world.tenant, async (snapshot) => {
    const set = await snapshot.everyPair([VISITS]);
    const filled = await snapshot.fill({ set, after: BEGINNING, upTo: snapshot.feed.head }, 10_000, FULL);
    return Object.fromEntries(changesOf(filled).map((change) => [change.id, change.json?.['note']]));
  });
}

const expected = (source: ToySource) =>
  Object.fromEntries(source.keys().map((key) => [key, source.fieldsOf(key)?.['note']]));

describe('two nodes that poll one source', () => {
  test('R16: hand a collection over in the middle of its first load: nothing is read twice, nothing is lost', async () => {
    const source = createToySource({}, { pageSize: 10 });
    for (let n = 0; n < 60; n++) source.put(`v${n}`);
    const [before, after] = [first.poller(source), second.poller(source)];
    source.before = () => {
      if (source.calls.length === 4) void before.stop();
    };
    await expect(before.round(VISITS)).rejects.toThrow('stops');
    expect(await world.head()).toBe(30);
    source.before = () => undefined;
    await before.stop();
    source.calls.length = 0;
    await after.round(VISITS);
    expect(await live()).toEqual(expected(source));
    expect(await world.head()).toBe(60);
    expect(source.calls).toHaveLength(4);
    await after.stop();
  });

  test('R16: leave a collection to the one that holds its lease', async () => {
    const source = createToySource();
    source.put('v1');
    const [holder, other] = [first.poller(source), second.poller(source)];
    await holder.round(VISITS);
    source.put('v2');
    source.calls.length = 0;
    await other.round(VISITS);
    expect(source.calls).toEqual([]);
    await holder.round(VISITS);
    expect(await live()).toEqual(expected(source));
    await holder.stop();
    source.put('v3');
    await other.round(VISITS);
    expect(await live()).toEqual(expected(source));
    await other.stop();
  });

  test('R16: bring each change in once, however they take turns', async () => {
    const source = createToySource({}, { pageSize: 3 });
    let changes = 0;
    source.before = () => {
      if (changes < 60) source.put(`v${changes % 13}`, { note: `change ${changes++}`, route: String(changes % 3) });
    };
    let nodes = [first.poller(source), second.poller(source)];
    for (let turn = 0; turn < 12; turn++) {
      await Promise.all(nodes.map((node) => node.round(VISITS)));
      const [leaving, staying] = turn % 2 === 0 ? nodes : nodes.toReversed();
      await leaving?.stop();
      nodes = [staying as Poller, (turn % 2 === 0 ? first : second).poller(source)];
    }
    for (const node of nodes) await node.round(VISITS);
    for (const node of nodes) await node.stop();
    expect(changes).toBe(60);
    expect(await live()).toEqual(expected(source));
    // A state that was overwritten before it was read has no seq; one that was read has exactly one.
    expect(await world.head()).toBeLessThanOrEqual(60);
    const rechecks = await first.store.dueRechecks(world.tenant, VISITS, Number.MAX_SAFE_INTEGER, 10);
    expect(rechecks).toEqual([]);
  });

  test('R16: a node whose lease was taken writes nothing more, although its batch was read before', async () => {
    const source = createToySource({}, { pageSize: 2 });
    for (let n = 0; n < 4; n++) source.put(`v${n}`);
    const [old, next] = [first.poller(source, 'suspended'), second.poller(source)];
    let isTaken = false;
    source.before = async () => {
      if (isTaken || source.calls.length < 2) return;
      isTaken = true;
      // As if it had been suspended for longer than its lease.
      await first.store.releaseLease(world.tenant, `poll:${VISITS}`, 'suspended');
      await next.round(VISITS);
      source.put('v4');
    };
    await expect(old.round(VISITS)).rejects.toThrow(`poll:${VISITS}`);
    expect(Object.keys(await live()).toSorted()).toEqual(['v0', 'v1', 'v2', 'v3']);
    await next.round(VISITS);
    expect(await live()).toEqual(expected(source));
    await Promise.all([old.stop(), next.stop()]);
  });
});

describe('hints between nodes', () => {
  const nurse = () => ({ ...world.nurse, grant: { kind: 'listed' as const, scopes: ['route:1'] } });
  const hubOf = ({ store }: Node) =>
    createHub({ announcer: store, clock: createManualClock(), log: silentLog, windowMs: 0 });

  test('R18: a commit of one node is hinted on the other by its announcement, 20 ms after the one before', async () => {
    const hub = hubOf(second);
    const hints = hub.hints(nurse(), [VISITS]);
    const hint = hints.next();
    await world.show('elsewhere', ['route:2']);
    await world.show('a', ['route:1']);
    first.storeClock.advance(20);
    expect((await hint).value).toMatchObject({ collections: [VISITS] });
    hub.close();
  });

  test('R18: a receipt is hinted on the node where its device listens', async () => {
    await world.show('a', ['route:2']);
    const intent = await world.accept('a', 'c1', world.nurse, { holder: 'node', leaseMs: 60_000 });
    const hub = hubOf(second);
    const hint = hub.hints(nurse(), [VISITS]).next();
    const { seq, mark } = await world.view('a');
    const settlement = settled(world.nurse, 'c1', {
      status: 'REJECTED',
      inEffect: false,
      intent: { ...intent, fence: 1 },
    });
    await world.write([{ collection: VISITS, id: intent.id, expected: { seq, mark }, settlement }]);
    first.storeClock.advance(20);
    expect((await hint).value).toMatchObject({ collections: [VISITS] });
    hub.close();
  });

  test('R18: a commit whose announcement never comes is found by comparing heads', async () => {
    const hub = hubOf(second);
    const hints = hub.hints(nurse(), [VISITS]);
    const outside = hub.hints({ ...nurse(), grant: { kind: 'listed', scopes: ['route:9'] } }, [VISITS]).next();
    // From this one the other node learns where the feed stands.
    await world.show('a', ['route:1']);
    first.storeClock.advance(20);
    await hints.next();
    await world.show('a', ['route:1']);
    let found = false;
    const hint = hints.next().finally(() => (found = true));
    while (!found) {
      second.storeClock.advance(1_000);
      await second.store.readHead(world.tenant);
    }
    expect((await hint).value).toMatchObject({ collections: [VISITS] });
    hub.close();
    expect(await outside).toEqual({ done: true, value: undefined });
  });
});
