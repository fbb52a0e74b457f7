import { createHash } from 'node:crypto';
import type { ReadFacts } from './define.js';
import type { RowFlag } from './row-flag.js';
import type { Operation } from './transport.js';

/**
 * A source that says itself what changed since: the last page of a full read brings a token, or a link, and whoever asks with it
 * gets what changed since that read began, and the next one.
 */
export interface DeltaFacts<Op extends Operation = Operation> {
  /** The full read whose last page brings the first token or link; without a filter of `follow` all records. Default: `read.list`. */
  readonly list?: Op;
  /** The call that takes the token or link. Default: the same one. */
  readonly follow?: Op;
  /** The parameter (REST) or argument (SOAP) that takes the token. A link is followed as it is, and needs none. */
  readonly param?: string;
  /** The member of an entry that says that its record is gone (`value`, or anything but false, 0, '' and null). */
  readonly removed?: RowFlag;
  /**
   * May a token be asked with again when its answer was lost? False: the source gives each answer once, so that a lost one, also by
   * the end of our process, costs a new full read and a scan.
   */
  readonly replayable: boolean;
  /** Statuses besides 410 that say that a token is no longer known, like `[404]`. `classify` knows others as `expired()`. */
  readonly expiredOn?: readonly number[];
}

/** Our place in a source's changes. */
export type DeltaCursor =
  | { readonly kind: 'token'; readonly token: string }
  /** A token that may be asked with once was asked with, and nobody knows what became of the answer. */
  | { readonly kind: 'asked' };

/** Cursors of one collection's delta: what was given out for other calls than these is not taken back. */
export interface DeltaCursors {
  write(cursor: DeltaCursor): string;
  /** Null for what is not ours: an older form, another fact, other calls. */
  read(text: string): DeltaCursor | null;
}

/** @param calls all that decides what the token stands for, as plain facts */
export function createDeltaCursors(calls: unknown): DeltaCursors {
  const of = createHash('sha256').update(JSON.stringify(calls)).digest('hex').slice(0, 16);
  return {
    write: (cursor) => JSON.stringify({ v: 1, of, ...(cursor.kind === 'token' ? { token: cursor.token } : {}) }),
    read(text) {
      try {
        const found = JSON.parse(text) as { readonly v?: unknown; readonly of?: unknown; readonly token?: unknown };
        if (found.v !== 1 || found.of !== of) return null;
        if (found.token === undefined) return { kind: 'asked' };
        return typeof found.token === 'string' ? { kind: 'token', token: found.token } : null;
      } catch {
        return null;
      }
    },
  };
}

/** Are deletions told once, beside the changes? `deletesByFlag` beside a delta says that they are seen in every read. */
export function hasFeedOfDeletions({ delta, list, deletes }: ReadFacts): boolean {
  if (delta === undefined || deletes?.kind === 'flag') return false;
  return delta.removed !== undefined || (delta.follow ?? delta.list ?? list).marksRemoved === true;
}
