import { createMemoryStore } from '../../src/client/memory-store.js';
import { createSyncClient } from '../../src/client/sync-client.js';
import { pinnedVersion, type ClientUnderTest } from './client-under-test.js';
import { withoutNulls, type RecordFields } from './round-system.js';

/** The gateway's own client, on its store in memory. */
export const sdkClient: ClientUnderTest = {
  name: 'tidegate/client',
  version: pinnedVersion('tidegate'),
  async open({ url, headers, device, fetch, pageSize }) {
    const refusals: string[] = [];
    const unanswered: string[] = [];
    const refused = ({ id }: { readonly id: string }): void => void refusals.push(id);
    const client = await createSyncClient<Record<'patients' | 'visits', Record<string, unknown>>>({
      url,
      store: createMemoryStore(),
      collections: ['patients', 'visits'],
      headers: () => headers,
      device,
      fetch,
      limits: { page: pageSize },
      on: { conflict: refused, rejected: refused, unanswered: ({ id }) => void unanswered.push(id) },
    });
    return {
      async all(name) {
        const records = await client.collection(name).list();
        return new Map(records.map(({ id, fields }) => [id, withoutNulls(fields as RecordFields)]));
      },
      create: async (name, id, fields) => void (await client.collection(name).put(fields, id)),
      edit: async (name, id, fields) => void (await client.collection(name).patch(id, fields)),
      remove: async (name, id) => void (await client.collection(name).remove(id)),
      sync: () => client.sync(),
      refusals: () => refusals,
      unanswered: () => unanswered,
      close: () => client.close(),
    };
  },
};
