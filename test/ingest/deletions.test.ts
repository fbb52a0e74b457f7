import type { SourceFacts } from '../../src/core/source-port.js';
import { createOversight } from '../../src/ingest/oversight.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, unavailable, type ToySource } from './toy-source.js';
import { VISITS } from '../contract/store/world.js';

const HOUR_MS = 3_600_000;

async function clinicWith(count: number, facts: Partial<SourceFacts> = {}): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource(facts, { pageSize: 10 });
  for (let n = 1; n <= count; n++) source.put(`v${String(n).padStart(4, '0')}`);
  const clinic = await createIngestingClinic([source]);
  await clinic.poller.round(VISITS);
  expect(Object.keys(await clinic.live())).toHaveLength(count);
  return [clinic, source];
}

/** A round with a scan. */
async function scan(clinic: IngestingClinic): Promise<void> {
  clinic.clock.advance(HOUR_MS);
  await clinic.poller.round(VISITS);
}

const stateOf = async ({ store, world }: IngestingClinic) => (await store.readCollection(world.tenant, VISITS)).state;
const isDeleted = async (clinic: IngestingClinic, key: string) => (await clinic.record(key)).deleted;

describe('a record that is missing from a scan', () => {
  test('R14: is deleted when its 404 is followed by the answer of a living record', async () => {
    const [clinic, source] = await clinicWith(5);
    source.remove('v0002');
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    // The candidate, the canary, the candidate once more.
    expect(source.calls.slice(-3)).toEqual(['read', 'read', 'read']);
    expect(Object.keys(await clinic.live())).toHaveLength(4);
  });

  test('R14: is ingested when its keyed read finds it', async () => {
    const [clinic, source] = await clinicWith(5, { scanPaging: 'offset' });
    source.before = (call) => {
      if (call === 'page') source.put('v0002', { note: 'moved', route: '2' });
      if (call === 'read') source.isBlank = false;
    };
    source.isBlank = true;
    source.calls.length = 0;
    await scan(clinic);
    expect(source.calls.filter((call) => call === 'read').length).toBeGreaterThanOrEqual(5);
    expect((await clinic.live())['v0002']).toEqual({ note: 'moved', route: '2' });
    expect(Object.keys(await clinic.live())).toHaveLength(5);
  });

  test('R14, F7: stays when the canary is 404 too: the application is being deployed anew', async () => {
    const [clinic, source] = await clinicWith(5);
    source.isBlank = true;
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(5);
    source.isBlank = false;
    source.remove('v0003');
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(4);
  });

  test('F7: stays when the source goes blank between its 404 and the canary', async () => {
    const [clinic, source] = await clinicWith(5);
    source.remove('v0002');
    source.before = (call, key) => {
      if (call === 'read' && key === 'v0002') source.isBlank = true;
    };
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
  });

  test('F7: stays when the source was blank for its 404 and is back for the canary', async () => {
    const [clinic, source] = await clinicWith(5);
    source.isBlank = true;
    const read: (string | null)[] = [];
    source.before = (call, key) => {
      if (call !== 'read') return;
      read.push(key);
      if (read.length === 2) source.isBlank = false;
    };
    await scan(clinic);
    expect(read.slice(0, 2)).toEqual(['v0001', 'v0002']);
    expect(Object.keys(await clinic.live())).toHaveLength(5);
  });

  test('F7: is read again only when the longest transaction of its source is over', async () => {
    const [clinic, source] = await clinicWith(5, { maxTransactionMs: 2_000 });
    source.remove('v0002');
    source.calls.length = 0;
    clinic.clock.advance(HOUR_MS);
    const round = clinic.poller.round(VISITS);
    await clinic.rest();
    await clinic.pass(1_999, 1_999);
    expect(source.calls).not.toContain('read');
    // Its transaction ends and shows the record in its new place.
    source.put('v0002', { note: 'moved', route: '1' });
    clinic.clock.advance(1);
    await round;
    expect(source.calls).toContain('read');
    expect((await clinic.live())['v0002']).toMatchObject({ note: 'moved' });
  });

  test('F7: stays, without a keyed read, when the list is empty', async () => {
    const [clinic, source] = await clinicWith(5, { readOne: false });
    source.isBlank = true;
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(5);
  });

  test.each([
    ['and stays so', () => true],
    ['and is back for the next page', () => false],
  ])(
    'F14: stays, without a keyed read, when the source goes blank between two pages %s',
    async (_until, staysBlank) => {
      const [clinic, source] = await clinicWith(25, { readOne: false });
      let pages = 0;
      source.before = (call) => {
        if (call === 'page') source.isBlank = ++pages === 2 || (pages > 2 && staysBlank());
      };
      await scan(clinic);
      expect(pages).toBeGreaterThan(2);
      expect(Object.keys(await clinic.live())).toHaveLength(25);
      source.before = () => undefined;
      source.isBlank = false;
      source.remove('v0002');
      await scan(clinic);
      expect(Object.keys(await clinic.live())).toHaveLength(24);
    },
  );

  test('R14: stays when its keyed read gives no answer, and does not keep others from being deleted', async () => {
    const [clinic, source] = await clinicWith(6);
    source.remove('v0002');
    source.remove('v0004');
    source.before = (call, key) => {
      if (call === 'read' && key === 'v0002') throw unavailable('500');
    };
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
    expect(await isDeleted(clinic, 'v0004')).toBe(true);
    source.before = () => undefined;
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
  });

  test('R14: is not deleted by a scan that fails on its last page', async () => {
    const [clinic, source] = await clinicWith(25);
    source.remove('v0002');
    let pages = 0;
    source.before = (call) => {
      if (call === 'page' && ++pages === 3) throw unavailable('reset');
    };
    clinic.clock.advance(HOUR_MS);
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('reset');
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
    expect(pages).toBe(3);
  });

  test('F14: is not deleted while a change of it is on its way', async () => {
    const [clinic, source] = await clinicWith(5);
    source.remove('v0002');
    await clinic.send('v0002', { note: 'edited' });
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
  });

  test('F14: is no candidate if it came into the feed after the scan began', async () => {
    const [clinic, source] = await clinicWith(12, { readOne: false });
    let pages = 0;
    source.before = async (call) => {
      if (call !== 'page' || ++pages !== 2) return;
      // Made through us behind the scan's back, on a page that was read already.
      const intent = await clinic.send('v0000', { note: 'new', route: '1' });
      source.put('v0000', { note: 'new', route: '1' });
      await clinic.settle(intent, { note: 'new', route: '1' });
    };
    await scan(clinic);
    expect(pages).toBe(2);
    expect(await isDeleted(clinic, 'v0000')).toBe(false);
  });

  test('F14: stays, without a keyed read, if it was written through us after the scan began', async () => {
    const [clinic, source] = await clinicWith(12, { readOne: false });
    source.remove('v0002');
    let pages = 0;
    source.before = async (call) => {
      if (call !== 'page' || ++pages !== 2) return;
      const intent = await clinic.send('v0002', { note: 'back', route: '1' });
      source.put('v0002', { note: 'back', route: '1' });
      await clinic.settle(intent, { note: 'back', route: '1' });
    };
    await scan(clinic);
    expect((await clinic.live())['v0002']).toEqual({ note: 'back', route: '1' });
  });

  test.each(['keyset', 'overlap', 'whole'] as const)(
    'F14: is deleted by absence alone under %s paging',
    async (scanPaging) => {
      const [clinic, source] = await clinicWith(5, { readOne: false, scanPaging });
      source.remove('v0002');
      await scan(clinic);
      expect(await isDeleted(clinic, 'v0002')).toBe(true);
    },
  );

  test('F14: stays, without a keyed read, where only a list that is taken for unchanged does not show it', async () => {
    const source = createToySource({ readOne: false, scanPaging: 'whole' });
    for (const key of ['v0001', 'v0002', 'v0003']) source.put(key);
    const tagged: ToySource = {
      ...source,
      async *scan(signal, isProof) {
        for await (const batch of source.scan(signal)) {
          const isShown = (key: string): boolean => isProof === true || key !== 'v0002';
          yield { ...batch, observations: batch.observations.filter((one) => isShown(one.sourceKey)) };
        }
      },
    };
    const clinic = await createIngestingClinic([tagged]);
    await clinic.poller.round(VISITS);
    source.remove('v0003');
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toEqual(['v0001', 'v0002']);
  });

  test.each<Partial<SourceFacts>>([
    { scanPaging: 'offset' },
    { deletions: 'none' },
    { deletions: 'flag' },
    { deletions: 'none', readOne: true },
  ])('F14: stays where deletions cannot be observed: %p', async (facts) => {
    const [clinic, source] = await clinicWith(5, { readOne: false, ...facts });
    source.remove('v0002');
    await scan(clinic);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
    expect(await stateOf(clinic)).toBe('READY');
  });
});

