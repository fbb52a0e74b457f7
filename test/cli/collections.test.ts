import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { runProgram } from '../support/program.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

const VISITS = 60;
const GONE = 40;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-collections-'));
let postgres: TestPostgres;
let system: JournalSystem;
let gateway: GatewayProcess;
let nurse: SyncDevice;

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startJournalSystem({ visits: VISITS, routes: 1 });
  system.configuration(folder);
  const url = await postgres.freshDatabase();
  gateway = await startGatewayProcess(['start'], { DATABASE_URL: url, TIDEGATE_DATA: folder }, folder);
  nurse = createSyncDevice('nurse', () => gateway.url);
  await untilShown(VISITS);
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

function untilShown(count: number): Promise<void> {
  return until(`the device holds ${count} visits`, async () => {
    await nurse.pull();
    return nurse.records.size === count;
  });
}

/** @returns what it printed, and its exit code */
async function collections(...line: readonly string[]): Promise<readonly [output: string, code: number | null]> {
  const program = runProgram(['collections', ...line, '--url', gateway.url], {}, folder);
  const code = await program.ended;
  return [program.output(), code];
}

const untilPrinted = (pattern: RegExp): Promise<void> =>
  until(`it prints ${String(pattern)}`, async () => pattern.test((await collections('list'))[0]));

test('R14: so many gone records are held until an operator says that they are really gone', async () => {
  for (const id of [...system.visits.keys()].slice(0, GONE)) system.remove(id);
  expect((await collections('scan', 'visits'))[1]).toBe(0);
  await untilPrinted(new RegExp(`^visits +\\S+ +HELD +${VISITS} +${GONE} `, 'm'));
  const [said] = await collections('list');
  expect(said).toContain(`${GONE} records of visits are gone from office, more than is likely: nothing was deleted.`);
  await nurse.pull();
  expect(nurse.records.size).toBe(VISITS);
  const [allowed, code] = await collections('allow-deletions', 'visits', '--up-to', String(GONE), '--json');
  expect([JSON.parse(allowed), code]).toMatchObject([[{ collection: 'visits', allowedDeletions: GONE }], 0]);
  await untilShown(VISITS - GONE);
  await untilPrinted(new RegExp(`^visits +\\S+ +READY +${VISITS - GONE} +0 `, 'm'));
});

test('a record that does not fit is listed with its field and reason, without its value, until it fits', async () => {
  expect(await collections('quarantine', 'visits')).toEqual(['Every record of visits fits.\n', 0]);
  const [id = ''] = system.visits.keys();
  system.put(id, { note: 4_711 as unknown as string });
  await untilPrinted(/^visits +\S+ +READY +\d+ +0 +1 /m);
  const [said, code] = await collections('quarantine', 'visits');
  expect(said).toMatch(/^key +field +first seen +last seen +reason\n/);
  expect(said).toMatch(new RegExp(`^${id} +note +2\\S+Z +2\\S+Z +expected a text from the source, got a number$`, 'm'));
  expect([said.includes('4711'), code]).toEqual([false, 0]);
  const metrics = await (await fetch(new URL('/metrics', gateway.url))).text();
  expect(metrics).toContain('tidegate_collection_quarantined{tenant="default",collection="visits"} 1');
  system.put(id, { note: 'mended' });
  await untilPrinted(/^visits +\S+ +READY +\d+ +0 +0 /m);
});

test.each([
  [['quarantine', 'cars'], 8, 'expected one of visits, got "cars"'],
  [['scan', 'cars'], 8, 'expected one of visits, got "cars"'],
  [['allow-deletions', 'visits', '--up-to', 'all'], 2, 'expected a number from 1'],
  [['allow-deletions', 'visits'], 2, "required option '--up-to <count>' not specified"],
])('%j is refused with %i, and says why', async (line, code, why) => {
  const [output, ended] = await collections(...line);
  expect(output).toContain(why);
  expect(ended).toBe(code);
});
