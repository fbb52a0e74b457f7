import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { TIDEGATE_FIELD, tidegateReplication, type RefusedEdit } from '../../src/client/rxdb.js';

interface Sent {
  readonly changeId: string;
  readonly id: string;
  readonly baseVersion: string | null;
  readonly json: object;
}

let database: RxDatabase;
let visits: RxCollection;

beforeEach(async () => {
  database = await createRxDatabase({ name: 'unit', storage: getRxStorageMemory(), multiInstance: false });
  const text = { type: 'string' };
  const properties = { id: { ...text, maxLength: 100 }, isUrgent: { type: 'boolean' }, tidegate: TIDEGATE_FIELD };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  visits = (await database.addCollections({ visits: { schema } }))['visits'] as RxCollection;
});
afterEach(() => database.remove());

interface Circumstances {
  readonly onRefused?: (refused: RefusedEdit) => void;
  /** Of the page of this number, from 1. */
  readonly hasMore?: (at: number) => boolean;
}

/** A replication whose pulls get these pages in turn, then nothing, and whose pushes are answered by `take`. */
function replicate(
  pages: readonly (readonly string[])[],
  take: (changes: readonly Sent[]) => object = () => ({}),
  { onRefused = () => undefined, hasMore = (at) => at < pages.length }: Circumstances = {},
) {
  let at = 0;
  async function answer(_url: unknown, init?: RequestInit): Promise<Response> {
    const { variables } = JSON.parse(init?.body as string) as { variables: { changes?: readonly Sent[] } };
    if (variables.changes !== undefined) return Response.json(take(variables.changes));
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
      reset: false,
      epoch: 'e',
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

test('R2: one pull takes every page, short and empty ones too', async () => {
  const replication = replicate([['V-1', 'V-2'], [], [], ['V-3'], []]);
  await replication.awaitInitialReplication();
  expect(await visits.count().exec()).toBe(3);
});

test('a page that was read ahead is never the last: RxDB drops hints that came before it asked', async () => {
  const replication = replicate([['V-1'], [], ['V-2']], undefined, { hasMore: (at) => at === 1 });
  await replication.awaitInitialReplication();
  expect(await visits.count().exec()).toBe(2);
});

test('F22: a repeat after a lost reply is the same change, a toggle is another one', async () => {
  const sent: Sent[] = [];
  let isLost = true;
  const replication = replicate([['V-1']], (changes) => {
    sent.push(...changes);
    if (isLost) {
      isLost = false;
      throw new Error('the reply is lost');
    }
    const results = changes.map(({ changeId }) => ({ changeId, status: 'APPLIED', error: null, change: null }));
    return { data: { push: { results } } };
  });
  await replication.awaitInitialReplication();
  for (const isUrgent of [true, false, true]) {
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent });
    await replication.awaitInSync();
  }
  expect(sent.map(({ json }) => json)).toEqual([true, true, false, true].map((isUrgent) => ({ isUrgent })));
  expect(sent[1]).toEqual(sent[0]);
  expect(new Set(sent.map(({ changeId }) => changeId)).size).toBe(3);
});