describe('the mass-delete limit', () => {
  test('R14: 21 of 100 gone hold all deletions, but not the changes of others, and an operator is told', async () => {
    const [clinic, source] = await clinicWith(100);
    for (const key of source.keys().slice(0, 21)) source.remove(key);
    source.put('v0099', { note: 'changed', route: '1' });
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(100);
    expect((await clinic.live())['v0099']).toMatchObject({ note: 'changed' });
    expect(await stateOf(clinic)).toBe('HELD');
    expect(clinic.log.filter(({ level }) => level === 'error')).toHaveLength(1);
    source.put('v0098', { note: 'still coming', route: '1' });
    await clinic.poller.round(VISITS);
    expect((await clinic.live())['v0098']).toMatchObject({ note: 'still coming' });
    expect(await stateOf(clinic)).toBe('HELD');
  });

  test('R14: a scan that finds them again ends the hold', async () => {
    const [clinic, source] = await clinicWith(100);
    source.isBlank = true;
    await scan(clinic);
    expect(await stateOf(clinic)).toBe('HELD');
    source.isBlank = false;
    await scan(clinic);
    expect(await stateOf(clinic)).toBe('READY');
    expect(Object.keys(await clinic.live())).toHaveLength(100);
  });

  test('R14: what an operator allows is deleted by the next scan, each record confirmed; more than that stays held', async () => {
    const [clinic, source] = await clinicWith(100, { scanEveryMs: 24 * HOUR_MS });
    const { store, world } = clinic;
    const oversight = createOversight(store, [source.collection], () => undefined);
    const allow = (upTo: number) => oversight.allowDeletions(world.tenant, VISITS, upTo);
    for (const key of source.keys().slice(0, 60)) source.remove(key);
    await oversight.scan(world.tenant, VISITS);
    await clinic.poller.round(VISITS);
    expect(await oversight.list(world.tenant)).toMatchObject([
      {
        collection: VISITS,
        state: 'HELD',
        heldDeletions: 60,
        allowedDeletions: 0,
        scanAskedAtMs: null,
        recordCount: 100,
      },
    ]);
    await allow(59);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(100);
    // One is found again by its keyed read: it was never gone.
    source.before = (call, key) => {
      if (call === 'read' && key === 'v0007') source.put('v0007');
    };
    expect(await allow(60)).toMatchObject({ state: 'HELD', allowedDeletions: 60 });
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(41);
    expect(Object.keys(await clinic.live())).toContain('v0007');
    expect(await stateOf(clinic)).toBe('READY');
  });

  test('R14: what an operator allows is over after an hour', async () => {
    const [clinic, source] = await clinicWith(100);
    await createOversight(clinic.store, [source.collection], () => undefined).allowDeletions(
      clinic.world.tenant,
      VISITS,
      60,
    );
    for (const key of source.keys().slice(0, 60)) source.remove(key);
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(100);
    expect(await stateOf(clinic)).toBe('HELD');
  });

  test('R14: an asked scan is made once, and again only if it was not complete', async () => {
    const [clinic, source] = await clinicWith(30, { scanEveryMs: 24 * HOUR_MS });
    const asked: string[] = [];
    const oversight = createOversight(clinic.store, [source.collection], (name) => asked.push(name));
    const pages = async (): Promise<number> => {
      source.calls.length = 0;
      await clinic.poller.round(VISITS).catch(() => undefined);
      return source.calls.filter((call) => call === 'page').length;
    };
    expect(await pages()).toBe(0);
    expect(await oversight.scan(clinic.world.tenant, VISITS)).toMatchObject({ scanAskedAtMs: clinic.clock.nowMs() });
    expect(asked).toEqual([VISITS]);
    source.before = (call) => {
      if (call === 'page') throw unavailable('reset');
    };
    expect(await pages()).toBeGreaterThan(0);
    source.before = () => undefined;
    clinic.clock.advance(HOUR_MS);
    expect(await pages()).toBeGreaterThan(0);
    expect(await pages()).toBe(0);
    await expect(oversight.scan(clinic.world.tenant, 'cars')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const upTo of [0, -1, 1.5, 1e10])
      await expect(oversight.allowDeletions(clinic.world.tenant, VISITS, upTo)).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
  });

  test.each([
    [100, 20, 0],
    [100, 21, 21],
    [420, 21, 0],
    [419, 21, 21],
  ])('R14: of %d records %d gone leave %d undeleted', async (count, gone, held) => {
    const [clinic, source] = await clinicWith(count);
    for (const key of source.keys().slice(0, gone)) source.remove(key);
    await scan(clinic);
    expect(Object.keys(await clinic.live())).toHaveLength(count - gone + held);
    expect(await stateOf(clinic)).toBe(held > 0 ? 'HELD' : 'READY');
  });

  test('R14: deletions of one hour count together, over scans and flags', async () => {
    const [clinic, source] = await clinicWith(100, { deletions: 'flag', scanEveryMs: 600_000 });
    const keys = source.keys();
    for (const key of keys.slice(0, 15)) source.flag(key);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(85);
    for (const key of keys.slice(15, 25)) source.remove(key);
    clinic.clock.advance(600_000);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(85);
    expect(await stateOf(clinic)).toBe('HELD');
    clinic.clock.advance(HOUR_MS);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(75);
    expect(await stateOf(clinic)).toBe('READY');
  });

  test.each([true, false])('R14: flags past the limit are held too (keyed read: %p)', async (readOne) => {
    const [clinic, source] = await clinicWith(100, { deletions: 'flag', readOne });
    const keys = source.keys();
    for (const key of keys.slice(0, 60)) source.flag(key);
    source.put('v0100', { note: 'changed', route: '1' });
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live()).length).toBeGreaterThanOrEqual(80);
    expect((await clinic.live())['v0100']).toMatchObject({ note: 'changed' });
    expect(await stateOf(clinic)).toBe('HELD');
    for (const key of keys.slice(0, 60)) source.put(key);
    clinic.clock.advance(HOUR_MS);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(100);
    expect(await stateOf(clinic)).toBe('READY');
  });
});

