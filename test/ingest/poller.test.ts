import type { Store } from '../../src/core/store-port.js';
import { POLL_LEASE_MS } from '../../src/ingest/leased-work.js';
import { ASK_AGAIN_MS } from '../../src/ingest/poller.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, notes, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, unavailable, type ToySource } from './toy-source.js';

const HOUR_MS = 3_600_000;

async function clinicWith(
  facts: Parameters<typeof createToySource>[0] = {},
  count = 2,
): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource(facts);
  for (let n = 1; n <= count; n++) source.put(`v${n}`);
  return [await createIngestingClinic([source]), source];
}

const progress = ({ store, world }: IngestingClinic) => store.readCollection(world.tenant, VISITS);
const count = (source: ToySource, call: string): number => source.calls.filter((one) => one === call).length;
/** A call that is answered when the test says so. */
function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}

describe('a collection’s loop', () => {
  test.each(['updatedSince', 'list'] as const)(
    'loads everything first, then the collection is READY (%s)',
    async (changes) => {
      const [clinic, source] = await clinicWith({ changes });
      expect((await progress(clinic)).state).toBe('PRIMING');
      clinic.poller.start();
      await clinic.rest();
      expect(await notes(clinic)).toEqual({ v1: 'note of v1', v2: 'note of v2' });
      expect(await progress(clinic)).toMatchObject({
        state: 'READY',
        polledAtMs: clinic.clock.nowMs(),
        scannedAtMs: clinic.clock.nowMs(),
      });
      // The first load of a source with a filter is a whole list already: no scan follows it.
      expect(count(source, 'page')).toBe(changes === 'list' ? 1 : 0);
      await clinic.poller.stop();
    },
  );

  test('polls in its own time, and scans in its own', async () => {
    const [clinic, source] = await clinicWith({ pollEveryMs: 5_000, scanEveryMs: 60_000 });
    clinic.poller.start();
    await clinic.rest();
    source.put('v3');
    await clinic.pass(4_999, 4_999);
    expect(Object.keys(await notes(clinic))).toHaveLength(2);
    await clinic.pass(1);
    expect(Object.keys(await notes(clinic))).toHaveLength(3);
    expect(count(source, 'page')).toBe(0);
    await clinic.pass(55_000, 5_000);
    expect(count(source, 'page')).toBe(2);
    await clinic.pass(60_000, 5_000);
    expect(count(source, 'page')).toBe(4);
    await clinic.poller.stop();
  });

  test('rests after a poll as long as it took: a slow source has half of its time for others', async () => {
    const source = createToySource({ pollEveryMs: 5_000 });
    source.put('v1');
    const begunMs: number[] = [];
    const slow = {
      ...source,
      async *readChanges(...asked: Parameters<ToySource['readChanges']>) {
        begunMs.push(clinic.clock.nowMs());
        await clinic.clock.wait(20_000);
        yield* source.readChanges(...asked);
      },
    };
    const clinic = await createIngestingClinic([slow]);
    clinic.poller.start();
    await clinic.pass(120_000, 1_000);
    const [first = 0, second = 0, third = 0] = begunMs;
    expect([second - first, third - second]).toEqual([40_000, 40_000]);
    await clinic.poller.stop();
  });

  test('scans nothing after a restart while no scan is due, and resumes from the cursor', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list', pollEveryMs: 300_000 });
    clinic.poller.start();
    await clinic.rest();
    await clinic.poller.stop();
    const restarted = clinic.node('node 1');
    restarted.start();
    await clinic.rest();
    expect(count(source, 'page')).toBe(1);
    await clinic.pass(300_000, 10_000);
    expect(count(source, 'page')).toBe(2);
    await restarted.stop();
  });

  test('polls on when its clock was set back', async () => {
    const [clinic, source] = await clinicWith();
    await clinic.world.write([], { ingest: { collection: VISITS, polledAtMs: clinic.clock.nowMs() + HOUR_MS } });
    clinic.poller.start();
    await clinic.rest();
    expect(Object.keys(await notes(clinic))).toHaveLength(2);
    expect(count(source, 'changes')).toBe(2);
    await clinic.poller.stop();
  });

  test('wakes when it is told to poll now, also of a list', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list', pollEveryMs: 300_000 });
    clinic.poller.start();
    await clinic.rest();
    source.put('v3');
    clinic.poller.pollNow(VISITS);
    clinic.poller.pollNow('no such collection');
    await clinic.rest();
    expect(Object.keys(await notes(clinic))).toHaveLength(3);
    await clinic.poller.stop();
  });

  test('does not forget that it was told to poll now while a round was under way', async () => {
    const [clinic, source] = await clinicWith({ pollEveryMs: 300_000 });
    const held = gate();
    source.before = () => held.passed;
    clinic.poller.start();
    await clinic.rest();
    source.before = () => undefined;
    clinic.poller.pollNow(VISITS);
    held.open();
    await clinic.rest();
    // Two for the first round, and one for the round that was asked for.
    expect(count(source, 'changes')).toBe(3);
    await clinic.poller.stop();
  });

  test('R15: comes back for what is to be read again, long before its next poll', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list', pollEveryMs: 300_000 });
    clinic.poller.start();
    await clinic.rest();
    const intent = await clinic.send('v1', { note: 'tablet' });
    source.put('v1', { note: 'office', route: '1' });
    clinic.poller.pollNow(VISITS);
    await clinic.rest();
    await clinic.settle(intent, { note: 'tablet', route: '1' });
    source.calls.length = 0;
    await clinic.pass(1_000);
    expect(source.calls).toEqual(['read']);
    expect(await notes(clinic)).toMatchObject({ v1: 'office' });
    await clinic.poller.stop();
  });

  test('rests longer with each failure, shortened by chance, and at once in time again when the source answers', async () => {
    const [clinic, source] = await clinicWith({ pollEveryMs: 5_000 });
    source.before = () => {
      throw unavailable('503');
    };
    clinic.poller.start();
    await clinic.rest();
    const askedAtS: number[] = [];
    for (let second = 1; second <= 300; second++) {
      const before = source.calls.length;
      await clinic.pass(1_000);
      if (source.calls.length > before) askedAtS.push(second);
    }
    const restsS = askedAtS.map((at, n) => at - (askedAtS[n - 1] ?? 0));
    expect(restsS.slice(0, 4).every((rest, n) => rest <= 5 * 2 ** n && rest > 5 * 2 ** n * 0.7)).toBe(true);
    expect(restsS.slice(5).every((rest) => rest >= 45 && rest <= 60)).toBe(true);
    expect(new Set(restsS.slice(4)).size).toBeGreaterThan(1);
    expect(clinic.log.filter(({ level }) => level === 'warn')[0]?.details).toMatchObject({
      collection: VISITS,
      code: 'SOURCE_UNAVAILABLE',
      message: '503',
      failures: 1,
    });
    source.before = () => undefined;
    await clinic.pass(60_000);
    source.calls.length = 0;
    await clinic.pass(15_000);
    expect(count(source, 'changes')).toBe(3);
    await clinic.poller.stop();
  });

  test('goes on polling in time while its scans fail', async () => {
    const [clinic, source] = await clinicWith({ pollEveryMs: 5_000, scanEveryMs: 60_000 });
    source.before = (call) => {
      if (call === 'page') throw unavailable('the list moved');
    };
    clinic.poller.start();
    await clinic.rest();
    await clinic.pass(60_000, 5_000);
    source.calls.length = 0;
    await clinic.pass(60_000, 5_000);
    expect(count(source, 'changes')).toBe(12);
    expect(count(source, 'page')).toBeGreaterThanOrEqual(1);
    expect(count(source, 'page')).toBeLessThanOrEqual(5);
    await clinic.poller.stop();
  });

  test('does not mind that another collection’s source fails or hangs', async () => {
    const sick = createToySource({}, { name: 'patients' });
    sick.before = () => new Promise(() => undefined);
    const well = createToySource();
    well.put('v1');
    const clinic = await createIngestingClinic([well, sick]);
    clinic.poller.start();
    await clinic.rest();
    well.put('v2');
    await clinic.pass(5_000);
    expect(Object.keys(await notes(clinic))).toEqual(['v1', 'v2']);
    await clinic.poller.stop();
  });
});

