import type { RecordId } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import { isNeeded, referencesIn } from '../core/reference.js';
import type { CheckedChange, NamedChange } from './pushed-change.js';
import type { RecordQueue } from './record-queue.js';

/** A change that waits to be accepted, as far as its order is concerned. */
export interface Waiting {
  readonly named: NamedChange;
  readonly checked: CheckedChange | SyncError;
}

/**
 * Reads the records of waiting changes that are not known (any more). Changes of an id that is an alias go on to the record that it
 * is (F9), behind those that wait for it already.
 *
 * @throws SyncError UNAVAILABLE
 */
export async function seeRecords<Item extends Waiting>(
  store: Pick<RecordStore, 'readRecords'>,
  tenant: string,
  queue: RecordQueue<Item>,
): Promise<void> {
  followAliases(queue);
  for (let unseen = queue.unseen(); unseen.length > 0; unseen = queue.unseen()) {
    for (const view of await store.readRecords(tenant, unseen)) queue.see(view);
    followAliases(queue);
  }
}

/**
 * The next change of each record whose turn it is: creates come before what refers to them (F18). In a ring one begins that can do
 * without its reference, if there is one.
 */
export function changesInTurn<Item extends Waiting>(
  queue: RecordQueue<Item>,
): readonly { readonly item: Item; readonly view: RecordView }[] {
  const heads = queue.heads();
  const creates = new Set(
    heads.filter(({ view }) => isAbsent(view)).map(({ view }) => nameOf(view.collection, view.id)),
  );
  const blockers = heads.map(({ item, view }) => blockersOf(item, view, creates));
  const free = heads.filter((_, at) => blockers[at]?.length === 0);
  if (free.length > 0 || heads.length === 0) return free;
  const [first] = heads;
  const yielding = heads.find((_, at) => blockers[at]?.every((isRequired) => !isRequired)) ?? first;
  return yielding === undefined ? [] : [yielding];
}

/** Of the references to records that are still to be created: are they required? */
function blockersOf({ checked }: Waiting, view: RecordView, creates: ReadonlySet<string>): readonly boolean[] {
  if (checked instanceof SyncError) return [];
  const own = nameOf(view.collection, view.id);
  return referencesIn(checked.collection, checked.fields)
    .filter(({ collection, target }) => nameOf(collection, target) !== own && creates.has(nameOf(collection, target)))
    .map(({ field }) => isNeeded(checked.collection, field));
}

function followAliases<Item extends Waiting>(queue: RecordQueue<Item>): void {
  for (const { item, view } of queue.heads()) {
    if (view.aliasOf === null) continue;
    for (const one of queue.dropAll(item.named))
      queue.add({ ...one.named, id: view.aliasOf }, renamed(one, view.aliasOf));
  }
}

function renamed<Item extends Waiting>(item: Item, id: RecordId): Item {
  const { checked } = item;
  return {
    ...item,
    named: { ...item.named, id },
    checked: checked instanceof SyncError ? checked : { ...checked, id, isAlias: true },
  };
}

function isAbsent({ body, intents }: RecordView): boolean {
  return body === null && intents.length === 0;
}

function nameOf(collection: string, id: string): string {
  return `${collection} ${id}`;
}
