import type { SourceKey } from '../../src/core/change.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import { createOversight } from '../../src/ingest/oversight.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

const HOUR_MS = 3_600_000;
const NOTE = 'expected a text from the source, got a number';

async function clinicWith(count: number, facts: Partial<SourceFacts> = {}): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource(facts, { pageSize: 10 });
  for (let n = 1; n <= count; n++) source.put(nameOf(n));
  const clinic = await createIngestingClinic([source]);
  await clinic.poller.round(VISITS);
  return [clinic, source];
}

const nameOf = (n: number): string => `v${String(n).padStart(4, '0')}`;

async function poll(clinic: IngestingClinic): Promise<void> {
  clinic.clock.advance(5_000);
  await clinic.poller.round(VISITS);
}

async function scan(clinic: IngestingClinic): Promise<void> {
  clinic.clock.advance(HOUR_MS);
  await clinic.poller.round(VISITS);
}

const progressOf = ({ store, world }: IngestingClinic) => store.readCollection(world.tenant, VISITS);
const listed = async ({ store, world }: IngestingClinic) =>
  (await store.readQuarantine(world.tenant, VISITS)).map((one) => one.sourceKey as string);
const told = ({ log }: IngestingClinic) => log.filter(({ what }) => what.includes('set aside'));

describe('a record that does not fit', () => {
  test('is set aside with its reason; its last good state stays, the others and the cursor go on', async () => {
    const [clinic, source] = await clinicWith(3);
    source.spoil('v0001');
    source.put('v0002', { note: 'edited', route: '1' });
    await poll(clinic);
    const live = await clinic.live();
    expect(live['v0001']).toMatchObject({ note: 'note of v0001' });
    expect(live['v0002']).toMatchObject({ note: 'edited' });
    expect(await clinic.store.readQuarantine(clinic.world.tenant, VISITS)).toEqual([
      {
        sourceKey: 'v0001',
        field: 'note',
        reason: NOTE,
        firstSeenAtMs: clinic.clock.nowMs(),
        lastSeenAtMs: clinic.clock.nowMs(),
      },
    ]);
    expect(await progressOf(clinic)).toMatchObject({ state: 'READY', cursor: '5', polledAtMs: clinic.clock.nowMs() });
  });

  test('does not keep a collection from its first load; what was never shown well is not there yet', async () => {
    const source = createToySource({}, { pageSize: 10 });
    source.put('v0001');
    source.spoil('v0002');
    const clinic = await createIngestingClinic([source]);
    await clinic.poller.round(VISITS);
    expect((await progressOf(clinic)).state).toBe('READY');
    expect(Object.keys(await clinic.live())).toEqual(['v0001']);
  });

  test('is told in the log once, and again for another reason', async () => {
    const [clinic, source] = await clinicWith(3, { changes: 'list' });
    source.spoil('v0001');
    await scan(clinic);
    await scan(clinic);
    expect(told(clinic)).toHaveLength(1);
    source.spoil('v0001', 'expected something else');
    await scan(clinic);
    expect(told(clinic).map(({ details }) => details)).toMatchObject([
      { collection: VISITS, count: 1, first: { sourceKey: 'v0001', field: 'note', reason: NOTE } },
      { count: 1, first: { reason: 'expected something else' } },
    ]);
  });

  test.each<readonly [string, Partial<SourceFacts>, (clinic: IngestingClinic) => Promise<void>]>([
    ['read.changes', {}, poll],
    ['read.delta', { changes: 'delta' }, poll],
    ['read.list', { changes: 'list' }, scan],
  ])('is told with source, collection, call and field where %s shows it', async (call, facts, read) => {
    const [clinic, source] = await clinicWith(3, facts);
    source.spoil('v0001');
    await read(clinic);
    const named = { source: source.collection.source, collection: VISITS, call, field: 'note' };
    expect(told(clinic).map(({ details }) => details)).toMatchObject([named]);
  });

  test.each([
    ['a poll', poll],
    ['a scan', scan],
  ])('leaves by itself when %s shows that it fits', async (_what, read) => {
    const [clinic, source] = await clinicWith(3);
    source.spoil('v0001');
    await poll(clinic);
    expect(await listed(clinic)).toEqual(['v0001']);
    source.put('v0001', { note: 'mended', route: '1' });
    await read(clinic);
    expect(await listed(clinic)).toEqual([]);
    expect((await clinic.live())['v0001']).toMatchObject({ note: 'mended' });
  });

  test('leaves when it comes out well although nothing of it changed', async () => {
    const [clinic, source] = await clinicWith(3);
    const before = source.fieldsOf('v0001');
    source.spoil('v0001');
    await poll(clinic);
    source.put('v0001', before);
    await poll(clinic);
    expect(await listed(clinic)).toEqual([]);
  });

  test.each<readonly [string, Partial<SourceFacts>]>([
    ['confirmed by a read', {}],
    ['confirmed by a read, paging by offset', { scanPaging: 'offset' }],
    ['confirmed by a second scan', { readOne: false }],
  ])('R14: counts as there for a scan, and is deleted when it is gone, %s', async (_how, facts) => {
    const [clinic, source] = await clinicWith(5, facts);
    source.spoil('v0002');
    source.spoil('v0009');
    await poll(clinic);
    await scan(clinic);
    await scan(clinic);
    expect((await clinic.record('v0002')).deleted).toBe(false);
    expect(await listed(clinic)).toEqual(['v0002', 'v0009']);
    source.remove('v0002');
    source.remove('v0009');
    await scan(clinic);
    expect((await clinic.record('v0002')).deleted).toBe(true);
    expect(await listed(clinic)).toEqual([]);
  });

  test('R14: found by the read that was to confirm its end, it stays, and so does its place in quarantine', async () => {
    const [clinic, source] = await clinicWith(5, { scanPaging: 'offset' });
    source.spoil('v0002');
    await poll(clinic);
    source.before = (call) => {
      source.isBlank = call === 'page';
    };
    await scan(clinic);
    expect((await clinic.record('v0002')).deleted).toBe(false);
    expect(await listed(clinic)).toEqual(['v0002']);
  });

  test('F6: three of them on the recheck list hold up no other, are not asked for all the time, and stay on it', async () => {
    const [clinic, source] = await clinicWith(6);
    const ill = ['v0001', 'v0002', 'v0003'];
    await clinic.store.commit(clinic.world.tenant, [], {
      ingest: {
        collection: VISITS,
        addRechecks: [...ill, 'v0004'].map((key) => ({ sourceKey: key as SourceKey, reason: 'test', notBeforeMs: 0 })),
      },
    });
    for (const key of ill) source.spoil(key);
    source.calls.length = 0;
    await poll(clinic);
    expect((await clinic.rechecks()).map((one) => [one.sourceKey, one.reason])).toEqual(
      ill.map((key) => [key, 'it does not fit']),
    );
    expect(await listed(clinic)).toEqual(ill);
    source.calls.length = 0;
    await poll(clinic);
    expect(source.calls).not.toContain('read');
  });

  test('R17: one that is seen to fit again gets no new seq if it is as it was', async () => {
    const [clinic, source] = await clinicWith(2);
    const { seq } = await clinic.record('v0001');
    const before = source.fieldsOf('v0001');
    source.spoil('v0001');
    await poll(clinic);
    source.put('v0001', before);
    await poll(clinic);
    expect((await clinic.record('v0001')).seq).toBe(seq);
  });
});