describe('a flag', () => {
  test('R14: deletes its record in the same round, although the poll showed no living one', async () => {
    const [clinic, source] = await clinicWith(5, { deletions: 'flag' });
    source.flag('v0002');
    source.calls.length = 0;
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    expect(source.calls).toContain('read');
    expect(await clinic.rechecks()).toEqual([]);
  });

  test('R14, R16: survives a crash between the cursor and its confirmation', async () => {
    const [clinic, source] = await clinicWith(5, { deletions: 'flag' });
    source.flag('v0002');
    source.before = (call) => {
      if (call === 'read') throw unavailable('away');
    };
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
    expect((await clinic.rechecks()).map((one) => one.sourceKey)).toEqual(['v0002']);
    source.before = () => undefined;
    clinic.clock.advance(10_000);
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    expect(await clinic.rechecks()).toEqual([]);
  });

  test('R14: that was taken back before it was confirmed deletes nothing', async () => {
    const [clinic, source] = await clinicWith(5, { deletions: 'flag' });
    source.flag('v0002');
    source.before = (call) => {
      if (call === 'read') source.put('v0002', { note: 'undeleted', route: '1' });
    };
    await clinic.poller.round(VISITS);
    expect((await clinic.live())['v0002']).toEqual({ note: 'undeleted', route: '1' });
    expect(await clinic.rechecks()).toEqual([]);
  });

  test('R14: is the source’s own word where there is no keyed read', async () => {
    const [clinic, source] = await clinicWith(5, { deletions: 'flag', readOne: false });
    source.flag('v0002');
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    source.put('v0002', { note: 'back', route: '1' });
    await clinic.poller.round(VISITS);
    expect((await clinic.live())['v0002']).toEqual({ note: 'back', route: '1' });
  });

  test('R15: that is older than a write through us deletes nothing', async () => {
    const [clinic, source] = await clinicWith(5, { deletions: 'flag', readOne: false });
    source.flag('v0002');
    await clinic.send('v0002', { note: 'edited' });
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
  });
});

