import type { HeldRecord, LocalStore, RecordName, StoreWrites, SyncState } from './local-store.js';
import type { OutboxEntry } from './outbox-entry.js';

/** As much of IndexedDB as is needed, so that nobody needs the types of a browser. */
interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}
interface OpenRequest extends Request<Database> {
  onupgradeneeded: (() => void) | null;
  onblocked: (() => void) | null;
}
interface Database {
  createObjectStore(name: string, options: object): ObjectStore;
  transaction(stores: readonly string[], mode: string, options?: object): Transaction;
  close(): void;
  onversionchange: (() => void) | null;
}
interface Transaction {
  objectStore(name: string): ObjectStore;
  abort(): void;
  readonly error: unknown;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}
interface Index {
  get(key: unknown): Request<unknown>;
  getAll(range?: unknown): Request<unknown[]>;
  getKey(key: unknown): Request<unknown>;
  openCursor(range?: unknown): Request<Cursor | null>;
}
interface ObjectStore extends Index {
  createIndex(name: string, keyPath: string | readonly string[], options?: object): unknown;
  index(name: string): Index;
  put(value: unknown, key?: unknown): Request<unknown>;
  delete(key: unknown): Request<unknown>;
  clear(): Request<unknown>;
}
interface Cursor {
  readonly primaryKey: unknown;
  delete(): Request<unknown>;
  continue(): void;
}
/** `indexedDB` of a browser, or of anything that behaves like it. */
export interface IndexedDb {
  open(name: string, version: number): unknown;
}

/** Adds a store or an index: then a number higher. */
const VERSION = 1;
const STATE = 'state';
const RECORDS = 'records';
const OUTBOX = 'outbox';
/** The state's key: there is one. */
const ONLY = 0;
const BY_GENERATION = 'generation';
const BY_RECORD = 'record';
const BY_CHANGE = 'changeId';

/** What the outbox keeps: the number gives the order. */
interface NumberedEntry extends OutboxEntry {
  readonly no?: number;
}

/**
 * A store in IndexedDB: for browsers.
 *
 * @param name of the database: one per gateway and app. The tabs of an app share it
 * @param factory absent: the browser's
 * @throws Error - there is no room, the browser refuses storage, or a newer release of the app has opened it
 */
export async function openIndexedDbStore(
  name: string,
  factory: IndexedDb = (globalThis as unknown as { readonly indexedDB: IndexedDb }).indexedDB,
): Promise<LocalStore> {
  const database = await openDatabase(name, factory);
  // A newer release in another tab wants to change it: it must not wait for this one.
  database.onversionchange = () => database.close();

  return {
    sharedAs: name,
    async readState() {
      const read = database.transaction([STATE], 'readonly');
      return (await answer<SyncState | undefined>(read.objectStore(STATE).get(ONLY))) ?? null;
    },
    async readSync() {
      const read = database.transaction([STATE, OUTBOX], 'readonly');
      const [state, entries] = await Promise.all([
        answer<SyncState | undefined>(read.objectStore(STATE).get(ONLY)),
        answer<readonly NumberedEntry[]>(read.objectStore(OUTBOX).getAll()),
      ]);
      return { state: state ?? null, entries: entries.map(unnumbered) };
    },
    async readRecords(collection, id) {
      const read = database.transaction([RECORDS, OUTBOX], 'readonly');
      const ids = id === undefined ? [[collection], [collection, []]] : [[collection, id]];
      const range = id === undefined ? between(ids[0], ids[1]) : between(ids[0], ids[0]);
      const [records, entries] = await Promise.all([
        answer<readonly HeldRecord[]>(read.objectStore(RECORDS).getAll(range)),
        answer<NumberedEntry[]>(read.objectStore(OUTBOX).index(BY_RECORD).getAll(range)),
      ]);
      const numbered = entries.sort((a, b) => (a.no ?? 0) - (b.no ?? 0));
      return { records, entries: numbered.map(unnumbered) };
    },
    async commit(writes, ifRevision) {
      // Not before it is on the disk: what is told to be kept is kept.
      const write = database.transaction([STATE, RECORDS, OUTBOX], 'readwrite', { durability: 'strict' });
      const end = ended(write);
      // Whoever waits for it hears of it; so does whoever is thrown out before.
      end.catch(() => undefined);
      const state = await answer<SyncState | undefined>(write.objectStore(STATE).get(ONLY));
      const isMoved = ifRevision !== null && (state?.revision ?? 0) !== ifRevision;
      try {
        if (!isMoved) put(write, writes);
      } catch (thrown) {
        write.abort();
        throw thrown;
      }
      await end;
      return !isMoved;
    },
    close: async () => database.close(),
  };
}

