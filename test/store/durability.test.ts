import { connect, createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import pg from 'pg';
import { systemClock } from '../../src/server/clock.js';
import { openDatabase, type Database } from '../../src/store/database.js';
import { deviceStore } from '../../src/store/devices.js';
import { migrate } from '../../src/store/migrate.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

let server: TestPostgres;
/** Of a database whose default is not to wait for the disk. */
let url: string;

beforeAll(async () => {
  server = await startTestPostgres();
  url = await server.freshDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database ${path.basename(url)} set synchronous_commit = off`);
  await client.end();
  const plain = new pg.Client({ connectionString: url });
  await plain.connect();
  expect(await settingOf(plain)).toBe('off');
  await plain.end();
});

afterAll(() => server.stop());

async function settingOf(runner: Pick<pg.ClientBase, 'query'> | Database): Promise<string | undefined> {
  const { rows } = await runner.query<{ setting: string }>("select current_setting('synchronous_commit') as setting");
  return rows[0]?.setting;
}

test('F5: every connection of the store commits synchronously, whatever the server would do', async () => {
  const database = await openDatabase(url, 3);
  await migrate(database);
  const devices = deviceStore(database);
  const connections = await Promise.all([database.connect(), database.connect(), database.connect()]);
  expect(await Promise.all(connections.map(settingOf))).toEqual(['on', 'on', 'on']);
  for (const connection of connections) connection.release();
  // The client of low-rate paths has no connections of its own.
  await devices.touchDevice({ tenant: 'clinic', user: 'nurse', device: 'tablet' });
  expect(database.totalCount).toBeLessThanOrEqual(3);
  await devices.close();
  await database.end().catch(() => undefined);
});

test('F5: where the settings of a connection are swallowed on the way, the gateway does not start', async () => {
  const pooler = await startSwallowing(new URL(url));
  const through = Object.assign(new URL(url), { port: String(pooler.port) }).href;
  const opened = openStore({ url: through, clock: systemClock, log: silentLog });
  await expect(opened).rejects.toThrow(/expected synchronous_commit on, got off/);
  pooler.close();
});

/** A pooler that does not hand on what a connection asks for. */
async function startSwallowing(target: URL): Promise<{ readonly port: number; close(): void }> {
  const wanted = 'synchronous_commit=on';
  const other = 'commit_siblings=00005';
  const pooler = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    near.once('data', (bytes: Buffer) => {
      far.write(Buffer.from(bytes.toString('latin1').replace(wanted, other), 'latin1'));
      near.pipe(far);
    });
    far.pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => [near, far].forEach((one) => one.destroy()));
    }
  });
  await new Promise<void>((resolve) => pooler.listen(0, '127.0.0.1', resolve));
  return { port: (pooler.address() as AddressInfo).port, close: () => void pooler.close() };
}
