import path from 'node:path';
import { StartupError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import type { Store } from '../core/store-port.js';
import { describeUrl } from '../store/database.js';
import { startEmbeddedPostgres } from '../store/embedded-postgres.js';
import { openStore } from '../store/open.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';

/** What the gateway saw of its feeds: beside the folder of the embedded database, so that an older copy of that is seen as one. */
const WITNESS_FILE = 'seen-feeds.json';

/** A store, and what was started for it. */
export interface ConfiguredStore {
  readonly store: Store;
  /** In a few words, for people. */
  readonly description: string;
}

/**
 * Opens the store of a configuration: at its database's URL, or on the embedded Postgres in its data folder.
 *
 * @param closers takes what closes it again, last to first, also when it does not open
 * @throws StartupError config, store, disk
 */
export async function openConfiguredStore(
  { databaseUrl, directDatabaseUrl, dataFolder }: Pick<Config, 'databaseUrl' | 'directDatabaseUrl' | 'dataFolder'>,
  log: Log,
  closers: (() => Promise<void>)[],
): Promise<ConfiguredStore> {
  if (databaseUrl !== undefined) {
    const directly = directDatabaseUrl === undefined ? {} : { directUrl: directDatabaseUrl };
    const store = await openStore({ url: databaseUrl, ...directly, clock: systemClock, log });
    closers.push(() => store.close());
    const pooled = directDatabaseUrl === undefined ? '' : ', through a pooler';
    return { store, description: `Postgres at ${describeUrl(databaseUrl)}${pooled}` };
  }
  if (directDatabaseUrl !== undefined) {
    throw new StartupError('config', 'directDatabaseUrl: expected databaseUrl (DATABASE_URL) beside it, got nothing');
  }
  const embedded = await startEmbeddedPostgres({ folder: dataFolder, clock: systemClock, log });
  closers.push(() => embedded.stop());
  const witnessFile = path.join(dataFolder, WITNESS_FILE);
  const store = await openStore({ url: embedded.url, clock: systemClock, log, witnessFile });
  closers.push(() => store.close());
  const adopted = embedded.adopted ? ' (it was still running)' : '';
  return { store, description: `embedded Postgres${adopted} at ${describeUrl(embedded.url)}` };
}

/** Last opened, first closed; a part that cannot close must not keep the others open. */
export async function closeAll(closers: readonly (() => Promise<void>)[], log: Log): Promise<void> {
  for (const close of [...closers].reverse()) {
    await close().catch((cause: unknown) => log.error('a part did not stop cleanly', { cause: String(cause) }));
  }
}
