import type { SourceKey } from '../../src/core/change.js';
import type { ObservedBatch } from '../../src/core/source-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

const HOUR_MS = 3_600_000;

/** Twelve visits, read over two hours ago, and a source that came back from a backup: without v12, with older versions. */
async function clinicBefore(): Promise<[IngestingClinic, ToySource]> {
  const source = createToySource({ scanEveryMs: 24 * HOUR_MS }, { pageSize: 20 });
  for (let n = 1; n <= 12; n++) source.put(`v${n}`);
  const clinic = await createIngestingClinic([source]);
  await clinic.poller.round(VISITS);
  clinic.clock.advance(2 * HOUR_MS);
  source.remove('v12');
  return [clinic, source];
}

/** The next poll shows these records so, and nothing else. */
function showing(source: ToySource, keys: readonly string[], sourceVersion: string): void {
  const observations = keys.map((key) => ({
    sourceKey: key as SourceKey,
    fields: { note: 'as it was', route: '1' },
    sourceVersion,
  }));
  source.readChanges = async function* (): AsyncGenerator<ObservedBatch, void> {
    yield { observations, cursor: 'next' };
  };
}

const isThere = async (clinic: IngestingClinic) => 'v12' in (await clinic.live());

test('R14: records in older versions than are known make a source be scanned: what it lost is found', async () => {
  const [clinic, source] = await clinicBefore();
  showing(source, ['v5', 'v6', 'v7'], '2');
  await clinic.poller.round(VISITS);
  expect(await isThere(clinic)).toBe(false);
  expect(clinic.log.filter(({ what }) => what.includes('was the source restored?'))).toMatchObject([
    { level: 'warn', details: { collection: VISITS, older: 3 } },
  ]);
});

test.each([
  ['two records', ['v5', 'v6'], '2'],
  ['newer versions', ['v5', 'v6', 'v7'], '90'],
  ['tags, which have no order', ['v5', 'v6', 'v7'], '"2"'],
])('%s are no sign of that', async (_what, keys, version) => {
  const [clinic, source] = await clinicBefore();
  showing(source, keys, version);
  await clinic.poller.round(VISITS);
  expect(await isThere(clinic)).toBe(true);
});

test('numbers that fall all the time cost a scan an hour at most', async () => {
  const [clinic, source] = await clinicBefore();
  source.calls.length = 0;
  for (const version of ['4', '3', '2']) {
    showing(source, ['v5', 'v6', 'v7'], version);
    await clinic.poller.round(VISITS);
    clinic.clock.advance(5_000);
  }
  expect(source.calls.filter((call) => call === 'page')).toHaveLength(1);
});
