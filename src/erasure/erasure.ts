import type { RecordId } from '../core/change.js';
import { ERASED_BODY, type Erased, type ErasureStore } from '../core/erasure-port.js';
import { SyncError } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import type { DeviceKey } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';
import { mayLag, tombstone } from '../core/tombstone.js';
import { remainsOfRecord, remainsOfUser, type KeptFor, type Remaining } from './remains.js';

/** Records of one request. */
export const MOST_ERASED = 100;
/** Open changes that a refusal names. */
const MOST_NAMED = 20;

/** Erases on request what is kept of records and of users. Everything is safe to repeat. */
export interface Erasure {
  /**
   * Erases a record that is gone at its source, or that no source shows any more: its last state, its key, who wrote what of it, and what
   * was kept of pushes to it.
   *
   * @returns null: nothing was known of it
   * @throws SyncError STILL_THERE - its source shows it; RECORD_BLOCKED - changes of it are open, or its source may still show the time
   * before a deletion through us; NOT_FOUND - a collection of which nothing is known; UNAVAILABLE
   */
  eraseRecord(tenant: string, collection: string, id: string): Promise<Erased | null>;
  /** Revokes all devices of a user and forgets what is kept of them. @throws SyncError RECORD_BLOCKED - changes of it are open; UNAVAILABLE */
  eraseUser(tenant: string, user: string): Promise<Erased>;
  /** What is still there afterwards. */
  readonly remains: { readonly ofRecord: readonly Remaining[]; readonly ofUser: readonly Remaining[] };
}

export function createErasure(
  ports: { readonly store: ErasureStore & Pick<RecordStore, 'readRecords' | 'commit'>; readonly clock: Clock },
  options: {
    readonly sources: readonly Pick<SourceCollection, 'collection' | 'facts'>[];
    readonly keptFor: KeptFor;
    /** Nothing that was read before is given out. */
    readonly forgetPages: () => void;
    readonly revoked: (device: DeviceKey) => void;
  },
): Erasure {
  const { store, clock } = ports;
  const { sources, keptFor, forgetPages, revoked } = options;
  const factsOf = new Map(sources.map(({ collection, facts }) => [collection.name, facts]));

  async function readTarget(tenant: string, collection: string, id: RecordId): Promise<RecordView> {
    const [view] = (await store.readRecords(tenant, [{ collection, id }])) as [RecordView];
    return view.aliasOf === null ? view : readTarget(tenant, collection, view.aliasOf);
  }

  /**
   * Of a record that no source shows any more: nobody will say that it is gone. Who still holds it is told when its collection is drained.
   *
   * @returns how many states were erased by it
   */
  async function bury(tenant: string, view: RecordView): Promise<number> {
    if (view.deleted || view.seq === 0 || view.intents.length > 0) return 0;
    const [outcome] = await store.commit(tenant, [tombstone({ ...view, body: ERASED_BODY })]);
    if (outcome?.kind === 'written') return 1;
    throw blocked(`${view.collection} ${view.id}: expected a record that stands still`);
  }

  return {
    async eraseRecord(tenant, collection, id) {
      const facts = factsOf.get(collection);
      const name = { collection, id: id as RecordId, isServed: facts !== undefined };
      const view = await readTarget(tenant, collection, name.id);
      if (facts !== undefined && view.deleted && mayLag(facts, view, clock.nowMs()))
        throw blocked(`${collection} ${id}: expected a source that shows its deletion by now, it may lag behind it`);
      const buried = facts === undefined ? await bury(tenant, view) : 0;
      const erasure = await store.eraseRecord(tenant, name);
      switch (erasure.kind) {
        case 'alive':
          throw new SyncError(
            'STILL_THERE',
            `${collection} ${id}: expected a record that is gone at its source, it is there`,
          );
        case 'listed':
          throw new SyncError(
            'STILL_THERE',
            `${collection} ${id}: expected a record that is gone at its source, it was shown and is set aside or to be read again`,
          );
        case 'open':
          throw openChanges(`${collection} ${id}`, erasure.intentNos);
        case 'erased': {
          if (facts === undefined && !erasure.isKnown)
            throw new SyncError(
              'NOT_FOUND',
              `expected a record of a collection that is or was served, got ${collection} ${id}`,
            );
          forgetPages();
          return erasure.isKnown ? { ...erasure.erased, states: erasure.erased.states + buried } : null;
        }
      }
    },

    async eraseUser(tenant, user) {
      const erasure = await store.eraseUser(tenant, user);
      if (erasure.kind === 'open') throw openChanges(`user ${user}`, erasure.intentNos);
      for (const device of erasure.devices) revoked(device);
      forgetPages();
      return erasure.erased;
    },

    remains: { ofRecord: remainsOfRecord(keptFor), ofUser: remainsOfUser(keptFor) },
  };
}

function openChanges(whose: string, intentNos: readonly number[]): SyncError {
  const named = intentNos.slice(0, MOST_NAMED).join(', ');
  const more = intentNos.length > MOST_NAMED ? ', …' : '';
  return blocked(`${whose}: expected no open change, ${intentNos.length} are to be settled first: ${named}${more}`);
}

function blocked(message: string): SyncError {
  return new SyncError('RECORD_BLOCKED', message);
}
