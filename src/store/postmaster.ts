import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { StartupError } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import { urlOf, type DataFolder } from './data-folder.js';

/** How long a server may take to recover before we give up. */
export const READY_WITHIN_MS = 60_000;
/** Between two looks at a server that starts or stops. */
export const LOOK_EVERY_MS = 15;

/** What a server writes about itself into `postmaster.pid`. We only ever read it. */
interface PidFile {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

/** Null: no server has begun here, or the last one ended in order. */
export function readPidFile(place: DataFolder): PidFile | null {
  try {
    const lines = readFileSync(path.join(place.dataFolder, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), port: Number(lines[3]), status: (lines[7] ?? '').trim() };
  } catch {
    return null;
  }
}

/** A server that an earlier gateway left running. One that is starting or stopping is waited for. */
export async function findLiving(place: DataFolder, clock: Clock): Promise<PidFile | null> {
  const deadline = clock.monotonicMs() + READY_WITHIN_MS;
  for (;;) {
    const file = readPidFile(place);
    if (file === null || !isAlive(file.pid)) return null;
    if (Number.isInteger(file.port) && file.port > 0) {
      const answer = await tryConnect(urlOf(place, file.port));
      if (answer === 'ready') return file;
      // Nobody listens and the process that has the pid is not a server of this folder: the file is stale.
      if (answer === 'refused' && !isPostmaster(file.pid)) return null;
    }
    if (clock.monotonicMs() > deadline) {
      throw new StartupError(
        'store',
        `the Postgres of ${place.folder} (pid ${file.pid}) runs but does not answer; see ${place.logFile}`,
      );
    }
    await clock.wait(LOOK_EVERY_MS);
  }
}

function isPostmaster(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return status.includes('(postgres)') && !/\) Z /.test(status);
  } catch {
    // Not Linux: the pid file and the failing connection are all there is.
    return false;
  }
}

/** Proves that a server answers, by connecting. */
export async function tryConnect(url: string): Promise<'ready' | 'refused' | 'other'> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return 'ready';
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'refused' : 'other';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Are there connections of another gateway process? Ours carry our name. */
export async function othersConnected(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ count: string }>(
      "select count(*) from pg_stat_activity where application_name like 'tidegate:%' and application_name <> $1",
      [applicationName()],
    );
    return Number(rows[0]?.count) > 0;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Processes of other machines and containers may have our pid. */
const OWN_NAME = `tidegate:${process.pid}-${randomBytes(4).toString('hex')}`;

/** Names our connections in `pg_stat_activity`. */
export function applicationName(): string {
  return OWN_NAME;
}

/** Has the server not ended yet? `child` is null for one that was adopted. */
export function isServing(place: DataFolder, pid: number, child: ChildProcess | null): boolean {
  if (child !== null) return child.exitCode === null && child.signalCode === null;
  return isAlive(pid) && readPidFile(place)?.pid === pid;
}

/** Is there a process of this pid? */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Sends a signal; a process that is gone already is no fault. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
