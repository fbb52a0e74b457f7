import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startTestPostgres } from './postgres.js';
import { until } from './until.js';

/** A Postgres that is not ours to start or stop: only its address is known to a gateway. */
export interface PlainPostgres {
  /** An empty database of its own. */
  readonly url: string;
  /** Like `Debian's Postgres 15`. */
  readonly description: string;
  /** The folder of its own client tools, like pg_dump; null: it has none. */
  readonly tools: string | null;
  stop(): Promise<void>;
}

const DEBIAN = '/usr/lib/postgresql';
const NOBODY = 65_534;
/** Postgres refuses root. */
const IDENTITY = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Debian's newest Postgres in a cluster of its own, with its default settings; where none is installed, the embedded one. */
export async function startPlainPostgres(): Promise<PlainPostgres> {
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).filter((one) => existsSync(`${DEBIAN}/${one}/bin/initdb`))
    : [];
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? startOurs() : startDebians(newest);
}

async function startOurs(): Promise<PlainPostgres> {
  const server = await startTestPostgres();
  const url = await server.freshDatabase();
  return {
    url,
    description: 'the embedded Postgres, as no other is installed',
    tools: null,
    stop: () => server.stop(),
  };
}

async function startDebians(version: string): Promise<PlainPostgres> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-plain-'));
  const [data, secret] = [path.join(folder, 'data'), path.join(folder, 'secret')];
  const password = 'nurse';
  writeFileSync(secret, password);
  if (IDENTITY.uid !== undefined) for (const owned of [folder, secret]) chownSync(owned, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const bin = `${DEBIAN}/${version}/bin`;
  const line = ['-D', data, '-U', 'clinic', '--auth=scram-sha-256', `--pwfile=${secret}`, '--encoding=UTF8'];
  const { status, stderr } = spawnSync(`${bin}/initdb`, line, { ...IDENTITY, cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`expected initdb to make a cluster, got: ${stderr}`);
  const port = await freePort();
  const server = spawn(`${bin}/postgres`, ['-D', data, '-p', String(port), '-k', folder], {
    ...IDENTITY,
    cwd: folder,
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const url = `postgres://clinic:${password}@127.0.0.1:${port}/postgres`;
  await until('the server takes connections', async () => isServing(url));
  return {
    url,
    description: `Debian's Postgres ${version}`,
    tools: existsSync(`${bin}/pg_dump`) ? bin : null,
    async stop() {
      server.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Does a server take connections there? */
export async function isServing(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A port of this machine at which nobody listens now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
