import fc from '../support/properties.js';
import type { SourceKey } from '../../src/core/change.js';
import { SyncError } from '../../src/core/errors.js';
import type { Store } from '../../src/core/store-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, notes, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

// A scan goes on while its collection is polled. Where polls show all that happens, nothing that a scan brings with it may hide, bring back or
// undo what they showed, also where no other scan makes up for it.

const POLLED = {
  deletions: 'flag',
  scanPaging: 'keyset',
  concurrency: 1,
  // Only scans that are asked for.
  scanEveryMs: 20 * 86_400_000,
} as const;

async function clinicWith(count = 7, wrap?: (store: Store) => Store): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource(POLLED);
  for (let n = 1; n <= count; n++) source.put(`v${n}`, { note: '0000', route: '1' });
  const clinic = await createIngestingClinic([source], wrap === undefined ? {} : { wrap });
  await clinic.poller.round(VISITS);
  return [clinic, source];
}

const askScan = ({ store, world }: IngestingClinic) => store.askScan(world.tenant, VISITS, null);

/** Does this once, while the answer with the first page of the next scan is on its way. */
function onFirstPage(source: ToySource, act: () => void | Promise<void>): void {
  source.sent = async (call) => {
    if (call !== 'page') return;
    source.sent = () => undefined;
    await act();
  };
}

/** Does this once, before the first page of the next scan is made. */
function onPageAsked(source: ToySource, act: () => void): void {
  source.before = (call) => {
    if (call !== 'page') return;
    source.before = () => undefined;
    act();
  };
}

describe('a poll beside a scan', () => {
  test('is made in its own time, and shows what changed, however long a page takes', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    let arrive = (): void => undefined;
    onFirstPage(source, () => new Promise((resolve) => (arrive = resolve)));
    clinic.poller.start();
    await clinic.rest();
    expect(source.calls.at(-1)).toBe('page');
    source.put('v9', { note: 'new', route: '1' });
    await clinic.pass(5_000);
    expect(await notes(clinic)).toMatchObject({ v9: 'new' });
    arrive();
    await clinic.rest();
    expect(source.calls.filter((call) => call === 'page').length).toBeGreaterThan(1);
    expect((await clinic.store.readCollection(clinic.world.tenant, VISITS)).scanAskedAtMs).toBeNull();
    await clinic.poller.stop();
  });

  test('R15: is not undone by a page that was made before it: the record is read again', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    onFirstPage(source, async () => {
      source.put('v1', { note: 'later', route: '1' });
      await clinic.poller.round(VISITS);
      expect(await notes(clinic)).toMatchObject({ v1: 'later' });
    });
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ v1: 'later' });
    await clinic.pass(1_000);
    source.calls.length = 0;
    await clinic.poller.round(VISITS);
    expect(source.calls).toContain('read');
    expect(await clinic.rechecks()).toEqual([]);
  });

  test('R14, R15: what it showed to be gone is not brought back, or in, by a page that was made before', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    // Nobody knows it when the page is made.
    onPageAsked(source, () => source.put('v0', { note: 'made just now', route: '1' }));
    onFirstPage(source, async () => {
      source.flag('v0');
      source.flag('v1');
      await clinic.poller.round(VISITS);
      await clinic.pass(1_000);
      await clinic.poller.round(VISITS);
    });
    await clinic.poller.round(VISITS);
    await clinic.pass(2_000);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await notes(clinic))).toEqual(['v2', 'v3', 'v4', 'v5', 'v6', 'v7']);
  });

  test('R14, R15: what a read by key found gone is not brought in by a page that was made before', async () => {
    const [clinic, source] = await clinicWith();
    const recheck = { sourceKey: 'v0' as SourceKey, reason: 'held', notBeforeMs: clinic.clock.nowMs() };
    await clinic.world.write([], { ingest: { collection: VISITS, addRechecks: [recheck] } });
    await askScan(clinic);
    source.before = (call) => {
      // The round before the scan reads the key as well, and is not answered.
      if (call === 'read') throw new SyncError('SOURCE_UNAVAILABLE', '503');
      if (call !== 'page') return;
      source.before = () => undefined;
      source.put('v0', { note: 'made just now', route: '1' });
    };
    onFirstPage(source, async () => {
      source.remove('v0');
      await clinic.pass(6_000);
      await clinic.poller.round(VISITS);
      expect(source.calls.at(-1)).toBe('read');
    });
    await clinic.poller.round(VISITS);
    await clinic.pass(6_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).not.toHaveProperty('v0');
  });

  test('R15: what it put on the recheck list stays there, although a page shows what is known', async () => {
    const [clinic, source] = await clinicWith();
    const recheck = { sourceKey: 'v1' as SourceKey, reason: 'held', notBeforeMs: clinic.clock.nowMs() + 60_000 };
    await clinic.world.write([], { ingest: { collection: VISITS, addRechecks: [recheck] } });
    await askScan(clinic);
    onFirstPage(source, () => source.put('v1', { note: 'later', route: '1' }));
    await clinic.poller.round(VISITS);
    expect((await clinic.rechecks()).map(({ sourceKey }) => sourceKey)).toEqual(['v1']);
  });

  test('F14: a record that it showed first while the scan went on is not missed by the scan', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    onFirstPage(source, async () => {
      source.put('v0', { note: 'behind the first page', route: '1' });
      await clinic.poller.round(VISITS);
    });
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ v0: 'behind the first page' });
    expect(clinic.log.filter(({ what }) => what === 'scan complete')).toEqual([]);
  });

  test('a scan that fails is tried again later, and polls go on meanwhile', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    source.before = (call) => {
      if (call === 'page') throw new Error('503');
    };
    clinic.poller.start();
    await clinic.rest();
    source.put('v9', { note: 'new', route: '1' });
    await clinic.pass(5_000);
    expect(await notes(clinic)).toMatchObject({ v9: 'new' });
    expect(clinic.log.some(({ what }) => what === 'scan: no complete answer, trying again')).toBe(true);
    source.before = () => undefined;
    await clinic.pass(10_000);
    expect((await clinic.store.readCollection(clinic.world.tenant, VISITS)).scanAskedAtMs).toBeNull();
    await clinic.poller.stop();
  });

  test('stop ends the scan, too, also one whose source does not answer', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    onFirstPage(source, () => new Promise(() => undefined));
    clinic.poller.start();
    await clinic.rest();
    await clinic.poller.stop();
    expect(await clinic.store.acquireLease(clinic.world.tenant, `poll:${VISITS}`, 'node 2', 1_000)).not.toBeNull();
  });

  test('stop waits for what the scan is about to write', async () => {
    let written = (): void => undefined;
    let isHeld = false;
    const [clinic, source] = await clinicWith(7, (store) => ({
      ...store,
      async commit(...request) {
        if (isHeld) await new Promise<void>((resolve) => (written = resolve));
        return store.commit(...request);
      },
    }));
    await askScan(clinic);
    onPageAsked(source, () => {
      source.put('v1', { note: 'of the page', route: '1' });
      isHeld = true;
    });
    clinic.poller.start();
    await clinic.rest();
    let hasStopped = false;
    const stopped = clinic.poller.stop().then(() => (hasStopped = true));
    await clinic.rest();
    expect(hasStopped).toBe(false);
    isHeld = false;
    written();
    await stopped;
  });

  test('R16: a scan whose lease went to another node writes nothing more', async () => {
    const [clinic, source] = await clinicWith();
    await askScan(clinic);
    let arrive = (): void => undefined;
    onFirstPage(source, () => {
      source.put('v1', { note: 'of the page', route: '1' });
      return new Promise((resolve) => (arrive = resolve));
    });
    clinic.poller.start();
    await clinic.rest();
    const lease = `poll:${VISITS}`;
    await clinic.store.releaseLease(clinic.world.tenant, lease, 'node 1');
    await clinic.store.acquireLease(clinic.world.tenant, lease, 'node 2', 60_000);
    arrive();
    await clinic.rest();
    expect(await notes(clinic)).toMatchObject({ v1: '0000' });
    await clinic.poller.stop();
  });
});

