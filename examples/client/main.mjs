// A nurse's visits with Tidegate's own client, against the gateway of `npm start`:
//
//     node examples/client/main.mjs [http://127.0.0.1:4000/graphql]
import { createSyncClient } from 'tidegate/client';
import { webSocketHints } from 'tidegate/client/hints';
import { createMemoryStore } from 'tidegate/client/memory';
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql';

const client = await createSyncClient({
  url,
  // The device id is in the store; this one begins anew with each start.
  store: createMemoryStore(),
  collections: ['visits'],
  // One of the clinic's two nurses: she sees the visits of her own route.
  user: 'nadia',
  headers: () => ({ authorization: 'Bearer nadia' }),
  hints: webSocketHints(WebSocket),
  on: {
    conflict: ({ id, conflict }) => console.log(`${id}: you and the clinic changed ${conflict?.fields.join(', ')}`),
    rejected: ({ id, error }) => console.log(`${id}: not saved: ${error?.message}`),
  },
});

const visits = client.collection('visits');
const planned = { where: ({ fields }) => fields.status === 'planned', order: byTime };
await client.sync();
console.log(`${(await visits.list()).length} visits are here`);

const [next] = await visits.list(planned);
const { changeId } = await visits.patch(next.id, { notes: `key under the mat, ${new Date().toISOString()}` });
console.log(`edited ${next.id} on the device: ${(await client.outbox.list()).length} edit waits`);
await client.sync();
const waits = (await client.outbox.list()).some((entry) => entry.changeId === changeId);
console.log(waits ? 'the gateway keeps it until its source has taken it' : 'the source has it');

console.log('edit a visit in another window, and see it come; Ctrl-C ends this');
client.start();
const shown = new Map((await visits.list()).map(({ id, version }) => [id, version]));
visits.observeList((records) => {
  for (const { id, version, fields } of records) {
    if (shown.get(id) !== version) console.log(`${id}: ${fields.status}, ${fields.notes}`);
    shown.set(id, version);
  }
});
process.once('SIGINT', () => void client.close());

function byTime(a, b) {
  return a.fields.plannedAt < b.fields.plannedAt ? -1 : 1;
}
