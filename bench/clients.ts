import { createRequire } from 'node:module';
import type * as Watermelon from '@nozbe/watermelondb';
import { Replicache } from 'replicache';
import { createRxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { createReplicacheSync } from 'tidegate/client/replicache';
import { TIDEGATE_FIELD, tidegateReplication } from 'tidegate/client/rxdb';
import { syncWithTidegate } from 'tidegate/client/watermelondb';
import { median, ownCpuMs, report, timed } from './measure.js';
import { startGateway, startInstantSource, startMinimalServer } from './processes.js';
import { requestsTo, untilIngested } from './requests.js';

const require = createRequire(import.meta.url);
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb') as typeof Watermelon;
const { default: LokiAdapter } = require('@nozbe/watermelondb/adapters/lokijs') as {
  readonly default: new (settings: object) => Watermelon.DatabaseAdapter;
};
const { synchronize } = require('@nozbe/watermelondb/sync') as {
  readonly synchronize: (settings: never) => Promise<void>;
};
(require('@nozbe/watermelondb/utils/common/logger') as { readonly default: { silence(): void } }).default.silence();

const RECORDS = 10_000;
const ROUNDS = 8;
const COLUMNS = ['name', 'street', 'city', 'status', 'note', 'amount', 'due_at', 'changed_at', 'tidegate_version'];

class Item extends Model {
  static override readonly table = 'items';
}

/** Asks for pages as they are, like the minimal server sends them: all of a `fetch` asks for gzip otherwise, and a gateway complies. */
const uncompressed: typeof fetch = (url, init) => {
  const headers = new Headers(init?.headers);
  headers.set('accept-encoding', 'identity');
  return fetch(url, { ...init, headers });
};

/**
 * Initial sync of 10,000 records into RxDB, WatermelonDB and Replicache, in memory: seconds against the same library and its own minimal
 * server in the same run, in turns; with pages that the gateway compresses, and with such that it does not. Goal: at most 1.3 x. Beside them the
 * same server where it compresses, too.
 */
export async function benchClients(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url);
  const requests = requestsTo(gateway.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  await source.stop();
  const minimal = await startMinimalServer(RECORDS);
  const packing = await startMinimalServer(RECORDS, 'compressed');
  const url = `${gateway.url}/graphql`;

  for (const [client, sync] of [
    ['RxDB', rxdb],
    ['WatermelonDB', watermelon],
    ['Replicache', replicache],
  ] as const) {
    const rounds: { readonly ours: Cost; readonly plain: Cost; readonly own: Cost; readonly packed: Cost }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const costs = {
        ours: await costOf(() => sync(`${round}`, { gateway: url, fetch })),
        plain: await costOf(() => sync(`${round}-plain`, { gateway: url, fetch: uncompressed })),
        own: await costOf(() => sync(`${round}-own`, { own: minimal.url })),
        packed: await costOf(() => sync(`${round}-packed`, { own: packing.url })),
      };
      if (round > 0) rounds.push(costs);
    }
    report({
      bench: 'clients',
      client,
      records: RECORDS,
      seconds: median(rounds.map((one) => one.ours.ms)) / 1000,
      ownServerSeconds: median(rounds.map((one) => one.own.ms)) / 1000,
      ratio: median(rounds.map((one) => one.ours.ms / one.own.ms)),
      uncompressedSeconds: median(rounds.map((one) => one.plain.ms)) / 1000,
      uncompressedRatio: median(rounds.map((one) => one.plain.ms / one.own.ms)),
      goal: 1.3,
      compressedOwnServerSeconds: median(rounds.map((one) => one.packed.ms)) / 1000,
      bothCompressedRatio: median(rounds.map((one) => one.ours.ms / one.packed.ms)),
      clientCpuSeconds: median(rounds.map((one) => one.ours.cpuMs)) / 1000,
      ownServerClientCpuSeconds: median(rounds.map((one) => one.own.cpuMs)) / 1000,
    });
  }
  await packing.stop();
  await minimal.stop();
  await requests.close();
  await gateway.stop();
}

/** A gateway, or a library's own minimal server. */
type Server = GatewayServer | { readonly own: string };

interface GatewayServer {
  readonly gateway: string;
  readonly fetch: typeof fetch;
}

interface Cost {
  readonly ms: number;
  /** Of this process, in which the client is; hardly moved by what else the machine does. */
  readonly cpuMs: number;
}

