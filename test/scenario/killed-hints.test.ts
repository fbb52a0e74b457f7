import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPushService, type PushService } from '../../demo/push-service.js';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { registerPhone } from '../support/registered-phone.js';
import { createSyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

/** Nurses and the visits on their routes, of which they alone are hinted. */
const ROUTES = { nadia: 'V-0', omar: 'V-1' } as const;
type Nurse = keyof typeof ROUTES;
const NURSES = ['nadia', 'omar'] as const satisfies readonly Nurse[];

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-killed-hints-'));
let postgres: TestPostgres;
let database: pg.Pool;
let system: JournalSystem;
let pushService: PushService;
let settings: Readonly<Record<string, string>>;
let gateway: GatewayProcess;

beforeAll(async () => {
  [postgres, system, pushService] = await Promise.all([
    startTestPostgres(),
    startJournalSystem({ visits: 2, routes: 2 }),
    startPushService(),
  ]);
  system.configuration(folder, {
    developmentUsers: { nadia: { scopes: ['route:r0'] }, omar: { scopes: ['route:r1'] } },
    push: { fcm: { endpoint: pushService.url }, windowsMs: { android: 1_000 } },
  });
  const url = await postgres.freshDatabase();
  database = new pg.Pool({ connectionString: url, max: 1 });
  settings = { DATABASE_URL: url, TIDEGATE_DATA: folder };
  gateway = await start();
  await until('what was before the phones is behind the cursor', () => isTrue('c.seq = t.head and t.head > 0'));
  for (const nurse of NURSES) {
    await registerPhone(gateway.url, { bearer: nurse, device: 'phone', platform: 'ANDROID', token: nurse });
    await createSyncDevice('phone', () => gateway.url, null, nurse).pull();
  }
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await database.end();
  await Promise.all([pushService.stop(), system.stop(), postgres.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const start = () => startGatewayProcess(['start'], settings, folder);
const answersTo = (nurse: Nurse): readonly string[] =>
  pushService.pushed.filter(({ message }) => message.token === nurse).map(({ answer }) => answer);

/** Of the cursor `c` of hints and the feed `t`. */
async function isTrue(fact: string): Promise<boolean> {
  const { rows } = await database.query(`select 1 from hint_cursor c join tenant t on t.id = c.tenant where ${fact}`);
  return rows.length > 0;
}

test('H4: kill -9 loses neither the hint that is on its way nor the one of a commit that nobody was marked for', async () => {
  pushService.answerAll('silence');
  system.put(ROUTES.nadia, { note: 'sent, and not answered' });
  await until('her hint is on its way', async () => answersTo('nadia').length === 1);
  system.put(ROUTES.omar, { note: 'committed, and not marked' });
  await until('his change is in the feed', () => isTrue('c.seq < t.head'));
  gateway.signal('SIGKILL');
  await gateway.ended;
  expect(await isTrue('c.seq < t.head')).toBe(true);
  expect(answersTo('omar')).toEqual([]);

  pushService.answerAll('taken');
  // As if the 30 s had passed for which the killed one holds its lease.
  await database.query("update lease set until = clock_timestamp() where name = 'hints'");
  gateway = await start();
  await until('both are hinted', async () => NURSES.every((nurse) => answersTo(nurse).includes('taken')));
  expect(answersTo('nadia')).toEqual(['silence', 'taken']);
  expect(answersTo('omar')).toEqual(['taken']);
});
