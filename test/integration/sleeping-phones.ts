import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPushService, type PushedMessage, type PushService } from '../../demo/push-service.js';
import { machineKey, type SignedIn } from '../../src/auth/auth.js';
import * as connector from '../../src/connectors/define.js';
import * as rest from '../../src/connectors/rest.js';
import type { Platform } from '../../src/core/device-port.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { visitsConnector } from '../support/journal-connector.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { registerPhone } from '../support/registered-phone.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

/** An Android phone is hinted this often at most; the other platforms have their usual windows. */
const ANDROID_WINDOW_MS = 1_000;
const VISITS = 4;

/** Who there is, by the key that they sign in with. Visits 0 and 2 are on route `r0`, the others on `r1`. */
const PEOPLE = {
  'nadia-of-the-north-clinic': { tenant: 'north', user: 'nadia', scopes: ['route:r0'] },
  'omar-of-the-north-clinic': { tenant: 'north', user: 'omar', scopes: ['route:r1'] },
  'nadia-of-the-south-clinic': { tenant: 'south', user: 'nadia', scopes: ['route:r0'] },
  'office-of-the-north-clinic': { tenant: 'north', user: 'office', scopes: 'every', isOperator: true },
} as const satisfies Readonly<Record<string, SignedIn>>;
export type Person = keyof typeof PEOPLE;

/** An installation of an app that registered for hints, and pulled everything. */
export interface Phone {
  readonly device: SyncDevice;
  readonly token: string;
  /** What came to it through the push service, also what that did not take. */
  messages(): readonly PushedMessage[];
}

/** Two clinics behind one gateway, which hints through the real SDK to what stands for FCM. */
export interface SleepingPhones {
  readonly pushService: PushService;
  readonly north: JournalSystem;
  readonly south: JournalSystem;
  /** Of the gateway that runs now. */
  url(): string;
  /** A device that does not register. */
  device(person: Person, name: string): SyncDevice;
  phone(person: Person, name: string, platform: Platform): Promise<Phone>;
  /** Is a socket of this device known to all gateways? */
  isAwake(device: string): Promise<boolean>;
  /** The value of a line of `/metrics` of the north, 0 where there is none; like `tidegate_phones_due{tenant="north"}`. */
  measured(line: string): Promise<number>;
  stopGateway(): Promise<void>;
  startGateway(): Promise<void>;
  stop(): Promise<void>;
}

export async function openSleepingPhones(): Promise<SleepingPhones> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-phones-'));
  const postgres = await startTestPostgres();
  // With the header: our own repeats wait for a second instead of a quarter of a minute.
  const pushService = await startPushService({ retryAfter: '1' });
  const openOffice = () => startJournalSystem({ visits: VISITS, routes: 2 });
  const [north, south] = await Promise.all([openOffice(), openOffice()]);
  const databaseUrl = await postgres.freshDatabase();
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  let gateway: Gateway | null = null;

  async function start(): Promise<void> {
    const tenant = (id: string, office: JournalSystem) => ({
      id,
      connectors: [visitsConnector({ ...connector, ...rest }, office.url)],
    });
    const config = await loadConfig({ PORT: '0', DATABASE_URL: databaseUrl }, folder, {
      tenants: [tenant('north', north), tenant('south', south)],
      auth: {
        keys: Object.keys(PEOPLE).map((name) =>
          machineKey({ name, sha256: createHash('sha256').update(name).digest('hex') }),
        ),
        session: (identity) => (identity.kind === 'key' ? PEOPLE[identity.name as Person] : null),
      },
      push: { fcm: { endpoint: pushService.url }, windowsMs: { android: ANDROID_WINDOW_MS } },
    });
    gateway = await startGateway(config, { log: silentLog });
  }

  const url = (): string => gateway?.url ?? 'http://127.0.0.1:1';
  const device = (person: Person, name: string): SyncDevice => createSyncDevice(name, url, null, person);

  await start();
  // What was before the phones came is behind the cursor: else the first ingest would be news to them.
  await until('both clinics are read, and nobody is to be hinted of it', async () => {
    const { rows } = await database.query(
      'select 1 from hint_cursor c join tenant t on t.id = c.tenant where c.seq = t.head and t.head > 0',
    );
    return rows.length === 2;
  });

  return {
    pushService,
    north,
    south,
    url,
    device,
    async phone(person, name, platform) {
      const own = device(person, name);
      const token = `${person}:${name}`;
      await registerPhone(url(), { bearer: person, device: name, platform, token });
      await own.pull();
      return {
        device: own,
        token,
        messages: () => pushService.pushed.filter(({ message }) => message.token === token),
      };
    },
    async isAwake(name) {
      return (await database.query('select 1 from presence where device = $1', [name])).rows.length > 0;
    },
    async measured(line) {
      const headers = { authorization: 'Bearer office-of-the-north-clinic' };
      const text = await (await fetch(`${url()}/metrics`, { headers })).text();
      const found = text.split('\n').find((one) => one.startsWith(`${line} `));
      return found === undefined ? 0 : Number(found.slice(line.length));
    },
    async stopGateway() {
      await gateway?.stop();
      gateway = null;
    },
    startGateway: start,
    async stop() {
      await gateway?.stop();
      await database.end();
      await Promise.all([pushService.stop(), postgres.stop(), north.stop(), south.stop()]);
      rmSync(folder, { recursive: true });
    },
  };
}