async function costOf(sync: () => Promise<number>): Promise<Cost> {
  const before = ownCpuMs();
  return { ms: await sync(), cpuMs: ownCpuMs() - before };
}

/** @returns ms until all records are in a new database */
async function rxdb(name: string, server: Server): Promise<number> {
  const text = { type: 'string' };
  const database = await createRxDatabase({
    name: `bench-${name}`,
    storage: getRxStorageMemory(),
    multiInstance: false,
  });
  const fields = ['name', 'street', 'city', 'status', 'note', 'amount', 'dueAt', 'updatedAt'];
  const properties = {
    id: { ...text, maxLength: 100 },
    ...Object.fromEntries(fields.map((field) => [field, text])),
    count: { type: 'number' },
    active: { type: 'boolean' },
    tidegate: TIDEGATE_FIELD,
  };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  const { items } = await database.addCollections({ items: { schema } });
  if (items === undefined) throw new Error('expected a collection');
  const { ms } = await timed(async () => {
    const replication =
      'gateway' in server
        ? replicateGraphQL(
            tidegateReplication({
              collection: items,
              url: server.gateway,
              fetch: server.fetch,
              device: 'bench',
              hints: false,
            }),
          )
        : replicateGraphQL<unknown, { readonly at: number }>({
            collection: items,
            replicationIdentifier: 'own',
            url: { http: `${server.own}/rxdb` },
            pull: {
              batchSize: 1_000,
              queryBuilder: (place, limit) => ({ query: 'own', variables: { at: place?.at ?? 0, limit } }),
            },
            push: { queryBuilder: () => ({ query: 'own', variables: {} }) },
          });
    await replication.awaitInitialReplication();
    await expectAll(await items.count().exec());
    await replication.cancel();
  });
  await database.close();
  return ms;
}

async function watermelon(name: string, server: Server): Promise<number> {
  const columns = COLUMNS.map((name) => ({ name, type: 'string' as const, isOptional: true }));
  const database = new Database({
    modelClasses: [Item],
    adapter: new LokiAdapter({
      dbName: `bench-${name}`,
      useWebWorker: false,
      useIncrementalIndexedDB: false,
      extraLokiOptions: { autosave: false },
      schema: appSchema({
        version: 1,
        tables: [
          tableSchema({
            name: 'items',
            columns: [
              ...columns,
              { name: 'count', type: 'number', isOptional: true },
              { name: 'active', type: 'boolean', isOptional: true },
            ],
          }),
        ],
      }),
    }),
  });
  const { ms } = await timed(async () => {
    if ('gateway' in server) {
      const address = { url: server.gateway, fetch: server.fetch, device: 'bench', onRevoked: () => undefined };
      await syncWithTidegate({ database, synchronize, tables: ['items'], ...address });
    } else
      await synchronize({
        database,
        sendCreatedAsUpdated: true,
        pullChanges: async () => (await fetch(`${server.own}/watermelon`, { method: 'POST' })).json(),
        pushChanges: async () => undefined,
      } as never);
    await expectAll(await database.get('items').query().fetchCount());
  });
  return ms;
}

async function replicache(name: string, server: Server): Promise<number> {
  const settings = {
    name: `bench-${name}`,
    kvStore: 'mem' as const,
    pullInterval: null,
    logSinks: [],
  };
  // Made within the time: it pulls as soon as it is there.
  const { ms, value } = await timed(async () => {
    const rep =
      'gateway' in server
        ? replicaOf(server, settings)
        : new Replicache({ ...settings, pullURL: `${server.own}/replicache` });
    await rep.pull({ now: true });
    await expectAll(await rep.query(async (tx) => (await tx.scan({ prefix: 'items/' }).keys().toArray()).length));
    return rep;
  });
  await value.close();
  return ms;
}

function replicaOf(
  { gateway: url, fetch }: GatewayServer,
  settings: ConstructorParameters<typeof Replicache>[0],
): Replicache {
  const sync = createReplicacheSync({ url, fetch, collections: ['items'] });
  const { mutators, puller, pusher } = sync;
  const rep = new Replicache({ ...settings, mutators, puller, pusher });
  sync.connect(rep);
  return rep;
}

async function expectAll(count: number): Promise<void> {
  if (count !== RECORDS) throw new Error(`expected ${RECORDS} records in the client, got ${count}`);
}