describe('too many of them', () => {
  test.each([
    [20, 'list', true],
    [21, 'list', false],
    [21, 'updatedSince', false],
  ] as const)('%i of 100 in one read of %s: the round counts as complete: %s', async (count, changes, isComplete) => {
    const [clinic, source] = await clinicWith(100, { changes });
    const before = await progressOf(clinic);
    for (let n = 1; n <= count; n++) source.spoil(nameOf(n));
    source.put('v0100', { note: 'edited', route: '1' });
    source.remove('v0050');
    clinic.clock.advance(HOUR_MS);
    const round = clinic.poller.round(VISITS);
    if (isComplete) await round;
    else
      await expect(round).rejects.toThrow(
        /of \d+ records do not fit, so the connector is wrong rather than they; the first: visits\.note: expected a text/,
      );
    const after = await progressOf(clinic);
    expect(after.scannedAtMs !== before.scannedAtMs).toBe(isComplete);
    expect((await clinic.record('v0050')).deleted).toBe(isComplete);
    expect((await clinic.live())['v0100']).toMatchObject({ note: 'edited' });
    expect(await listed(clinic)).toHaveLength(count);
    // So that what was passed over is shown again when the connector is mended.
    if (!isComplete && changes === 'updatedSince') expect(Number(after.cursor)).toBeLessThanOrEqual(120);
  });

  test('one record in twenty is no sign of a wrong connector, one more is', async () => {
    const [clinic, source] = await clinicWith(1_000, { changes: 'list' });
    for (let n = 1; n <= 50; n++) source.spoil(nameOf(n));
    await scan(clinic);
    expect(await listed(clinic)).toHaveLength(50);
    source.spoil(nameOf(51));
    clinic.clock.advance(HOUR_MS);
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('51 of 1000 records do not fit');
  });

  test('they are released one by one when they fit again', async () => {
    const [clinic, source] = await clinicWith(40, { changes: 'list' });
    for (let n = 1; n <= 30; n++) source.spoil(nameOf(n));
    clinic.clock.advance(HOUR_MS);
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('30 of 40');
    for (let n = 1; n <= 29; n++) source.put(nameOf(n));
    await scan(clinic);
    expect(await listed(clinic)).toEqual([nameOf(30)]);
  });
});

test('an overlong key is listed cut short, and never read by', async () => {
  const [clinic, source] = await clinicWith(2);
  const long = 'x'.repeat(3_000);
  source.spoil(long);
  await poll(clinic);
  const [key = ''] = await listed(clinic);
  expect(key).toMatch(/^x{160}~[0-9a-f]{32}$/);
  source.remove(long);
  source.calls.length = 0;
  await scan(clinic);
  expect(source.calls).not.toContain('read');
  expect(await listed(clinic)).toEqual([]);
});

test('operators see how many there are, which and why', async () => {
  const [clinic, source] = await clinicWith(2);
  source.spoil('v0002');
  await poll(clinic);
  const oversight = createOversight(clinic.store, [source.collection], () => undefined);
  expect(await oversight.list(clinic.world.tenant)).toMatchObject([{ collection: VISITS, quarantined: 1 }]);
  expect(await oversight.quarantine(clinic.world.tenant, VISITS)).toMatchObject([{ sourceKey: 'v0002', reason: NOTE }]);
  await expect(oversight.quarantine(clinic.world.tenant, 'cars')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
