import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { Clock } from '../../src/core/ports.js';
import { systemClock } from '../../src/server/clock.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** Fifty seconds of retries in one. */
const hastyClock: Clock = { ...systemClock, wait: (ms, signal) => systemClock.wait(ms / 50, signal) };

/** The way to a database, which can be cut. */
class Wire {
  private readonly open = new Set<Socket>();
  private server: Server | null = null;
  private port = 0;

  constructor(private readonly target: URL) {}

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(Number(this.target.port), this.target.hostname);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.open.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.open) socket.destroy();
    this.open.clear();
    await closed;
  }

  get url(): string {
    return Object.assign(new URL(this.target), { port: String(this.port) }).href;
  }
}

test('a database that was away for long is listened to by one connection again, and by none after a close', async () => {
  const postgres = await startTestPostgres();
  const url = await postgres.freshDatabase();
  const wire = new Wire(new URL(url));
  await wire.mend();
  const store = await openStore({ url: wire.url, clock: hastyClock, log: silentLog });
  await store.openTenant('clinic');
  const watcher = new pg.Client({ connectionString: url });
  await watcher.connect();
  const listeners = async (): Promise<number> => {
    const look =
      "select count(*)::int as count from pg_stat_activity where query ~ '^listen|pg_listening' and datname = current_database() and pid <> pg_backend_pid()";
    return (await watcher.query<{ count: number }>(look)).rows[0]?.count ?? 0;
  };
  expect(await listeners()).toBe(1);
  await wire.cut();
  // Ten retries and more.
  await hastyClock.wait(12_000);
  await wire.mend();
  await until('the store answers again', () =>
    store.readHead('clinic').then(
      () => true,
      () => false,
    ),
  );
  await until('it is listened to again', async () => (await listeners()) > 0);
  await hastyClock.wait(5_000);
  // A busy machine may take longer for an answer than a fiftieth of what is allowed: then there is none for a moment.
  expect(await listeners()).toBeLessThanOrEqual(1);
  await store.close();
  await until('nobody listens any more', async () => (await listeners()) === 0);
  await watcher.end();
  await wire.cut();
  await postgres.stop();
});

test('a server that is being started again when it is to stop does not come back', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-outage-'));
  const server = await startEmbeddedPostgres({
    folder,
    clock: systemClock,
    log: silentLog,
    settings: { fsync: 'off' },
  });
  const pidOf = (): number =>
    Number(readFileSync(path.join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  const pid = pidOf();
  process.kill(pid, 'SIGKILL');
  await until('the server is gone', async () => !isAlive(pid));
  await server.stop();
  // Longer than the first wait before a restart.
  await systemClock.wait(400);
  expect([pidOf(), isAlive(pidOf())]).toEqual([pid, false]);
  rmSync(folder, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
