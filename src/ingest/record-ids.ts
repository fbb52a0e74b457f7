import type { RecordId, SourceKey } from '../core/change.js';
import { idOfSourceKey, lifeOf } from '../core/id.js';
import type { RecordStore, RecordView } from '../core/record-port.js';

/** The id under which a key's record is to appear, and what an accepted create has made of it already. */
export interface NewId {
  readonly id: RecordId;
  readonly begun: RecordView | null;
}

/** Ids looked at in one read. */
const LIVES_AT_ONCE = 8;

/** The id of a record that nothing is known of: its key's own (F20). */
export function firstId(key: SourceKey): NewId {
  return { id: idOfSourceKey(key), begun: null };
}

/**
 * Ids of appearing records, where they are not simply their keys: of keys that were reused, whose tombstones have given them up, and of keys
 * that came back although nothing is known of them, since the id is taken. Broken off after the giving up, such a key comes back and is
 * one of those.
 *
 * @param reborn the tombstones of keys that were reused
 * @param awaiting keys on the recheck list
 */
export async function idsAgain(
  store: Pick<RecordStore, 'readRecords'>,
  tenant: string,
  collection: string,
  appearing: readonly SourceKey[],
  reborn: ReadonlyMap<SourceKey, RecordView>,
  awaiting: ReadonlySet<SourceKey>,
): Promise<ReadonlyMap<SourceKey, NewId>> {
  const back = appearing.filter((key) => awaiting.has(key));
  const wanted = new Map<SourceKey, RecordView | null>([...back.map((key) => [key, null] as const), ...reborn]);
  return wanted.size === 0 ? new Map() : freeIds(store, tenant, collection, wanted);
}

/**
 * Ids for keys that no record has although the key's own id may be taken: by a create that was accepted under it and is parked or
 * not sent yet, or by an earlier life of the key, which is a tombstone and keeps its id (F20).
 *
 * @param keys each with the record that had the key last; null: nobody knows
 */
export async function freeIds(
  store: Pick<RecordStore, 'readRecords'>,
  tenant: string,
  collection: string,
  keys: ReadonlyMap<SourceKey, RecordView | null>,
): Promise<ReadonlyMap<SourceKey, NewId>> {
  const found = new Map<SourceKey, NewId>();
  let open = [...keys].map(([key, last]) => ({ key, from: last === null ? 1 : lifeOf(last.id, key) + 1 }));
  while (open.length > 0) {
    const lives = open.flatMap(({ key, from }) =>
      Array.from({ length: LIVES_AT_ONCE }, (_, at) => ({ key, id: idOfSourceKey(key, from + at) })),
    );
    const views = await store.readRecords(
      tenant,
      lives.map(({ id }) => ({ collection, id })),
    );
    lives.forEach(({ key, id }, at) => {
      const view = views[at] as RecordView;
      if (found.has(key) || !isFree(view)) return;
      found.set(key, { id, begun: view.seq === 0 && view.mark === 0 ? null : view });
    });
    open = open.filter(({ key }) => !found.has(key)).map(({ key, from }) => ({ key, from: from + LIVES_AT_ONCE }));
  }
  return found;
}

/** Nothing was ever there, or only what a create is about to make. */
function isFree({ body, sourceKey, aliasOf }: RecordView): boolean {
  return body === null && sourceKey === null && aliasOf === null;
}
