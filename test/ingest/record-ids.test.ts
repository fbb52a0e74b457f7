import type { RecordId, SourceKey } from '../../src/core/change.js';
import type { RecordView } from '../../src/core/record-port.js';
import { firstId, freeIds } from '../../src/ingest/record-ids.js';

const KEY = '41' as SourceKey;
const NOTHING = { body: null, sourceKey: null, aliasOf: null, seq: 0, mark: 0 };
const GONE = { ...NOTHING, body: '{}', seq: 4, mark: 1 };

/** The id and what has begun under it, where these records are known. */
async function idOf(known: Readonly<Record<string, object>>, last: string | null = null) {
  const viewOf = (id: string) => ({ id, collection: 'patients', ...NOTHING, ...known[id] }) as unknown as RecordView;
  const store = {
    readRecords: async (_tenant: string, names: readonly { id: string }[]) => names.map(({ id }) => viewOf(id)),
  };
  const lasts = new Map([[KEY, last === null ? null : viewOf(last)]]);
  return (await freeIds(store, 'clinic', 'patients', lasts)).get(KEY);
}

describe('F20: the id of a key that no record has', () => {
  test('is its own, if nothing was ever there', async () => {
    expect(firstId(KEY)).toEqual({ id: '41', begun: null });
    expect(await idOf({})).toEqual({ id: '41', begun: null });
  });

  test('is that of its next life, also when its first one is forgotten', async () => {
    expect(await idOf({ '41': GONE }, '41')).toEqual({ id: '41~2', begun: null });
    expect(await idOf({ '41~2': GONE }, '41~2')).toEqual({ id: '41~3', begun: null });
    expect(await idOf({ '41': GONE, '41~2': GONE })).toEqual({ id: '41~3', begun: null });
  });

  test('is found however many lives it had', async () => {
    const lives = Array.from({ length: 20 }, (_, at) => [at === 0 ? '41' : `41~${at + 1}`, GONE] as const);
    expect(await idOf(Object.fromEntries(lives))).toMatchObject({ id: '41~21' });
  });

  test('may be one that a create has begun, but none that has a key, or is another record’s alias', async () => {
    const begun = { mark: 1, intents: [{ intentNo: 1 }] };
    expect(await idOf({ '41': begun })).toMatchObject({ id: '41', begun });
    expect(await idOf({ '41': { ...begun, sourceKey: '7' as SourceKey } })).toMatchObject({ id: '41~2' });
    expect(await idOf({ '41': { seq: 9, mark: 2, aliasOf: '7' as RecordId } })).toMatchObject({ id: '41~2' });
  });
});
