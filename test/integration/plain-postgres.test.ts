import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { startPlainPostgres, type PlainPostgres } from '../support/plain-postgres.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

const VISITS = 50;
/** A killed process holds its leases for 30 s; another one asks for them every 10 s. */
const LEASES_OVER_MS = 60_000;

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-plain-gateway-'));
let postgres: PlainPostgres;
let system: JournalSystem;
let gateway: GatewayProcess;
let nurse: SyncDevice;

beforeAll(async () => {
  postgres = await startPlainPostgres();
  system = await startJournalSystem({ visits: VISITS, routes: 2 });
  system.configuration(folder);
  gateway = await start();
  nurse = createSyncDevice('nurse', () => gateway.url);
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(): Promise<GatewayProcess> {
  const dataFolder = path.join(folder, 'data');
  return startGatewayProcess(['start'], { DATABASE_URL: postgres.url, TIDEGATE_DATA: dataFolder }, folder);
}

/** An edit of the visit that the nurse holds. */
async function edit(id: string, note: string): Promise<string | undefined> {
  const { version: baseVersion } = nurse.held('visits', id);
  const [fate] = await nurse.push([{ changeId: randomUUID(), collection: 'visits', id, baseVersion, json: { note } }]);
  return fate?.status;
}

describe('a gateway on a Postgres that is given to it by DATABASE_URL', () => {
  test('starts no server of its own, and says where its store is without the password', () => {
    const { host } = new URL(postgres.url);
    expect(gateway.output()).toContain(`Store      Postgres at ${host}/`);
    expect(gateway.output()).not.toContain(new URL(postgres.url).password);
    expect(existsSync(path.join(folder, 'data/postgres'))).toBe(false);
  });

  test('R1: ingests, and is pulled to the end', async () => {
    await until('the nurse holds every visit', async () => {
      await nurse.pull(7);
      return nurse.records.size === VISITS;
    });
    expect((await nurse.page(7)).complete).toBe(true);
  });

  test('R10: applies what is pushed', async () => {
    expect(await edit('V-17', 'Wound is dry.')).toBe('APPLIED');
    expect(system.visits.get('V-17')).toMatchObject({ note: 'Wound is dry.', version: 2 });
    expect((await nurse.pull()).map(({ id }) => id)).toEqual(['V-17']);
  });

  test('R3: goes on with the old checkpoint after an orderly restart, and polls at once', async () => {
    expect(await stopGatewayProcess(gateway)).toBe(0);
    system.put('V-18', { note: 'changed while it was down' });
    gateway = await start();
    await until('the change is here', async () => (await nurse.pull()).some(({ id }) => id === 'V-18'));
    expect(nurse.resets).toBe(0);
    expect(await edit('V-18', 'seen')).toBe('APPLIED');
  });

  test('R3: and after kill -9, where it polls when the leases of the killed one are over', async () => {
    gateway.signal('SIGKILL');
    await gateway.ended;
    system.put('V-19', { note: 'changed while it was down' });
    gateway = await start();
    await nurse.pull();
    expect(await edit('V-18', 'seen again')).toBe('APPLIED');
    await until('the change is here', async () => (await nurse.pull()).some(({ id }) => id === 'V-19'), LEASES_OVER_MS);
    expect(nurse.resets).toBe(0);
    expect(nurse.records.size).toBe(VISITS);
  });
});
