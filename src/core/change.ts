import type { ErrorCode } from './errors.js';

/**
 * Place in a tenant's feed, in commit order. A safe integer: at 10,000 changes per second 2^53 lasts 28,000 years, and
 * numbers are a third of the cost of bigint in checkpoints and comparisons.
 */
export type Seq = number & { readonly __seq: true };
/** Identity of a feed: new after a rebuild or a restore. Eight characters of a-z and 0-9. */
export type Epoch = string & { readonly __epoch: true };
/** Our token of a record's state: `epoch.seq`, the place at which this state was sent. Opaque to devices. */
export type Version = string & { readonly __version: true };
/** A record's name within its collection: a device's UUID, or a pure function of the source key. */
export type RecordId = string & { readonly __recordId: true };
/** The key under which the source knows a record, in its canonical text form. */
export type SourceKey = string & { readonly __sourceKey: true };

export const SEQ_ZERO = 0 as Seq;

export type ChangeKind = 'UPSERT' | 'DELETE' | 'REVOKE';
export type PushKind = 'UPSERT' | 'DELETE';

/** Any JSON value, as fields hold it. Longs and decimals are strings, dates and times ISO texts. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
/** All fields of a record, or the changed ones of a pushed change, by field name. */
export type Fields = Readonly<Record<string, JsonValue>>;

/** The version under which a state of this seq is known to devices. */
export function formatVersion(epoch: Epoch, seq: Seq): Version {
  return `${epoch}.${seq}` as Version;
}

/** Reads a version; null when it is not one of ours (a device made it up). */
export function parseVersion(version: string): { readonly epoch: Epoch; readonly seq: Seq } | null {
  const match = /^([a-z0-9]{8})\.(0|[1-9][0-9]{0,15})$/.exec(version);
  if (match === null) return null;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1] as Epoch, seq: seq as Seq } : null;
}

/** One change as a device sees it; `fields` is null for tombstones. */
export interface Change {
  readonly collection: string;
  readonly id: RecordId;
  readonly version: Version;
  /** When the gateway recorded this state, ISO 8601 with milliseconds. */
  readonly changedAt: string;
  readonly kind: ChangeKind;
  readonly pending: boolean;
  readonly mine: readonly string[];
  readonly json: Fields | null;
  /** Of a record whose body is read from its source (F29): why it is not here now; `json` is null then. Absent: nothing is missing. */
  readonly unavailable?: Unavailable;
}

/** Why a body could not be read. */
export interface Unavailable {
  readonly code: ErrorCode;
  /** Does it come again by itself? */
  readonly retryable: boolean;
}
