import { createSource, keyFormsOf } from '../connectors/define.js';
import { StartupError, SyncError, type ExitReason } from '../core/errors.js';
import { RecordMisfit } from '../core/misfit.js';
import type { Log } from '../core/ports.js';
import type { SourceCollection } from '../core/source-port.js';
import { createSchema } from '../graphql/schema.js';
import { describeUrl, openDatabase } from '../store/database.js';
import { checkDataFolder } from '../store/data-folder.js';
import { readCollections } from './app.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { planOf } from './plan.js';

/** One thing that was looked at, and what there is to say about it. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly says: string;
  /** What a process exits with because of it; null when all is well. */
  readonly reason: ExitReason | null;
}

/** The first read of a collection may take this long. */
const READ_WITHIN_MS = 15_000;

/** Looks at everything that a start needs, one after the other, with one small read per collection. Writes nothing. */
export async function* examine(config: Config, log: Log): AsyncGenerator<Finding, void> {
  yield await find('schema', 'config', async () => {
    const collections = readCollections(config);
    createSchema(collections);
    return `${collections.length} collections: ${collections.map(({ name }) => name).join(', ') || 'none'}`;
  });
  yield await find('store', 'store', () => lookAtStore(config));
  const deps = { clock: systemClock, chance: Math.random, log };
  const keyForms = keyFormsOf(config.connectors);
  for (const connector of config.connectors) {
    const source = createSource(connector, deps, keyForms);
    try {
      for (const collection of source.collections) {
        yield await find(`${source.name}.${collection.collection.name}`, 'source', () => readSome(collection));
      }
    } finally {
      await source.close();
    }
  }
}

async function find(what: string, reason: ExitReason, look: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, says: await look(), reason: null };
  } catch (thrown) {
    const says =
      thrown instanceof SyncError ? thrown.message.replace(`${what}: `, '') : `unexpected fault: ${String(thrown)}`;
    return { what, ok: false, says, reason: thrown instanceof StartupError ? thrown.reason : reason };
  }
}

async function lookAtStore({ databaseUrl, dataFolder }: Config): Promise<string> {
  if (databaseUrl === undefined) return checkDataFolder(dataFolder);
  const database = await openDatabase(databaseUrl, 1);
  await database.end();
  return `Postgres at ${describeUrl(databaseUrl)} answers`;
}

/** The first page of the whole list: address, credentials, shape and types in one. */
async function readSome(source: SourceCollection): Promise<string> {
  const maintainedMs = source.maintenanceLeftMs?.() ?? 0;
  if (maintainedMs > 0) {
    const until = new Date(systemClock.nowMs() + maintainedMs).toISOString();
    return `not asked: it is being maintained until ${until}; ${planOf(source)}`;
  }
  const deadline = AbortSignal.timeout(READ_WITHIN_MS);
  const begin = systemClock.monotonicMs();
  for await (const batch of source.scan(deadline)) {
    const ms = Math.round(systemClock.monotonicMs() - begin);
    const [misfit] = batch.misfits ?? [];
    const fault = misfit === undefined ? null : new RecordMisfit(source.collection.name, misfit);
    if (fault !== null && batch.observations.length === 0) throw fault;
    const unfit = fault === null ? '' : ` besides ${batch.misfits?.length} that do not fit (${fault.message})`;
    return `${batch.observations.length} records${unfit} in the first answer after ${ms} ms; ${planOf(source)}`;
  }
  return `the list is empty; ${planOf(source)}`;
}
