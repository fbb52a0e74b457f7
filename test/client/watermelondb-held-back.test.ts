import type { Fetch } from '../../src/client/exchange.js';
import { syncWithTidegate, type RefusedRow, type WaitingRow } from '../../src/client/watermelondb.js';
import { visitsDatabase } from './watermelondb-visits.js';

const FIELD = { name: 'note', type: 'string', list: false, writable: true };

interface Sent {
  readonly changeId: string;
  readonly id: string;
  readonly json: { readonly note: string };
}

/** A WatermelonDB with these unsynced notes, by id, before a gateway that fails every push with the note `poison` so. */
function databaseWith(unsynced: Map<string, string>, code: string) {
  const local = new Map<string, string>();
  const [sent, waiting, refused]: [(readonly Sent[])[], WaitingRow[], RefusedRow[]] = [[], [], []];
  let pulls = 0;

  function answer(query: string, changes: readonly Sent[] | undefined): object {
    if (query.includes('Fields')) return { data: { collections: [{ name: 'visits', fields: [FIELD] }] } };
    if (changes === undefined) {
      pulls += 1;
      const page = { changes: [], receipts: [], checkpoint: 'place', hasMore: false, reset: false, epoch: 'e' };
      return { data: { pull: page } };
    }
    sent.push(changes);
    if (changes.some(({ json }) => json.note === 'poison'))
      return { errors: [{ message: 'as the test said', extensions: { code } }] };
    const results = changes.map(({ changeId }) => ({ changeId, status: 'APPLIED', error: null, change: null }));
    return { data: { push: { results } } };
  }

  const fetch: Fetch = async (_url, { body }) => {
    const { query, variables } = JSON.parse(body) as { query: string; variables: { changes?: readonly Sent[] } };
    return { status: 200, json: async () => answer(query, variables.changes) };
  };

  interface Steps {
    readonly pullChanges: (asked: { readonly lastPulledAt: null }) => Promise<unknown>;
    readonly pushChanges?: (
      asked: object,
    ) => Promise<{ readonly experimentalRejectedIds: Readonly<Record<string, readonly string[]>> }>;
  }
  async function synchronize(given: never): Promise<void> {
    const { pullChanges, pushChanges } = given as Steps;
    await pullChanges({ lastPulledAt: null });
    const updated = [...unsynced].map(([id, note]) => ({
      id,
      note,
      _status: 'updated',
      _changed: 'note',
      tidegate_version: 'e.1',
    }));
    const answered = await pushChanges?.({ changes: { visits: { created: [], updated, deleted: [] } } });
    if (answered === undefined) return;
    const { experimentalRejectedIds: rejected } = answered;
    for (const { id } of updated) if (rejected['visits']?.includes(id) !== true) unsynced.delete(id);
  }

  const database = visitsDatabase(local);
  const sync = (): Promise<void> =>
    syncWithTidegate({
      database,
      synchronize,
      tables: ['visits'],
      url: 'http://ward.example/graphql',
      device: 'tablet',
      fetch,
      onRefused: (row) => void refused.push(row),
      onWaiting: (row) => void waiting.push(row),
      onRevoked: () => undefined,
    });
  return { sync, unsynced, sent, waiting, refused, pulls: () => pulls };
}

const notes = () => new Map(Object.entries({ 'V-1': 'poison', 'V-2': 'small', 'V-3': 'small' }));

test('R8: an edit that is too large alone stays unsynced and is told with each sync; others are done, and pulls go on', async () => {
  const { sync, unsynced, sent, waiting, refused, pulls } = databaseWith(notes(), 'PAYLOAD_TOO_LARGE');
  await sync();
  expect([[...unsynced.keys()], pulls(), refused]).toEqual([['V-1'], 1, []]);
  expect(waiting).toMatchObject([
    { table: 'visits', id: 'V-1', error: { code: 'PAYLOAD_TOO_LARGE', retryable: false }, edit: { note: 'poison' } },
  ]);
  const before = sent.length;
  await sync();
  expect([sent.length, waiting.length, pulls()]).toEqual([before, 2, 2]);
  unsynced.set('V-1', 'shorter');
  await sync();
  expect([unsynced.size, waiting.length]).toEqual([0, 2]);
});

test('R8: INTERNAL: each sync sends less, under the same ids, and pulls', async () => {
  const { sync, unsynced, sent, pulls } = databaseWith(notes(), 'INTERNAL');
  for (let times = 1; times <= 3; times += 1) {
    await sync();
    expect(pulls()).toBe(times);
  }
  expect([...unsynced.keys()]).toEqual(['V-1']);
  expect(sent.map((changes) => changes.map(({ id }) => id))).toEqual([
    ['V-1', 'V-2', 'V-3'],
    ['V-1'],
    ['V-2'],
    ['V-3'],
  ]);
  const ids = new Map(sent.flat().map(({ id, changeId }) => [id, changeId]));
  for (const { id, changeId } of sent.flat()) expect(changeId).toBe(ids.get(id));
});
