// A nurse's visits in Replicache, synced with the gateway of `npm start`:
//
//     node examples/replicache/main.mjs [http://127.0.0.1:4000/graphql]
import { Replicache } from 'replicache';
import { webSocketHints } from 'tidegate/client/hints';
import { createReplicacheSync } from 'tidegate/client/replicache';
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql';

const sync = createReplicacheSync({
  url,
  collections: ['visits'],
  // One of the clinic's two nurses: she sees the visits of her own route.
  headers: () => ({ authorization: 'Bearer nadia' }),
  // In a browser: webSocketHints().
  hints: webSocketHints(WebSocket),
  onFate: ({ status, error, edit }) => console.log(`${status}: ${edit?.id} ${error?.message ?? ''}`),
});
const { mutators, puller, pusher } = sync;
// A browser keeps its data, and with it the device, in IndexedDB: leave kvStore out.
const rep = new Replicache({ name: 'nadia', mutators, puller, pusher, kvStore: 'mem', logLevel: 'error' });
const { edits } = sync.connect(rep);

const readVisits = (tx) => tx.scan({ prefix: 'visits/' }).values().toArray();

await rep.pull();
const visits = await rep.query(readVisits);
console.log(`${visits.length} visits are here`);
if (visits.length === 0) throw new Error(`expected visits of nadia's from ${url}, got none`);

const [next] = visits
  .filter(({ fields }) => fields.status === 'planned')
  .sort((a, b) => a.fields.plannedAt.localeCompare(b.fields.plannedAt));
await edits.update('visits', next, { notes: `key under the mat, ${new Date().toISOString()}` });
console.log(`edited ${next.id} on the device; the source has it as soon as the gateway can reach it`);

console.log('edit a visit in another window, and see it come; Ctrl-C ends this');
rep.experimentalWatch((changes) => changes.forEach(({ op, key }) => console.log(`${op} ${key}`)), {
  prefix: 'visits/',
});
