import type { AnyCollectionDefinition } from './define.js';
import type { RowTags } from './transport.js';

/** The version goes into the body of a write. */
export interface BodyGuard {
  readonly member: string;
  /** Statuses that say that the source holds another version. Default: 409. */
  readonly conflict?: number | readonly number[];
  /** How it is written. Default: a version of digits as a number, every other as text. */
  readonly as?: 'number' | 'text';
}

/** How a collection's version goes with a write. */
export interface WriteGuard {
  /** The header that takes it; null: none, the kit has another place for it. */
  readonly header: 'if-match' | 'if-unmodified-since' | null;
  /** The member of the body that takes it; null: none. */
  readonly member: string | null;
  /** Statuses that say that the source holds another version, besides 412. */
  readonly conflictOn: readonly number[];
  /**
   * It counts whole seconds: what is changed twice in one is not told apart. It is believed only when its second is over.
   */
  readonly countsSeconds: boolean;
  /** A version in the form that the source takes; null: this one cannot be sent. */
  textOf(version: string): string | null;
}

/** Null: the source takes no version. */
export function compileGuard({ version, write }: AnyCollectionDefinition): WriteGuard | null {
  const guard = write?.guard;
  if (guard === undefined) return null;
  if (guard === 'ifUnmodifiedSince') {
    const isHeader = version === LAST_MODIFIED;
    const textOf = isHeader ? (text: string): string => text : httpDate;
    return { header: 'if-unmodified-since', member: null, conflictOn: [], countsSeconds: true, textOf };
  }
  if (typeof guard === 'object') {
    const { member, conflict = CONFLICT } = guard;
    const conflictOn = typeof conflict === 'number' ? [conflict] : conflict;
    return { header: null, member, conflictOn, countsSeconds: false, textOf: (text) => text };
  }
  // A version kept as a member goes into a tag in quotes, as HTTP wants it; an ETag has them already.
  const isPlain = guard === 'ifMatch' && version !== 'etag';
  return {
    header: guard === 'ifMatch' ? 'if-match' : null,
    member: null,
    conflictOn: [],
    countsSeconds: false,
    textOf: isPlain ? (text) => `"${text}"` : (text) => text,
  };
}

/** HTTP's status for what contradicts the state of a record. */
const CONFLICT = 409;

/** A version as the member of a body takes it. */
export function memberValue(version: string, as: BodyGuard['as']): string | number {
  const isPlain = /^(0|[1-9]\d{0,15})$/.test(version) && Number.isSafeInteger(Number(version));
  return as !== 'text' && isPlain ? Number(version) : version;
}

/** The version is this header of a single read. */
export const LAST_MODIFIED = 'lastModified';

/** Does a single read show the version in a header, so that a list shows none? */
export function isOfHeader(version: string | undefined): boolean {
  return version === 'etag' || version === LAST_MODIFIED;
}

/** A version that counts seconds is believed at once when it is older than that, ms: a source's clocks may differ by less. */
const CLOCKS_DIFFER_MS = 60_000;
/** Else when it is still the same after this long, ms: its second is over by then, by the source's own clock. */
const SECOND_MS = 1_100;
/** Versions whose second is waited for. */
const MOST_YOUNG = 1_000;

/**
 * Watches over versions that count seconds. What a read shows is all that its second brought only if that second was over when it was read:
 * a write that is guarded by it then meets every later change, and its own effect is another version.
 */
export interface SecondWatch {
  /** How long until a read of this version can be believed, ms; 0: it can. */
  waitMs(key: string, version: string, tags: RowTags | null, nowMs: number): number;
}

/** @see SecondWatch. What it forgets costs a second of waiting, nothing else. */
export function createSecondWatch(): SecondWatch {
  const young = new Map<string, { readonly version: string; readonly readAtMs: number }>();
  return {
    waitMs(key, version, tags, nowMs) {
      const modifiedMs = timeOf(version);
      const shownAtMs = tags?.dateMs ?? null;
      const known = young.get(key);
      const isOld = modifiedMs !== null && shownAtMs !== null && shownAtMs - modifiedMs >= CLOCKS_DIFFER_MS;
      const readForMs = known?.version === version ? nowMs - known.readAtMs : -1;
      if (isOld || readForMs >= SECOND_MS) {
        young.delete(key);
        return 0;
      }
      if (readForMs >= 0) return SECOND_MS - readForMs;
      young.delete(key);
      if (young.size >= MOST_YOUNG) young.delete(young.keys().next().value as string);
      young.set(key, { version, readAtMs: nowMs });
      return SECOND_MS;
    },
  };
}

/** In whole seconds, rounded down as Last-Modified is. */
function httpDate(version: string): string | null {
  const ms = timeOf(version);
  return ms === null ? null : new Date(Math.floor(ms / 1_000) * 1_000).toUTCString();
}

/** ms since 1970 of a time that says its zone, of an HTTP date, and of seconds or milliseconds since 1970. */
function timeOf(version: string): number | null {
  if (/^\d{13}$/.test(version)) return Number(version);
  if (/^\d{10}$/.test(version)) return Number(version) * 1_000;
  const text = version.trim().replace(/([+-]\d{2})(\d{2})$/, '$1:$2');
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:\d{2})$|GMT$/.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}