const ACTION = fc.record({
  what: fc.constantFrom('edit', 'add', 'flag', 'restore', 'poll', 'poll', 'pass'),
  n: fc.nat(11),
});
type Action = typeof ACTION extends fc.Arbitrary<infer T> ? T : never;

test('R14, R15: whatever happens at any call of a scan and the polls beside it, the next polls have everything', async () => {
  const schedule = fc.record({
    atCalls: fc.array(fc.array(ACTION, { maxLength: 2 }), { maxLength: 80 }),
    scans: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(schedule, async ({ atCalls, scans }) => {
      let fault: unknown = null;
      let revision = 0;
      let isPolling = false;
      const script = [...atCalls];
      const [clinic, source] = await clinicWith(7, (store) => ({
        ...store,
        async commit(...request) {
          for (const { id, next } of request[1]) {
            const was = await store.readRecords(request[0], [{ collection: VISITS, id }]);
            if (
              revisionOf(next?.body) < revisionOf(was[0]?.body) &&
              next?.deleted === false &&
              was[0]?.deleted === false
            )
              fault ??= new Error(`brought back an older ${id}`);
          }
          return store.commit(...request);
        },
      }));
      const fields = () => ({ note: String(++revision).padStart(4, '0'), route: '1' });
      async function act({ what, n }: Action): Promise<void> {
        const key = `v${n}`;
        if (what === 'pass') clinic.clock.advance(n * 200);
        else if (what === 'edit' && source.has(key)) source.put(key, fields());
        else if (what === 'flag' && source.has(key)) source.flag(key);
        else if (what === 'add' || what === 'restore') source.put(key, fields());
        else if (what === 'poll' && !isPolling && source.calls.at(-1) === 'page') {
          isPolling = true;
          await clinic.poller.round(VISITS);
          isPolling = false;
        }
      }
      source.before = source.sent = async () => {
        for (const action of script.shift() ?? []) await act(action);
      };
      for (let scan = 0; scan < scans; scan++) {
        await askScan(clinic);
        await clinic.poller.round(VISITS);
      }
      source.before = source.sent = () => undefined;
      for (let round = 0; round < 3; round++) {
        clinic.clock.advance(10_000);
        await clinic.poller.round(VISITS);
      }
      if (fault !== null) throw fault as Error;
      const expected = Object.fromEntries(source.keys().map((key) => [key, source.fieldsOf(key)?.['note']]));
      expect(await notes(clinic)).toEqual(expected);
      expect(await clinic.rechecks()).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

function revisionOf(body: string | null | undefined): number {
  return Number((JSON.parse(body ?? '{}') as { note?: string }).note ?? 0);
}