describe('a lease', () => {
  test('R16: keeps a second node away, which takes over when the first one is gone', async () => {
    const [clinic, source] = await clinicWith();
    const dead = await clinic.store.acquireLease(clinic.world.tenant, `poll:${VISITS}`, 'node 0', POLL_LEASE_MS);
    expect(dead).not.toBeNull();
    clinic.poller.start();
    await clinic.pass(POLL_LEASE_MS - 1_000);
    expect(source.calls).toEqual([]);
    await clinic.pass(ASK_AGAIN_MS);
    expect(Object.keys(await notes(clinic))).toHaveLength(2);
    await clinic.poller.stop();
  });

  test('is given back at once by a node that stops', async () => {
    const [clinic] = await clinicWith();
    clinic.poller.start();
    await clinic.rest();
    await clinic.poller.stop();
    const name = `poll:${VISITS}`;
    expect(await clinic.store.acquireLease(clinic.world.tenant, name, 'node 2', POLL_LEASE_MS)).not.toBeNull();
  });

  test('is kept through a round that is longer than it', async () => {
    const [clinic, source] = await clinicWith({}, 4);
    const held = gate();
    source.before = () => (source.calls.length === 2 ? held.passed : undefined);
    const round = clinic.poller.round(VISITS);
    const other = clinic.node('node 2');
    other.start();
    await clinic.pass(3 * POLL_LEASE_MS);
    held.open();
    await round;
    expect(Object.keys(await notes(clinic))).toHaveLength(4);
    expect(clinic.log.filter(({ level }) => level === 'warn')).toEqual([]);
    await other.stop();
  });

  test('R16: that went to another node ends the round, and what was read is not written', async () => {
    const [clinic, source] = await clinicWith({}, 4);
    const name = `poll:${VISITS}`;
    const held = gate();
    source.before = () => (source.calls.length === 2 ? held.passed : undefined);
    const round = clinic.poller.round(VISITS);
    const failed = expect(round).rejects.toThrow(name);
    await clinic.rest();
    await clinic.store.releaseLease(clinic.world.tenant, name, 'node 1');
    await clinic.store.acquireLease(clinic.world.tenant, name, 'node 2', POLL_LEASE_MS);
    // Seen at the next renewal, although the source still has not answered.
    await clinic.pass(POLL_LEASE_MS / 3);
    await failed;
    held.open();
    await clinic.rest();
    expect(await progress(clinic)).toMatchObject({ cursor: '3', state: 'PRIMING' });
  });

  test('of a collection that is polled seldom is not taken for an early poll by another node', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list', pollEveryMs: 300_000 });
    const other = clinic.node('node 2');
    clinic.poller.start();
    other.start();
    await clinic.pass(299_000);
    expect(count(source, 'page')).toBe(1);
    await clinic.pass(20_000);
    expect(count(source, 'page')).toBe(2);
    await Promise.all([clinic.poller.stop(), other.stop()]);
  });
});

