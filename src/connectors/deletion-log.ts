import { createHash } from 'node:crypto';
import { readPlace, writePlace, type ChangeNumberFacts, type NumberPlace } from './change-number.js';
import type { AnyCollectionDefinition, KeyValue } from './define.js';
import type { Duration } from './duration.js';
import type { Operation } from './transport.js';
import type { UpdatedSinceFacts } from './updated-since.js';

/** What a source tells about its list of what was deleted, which it keeps for a while. */
export interface DeletionLogFacts<Op extends Operation = Operation> {
  readonly kind: 'log';
  /** The call that lists what was deleted; its rows are entries. */
  readonly list: Op;
  /**
   * The entry's member that is the key of its record, the members that are, or a function. Default: as the collection's own. An entry that
   * is a bare text or number is the key itself.
   */
  readonly key?: string | readonly string[] | ((entry: never) => KeyValue);
  /** The filter for what was deleted since: by the time of deletion, or by number (`changeNumber`). */
  readonly since: LogTimeFacts | ChangeNumberFacts;
  /** An entry stays for so long at least. A gateway that was away for longer scans. */
  readonly keepsFor: Duration;
  /** May there be a record under the key of an entry again? False: what is deleted never comes back. Default: true. */
  readonly comesBack?: boolean;
  /** Time between the scans that find what the log did not tell. */
  readonly every: Duration;
}

/** As in `read.changes`; the order of entries does not matter. */
export type LogTimeFacts = Omit<UpdatedSinceFacts, 'ordered' | 'rowType'> & { readonly ordered?: boolean };

/** Deletions are listed by the source itself, each for a while. A scan now and then finds what the list did not tell. */
export function deletesByLog<Op extends Operation>(
  facts: Omit<DeletionLogFacts<Op>, 'kind' | 'every'> & { readonly every?: Duration },
): DeletionLogFacts<Op> {
  return { kind: 'log', every: '1d', ...facts };
}

/** The entries of a collection's log as a collection of their own: keys, no fields, and the filter of their moments. */
export function entriesOf({ type, key }: AnyCollectionDefinition, log: DeletionLogFacts): AnyCollectionDefinition {
  const { list, since } = log;
  const changes = since.kind === 'number' ? since : { ordered: false, ...since };
  return { type, key: log.key ?? key, fields: {}, read: { list, changes } };
}

/** Our place in a log: entries by their numbers, or by their times in ms, which are numbers too. */
export interface LogPlace extends NumberPlace {
  /** When all of it was read last, by our clock, ms since 1970; up to a twentieth of `keepsFor` too early. */
  readonly readMs: number;
  /** When its newest entry was made, as far as is known; null: none was seen. */
  readonly newestMs: number | null;
}

/** Our place in a collection's changes, as their reader has it, and in the log beside them. */
export interface LoggedPlace {
  readonly changes: string | null;
  /** Null: the log that is declared now was not read yet. */
  readonly log: LogPlace | null;
}

/** Cursors of changes and of the log, which move together. */
export interface LogCursors {
  write(place: LoggedPlace): string;
  /** A cursor from before there was a log is that of the changes. */
  read(text: string): LoggedPlace;
}

export function isSamePlace(one: LogPlace, other: LogPlace): boolean {
  const text = ({ settled, anchors, readMs, newestMs }: LogPlace): string =>
    JSON.stringify([String(settled), anchors.map(({ number, key }) => [String(number), key]), readMs, newestMs]);
  return text(one) === text(other);
}

/** @param facts all that decides what a place in the log stands for */
export function createLogCursors(facts: DeletionLogFacts): LogCursors {
  const { list, since } = facts;
  const of = createHash('sha256').update(JSON.stringify({ list, since })).digest('hex').slice(0, 16);
  return {
    write({ changes, log }) {
      const place = log === null ? null : writePlace(log, of);
      return JSON.stringify({ v: 1, log: place, ...(log === null ? {} : times(log)), changes });
    },
    read(text) {
      const found = logged(text);
      if (found === null) return { changes: text, log: null };
      const { changes, log, readMs, newestMs } = found;
      const place = typeof log === 'string' && typeof readMs === 'number' ? readPlace(log, of) : null;
      return {
        changes,
        log: place === null ? null : { ...place, readMs: readMs as number, newestMs: newestMs ?? null },
      };
    },
  };
}

interface Logged {
  readonly changes: string | null;
  readonly log: unknown;
  readonly readMs?: unknown;
  readonly newestMs?: number | null;
}

function times({ readMs, newestMs }: LogPlace): Pick<LogPlace, 'readMs' | 'newestMs'> {
  return { readMs, newestMs };
}

/** Null for a cursor that is of the changes alone. */
function logged(text: string): Logged | null {
  try {
    const found = JSON.parse(text) as Partial<Logged> | null;
    return typeof found === 'object' && found !== null && 'log' in found && 'changes' in found
      ? (found as Logged)
      : null;
  } catch {
    return null;
  }
}
