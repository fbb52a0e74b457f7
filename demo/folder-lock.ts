import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const RETRY_MS = 100;

/**
 * Takes a folder for this process alone: two processes that write the same files would undo each other's writes. Waits
 * for a holder that is about to end (the parent was killed and started again at once); one that died holds nothing.
 *
 * @param patienceMs how long to wait for a living holder
 * @returns gives the folder back; a kill gives it back too
 * @throws Error naming the holder when it still lives after that time
 */
export async function lockFolder(folder: string, name: string, patienceMs: number): Promise<() => void> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.lock`);
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    if (tryLock(path)) return () => unlinkSync(path);
    const holder = holderOf(path);
    if (holder === null) removeIfThere(path);
    else if (waitedMs >= patienceMs)
      throw new Error(`expected the folder ${folder} to be free, but process ${holder} is a ${name} that uses it`);
    else await wait(RETRY_MS);
  }
}

/** The lock appears with its holder's number in it, in one step. */
function tryLock(path: string): boolean {
  const besides = `${path}.${process.pid}`;
  writeFileSync(besides, String(process.pid), { mode: 0o600 });
  try {
    linkSync(besides, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(besides);
  }
}

/** The living process that holds the lock, or null. */
function holderOf(path: string): number | null {
  const holder = Number(readIfThere(path));
  // Our own number is that of a holder before us: in a container every start has the same one.
  if (!Number.isInteger(holder) || holder <= 0 || holder === process.pid) return null;
  try {
    process.kill(holder, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  // A number may have gone to another program since; where the system tells, only a source counts.
  const command = readIfThere(`/proc/${holder}/cmdline`);
  return command === '' || command.includes('-source.') ? holder : null;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
