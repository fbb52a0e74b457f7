import type { Fields, PushKind } from '../core/change.js';
import type { ChangeError } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';

/**
 * What became of an edit so far. Null: it waits to be sent, or to be sent again. UNANSWERED: it was sent under a device id that is no
 * more, and no final answer came (F11): it is not sent again, since nobody could tell that it is a repeat; its user is shown it.
 */
export type EntryStatus = PushStatus | 'UNANSWERED' | null;

/** What an edit met: base, theirs and yours. */
export interface EntryConflict {
  readonly kind: PushKind;
  readonly baseVersion: string | null;
  /** Names of the fields in which it conflicts; none: it was refused because of another change. */
  readonly fields: readonly string[];
  readonly yours: Fields | null;
  /** The record as it stands at the source; null when it is gone, or not yours to see. */
  readonly theirs: { readonly version: string; readonly json: Fields | null } | null;
}

/** An edit that the device keeps: until its effect is here, or, refused, until the app discards it. */
export interface OutboxEntry {
  /** Unique for the device: what makes a repeat harmless (R7). */
  readonly changeId: string;
  /** Name of the record's collection. */
  readonly collection: string;
  /** Of the record, which it keeps for ever. */
  readonly id: string;
  /** UPSERT sets `fields`, DELETE takes the record away. */
  readonly kind: PushKind;
  /** The changed fields; null for DELETE. */
  readonly fields: Fields | null;
  /** Made a record that was not there. */
  readonly isCreate: boolean;
  /** The version that it was made from; null: a new record. */
  readonly baseVersion: string | null;
  /** By the device's clock, ISO 8601. */
  readonly changedAt: string;
  /** It may have reached the gateway. Kept before the first request leaves. */
  readonly isSent: boolean;
  /** The epoch that the device knew of when it sent it first (F5). */
  readonly sentEpoch: string | null;
  /** What became of it so far. */
  readonly status: EntryStatus;
  /** Why it was refused; while the status is null, why it could not be sent or taken the last time. Null: nobody said anything. */
  readonly error: ChangeError | null;
  /** With CONFLICT; null: there was none, or the gateway keeps it no more. */
  readonly conflict: EntryConflict | null;
  /** The changeId that it waits for. */
  readonly blockedBy: string | null;
  /** Its final receipt came: its effect is here when the round ends. */
  readonly hasReceipt: boolean;
  /** A later change of its record is in effect, so that it is, too, or fell: it is not shown any more. */
  readonly isCovered: boolean;
}

/** What an edit says, without its fate. */
export type Edit = Pick<
  OutboxEntry,
  'changeId' | 'collection' | 'id' | 'kind' | 'fields' | 'isCreate' | 'baseVersion' | 'changedAt'
>;

/** A record's name as one text, for maps. */
export function nameOf({ collection, id }: { readonly collection: string; readonly id: string }): string {
  return JSON.stringify([collection, id]);
}

/** An edit that was just made. */
export function newEntry(edit: Edit): OutboxEntry {
  return {
    ...edit,
    isSent: false,
    sentEpoch: null,
    status: null,
    error: null,
    conflict: null,
    blockedBy: null,
    hasReceipt: false,
    isCovered: false,
  };
}

/** As if it had never left. */
export function unsent(entry: OutboxEntry): OutboxEntry {
  return { ...entry, isSent: false, sentEpoch: null };
}

/** Refused for good: it is kept for its user, and is not laid over the record. */
export function isRefused({ status }: Pick<OutboxEntry, 'status'>): boolean {
  return status === 'CONFLICT' || status === 'REJECTED';
}

/** In effect at the source. */
export function isApplied({ status }: OutboxEntry): boolean {
  return status === 'APPLIED' || status === 'MERGED';
}

/** Waits for nothing but its user: refused, or unanswered. */
export function isForUser(entry: OutboxEntry): boolean {
  return isRefused(entry) || entry.status === 'UNANSWERED';
}

/** On its way: not final, and the gateway is to settle it. */
export function isOpen(entry: OutboxEntry): boolean {
  return !isApplied(entry) && !isForUser(entry);
}
