import { createRxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { TIDEGATE_FIELD, tidegateReplication } from '../../src/client/rxdb.js';
import { until } from '../support/until.js';
import { openOffice } from './office.js';

test('R18: RxDB pulls when a hint comes over a real socket, and at once when the line is back', async () => {
  const office = await openOffice({ visits: 4 });
  const database = await createRxDatabase({ name: 'hinted', storage: getRxStorageMemory(), multiInstance: false });
  const text = { type: 'string' };
  const properties = { id: { ...text, maxLength: 100 }, note: text, route: text, tidegate: TIDEGATE_FIELD };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  const { visits } = await database.addCollections({ visits: { schema } });
  const url = `${office.network.url}/graphql`;
  const options = tidegateReplication({ collection: visits as never, url, device: 'phone' });
  const replication = replicateGraphQL({ ...options, retryTime: 50 });
  const shows = (note: string): Promise<void> =>
    until(`the phone shows ${note}`, async () => (await visits?.findOne('V-1').exec())?.get('note') === note);
  try {
    await replication.awaitInitialReplication();
    const sockets = (): number =>
      office.network.exchanges.filter(({ head }) => /upgrade: websocket/i.test(head)).length;
    await until('it listens', async () => sockets() === 1);
    office.system.put('V-1', { note: 'hinted' });
    await shows('hinted');
    // What changes while there is no line is not hinted.
    await office.network.set({ kind: 'refuse' });
    office.system.put('V-1', { note: 'while it was away' });
    await until('the gateway has it', async () => JSON.stringify(await office.ask(PULL)).includes('while it was away'));
    await office.network.set({ kind: 'pass' });
    await shows('while it was away');
    // A pull that failed is repeated too, and may have been first: the line comes back all the same.
    await until('it listens again', async () => sockets() === 2);
  } finally {
    await database.close();
    await office.stop();
  }
});

const PULL = '{ pull(since: null, collections: ["visits"]) { changes { json } } }';
