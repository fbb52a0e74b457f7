import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { addKeys } from '../../src/cli/keys.js';
import * as connector from '../../src/connectors/define.js';
import * as rest from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { visitsConnector } from '../support/journal-connector.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

const VISITS = 40;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-drift-'));
let postgres: TestPostgres;
let system: JournalSystem;
let gateway: Gateway;
let environment: Readonly<Record<string, string>>;
let phone: SyncDevice;

const start = async (): Promise<Gateway> =>
  startGateway(
    await loadConfig(environment, folder, { connectors: [visitsConnector({ ...connector, ...rest }, system.url)] }),
    { log: silentLog },
  );

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startJournalSystem({ visits: VISITS, routes: 3 });
  environment = { PORT: '0', DATABASE_URL: await postgres.freshDatabase(), TIDEGATE_DATA: folder };
  gateway = await start();
  phone = createSyncDevice('phone', () => gateway.url);
  await until('the device holds every visit', async () => {
    await phone.pull();
    return phone.records.size === VISITS;
  });
});

afterAll(async () => {
  await gateway.stop();
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a device that holds what it must finds no drift, also after changes and deletions', async () => {
  expect(await phone.drifted()).toEqual([]);
  const [first = '', second = ''] = [...system.visits.keys()];
  system.remove(first);
  const { version } = phone.held('visits', second);
  await phone.push([
    { changeId: 'c1', collection: 'visits', id: second, baseVersion: version, json: { note: 'edited' } },
  ]);
  await until('the visit is gone', async () => {
    await phone.pull();
    return phone.records.size === VISITS - 1;
  });
  expect(await phone.drifted()).toEqual([]);
});

test('while there is something to pull nothing is compared', async () => {
  const [id = ''] = [...phone.records.keys()].map((key) => key.split(' ')[1] ?? '');
  const { version } = phone.held('visits', id);
  const other = createSyncDevice('other', () => gateway.url);
  const [fate] = await other.push([
    { changeId: 'c2', collection: 'visits', id, baseVersion: version, json: { note: 'newer' } },
  ]);
  expect(fate?.status).toBe('APPLIED');
  expect(await phone.drifted()).toBeNull();
  await phone.pull();
  expect(await phone.drifted()).toEqual([]);
});

test.each([
  ['lost one', (device: SyncDevice, key: string) => device.damage(key, null)],
  ['kept an older state', (device: SyncDevice, key: string) => device.damage(key, { version: 'aaaaaaaa.1', json: {} })],
  [
    'kept one that is not its own',
    (device: SyncDevice) => device.damage('visits stray', { version: 'aaaaaaaa.2', json: {} }),
  ],
])('a device that %s finds it, and mends that collection alone', async (_what, damage) => {
  const [key = ''] = phone.records.keys();
  const right = new Map(phone.records);
  damage(phone, key);
  expect(await phone.drifted()).toEqual(['visits']);
  await phone.mend('visits');
  expect(new Map(phone.records)).toEqual(right);
  expect(await phone.drifted()).toEqual([]);
});

describe('F24: keys that sign checkpoints', () => {
  const rotate = async (...line: readonly string[]): Promise<void> => {
    const { log } = console;
    console.log = () => undefined;
    try {
      const program = new Command();
      addKeys(program, environment);
      await program.parseAsync(['keys', 'rotate', ...line], { from: 'user' });
    } finally {
      console.log = log;
    }
  };
  const kid = (): unknown =>
    (JSON.parse(Buffer.from((phone.checkpoint ?? '').split('.')[0] ?? '', 'base64url').toString()) as { k: unknown }).k;

  test('are changed without a device starting over, which gets a checkpoint of the new one though nothing changed', async () => {
    const before = kid();
    await rotate();
    // A gateway that does not know the new key yet looks it up: here two of them are one after the other.
    await gateway.stop();
    gateway = await start();
    await phone.pull();
    expect([phone.resets, kid() === before]).toEqual([0, false]);
  });

  test('are forgotten: a checkpoint of such a key starts over, once, and is no error', async () => {
    await rotate('--forget-old');
    await gateway.stop();
    gateway = await start();
    await phone.pull();
    expect(phone.resets).toBe(1);
    await phone.pull();
    expect([phone.resets, await phone.drifted()]).toEqual([1, []]);
  });
});
