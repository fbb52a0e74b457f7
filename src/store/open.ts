import { randomUUID } from 'node:crypto';
import type { Clock, Log } from '../core/ports.js';
import type { CommitContext, RecordWrite, WriteOutcome } from '../core/record-port.js';
import type { Store } from '../core/store-port.js';
import { openAnnouncer } from './announcer.js';
import { askedPolls } from './asked-polls.js';
import { auditStore } from './audit.js';
import { callBudgetStore } from './call-budget.js';
import { checkpointStore } from './checkpoint-store.js';
import { groupCommits } from './commit-group.js';
import { commitWrites } from './commit.js';
import { storeFault } from './database.js';
import { endDeadLeases } from './gateways.js';
import { deviceStore } from './devices.js';
import { duePhones } from './due-phones.js';
import { erasureStore } from './erasure.js';
import { readSnapshot } from './feed-snapshot.js';
import { headReader } from './head-reader.js';
import { ingestProgress } from './ingest-progress.js';
import {
  leaseInDoubt,
  leaseIntents,
  leaveInDoubt,
  noteSent,
  readReferring,
  readUnshown,
  releaseIntent,
} from './intents.js';
import { readChanges } from './known-changes.js';
import { keepingStore } from './keeping.js';
import { openMigratedDatabase } from './migrated-database.js';
import { operatorStore } from './operator-store.js';
import { readBySourceKey, readHashes, readRecords, readStates } from './records.js';
import { createRestoreWatch } from './restore-watch.js';
import { phoneContacts } from './phones.js';
import { retention } from './retention.js';
import { witnessFile } from './witness-file.js';

/**
 * Opens the store on a Postgres: applies missing migrations, looks whether the database was restored from a backup, starts the
 * announcer.
 *
 * @param options.directUrl where `url` leads to a connection pooler: the server itself
 * @param options.witnessFile keeps what this gateway saw of the feeds over its restarts: beside a database on this machine only
 * @throws StartupError store - in one sentence
 */
export async function openStore(options: {
  readonly url: string;
  readonly directUrl?: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly poolSize?: number;
  readonly witnessFile?: string;
}): Promise<Store> {
  const { url, clock, log } = options;
  const file = options.witnessFile === undefined ? null : witnessFile(options.witnessFile, log);
  const watch = createRestoreWatch({ clock, log, file });
  const database = await openMigratedDatabase({
    url,
    directUrl: options.directUrl,
    poolSize: options.poolSize,
    admit: (connection) => watch.admit(connection),
    log,
  });
  await watch.start(database);
  await endDeadLeases(database);
  const announcer = await openAnnouncer(database, { url: options.directUrl ?? url, clock, log, node: randomUUID() });
  const devices = deviceStore(database);

  const commit = groupCommits(
    async (
      tenant: string,
      writes: readonly RecordWrite[],
      context: CommitContext,
    ): Promise<readonly WriteOutcome[]> => {
      const { outcomes, advance } = await commitWrites(database, tenant, writes, context);
      if (advance !== null) {
        announcer.tell(advance);
        watch.saw(advance);
      }
      return outcomes;
    },
  );

  return {
    async openTenant(tenant) {
      await database
        .query(
          `insert into tenant (id, epoch, pg_identity)
           values ($1, substr(md5(gen_random_uuid()::text), 1, 8), tidegate_identity()) on conflict do nothing`,
          [tenant],
        )
        .catch((cause: unknown) => {
          throw storeFault(cause);
        });
    },
    readHead: headReader(database),
    snapshot: (tenant, read) => readSnapshot(database, tenant, read),
    ...checkpointStore(database),
    readRecords: (tenant, names) => readRecords(database, tenant, names),
    readBySourceKey: (tenant, collection, keys) => readBySourceKey(database, tenant, collection, keys),
    readHashes: (tenant, collection, keys) => readHashes(database, tenant, collection, keys),
    readStates: (tenant, collection, keys) => readStates(database, tenant, collection, keys),
    readChanges: (device, changeIds) => readChanges(database, device, changeIds),
    commit: (tenant, writes, context = {}) => commit(tenant, writes, context),
    leaseIntents: (request) => leaseIntents(database, request),
    noteSent: (tenant, notes) => noteSent(database, tenant, notes),
    releaseIntent: (intent, retryInMs, waitsFor) => releaseIntent(database, intent, retryInMs, waitsFor),
    leaveInDoubt: (intent, lookInMs) => leaveInDoubt(database, intent, lookInMs),
    leaseInDoubt: (request) => leaseInDoubt(database, request),
    readUnshown: (request) => readUnshown(database, request),
    readReferring: (tenant, to, before) => readReferring(database, tenant, to, before),
    ...operatorStore(database),
    ...auditStore(database),
    ...ingestProgress(database),
    ...askedPolls(database),
    ...keepingStore(database),
    ...devices,
    ...phoneContacts(database),
    ...duePhones(database),
    ...retention(database, watch),
    ...erasureStore(database),
    ...callBudgetStore(database),
    onAdvance: (listener) => announcer.onAdvance(listener),
    changedPairs: (tenant, pairs, after) => announcer.changedPairs(tenant, pairs, after),
    async close() {
      await watch.close();
      await announcer.close();
      await devices.close();
      await database.end();
    },
  };
}
