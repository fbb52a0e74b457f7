import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import type { SentChange } from '../../src/client/gateway.js';
import { TIDEGATE_FIELD, tidegateReplication, type RefusedEdit } from '../../src/client/rxdb.js';

/** A phone's visits. What was in a database of this name that was closed is there again, as after a restart of the app. */
export async function openVisits(
  name: string,
): Promise<{ readonly database: RxDatabase; readonly visits: RxCollection }> {
  const database = await createRxDatabase({ name, storage: getRxStorageMemory(), multiInstance: false });
  const text = { type: 'string' };
  const properties = {
    id: { ...text, maxLength: 100 },
    isUrgent: { type: 'boolean' },
    note: text,
    minutes: { type: 'number' },
    tidegate: TIDEGATE_FIELD,
  };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  return { database, visits: (await database.addCollections({ visits: { schema } }))['visits'] as RxCollection };
}

/** The gateway's answer to a push, as JSON. What it throws is a lost reply. */
export type Take = (changes: readonly SentChange[]) => object | Promise<object>;

export interface Circumstances {
  readonly onRefused?: (refused: RefusedEdit) => void;
  /** Of the page of this number, from 1. */
  readonly hasMore?: (at: number) => boolean;
  /** The epoch of all pages, the first of which is a reset. Absent: `e`, and none is. */
  readonly newEpoch?: string;
}

/** A replication whose pulls get these pages in turn, then nothing, and whose pushes are answered by `take`. */
export function replicateVisits(
  visits: RxCollection,
  pages: readonly (readonly string[])[],
  take: Take = () => ({}),
  { onRefused = () => undefined, hasMore = (at) => at < pages.length, newEpoch }: Circumstances = {},
) {
  let at = 0;
  async function answer(_url: unknown, init?: RequestInit): Promise<Response> {
    const { variables } = JSON.parse(init?.body as string) as { variables: { changes?: readonly SentChange[] } };
    if (variables.changes !== undefined) return Response.json(await take(variables.changes));
    const changes = (pages[at] ?? []).map((id) => {
      return {
        collection: 'visits',
        id,
        version: `e.${at}`,
        kind: 'UPSERT',
        pending: false,
        json: { isUrgent: false },
      };
    });
    at += 1;
    const page = {
      changes,
      receipts: [],
      checkpoint: `place ${at}`,
      hasMore: hasMore(at),
      reset: newEpoch !== undefined && at === 1,
      epoch: newEpoch ?? 'e',
    };
    return Response.json({ data: { pull: page } });
  }
  const url = 'http://gateway.example/graphql';
  const options = tidegateReplication({
    collection: visits,
    url,
    device: 'phone',
    hints: false,
    fetch: answer,
    onRefused,
  });
  return replicateGraphQL({ ...options, retryTime: 5 });
}
