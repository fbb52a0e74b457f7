import { Replicache, version, type ReadonlyJSONObject } from 'replicache';
import { createReplicacheSync, recordKey, type HeldRecord } from '../../src/client/replicache.js';
import type { ClientUnderTest } from './client-under-test.js';
import { withoutNulls } from './round-system.js';

/** Nothing happens that the matrix does not ask for. */
const NEVER_MS = 600_000;

/** Replicache with its data in memory. */
export const replicacheClient: ClientUnderTest = {
  name: 'Replicache',
  version,
  async open({ url, headers, device, fetch, pageSize }) {
    const refusals: string[] = [];
    const unanswered: string[] = [];
    const sync = createReplicacheSync({
      url,
      collections: ['patients', 'visits'],
      headers: () => headers,
      fetch,
      pageSize,
      onFate({ status, edit }) {
        if ((status === 'REJECTED' || status === 'CONFLICT') && edit !== null) refusals.push(edit.id);
        if (status === 'UNANSWERED' && edit !== null) unanswered.push(edit.id);
      },
    });
    const { mutators, puller, pusher } = sync;
    const rep = new Replicache({
      name: device,
      mutators,
      puller,
      pusher,
      kvStore: 'mem',
      logSinks: [],
      pushDelay: NEVER_MS,
      pullInterval: null,
      requestOptions: { minDelayMs: 10, maxDelayMs: NEVER_MS },
    });
    const { edits, stop } = sync.connect(rep);

    async function held(collection: string, id: string): Promise<HeldRecord> {
      const record = await rep.query((tx) => tx.get(recordKey(collection, id)));
      if (record === undefined) throw new Error(`expected the replica to hold ${id} of ${collection}`);
      return record as unknown as HeldRecord;
    }

    return {
      async all(collection) {
        const prefix = recordKey(collection, '');
        const records = await rep.query((tx) => tx.scan({ prefix }).values().toArray());
        return new Map(
          (records as unknown as readonly HeldRecord[]).map(({ id, fields }) => [id, withoutNulls(fields)]),
        );
      },
      create: async (collection, id, fields) => void (await edits.create(collection, fields as ReadonlyJSONObject, id)),
      edit: async (collection, id, fields) =>
        edits.update(collection, await held(collection, id), fields as ReadonlyJSONObject),
      remove: async (collection, id) => edits.delete(collection, await held(collection, id)),
      async sync() {
        await rep.push({ now: true });
        await rep.pull({ now: true });
      },
      refusals: () => refusals,
      unanswered: () => unanswered,
      async close() {
        stop();
        await rep.close();
      },
    };
  },
};