describe('a deletion that is told once', () => {
  test.each([true, false])('R14: deletes its record in the same round (keyed read: %p)', async (readOne) => {
    const [clinic, source] = await clinicWith(5, { changes: 'delta', deletions: 'feed', readOne });
    source.flag('v0002');
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    expect(source.calls.includes('read')).toBe(readOne);
    expect(source.calls).not.toContain('page');
  });

  test('R14: is not believed of a record that its key still finds', async () => {
    const [clinic, source] = await clinicWith(5, { changes: 'delta', deletions: 'feed' });
    source.flag('v0002');
    source.before = (call) => {
      if (call === 'read') source.put('v0002', { note: 'made again', route: '1' });
    };
    await clinic.poller.round(VISITS);
    expect((await clinic.live())['v0002']).toEqual({ note: 'made again', route: '1' });
  });

  test('R14: of a record that nobody knows is harmless', async () => {
    const [clinic, source] = await clinicWith(5, { changes: 'delta', deletions: 'feed' });
    source.put('v0009');
    source.flag('v0009');
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(5);
    expect(await clinic.rechecks()).toEqual([]);
  });

  test.each([true, false])('R14: past the limit is held, and found again (keyed read: %p)', async (readOne) => {
    const [clinic, source] = await clinicWith(100, { changes: 'delta', deletions: 'feed', readOne });
    for (const key of source.keys().slice(0, 30)) source.flag(key);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live()).length).toBeGreaterThanOrEqual(80);
    expect(await stateOf(clinic)).toBe('HELD');
    const oversight = createOversight(clinic.store, [source.collection], () => undefined);
    await oversight.allowDeletions(clinic.world.tenant, VISITS, 50);
    clinic.clock.advance(600_000);
    await clinic.poller.round(VISITS);
    expect(Object.keys(await clinic.live())).toHaveLength(70);
    expect(await stateOf(clinic)).toBe('READY');
  });
});

