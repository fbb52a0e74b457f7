// A nurse's visits in WatermelonDB, synced with the gateway of `npm start`:
//
//     node examples/watermelondb/main.mjs [http://127.0.0.1:4000/graphql]
import { randomUUID } from 'node:crypto';
import watermelon from '@nozbe/watermelondb';
import loki from '@nozbe/watermelondb/adapters/lokijs/index.js';
import sync from '@nozbe/watermelondb/sync/index.js';
import logging from '@nozbe/watermelondb/utils/common/logger/index.js';
import { syncWithTidegate } from 'tidegate/client/watermelondb';

const { appSchema, Database, Model, Q, tableSchema } = watermelon;
const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql';
logging.default.silence();
// This database is in memory, so that each start is a new installation. One that stays has its id made once, and kept in it
// (database.localStorage).
const device = randomUUID();

class Visit extends Model {
  static table = 'visits';
}

const database = new Database({
  modelClasses: [Visit],
  adapter: new loki.default({
    dbName: 'round',
    useWebWorker: false,
    useIncrementalIndexedDB: false,
    extraLokiOptions: { autosave: false },
    schema: appSchema({
      version: 1,
      tables: [
        tableSchema({
          name: 'visits',
          columns: [
            { name: 'status', type: 'string', isOptional: true },
            { name: 'notes', type: 'string', isOptional: true },
            { name: 'planned_at', type: 'number', isOptional: true },
            { name: 'tidegate_version', type: 'string', isOptional: true },
          ],
        }),
      ],
    }),
  }),
});

const syncNow = () =>
  syncWithTidegate({
    database,
    synchronize: sync.synchronize,
    tables: ['visits'],
    url,
    device,
    // One of the clinic's two nurses: she sees the visits of her own route.
    headers: { authorization: 'Bearer nadia' },
    onRevoked: () => database.write(() => database.unsafeResetDatabase()),
    onRefused: ({ id, error }) => console.log(`refused: ${id}: ${error?.message}`),
  });

await syncNow();
const visits = database.get('visits');
console.log(`${await visits.query().fetchCount()} visits are here`);

const [next] = await visits.query(Q.where('status', 'planned'), Q.sortBy('planned_at'), Q.take(1)).fetch();
await database.write(() =>
  next.update((visit) => visit._setRaw('notes', `key under the mat, ${new Date().toISOString()}`)),
);
console.log(`edited ${next.id} on the device`);
await syncNow();
const { _raw: row } = await visits.find(next.id);
console.log(`in sync: version ${row.tidegate_version}, ${row._status}, "${row.notes}"`);
process.exit(0);
