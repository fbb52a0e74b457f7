import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, isServing } from './plain-postgres.js';
import { until } from './until.js';

/** PgBouncer in front of a server: sessions of its own, which clients share transaction by transaction. */
export interface PgBouncer {
  /** The same database, through it. */
  urlOf(direct: string): string;
  stop(): Promise<void>;
}

const DEBIANS = '/usr/sbin/pgbouncer';
const NOBODY = 65_534;

/** Where there is none (Debian has a package of that name), tests of it are skipped and say so. */
export function hasPgBouncer(): boolean {
  return existsSync(DEBIANS);
}

/** Like `PgBouncer 1.18.0`. */
export function pgBouncerVersion(): string {
  return spawnSync(DEBIANS, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? '';
}

/**
 * Debian's PgBouncer as it is installed, in transaction mode, and with few sessions: who took one for its own would soon meet another's.
 *
 * @param server of which user, password and address are taken; any of its databases is reached
 * @param settings further lines of its configuration
 */
export async function startPgBouncer(server: string, settings: readonly string[] = []): Promise<PgBouncer> {
  const { hostname, port: serverPort, username, password } = new URL(server);
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-pgbouncer-'));
  const port = await freePort();
  const file = path.join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${serverPort} user=${username} password=${password}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 4',
    'max_client_conn = 200',
    ...settings,
  ];
  writeFileSync(file, lines.join('\n'));
  chmodSync(folder, 0o755);
  // It refuses to run as root.
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(DEBIANS, ['-q', file], { ...identity, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const urlOf = (direct: string): string => Object.assign(new URL(direct), { port: String(port) }).href;
  // In another database: each look leaves a session in its pool.
  const looked = Object.assign(new URL(urlOf(server)), { pathname: '/postgres' }).href;
  await until('PgBouncer takes connections', () => isServing(looked));
  return {
    urlOf,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