describe('a source that forgot where we were', () => {
  test('R14: is scanned in the same round for what was deleted meanwhile', async () => {
    const [clinic, source] = await clinicWith(5, { changes: 'delta', deletions: 'feed' });
    source.remove('v0002');
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(false);
    source.hasForgotten = true;
    await clinic.poller.round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
    const { scanAskedAtMs } = await clinic.store.readCollection(clinic.world.tenant, VISITS);
    expect(scanAskedAtMs).toBeNull();
  });

  test('R14, R16: is scanned later when the scan fails, also by another process', async () => {
    const [clinic, source] = await clinicWith(5, { changes: 'delta', deletions: 'feed' });
    source.remove('v0002');
    source.hasForgotten = true;
    source.before = (call) => {
      if (call === 'page') throw unavailable('away');
    };
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('away');
    source.before = () => undefined;
    await clinic.poller.stop();
    await clinic.node('another').round(VISITS);
    expect(await isDeleted(clinic, 'v0002')).toBe(true);
  });

  test('R14, R16: asks for the scan before the new cursor is committed', async () => {
    const source = createToySource({ changes: 'delta', deletions: 'feed' });
    source.put('v0001');
    const calls: string[] = [];
    const clinic = await createIngestingClinic([source], {
      wrap: (store) => ({
        ...store,
        askScan: (...given) => {
          calls.push('ask');
          return store.askScan(...given);
        },
        commit: (tenant, writes, context) => {
          if (context?.ingest?.cursor !== undefined) calls.push('cursor');
          return store.commit(tenant, writes, context);
        },
      }),
    });
    await clinic.poller.round(VISITS);
    calls.length = 0;
    source.hasForgotten = true;
    source.put('v0001', { note: 'changed', route: '1' });
    await clinic.poller.round(VISITS);
    expect(calls.at(-2)).toBe('ask');
    expect(calls.at(-1)).toBe('cursor');
  });
});
