import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../core/ports.js';
import type { SeenFeed } from '../core/witness.js';

/** What the last gateway of a data folder had seen of the feeds, in a file beside the database's own. */
export interface WitnessFile {
  /** By tenant; empty when there is no file, or none that can be read. */
  read(): ReadonlyMap<string, SeenFeed>;
  /** Durable when it resolves; a crash leaves the old file or the new one. A file that cannot be written is told in the log. */
  write(seen: ReadonlyMap<string, SeenFeed>): Promise<void>;
}

const FORM = 1;

export function witnessFile(file: string, log: Log): WitnessFile {
  return {
    read() {
      try {
        const { form, seen } = JSON.parse(readFileSync(file, 'utf8')) as {
          readonly form: unknown;
          readonly seen: Readonly<Record<string, SeenFeed>>;
        };
        if (form === FORM) return new Map(Object.entries(seen));
        log.warn('what was seen of the feeds is in another form, it proves nothing', { file, form });
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
          log.warn('what was seen of the feeds cannot be read, it proves nothing', { file, cause: String(cause) });
      }
      return new Map();
    },

    async write(seen) {
      // A name of its own: another gateway may share the folder.
      const unfinished = `${file}.${randomBytes(4).toString('hex')}`;
      try {
        const handle = await open(unfinished, 'wx', 0o600);
        try {
          await handle.writeFile(`${JSON.stringify({ form: FORM, seen: Object.fromEntries(seen) })}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(unfinished, file);
        await syncFolder(path.dirname(file));
      } catch (cause) {
        await rm(unfinished, { force: true }).catch(() => undefined);
        log.warn('what was seen of the feeds cannot be kept', { file, cause: String(cause) });
      }
    },
  };
}

async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders; there the rename is durable a little later.
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
