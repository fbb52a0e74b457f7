import type { Fields } from '../core/change.js';
import { GatewayFault } from './gateway.js';
import type { LiveQueries } from './live-queries.js';
import type { LocalStore } from './local-store.js';
import type { Stop } from './observed.js';
import type { Edit } from './outbox-entry.js';
import { isSame, shownRecords, type LocalRecord } from './overlay.js';

/** What an edit came to. */
export interface EditMade {
  readonly id: string;
  /** Names the edit in the outbox; null: nothing differed, and there is nothing to send. */
  readonly changeId: string | null;
}

/** How a list is wanted. */
export interface ListOptions<Shape> {
  /** Absent: all. */
  readonly where?: (record: LocalRecord<Shape>) => boolean;
  /** Absent: by id. */
  readonly order?: (a: LocalRecord<Shape>, b: LocalRecord<Shape>) => number;
}

/** The records of one collection as the app shows them, on this device, whether there is a network or not. */
export interface LocalCollection<Shape> {
  /** Null: there is none, or it was deleted here. */
  get(id: string): Promise<LocalRecord<Shape> | null>;
  list(options?: ListOptions<Shape>): Promise<readonly LocalRecord<Shape>[]>;
  /**
   * Makes a record, or sets these fields of the one that is there.
   *
   * @param id of a new record: a UUID in lower case; absent: a new one
   */
  put(fields: Partial<Shape>, id?: string): Promise<EditMade>;
  /** Sets these fields; null empties one. @throws GatewayFault NOT_FOUND - there is no such record here */
  patch(id: string, fields: Partial<Shape>): Promise<EditMade>;
  /** Deletes it; it is gone here at once. @throws GatewayFault NOT_FOUND */
  remove(id: string): Promise<EditMade>;
  /** Told now and whenever the record is another one. */
  observe(id: string, listener: (record: LocalRecord<Shape> | null) => void): Stop;
  /** Told now and whenever the list is another one. */
  observeList(listener: (records: readonly LocalRecord<Shape>[]) => void, options?: ListOptions<Shape>): Stop;
}

export interface CollectionParts {
  readonly store: LocalStore;
  readonly queries: LiveQueries;
  readonly nowMs: () => number;
  readonly newId: () => string;
  /** Keeps an edit that is made from what is here by then; null: there is none. */
  readonly add: (make: () => Promise<Edit | null>) => Promise<Edit | null>;
}

export function createLocalCollection<Shape extends object>(
  collection: string,
  { store, queries, nowMs, newId, add }: CollectionParts,
): LocalCollection<Shape> {
  async function read(id?: string): Promise<LocalRecord<Shape>[]> {
    // The gateway keeps every field to its declared type; that the app's types are those is what generating them is for.
    return shownRecords(await store.readRecords(collection, id)) as LocalRecord<Shape>[];
  }

  async function list({ where, order = byId }: ListOptions<Shape> = {}): Promise<readonly LocalRecord<Shape>[]> {
    const records = await read();
    return (where === undefined ? records : records.filter(where)).sort(order);
  }

  async function get(id: string): Promise<LocalRecord<Shape> | null> {
    return (await read(id))[0] ?? null;
  }

  type Deed = Pick<Edit, 'kind' | 'fields' | 'isCreate' | 'baseVersion'>;

  async function edit(id: string, decide: (shown: LocalRecord<Shape> | null) => Deed | null): Promise<EditMade> {
    const changedAt = new Date(nowMs()).toISOString();
    const made = await add(async () => {
      const deed = decide(await get(id));
      return deed === null ? null : { changeId: newId(), collection, id, ...deed, changedAt };
    });
    return { id, changeId: made?.changeId ?? null };
  }

  function change(shown: LocalRecord<Shape> | null, id: string, given: Fields): Deed | null {
    const { fields: had, version } = there(shown, id);
    const differing = Object.entries(given).filter(([field, value]) => !isSame((had as Fields)[field] ?? null, value));
    if (differing.length === 0) return null;
    return { kind: 'UPSERT', fields: Object.fromEntries(differing), isCreate: false, baseVersion: version };
  }

  function there(shown: LocalRecord<Shape> | null, id: string): LocalRecord<Shape> {
    if (shown === null) throw new GatewayFault('NOT_FOUND', `${collection} ${id}: expected a record that is here`);
    return shown;
  }

  return {
    get,
    list,
    async put(fields, id = newId()) {
      const given = plain(fields);
      return edit(id, (shown) =>
        shown === null
          ? { kind: 'UPSERT', fields: given, isCreate: true, baseVersion: null }
          : change(shown, id, given),
      );
    },
    async patch(id, fields) {
      const given = plain(fields);
      return edit(id, (shown) => change(shown, id, given));
    },
    remove: (id) =>
      edit(id, (shown) => ({
        kind: 'DELETE',
        fields: null,
        isCreate: false,
        baseVersion: there(shown, id).version,
      })),
    observe: (id, listener) => queries.observe({ collection, id }, () => get(id), listener),
    observeList: (listener, options) => queries.observe({ collection, id: null }, () => list(options), listener),
  };
}

/** What JSON keeps of it, which nobody else changes later. */
function plain(fields: object): Fields {
  return JSON.parse(JSON.stringify(fields)) as Fields;
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}
