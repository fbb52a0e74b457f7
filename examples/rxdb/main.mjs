// A nurse's visits in RxDB, replicated with the gateway of `npm start`:
//
//     node examples/rxdb/main.mjs [http://127.0.0.1:4000/graphql]
import { randomUUID } from 'node:crypto';
import { createRxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { TIDEGATE_FIELD, tidegateReplication } from 'tidegate/client/rxdb';

const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql';
const text = { type: 'string' };

const database = await createRxDatabase({ name: 'round', storage: getRxStorageMemory(), multiInstance: false });
const { visits } = await database.addCollections({
  visits: {
    schema: {
      version: 0,
      primaryKey: 'id',
      type: 'object',
      // The fields of the gateway's collection that this app shows, and the one in which the glue keeps what it must.
      properties: {
        id: { ...text, maxLength: 200 },
        status: text,
        notes: text,
        plannedAt: text,
        tidegate: TIDEGATE_FIELD,
      },
    },
  },
});

const replication = replicateGraphQL(
  tidegateReplication({
    collection: visits,
    url,
    // This database is in memory, so that each start is a new installation. One that stays has its id made once, and kept beside it.
    device: randomUUID(),
    // One of the clinic's two nurses: she sees the visits of her own route.
    headers: { authorization: 'Bearer nadia' },
    onRefused: ({ id, error }) => console.log(`refused: ${id}: ${error?.message}`),
  }),
);
replication.error$.subscribe((fault) => console.error(`no answer, trying again: ${fault.message.slice(0, 60)}`));

await replication.awaitInitialReplication();
console.log(`${await visits.count().exec()} visits are here`);

const [next] = await visits.find({ selector: { status: 'planned' }, sort: [{ plannedAt: 'asc' }], limit: 1 }).exec();
await next.incrementalPatch({ notes: `key under the mat, ${new Date().toISOString()}` });
console.log(`edited ${next.id} on the device; the source has it as soon as the gateway can reach it`);
await replication.awaitInSync();
const { version, pending = false } = next.getLatest().tidegate;
console.log(`in sync: version ${version}${pending ? ', the source has not confirmed it yet' : ''}`);

console.log('edit a visit in another window, and see it come; Ctrl-C ends this');
visits.$.subscribe(({ operation, documentId }) => console.log(`${operation} ${documentId}`));