/** Asks for everything at once: a transaction ends by itself as soon as it has nothing to do. */
function put(write: Transaction, writes: StoreWrites): void {
  const [state, records, outbox] = [STATE, RECORDS, OUTBOX].map((name) => write.objectStore(name)) as [
    ObjectStore,
    ObjectStore,
    ObjectStore,
  ];
  if (writes.isWiped === true) for (const store of [state, records, outbox]) store.clear();
  if (writes.state !== undefined) state.put(writes.state, ONLY);
  for (const record of writes.records ?? []) records.put(record);
  const { seen } = writes;
  for (const name of seen?.names ?? []) {
    then(records.get(keyOf(name)) as Request<HeldRecord | undefined>, (held) => {
      if (held !== undefined) records.put({ ...held, generation: seen?.generation });
    });
  }
  for (const name of writes.gone ?? []) records.delete(keyOf(name));
  if (writes.sweepBelow !== undefined)
    sweep(records, writes.sweepBelow, new Set(seen?.names.map((name) => JSON.stringify(keyOf(name)))));
  for (const entry of writes.added ?? []) outbox.put(entry);
  const numbers = outbox.index(BY_CHANGE);
  for (const entry of writes.changed ?? []) {
    then(numbers.getKey(entry.changeId), (no) => void (no === undefined ? undefined : outbox.put({ ...entry, no })));
  }
  for (const changeId of writes.dropped ?? []) {
    then(numbers.getKey(changeId), (no) => void (no === undefined ? undefined : outbox.delete(no)));
  }
}

/** @param seen are of the new generation by now, or will be when the transaction ends */
function sweep(records: ObjectStore, generation: number, seen: ReadonlySet<string>): void {
  const request = records.index(BY_GENERATION).openCursor(between([-Infinity], [generation], true));
  request.onsuccess = () => {
    const { result: cursor } = request;
    if (cursor !== null && !seen.has(JSON.stringify(cursor.primaryKey))) cursor.delete();
    cursor?.continue();
  };
}

function keyOf({ collection, id }: RecordName): readonly string[] {
  return [collection, id];
}

function between(low: unknown, high: unknown, isOpen = false): unknown {
  const { IDBKeyRange } = globalThis as unknown as {
    readonly IDBKeyRange: { bound(low: unknown, high: unknown, lowOpen: boolean, highOpen: boolean): unknown };
  };
  return IDBKeyRange.bound(low, high, false, isOpen);
}

function unnumbered({ no: _no, ...entry }: NumberedEntry): OutboxEntry {
  return entry;
}

function openDatabase(name: string, factory: IndexedDb): Promise<Database> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, VERSION) as OpenRequest;
    request.onupgradeneeded = () => {
      const { result: database } = request;
      database.createObjectStore(STATE, {});
      const records = database.createObjectStore(RECORDS, { keyPath: ['collection', 'id'] });
      records.createIndex(BY_GENERATION, ['generation']);
      const outbox = database.createObjectStore(OUTBOX, { keyPath: 'no', autoIncrement: true });
      outbox.createIndex(BY_CHANGE, 'changeId', { unique: true });
      outbox.createIndex(BY_RECORD, ['collection', 'id']);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(faultOf(request.error));
    request.onblocked = () => reject(new Error(`${name}: expected the other tabs of an older release to let it go`));
  });
}

/** What IndexedDB answers is what was put there: nobody else writes to this database. */
function answer<T>(request: Request<unknown>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(faultOf(request.error));
  });
}

function then<T>(request: Request<T>, go: (result: T) => void): void {
  request.onsuccess = () => go(request.result);
}

function ended(transaction: Transaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(faultOf(transaction.error));
  });
}

function faultOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
