import type { Fields, SourceKey } from './change.js';
import type { Collection } from './collection.js';
import type { FieldError } from './errors.js';
import type { MisfitRecord } from './misfit.js';
import type { Reading } from './reading.js';

/** A record as a source showed it in one read. */
export interface Observation {
  readonly sourceKey: SourceKey;
  /** Declared fields in canonical encodings, references as source keys. Null: the source says that it is deleted, or outside. */
  readonly fields: Fields | null;
  readonly sourceVersion: string | null;
  /** The fields of a record that is there, but outside of the collection's filter: gone, except for what was written to it. Absent: it is not. */
  readonly outside?: Fields;
}

/** What a source shows of a record, be it outside of the collection's filter; null: it is deleted. */
export function fieldsShown({ fields, outside }: Observation): Fields | null {
  return fields ?? outside ?? null;
}

/** What one request for changes or one page of a scan returned. */
export interface ObservedBatch {
  readonly observations: readonly Observation[];
  /** Records that are there, but not as declared; absent: none. */
  readonly misfits?: readonly MisfitRecord[];
  /** Records that are there, in the version that is known of them; absent: none. */
  readonly unchanged?: readonly SourceKey[];
  /** Where to go on once this batch is committed; absent: the cursor stays (it moves with the last batch only). */
  readonly cursor?: string;
  /** Of a page of a scan: with another page of this digest the source showed the very same. Absent: nobody knows. */
  readonly digest?: string;
  /** What went before this cursor may have passed unseen, as when a source forgot where we were: a scan is to find it. Absent: nothing. */
  readonly needsScan?: true;
}

/** The source versions that are known of records which are there and fit, by key: under one of them a source may say that nothing changed. */
export type KnownVersions = (keys: readonly SourceKey[]) => Promise<ReadonlyMap<SourceKey, string>>;

/** The keys of a page with this digest that shows just what is known of all its records; null: they are to be shown. */
export type KnownPages = (digest: string) => Promise<readonly SourceKey[] | null>;

/** What needs not be shown again. */
export interface KnownStates {
  readonly versions: KnownVersions;
  readonly pages: KnownPages;
}

/** What is true of a source's collection: the poller derives its work from these facts. */
export interface SourceFacts {
  /** `updatedSince`, `number`: asks for what changed since the cursor, by time or by number. `delta`: follows the source's own token. `list`: every poll is a full scan. */
  readonly changes: 'updatedSince' | 'number' | 'delta' | 'list';
  /** Of `delta`: may a token be asked with once only? Then a lost answer is a new full read. Absent: no. */
  readonly isConsumed?: boolean;
  readonly pollEveryMs: number;
  /** A source's word that its list is unchanged (304) stands for the list, for a day at most. Absent: it is always read. */
  readonly trustsTag?: boolean;
  /** Full scans find deletions, and what polls missed. */
  readonly scanEveryMs: number;
  /** A change may become visible this long after it was made: reads that confirm a deletion wait for it (F7). Absent: 0. */
  readonly maxTransactionMs?: number;
  /** `scan`: absent from a complete scan and confirmed; `flag`: seen in every read; `feed`: told once; `none`: not observable (R14). */
  readonly deletions: 'scan' | 'flag' | 'feed' | 'none';
  /** Reads show which records are outside of the collection: that is the source's own word, as a flag is. Absent: it has no filter. */
  readonly isFiltered?: boolean;
  /** Of `feed`: it is a log of its own, asked for with each poll, that keeps what was deleted for so long. Absent: changes tell it. */
  readonly deletionLogKeepsMs?: number;
  /** Lists show keys only: every record is read by its own call, unless its version says that it is as known. Absent: lists show records. */
  readonly readsEach?: boolean;
  /** Can a single record be read by key? Without it a scan proves a deletion only by F14. */
  readonly readOne: boolean;
  /** `keyset` and `overlap` paging cannot pass over a record that moved (F14). */
  readonly scanPaging: 'keyset' | 'overlap' | 'offset' | 'whole';
  /** `device`: the source takes the device's id as key; `source`: it gives its own. */
  readonly createKey: 'device' | 'source';
  /** May a key of a record that was deleted be given to another record (F20)? False: it is the same record that came back. Absent: true. */
  readonly keysReused?: boolean;
  /** What protects an update against foreign changes. */
  readonly updateGuard: 'version' | 'none';
  readonly deleteGuard: 'version' | 'none';
  /**
   * `seconds`: the version counts whole ones, so that what happens within one is not told apart where no read shows that it is over. `body`:
   * it goes with the body. Absent: with the call, as it is.
   */
  readonly guardForm?: 'seconds' | 'body';
  /** A write that is repeated with the same idempotency key within this long has no second effect (R11). Absent: it takes none. */
  readonly idempotencyKeyLifetimeMs?: number;
  /** It looks the key up before it judges a request: a refused repeat says that nothing was done. Absent: false. */
  readonly checksKeyFirst?: boolean;
  /** A record can be found by the idempotency key of the create that made it: `SourceCollection.lookUp`. Absent: false. */
  readonly lookUp?: boolean;
  /** A record can be found by fields that together name it: `SourceCollection.findAlike`. Absent: it has no such ones. */
  readonly naturalKey?: NaturalKey;
  /** A call that nobody waits for any more may still take effect this long after its deadline (F13). Absent: 30 s. */
  readonly maxRequestLifetimeMs?: number;
  /** A read may show the state before a write of ours this long after it (F30). Absent: 0. */
  readonly readAfterWriteMs?: number;
  /**
   * Its source sends webhooks that may name the collection: what comes within this long is joined, ms. They ask for polls; those that are
   * due come as well. Absent: it sends none.
   */
  readonly webhookWindowMs?: number;
  /** Declared maintenance windows in words, like `sun 22:00 to 02:30 Europe/Berlin`. Absent: none. */
  readonly maintenance?: readonly string[];
  /** Writes that take several calls, of which the last one makes them true. Absent: each is one call. */
  readonly callsInARow?: { readonly [Kind in 'create' | 'update' | 'delete']?: number };
  /** Longest wait for one call, ms; of writes with several calls for all of them. */
  readonly callTimeoutMs: number;
  /** How many calls to the source may run at once. */
  readonly concurrency: number;
  /** Writes that wait at the same time go in one call, so many at most: each for itself, or all of them or none. Absent: one each. */
  readonly batch?: { readonly size: number; readonly isAtomic: boolean };
}