describe('stop', () => {
  test('ends in the middle of a scan of a source that never answers, and gives the lease back', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list' }, 9);
    source.before = () => (source.calls.length === 2 ? new Promise(() => undefined) : undefined);
    clinic.poller.start();
    await clinic.rest();
    await clinic.poller.stop();
    expect(Object.keys(await notes(clinic))).toHaveLength(3);
    expect((await progress(clinic)).state).toBe('PRIMING');
    const next = clinic.node('node 2');
    await next.round(VISITS);
    expect(Object.keys(await notes(clinic))).toHaveLength(9);
  });

  test('ends in the middle of a keyed read that never answers', async () => {
    const [clinic, source] = await clinicWith({ changes: 'list' }, 3);
    await clinic.poller.round(VISITS);
    source.remove('v1');
    source.before = (call) => (call === 'read' ? new Promise(() => undefined) : undefined);
    clinic.poller.start();
    clinic.poller.pollNow(VISITS);
    await clinic.rest();
    expect(source.calls).toContain('read');
    await clinic.poller.stop();
    expect(Object.keys(await notes(clinic))).toHaveLength(3);
  });

  test('ends without having been started, and a stopped poller does not start', async () => {
    const [clinic, source] = await clinicWith();
    await clinic.poller.stop();
    clinic.poller.start();
    await clinic.rest();
    expect(source.calls).toEqual([]);
    await clinic.poller.stop();
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('stops');
  });

  test('tells a read that is left early', async () => {
    const [, source] = await clinicWith({ changes: 'list' }, 9);
    let isOver = false;
    const watched: ToySource = {
      ...source,
      async *scan(signal) {
        try {
          yield* source.scan(signal);
        } finally {
          isOver = true;
        }
      },
    };
    const wrap = (store: Store): Store => ({ ...store, commit: () => Promise.reject(unavailable('store away')) });
    const failing = await createIngestingClinic([watched], { wrap });
    await expect(failing.poller.round(VISITS)).rejects.toThrow('store away');
    await failing.rest();
    expect(isOver).toBe(true);
  });
});

test('a round of a collection that is not there is refused by name', async () => {
  const [clinic] = await clinicWith();
  await expect(clinic.poller.round('nurses')).rejects.toThrow('expected one of visits, got "nurses"');
});
