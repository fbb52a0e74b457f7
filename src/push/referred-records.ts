import type { Fields } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import type { RecordView } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import { referenceName, referencesIn, type Reference } from '../core/reference.js';
import type { Waiting } from './accept-order.js';
import type { RecordQueue } from './record-queue.js';

/** The records that the changes of one push refer to: as they were when it came, or as the push itself has made them since. */
export interface ReferredRecords {
  /** Reads what these changes refer to. @throws SyncError UNAVAILABLE */
  readOf(changes: readonly Waiting[]): Promise<void>;
  /**
   * Reads what earlier changes refer to that make a record which its source does not have yet, or may give it other scopes.
   *
   * @throws SyncError UNAVAILABLE
   */
  readBehind(views: readonly RecordView[]): Promise<void>;
  find(reference: Reference): RecordView | undefined;
}

export function createReferredRecords(
  references: ReferenceMap,
  tenant: string,
  collections: ReadonlyMap<string, Collection>,
  queue: RecordQueue<Waiting>,
): ReferredRecords {
  const known = new Map<string, RecordView>();

  async function read(wanted: readonly Reference[]): Promise<void> {
    const missing = wanted.filter((reference) => !known.has(referenceName(reference)));
    if (missing.length === 0) return;
    for (const [name, view] of await references.referredTo(tenant, missing)) known.set(name, view);
  }

  return {
    readOf: (changes) =>
      read(
        changes.flatMap(({ checked }) =>
          checked instanceof SyncError ? [] : referencesIn(checked.collection, checked.fields),
        ),
      ),
    readBehind: (views) =>
      read(
        views.flatMap(({ collection, body, intents }) => {
          const declared = collections.get(collection);
          // Of what its source has, only where it is on its way to, if that moves it to another scope.
          if (declared === undefined || (body !== null && declared.via === undefined)) return [];
          return intents.flatMap((intent) => referencesIn(declared, JSON.parse(intent.fields) as Fields));
        }),
      ),
    find(reference) {
      const view = known.get(referenceName(reference));
      return view === undefined ? undefined : (queue.viewOf(view) ?? view);
    },
  };
}
