import fc from 'fast-check';
import type { Store } from '../../src/core/store-port.js';
import { createPoller, type Poller } from '../../src/ingest/poller.js';
import { createPollShare } from '../../src/ingest/poll-share.js';
import { createWorld } from '../contract/store/world.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { hash } from './ingesting-clinic.js';
import { createToySource } from './toy-source.js';

const STEP_MS = 1_000;
/** Twice a rest after giving, and a poll's interval. */
const SETTLES_WITHIN_MS = 90_000;
/** A killed node's lease runs out, and whoever is next asks. */
const LONGEST_LAPSE_MS = 45_000;

interface Gateway {
  readonly poller: Poller;
  isDead: boolean;
}

/** Gateways on one database, each polling collections as far as its leases go. */
async function createGateways(collections: number, { phantoms = 0 } = {}) {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  const { tenant } = await createWorld(store);
  const names = Array.from({ length: collections }, (_, n) => `visits${n}`);
  const gateways = new Set<Gateway>();
  const polled = new Map<string, { readonly by: Gateway; readonly atMs: number }>();
  let longestLapseMs = 0;
  let started = 0;

  function notePoll(name: string, by: Gateway): void {
    longestLapseMs = Math.max(longestLapseMs, clock.nowMs() - (polled.get(name)?.atMs ?? clock.nowMs()));
    polled.set(name, { by, atMs: clock.nowMs() });
  }

  function start(): Gateway {
    const own = mortal(
      store,
      () => gateway.isDead,
      () => Promise.resolve(gateways.size + phantoms),
    );
    const sources = names.map((name) => {
      const source = createToySource({}, { name });
      source.before = () => notePoll(name, gateway);
      return source;
    });
    const ports = { store: own, clock, hash, log: silentLog, chance: seededChance(++started) };
    const share = createPollShare({ store: own, clock });
    const holder = `gateway ${gateways.size} at ${clock.nowMs()}`;
    const gateway: Gateway = { poller: createPoller(ports, { tenant, holder, sources, share }), isDead: false };
    gateways.add(gateway);
    gateway.poller.start();
    return gateway;
  }

  return {
    start,
    async stop(gateway: Gateway): Promise<void> {
      gateways.delete(gateway);
      await gateway.poller.stop();
    },
    kill(gateway: Gateway): void {
      gateway.isDead = true;
      gateways.delete(gateway);
    },
    alive: () => [...gateways],
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        clock.advance(STEP_MS);
        for (let turn = 0; turn < 25; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    /** How many collections each polled last, most first. */
    counts: () =>
      [...gateways].map((one) => [...polled.values()].filter(({ by }) => by === one).length).sort((a, b) => b - a),
    sincePollsMs: () => names.map((name) => clock.nowMs() - (polled.get(name)?.atMs ?? 0)),
    longestLapseMs: () => longestLapseMs,
    end: () => Promise.all([...gateways].map(({ poller }) => poller.stop())),
  };
}

/** What a killed process asked is never answered. */
function mortal(store: Store, isDead: () => boolean, countGateways: () => Promise<number>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (isDead()) return () => new Promise(() => undefined);
      return name === 'countGateways' ? countGateways : (Reflect.get(target, name) as unknown);
    },
  });
}

describe('polling is shared out among gateways', () => {
  test('R16: one that comes later polls its part soon, and no collection is left alone for it', async () => {
    const world = await createGateways(6);
    world.start();
    await world.pass(30_000);
    expect(world.counts()).toEqual([6]);
    world.start();
    await world.pass(SETTLES_WITHIN_MS);
    expect(world.counts()).toEqual([3, 3]);
    world.start();
    await world.pass(SETTLES_WITHIN_MS);
    expect(world.counts()).toEqual([2, 2, 2]);
    expect(world.longestLapseMs()).toBeLessThanOrEqual(25_000);
    await world.end();
  });

  test('R16: after a rolling restart not all of it is with one', async () => {
    const world = await createGateways(6);
    const [first, second] = [world.start(), world.start()];
    await world.pass(30_000);
    for (const leaving of [first, second]) {
      world.start();
      await world.stop(leaving);
      await world.pass(5_000);
    }
    await world.pass(SETTLES_WITHIN_MS);
    expect(world.counts()).toEqual([3, 3]);
    await world.end();
  });

  test('what is given and nobody takes comes back, and stays for ten minutes', async () => {
    const world = await createGateways(4, { phantoms: 1 });
    world.start();
    await world.pass(600_000);
    expect(world.counts()).toEqual([4]);
    expect(world.sincePollsMs().every((ms) => ms <= 5_000)).toBe(true);
    expect(world.longestLapseMs()).toBeGreaterThanOrEqual(20_000);
    expect(world.longestLapseMs()).toBeLessThanOrEqual(26_000);
    await world.end();
  });

  test('R16: whoever comes, stops or is killed, each collection is polled, and in the end each gateway polls its part', async () => {
    const event = fc.record({
      what: fc.constantFrom('start', 'stop', 'kill'),
      which: fc.nat(),
      thenMs: fc.integer({ min: 1, max: 30 }).map((seconds) => seconds * 1_000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(event, { maxLength: 8 }),
        async (collections, events) => {
          const world = await createGateways(collections);
          world.start();
          await world.pass(15_000);
          for (const { what, which, thenMs } of events) {
            const alive = world.alive();
            const one = alive[which % alive.length] as Gateway;
            if (what === 'start' && alive.length < 4) world.start();
            if (what === 'stop' && alive.length > 1) await world.stop(one);
            if (what === 'kill' && alive.length > 1) world.kill(one);
            await world.pass(thenMs);
          }
          await world.pass(SETTLES_WITHIN_MS * 2);
          const counts = world.counts();
          await world.end();
          expect(counts.reduce((sum, one) => sum + one, 0)).toBe(collections);
          expect(counts[0]).toBeLessThanOrEqual(Math.ceil(collections / counts.length));
          expect(Math.max(...world.sincePollsMs())).toBeLessThanOrEqual(25_000);
          expect(world.longestLapseMs()).toBeLessThanOrEqual(2 * LONGEST_LAPSE_MS);
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 12) },
    );
  });
});
