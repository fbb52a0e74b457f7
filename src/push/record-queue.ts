import type { RecordId } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import type { RecordView } from '../core/record-port.js';

/** The name of a record, with its collection. */
export interface QueueName {
  readonly collection: Collection;
  readonly id: RecordId;
}

/** What waits for each record, in order, beside the record as it is known by now. */
export interface RecordQueue<Item> {
  /** Items that wait. */
  readonly size: number;
  add(name: QueueName, item: Item): void;
  /** Takes the record's first item off. */
  drop(name: QueueName): void;
  /** Takes all of the record's items off. */
  dropAll(name: QueueName): readonly Item[];
  /** The first item of each record whose view is known. */
  heads(): readonly { readonly item: Item; readonly view: RecordView }[];
  see(view: RecordView): void;
  /** The record moved: what is known of it is not true any more. */
  forget(name: QueueName): void;
  /** Records with waiting items of which no view is known. */
  unseen(): readonly { readonly collection: string; readonly id: RecordId }[];
  /** The record as it was last seen. */
  viewOf(name: { readonly collection: string; readonly id: RecordId }): RecordView | undefined;
}

/** Divides what is to be done by record, so that a commit holds at most one write of each (`RecordStore.commit`). */
export function queueByRecord<Item>(): RecordQueue<Item> {
  const waiting = new Map<string, Item[]>();
  const names = new Map<string, { readonly collection: string; readonly id: RecordId }>();
  const seen = new Map<string, RecordView>();
  const forgotten = new Set<string>();
  const keyOf = ({ collection, id }: { readonly collection: string; readonly id: string }): string =>
    `${collection} ${id}`;
  const keyOfName = ({ collection, id }: QueueName): string => keyOf({ collection: collection.name, id });
  let size = 0;

  function take(key: string, count: number): readonly Item[] {
    const items = waiting.get(key) ?? [];
    const taken = items.splice(0, count);
    size -= taken.length;
    if (items.length === 0) waiting.delete(key);
    return taken;
  }

  return {
    get size() {
      return size;
    },
    add(name, item) {
      const key = keyOfName(name);
      names.set(key, { collection: name.collection.name, id: name.id });
      const items = waiting.get(key);
      if (items === undefined) waiting.set(key, [item]);
      else items.push(item);
      size += 1;
    },
    drop: (name) => void take(keyOfName(name), 1),
    dropAll: (name) => take(keyOfName(name), Number.POSITIVE_INFINITY),
    heads() {
      return [...waiting].flatMap(([key, [item]]) => {
        const view = seen.get(key);
        return view === undefined || item === undefined || forgotten.has(key) ? [] : [{ item, view }];
      });
    },
    see(view) {
      seen.set(keyOf(view), view);
      forgotten.delete(keyOf(view));
    },
    forget: (name) => void forgotten.add(keyOfName(name)),
    unseen: () =>
      [...waiting.keys()]
        .filter((key) => forgotten.has(key) || !seen.has(key))
        .map((key) => names.get(key) as { readonly collection: string; readonly id: RecordId }),
    viewOf: (name) => seen.get(keyOf(name)),
  };
}