/** Fields that together name a record: no two have the same values of all of them, as the source's connector declares. */
export interface NaturalKey {
  readonly fields: readonly string[];
  /** A record that has them once keeps them: what is not found by them is not there. False: they may be changed. */
  readonly isFixed: boolean;
}

/** A create, update or delete on its way to the source. */
export interface SourceWrite {
  readonly kind: 'create' | 'update' | 'delete';
  /** Null for a create whose key the source gives. */
  readonly sourceKey: SourceKey | null;
  /** The fields to write; for a create all that are known. */
  readonly fields: Fields;
  /** The last known whole state, for sources that take full records only; null for a create. */
  readonly current: Fields | null;
  /** In the place of `current` where no values are kept (F29): are these fields of the record as they were last known? Absent: `current` says. */
  readonly isAsKnown?: (seen: Fields, names: readonly string[]) => boolean;
  /** The source version that the write is guarded by. */
  readonly guard: string | null;
  /** Stable over repeats: `hash(tenant, device, changeId)` (F5), for sources that take one. */
  readonly idempotencyKey: string;
  /** It was sent before under this key. The answer may then be the first one, and its record an old one: it is read again. */
  readonly isRepeat?: boolean;
}

/** What a call came to. Only `notSent` may be repeated without more ado (R11). */
export type SourceWriteOutcome =
  /** Done. The observation is the answer's record, if it had one. */
  | { readonly kind: 'applied'; readonly observation: Observation | null }
  /** The guard did not fit: the source holds another version. */
  | { readonly kind: 'stale' }
  /** The source said no for good; `field` in our names, `fields` what it says of single ones (absent: nothing). */
  | {
      readonly kind: 'refused';
      readonly message: string;
      readonly field: string | null;
      readonly fields?: readonly FieldError[];
    }
  /** Certainly without effect: no connection, breaker open, throttled. */
  | { readonly kind: 'notSent'; readonly reason: string; readonly retryAfterMs: number | null }
  /** It may have taken effect: timeout, reset, 5xx, half an answer. */
  | { readonly kind: 'unknown'; readonly reason: string };

/**
 * One collection of a source, behind the guard (timeout, retry, breaker, limits). Reads throw SyncError
 * SOURCE_UNAVAILABLE when the source does not answer properly: batches shown before are true, but not everything.
 */
export interface SourceCollection {
  readonly collection: Collection;
  readonly facts: SourceFacts;
  /** How it is read, to notice when that changes between starts. Absent: it never does. */
  readonly reading?: Reading;
  /** True while the breaker is open or a maintenance window lasts: calls would fail at once. */
  isDown(): boolean;
  /** True while nobody has asked yet whether a source that did not answer is back: the next call finds out, and may take its whole time. */
  isProbeDue?(): boolean;
  /** How long the declared maintenance that is under way still lasts, ms; 0, or no such member: there is none. */
  maintenanceLeftMs?(): number;
  /** The source's clock minus ours, ms; nothing is decided by it. Null, or no such member: nobody knows. */
  clockSkewMs?(): number | null;
  /**
   * What changed since a cursor, at least; repeats are normal. The request of a batch is sent only when that batch is
   * asked for, so that the reader can note its token before (specification part 5).
   *
   * @param known absent: each record is shown, whatever its version
   */
  readChanges(cursor: string | null, signal: AbortSignal, known?: KnownVersions): AsyncIterable<ObservedBatch>;
  /**
   * The whole collection. Ends normally only if the scan is complete; any doubt throws (R14).
   *
   * @param isProof absences of this scan are to be believed: it asks for every row, where it would trust the source's word that none
   * changed (304). Absent: no
   * @param known absent: each record is shown, whatever is known of it
   */
  scan(signal: AbortSignal, isProof?: boolean, known?: KnownStates): AsyncIterable<ObservedBatch>;
  /** One record by key; `absent` is the source's 404 or 410. @throws RecordMisfit - it is there, but not as declared */
  readOne(key: SourceKey, signal: AbortSignal): Promise<Observation | 'absent'>;
  /** The record that a create with this idempotency key made. Only where the facts say `lookUp`. */
  lookUp?(idempotencyKey: string, signal: AbortSignal): Promise<Observation | 'absent'>;
  /**
   * Every record that has the natural key of these fields; none: the source says that there is none. Only where the facts have one.
   */
  findAlike?(fields: Fields, signal: AbortSignal): Promise<readonly Observation[]>;
  /**
   * @param leftMs what is left of the call's time, ms; absent, or more than that: `callTimeoutMs`. Asked once more in the tick in which a
   * request leaves: where nothing is left it does not, and what did not leave is `notSent` (F13)
   */
  write(write: SourceWrite, signal: AbortSignal, leftMs?: () => number): Promise<SourceWriteOutcome>;
}
