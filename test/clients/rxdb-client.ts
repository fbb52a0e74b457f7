import { addRxPlugin, createRxDatabase, type RxCollection } from 'rxdb';
import { RxDBQueryBuilderPlugin } from 'rxdb/plugins/query-builder';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { TIDEGATE_FIELD, tidegateReplication } from '../../src/client/rxdb.js';
import { pinnedVersion, type ClientUnderTest } from './client-under-test.js';
import { withoutNulls, type CollectionName } from './round-system.js';

addRxPlugin(RxDBQueryBuilderPlugin);

const text = { type: 'string' } as const;
const SCHEMAS = {
  patients: { id: { ...text, maxLength: 100 }, name: text, route: text, tidegate: TIDEGATE_FIELD },
  visits: {
    id: { ...text, maxLength: 100 },
    patientId: text,
    route: text,
    status: text,
    note: text,
    minutes: { type: 'number' },
    price: text,
    plannedAt: text,
    isUrgent: { type: 'boolean' },
    vitals: { type: 'object', additionalProperties: true },
    supplies: { type: 'array', items: text },
    updatedAt: text,
    tidegate: TIDEGATE_FIELD,
  },
} as const;

/** Longer than a sync takes that comes through. */
const PATIENCE_MS = 400;

/** RxDB with its own GraphQL replication, one for each collection, on the memory storage. */
export const rxdbClient: ClientUnderTest = {
  name: 'RxDB',
  version: pinnedVersion('rxdb'),
  async open({ url, headers, device, fetch, pageSize }) {
    const database = await createRxDatabase({
      name: `round-${device}`,
      storage: getRxStorageMemory(),
      multiInstance: false,
    });
    const schemaOf = (properties: object) => ({ version: 0, primaryKey: 'id', type: 'object', properties }) as never;
    const collections = (await database.addCollections({
      patients: { schema: schemaOf(SCHEMAS.patients) },
      visits: { schema: schemaOf(SCHEMAS.visits) },
    })) as unknown as Readonly<Record<CollectionName, RxCollection>>;
    const refusals: string[] = [];
    const unanswered: string[] = [];
    let evictions = 0;
    const replications = Object.values(collections).map((collection) =>
      replicateGraphQL({
        ...tidegateReplication({
          collection,
          url,
          headers,
          device,
          fetch,
          pageSize,
          hints: false,
          onRefused: ({ id, status }) => void (status === 'UNANSWERED' ? unanswered : refusals).push(id),
          onEvicted: () => `${device}-${(evictions += 1)}`,
        }),
        autoStart: false,
        retryTime: 40,
      }),
    );
    const faults: unknown[] = [];
    for (const one of replications) one.error$.subscribe((fault) => void faults.push(fault));
    return {
      async all(name) {
        const documents = await collections[name].find().exec();
        return new Map(
          documents.map((document) => {
            const { id, tidegate: _tidegate, ...fields } = document.toJSON() as Record<string, unknown>;
            return [id as string, withoutNulls(fields)];
          }),
        );
      },
      create: async (name, id, fields) => void (await collections[name].insert({ id, ...fields })),
      edit: async (name, id, fields) =>
        void (await (await collections[name].findOne(id).exec(true)).incrementalPatch(fields)),
      remove: async (name, id) => void (await (await collections[name].findOne(id).exec(true)).incrementalRemove()),
      async sync() {
        faults.length = 0;
        await Promise.all(replications.map((one) => one.start()));
        // Where there is no network RxDB never comes to rest: it tries again and again by itself.
        const rest = Promise.all(replications.map((one) => one.awaitInSync()));
        const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref());
        await Promise.race([rest, patience]);
        if (faults.length > 0) throw faults[0] as Error;
      },
      refusals: () => refusals,
      unanswered: () => unanswered,
      async close() {
        await Promise.all(replications.map((one) => one.cancel()));
        await database.close();
      },
    };
  },
};
