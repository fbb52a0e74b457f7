import type { Seq } from './change.js';
import type { Policy } from './collection.js';

/** When and by whom a field of the source layer last changed (specification part 3). */
export interface Stamp {
  readonly seq: Seq;
  readonly writer: string;
}

/** Stamps by field name; `*` stands for every field that has none of its own. */
export type Stamps = Readonly<Record<string, Stamp>>;
export const EVERY_FIELD = '*';

/** The stamp of one field: its own or the record's common one, whichever is newer. */
export function stampOf(stamps: Stamps, field: string): Stamp | undefined {
  const own = stamps[field];
  const common = stamps[EVERY_FIELD];
  if (own === undefined || common === undefined) return own ?? common;
  return own.seq >= common.seq ? own : common;
}

/** An open intent of the same record, as conflict checks see it. */
export interface RivalIntent {
  readonly writer: string;
  /** Null until its overlay is taken: counts as newer than any base (lazy overlay, specification part 4). */
  readonly seq: Seq | null;
  /** Field names; `*` for a DELETE. */
  readonly fields: readonly string[];
}

/** A pushed change as far as conflicts are concerned. */
export interface Contender {
  readonly writer: string;
  /** Field names; `*` for a DELETE, which touches all of them. */
  readonly fields: readonly string[];
  /** The seq of the version that the edit was made from; 0 for a new record. */
  readonly base: Seq;
}

/**
 * The fields in which a pushed change was made from a version that is no longer current (R9): by the stamps of the source
 * layer and, at accept, by other devices' open intents. Never by clock. At the binding decision `rivals` is empty: later
 * intents do not count there.
 */
export function conflictingFields(
  contender: Contender,
  declared: readonly string[],
  stamps: Stamps,
  rivals: readonly RivalIntent[],
): readonly string[] {
  const touched = contender.fields.includes(EVERY_FIELD) ? declared : contender.fields;
  return touched.filter((field) => {
    const stamp = stampOf(stamps, field);
    if (stamp !== undefined && stamp.seq > contender.base && stamp.writer !== contender.writer) return true;
    return rivals.some(
      (rival) =>
        rival.writer !== contender.writer &&
        (rival.seq === null || rival.seq > contender.base) &&
        (rival.fields.includes(field) || rival.fields.includes(EVERY_FIELD)),
    );
  });
}

/** What is to be done with a pushed change: send it whole, send what does not conflict, or refuse it. */
export type Verdict =
  | { readonly kind: 'apply' }
  | { readonly kind: 'merge'; readonly fields: readonly string[] }
  | { readonly kind: 'refuse'; readonly fields: readonly string[] };

export interface Clash {
  readonly kind: 'UPSERT' | 'DELETE';
  /** The pushed fields. */
  readonly fields: readonly string[];
  /** Those of them that conflict; the whole list for a DELETE. */
  readonly conflicting: readonly string[];
  /** Is the record gone at the source? */
  readonly deleted: boolean;
  /** Does an edit of a record that is gone make it again (`deletedRecord` of its collection)? */
  readonly editWins: boolean;
  /** When the edit was made, skew-corrected and clamped to the gateway's now (ms since 1970). */
  readonly editedAtMs: number;
  /** When the state it conflicts with was recorded (ms since 1970). */
  readonly currentAtMs: number;
}

/**
 * Settles a clash by the collection's policy. A record that is gone stays gone under every policy (delete wins; the edit
 * goes back to its device as a CONFLICT), unless its collection declares that edits win. Without conflicting fields the
 * change applies.
 */
export function decide(policy: Policy, clash: Clash): Verdict {
  if (clash.conflicting.length === 0) return { kind: 'apply' };
  if (clash.deleted) return clash.editWins && clash.kind === 'UPSERT' ? { kind: 'apply' } : refuse(clash);
  return BY_POLICY[policy](clash);
}

const BY_POLICY: Record<Policy, (clash: Clash) => Verdict> = {
  sourceWins: refuse,
  ask: refuse,
  deviceWins: () => ({ kind: 'apply' }),
  newestWins: (clash) => (clash.editedAtMs > clash.currentAtMs ? { kind: 'apply' } : refuse(clash)),
  mergeFields: (clash) => {
    if (clash.kind === 'DELETE') return refuse(clash);
    const rest = clash.fields.filter((field) => !clash.conflicting.includes(field));
    return rest.length === 0 ? refuse(clash) : { kind: 'merge', fields: rest };
  },
};

function refuse(clash: Clash): Verdict {
  return { kind: 'refuse', fields: clash.conflicting };
}

/**
 * When an edit was really made: the device's time moved by the skew of its clock, never in the gateway's future. Only
 * `newestWins` looks at it (R9).
 *
 * @param sentAtMs the device's clock when it sent the request; null: its clock is taken as right
 */
export function correctedTimeMs(changedAtMs: number, sentAtMs: number | null, nowMs: number): number {
  const skewMs = sentAtMs === null ? 0 : nowMs - sentAtMs;
  return Math.min(changedAtMs + skewMs, nowMs);
}
