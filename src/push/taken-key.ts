import { parseBody, type Collection } from '../core/collection.js';
import { forgiving, nextState } from '../core/overlay.js';
import type { RecordId } from '../core/change.js';
import type { RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { SourceFacts } from '../core/source-port.js';
import { keyGivenUp } from '../core/tombstone.js';

/**
 * A create was answered with the key of another record (F9): both are one record at the source. That record takes the state that the
 * source answered with, and the write that settles the create makes its id an alias of it, with the status MERGED. If the other
 * record is gone and keys are reused, it gives its key up and the create is settled as it was (F20). Safe to repeat.
 *
 * @param failed the write that came back `keyTaken`
 * @returns the write to make instead, or null when `failed` can be made again; `again`: the other record moved meanwhile
 * @throws SyncError UNAVAILABLE
 */
export async function settleTakenKey(
  ports: { readonly store: Pick<RecordStore, 'readRecords' | 'commit'>; readonly references: ReferenceMap },
  { collection, facts }: { readonly collection: Collection; readonly facts: SourceFacts },
  tenant: string,
  failed: RecordWrite,
  by: RecordId,
): Promise<RecordWrite | 'freed' | 'again'> {
  const { store, references } = ports;
  const { next, settlement } = failed;
  const [holder] = await store.readRecords(tenant, [{ collection: collection.name, id: by }]);
  const body = next?.body ?? null;
  if (next === undefined || body === null || settlement === undefined || holder?.sourceKey !== next.sourceKey) {
    return 'again';
  }
  if (holder.deleted && facts.keysReused !== false) {
    const [outcome] = await store.commit(tenant, [keyGivenUp(holder)]);
    return outcome?.kind === 'written' ? 'freed' : 'again';
  }
  if (holder.hash !== next.hash || holder.sourceVersion !== next.sourceVersion || holder.deleted) {
    const mapping = await references.mappingOf(tenant, collection, holder, parseBody(body));
    const layer = { ...next, deleted: false, throughUs: true };
    const shown = {
      ...nameOf(holder),
      next: nextState(forgiving(collection), layer, holder.intents, mapping),
      // The change's overlay lay over another record: nobody has seen it here.
      stamps: (failed.stamps ?? []).map((stamping) => ({ ...stamping, at: null })),
    };
    const [outcome] = await store.commit(tenant, [shown]);
    if (outcome?.kind !== 'written') return 'again';
  }
  const gone = {
    ...next,
    sourceKey: null,
    deleted: true,
    body: null,
    vis: null,
    pending: false,
    scopes: [],
    via: null,
  };
  const { collection: name, id, expected } = failed;
  return {
    collection: name,
    id,
    expected,
    next: { ...gone, sourceVersion: null, hash: null },
    aliasOf: by,
    settlement: { ...settlement, status: 'MERGED' },
  };
}

function nameOf({ collection, id, seq, mark }: RecordView): Pick<RecordWrite, 'collection' | 'id' | 'expected'> {
  return { collection, id, expected: { seq, mark } };
}
