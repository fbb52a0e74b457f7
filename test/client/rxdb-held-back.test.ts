import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { TIDEGATE_FIELD, tidegateReplication, type RefusedEdit } from '../../src/client/rxdb.js';
import { until } from '../support/until.js';

interface Sent {
  readonly changeId: string;
  readonly id: string;
  readonly json: { readonly note?: string };
}

let database: RxDatabase;
let visits: RxCollection;

beforeEach(async () => {
  database = await createRxDatabase({ name: 'held-back', storage: getRxStorageMemory(), multiInstance: false });
  const properties = { id: { type: 'string', maxLength: 100 }, note: { type: 'string' }, tidegate: TIDEGATE_FIELD };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  visits = (await database.addCollections({ visits: { schema } }))['visits'] as RxCollection;
});
afterEach(() => database.remove());

/** A replication whose gateway has V-1 and V-2, and fails every push that has the note `poison` with this code. */
function replicateBefore(code: string) {
  const sent: (readonly Sent[])[] = [];
  const refused: RefusedEdit[] = [];
  const faults: string[] = [];
  const error = [{ message: `too much: ${code}`, extensions: { code } }];
  let isFirst = true;

  function pull(): object {
    const told = isFirst ? ['V-1', 'V-2'] : [];
    isFirst = false;
    const changes = told.map((id) => ({
      collection: 'visits',
      id,
      version: 'e.1',
      kind: 'UPSERT',
      pending: false,
      json: { note: 'as it was' },
    }));
    return { data: { pull: { changes, receipts: [], checkpoint: 'place', hasMore: false, reset: false, epoch: 'e' } } };
  }

  function push(changes: readonly Sent[]): object {
    sent.push(changes);
    if (changes.some(({ json }) => json.note === 'poison')) return { errors: error };
    const results = changes.map(({ changeId }) => ({ changeId, status: 'APPLIED', error: null, change: null }));
    return { data: { push: { results } } };
  }

  const options = tidegateReplication({
    collection: visits,
    url: 'http://gateway.example/graphql',
    device: 'phone',
    hints: false,
    async fetch(_url, init) {
      const { variables } = JSON.parse(init.body) as { variables: { readonly changes?: readonly Sent[] } };
      const answer = variables.changes === undefined ? pull() : push(variables.changes);
      return { status: 200, json: async () => answer };
    },
    onRefused: (one) => void refused.push(one),
    onRevoked: () => undefined,
  });
  const replication = replicateGraphQL({ ...options, retryTime: 5 });
  replication.error$.subscribe(({ parameters }) => void faults.push(String(parameters.errors?.[0]?.message)));
  const edit = async (id: string, note: string): Promise<void> =>
    void (await (await visits.findOne(id).exec(true)).incrementalPatch({ note }));
  return { replication, sent, refused, faults, edit };
}

test('an edit that is too large alone is told to the app, with all that was typed; the document shows what it was', async () => {
  const { replication, sent, refused, edit } = replicateBefore('PAYLOAD_TOO_LARGE');
  await replication.awaitInitialReplication();
  await Promise.all([edit('V-1', 'poison'), edit('V-2', 'small')]);
  await visits.insert({ id: 'V-3', note: 'poison' });
  await replication.awaitInSync();
  expect(sent.flat().filter(({ id }) => id === 'V-2')).not.toEqual([]);
  expect(refused.map(({ id, status, error, edit: typed }) => [id, status, error?.code, typed?.['note']])).toEqual([
    ['V-1', 'REJECTED', 'PAYLOAD_TOO_LARGE', 'poison'],
    ['V-3', 'REJECTED', 'PAYLOAD_TOO_LARGE', 'poison'],
  ]);
  const shown = (await visits.findOne('V-1').exec(true)).toJSON() as Record<string, unknown>;
  expect(shown).toMatchObject({
    note: 'as it was',
    tidegate: { version: 'e.1', refused: { code: 'PAYLOAD_TOO_LARGE' } },
  });
  // Nobody else knows of it: a new record that cannot be sent is removed.
  expect(await visits.findOne('V-3').exec()).toBe(null);
});

test('R8: an edit whose pushes are INTERNAL waits, is told as an error, and is passed by others', async () => {
  const { replication, sent, refused, faults, edit } = replicateBefore('INTERNAL');
  await replication.awaitInitialReplication();
  await Promise.all([edit('V-1', 'poison'), edit('V-2', 'small')]);
  const isTaken = (note: string): boolean =>
    sent.some(
      (changes) =>
        changes.every(({ json }) => json.note !== 'poison') && changes.some(({ json }) => json.note === note),
    );
  await until('the other one is taken', async () => isTaken('small'));
  await edit('V-2', 'later');
  await until('a later one passes it', async () => isTaken('later'));
  expect((await visits.findOne('V-1').exec(true)).get('note')).toBe('poison');
  expect([refused, faults.includes('too much: INTERNAL')]).toEqual([[], true]);
  // Alone it was asked for once: it is set aside.
  expect(sent.filter((changes) => changes.length === 1 && changes[0]?.json.note === 'poison').length).toBe(1);
  await replication.cancel();
});
