import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { StartupError } from '../core/errors.js';
import { EMBEDDED_MAJOR, postgresBinaries } from './postgres-binaries.js';
import { unprivilegedLaunch } from './unprivileged.js';

/** The server's user; its password is random and lies in the data folder, readable by its owner only. */
const USER = 'tidegate';

/** Where an embedded server keeps everything. */
export interface DataFolder {
  /** Holds the others; the server's working folder. */
  readonly folder: string;
  /** What initdb makes. */
  readonly dataFolder: string;
  readonly logFile: string;
  readonly password: string;
}

/**
 * Makes the folder of an embedded server and its empty database if they are not there yet. Safe to repeat.
 *
 * @throws StartupError disk - no permission or no room; store - the database cannot be made, or is another major version's
 */
export function prepareDataFolder(folder: string): DataFolder {
  const dataFolder = path.join(folder, 'data');
  const passwordFile = path.join(folder, 'password');
  const launch = unprivilegedLaunch();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    launch.own(folder);
    if (!existsSync(passwordFile)) {
      writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' });
      launch.own(passwordFile);
    }
  } catch (cause) {
    throw new StartupError('disk', `cannot write to ${folder}: ${reasonOf(cause)}`, { cause });
  }
  const place = {
    folder,
    dataFolder,
    logFile: path.join(folder, 'postgres.log'),
    password: readFileSync(passwordFile, 'utf8').trim(),
  };
  if (!existsSync(dataFolder)) initialise(place, passwordFile);
  const version = readFileSync(path.join(dataFolder, 'PG_VERSION'), 'utf8').trim();
  if (version !== EMBEDDED_MAJOR) {
    throw new StartupError(
      'store',
      `${dataFolder} is of Postgres ${version}, the embedded server is ${EMBEDDED_MAJOR}: dump it with ${version} and restore it, or set DATABASE_URL`,
    );
  }
  return place;
}

/** Into a folder beside, renamed when complete: an interrupted first start leaves nothing half-made behind. */
function initialise(place: DataFolder, passwordFile: string): void {
  const launch = unprivilegedLaunch();
  const unfinished = `${place.dataFolder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  launch.own(unfinished);
  const { initdb } = postgresBinaries();
  const args = [
    `--pgdata=${unfinished}`,
    `--username=${USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const [program, ...rest] = [...launch.prefix, initdb, ...args] as [string, ...string[]];
  const done = spawnSync(program, rest, { ...launch.identity, cwd: place.folder, encoding: 'utf8' });
  if (done.status !== 0) {
    const reason = done.error?.message ?? done.stderr.trim();
    const full = /No space left/.test(reason);
    throw new StartupError(full ? 'disk' : 'store', `cannot make a database in ${place.dataFolder}: ${reason}`);
  }
  renameSync(unfinished, place.dataFolder);
}

/**
 * Can an embedded server be started in this gateway's data folder? Looks, and writes nothing.
 *
 * @returns one sentence on what is there
 * @throws StartupError disk, store
 */
export async function checkDataFolder(folder: string): Promise<string> {
  postgresBinaries();
  let existing = path.resolve(folder);
  while (!existsSync(existing)) existing = path.dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
  } catch (cause) {
    throw new StartupError('disk', `cannot write to ${existing}: ${reasonOf(cause)}`, { cause });
  }
  const made = existsSync(path.join(folder, 'postgres/data'));
  return `embedded Postgres ${EMBEDDED_MAJOR} in ${folder}${made ? '' : ' (made at the first start)'}`;
}

/** What the server itself says of its trouble. */
export function lastLogLine(place: DataFolder): string {
  try {
    if (statSync(place.logFile).size === 0) return 'it said nothing';
    const lines = readFileSync(place.logFile, 'utf8').trim().split('\n');
    return [...lines].reverse().find((line) => /FATAL|ERROR|could not/.test(line)) ?? lines.at(-1) ?? '';
  } catch {
    return 'it said nothing';
  }
}

/** The address of the server, with its password. */
export function urlOf(place: DataFolder, port: number): string {
  return `postgresql://${USER}:${place.password}@127.0.0.1:${port}/postgres`;
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM' ? 'no permission' : code === 'ENOSPC' ? 'the disk is full' : message;
}
