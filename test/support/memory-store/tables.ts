import type { AuditPage } from '../../../src/core/audit.js';
import type { Epoch, RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { Stamps } from '../../../src/core/conflict.js';
import type { ChangeError } from '../../../src/core/errors.js';
import type { PushStatus } from '../../../src/core/intent.js';
import type { Chance } from '../../../src/core/ports.js';
import type { DeviceStanding } from '../../../src/core/device-port.js';
import type { StoredPhone } from './phone-tables.js';
import type { QuarantinedRecord } from '../../../src/core/ingest-port.js';
import type { CollectionState, OpenIntent, Recheck } from '../../../src/core/record-port.js';
import type { ScopePair, ScopeSet } from '../../../src/core/scope.js';
import type { DeviceKey } from '../../../src/core/session.js';
import type { ViaName } from '../../../src/core/via.js';

/** One record; `seq` 0 is one that is only being created and not shown yet (no feed row, no fields). */
export interface StoredRecord {
  readonly recordNo: number;
  readonly collection: string;
  readonly id: RecordId;
  readonly sourceKey: SourceKey | null;
  readonly seq: Seq;
  readonly mark: number;
  readonly deleted: boolean;
  readonly deletedBySource: boolean;
  readonly body: string | null;
  readonly vis: string | null;
  readonly pending: boolean;
  /** The last one: an alias of an alias is pointed on when it is made. */
  readonly aliasOf: RecordId | null;
  readonly sourceVersion: string | null;
  readonly hash: string | null;
  readonly stamps: Stamps;
  readonly via: ViaName | null;
  /** As in `RecordMark`. */
  readonly ownSeq: Seq;
  readonly written: Seq;
  /** The seq at which its present life at the source began: a record that comes back after a deletion is new to scans. */
  readonly firstSeq: Seq;
  readonly changedAtMs: number;
}

/** A record's row in one scope (specification part 2). */
export interface Membership {
  readonly recordNo: number;
  readonly collection: string;
  readonly id: RecordId;
  readonly scope: string;
  readonly entered: Seq;
  readonly seq: Seq;
  readonly left: boolean;
}

/** A pushed change as it is remembered; `settledSeq` is the seq of its receipt. */
export interface StoredChange {
  readonly device: DeviceKey;
  readonly changeId: string;
  readonly bodyHash: string;
  readonly collection: string;
  readonly id: RecordId;
  readonly status: PushStatus;
  readonly error: ChangeError | null;
  readonly settledSeq: Seq | null;
  readonly inEffect: boolean;
  /** Key of the record in which it takes effect: not the one it names when that is an alias by now. */
  readonly effectOn: string;
  readonly intentNo: number | null;
  readonly blockedBy: string | null;
  readonly kept: string | null;
}

export interface StoredIntent extends OpenIntent {
  readonly notBeforeMs: number;
  readonly leaseUntilMs: number;
  /** When the last attempt's call ends at the latest; null before the first. */
  readonly deadlineMs: number | null;
  /** Keys of the records that its fields refer to. */
  readonly refersTo: readonly string[];
}

export interface StoredCollection {
  readonly state: CollectionState;
  readonly cursor: string | null;
  readonly floor: Seq;
  readonly polledAtMs: number | null;
  readonly scannedAtMs: number | null;
  readonly heldDeletions: number;
  readonly allowed: { readonly deletions: number; readonly untilMs: number } | null;
  readonly scanAskedAtMs: number | null;
  readonly readAs: string | null;
  readonly provenAs: string | null;
  readonly shape: string | null;
}

export interface StoredDevice {
  readonly key: DeviceKey;
  readonly seenAtMs: number;
  readonly standing: DeviceStanding;
  readonly revokedAtMs: number | null;
}

/** One tenant. Rows are never changed in place, so a shallow copy of the maps is a consistent snapshot. */
export interface TenantTables {
  epoch: Epoch;
  head: Seq;
  horizon: Seq;
  readonly records: Map<string, StoredRecord>;
  /** Record keys by `collection sourceKey`. */
  readonly sourceKeys: Map<string, string>;
  /** The rows of each record, by its number. */
  readonly memberships: Map<number, readonly Membership[]>;
  readonly pairs: Map<string, ScopePair>;
  readonly changes: Map<string, StoredChange>;
  /** In the order of their numbers; changed by `putIntent` and `dropIntent` only. */
  readonly intents: Map<number, StoredIntent>;
  /** The open intents of each record, by its key, in accept order. */
  readonly lanes: Map<string, readonly number[]>;
  /** Of each collection, how many records its source has. */
  readonly liveCounts: Map<string, number>;
  readonly collections: Map<string, StoredCollection>;
  readonly rechecks: Map<string, Recheck & { readonly collection: string }>;
  /** By collection. */
  readonly askedPolls: Map<string, { readonly askedNo: number; readonly pollNo: number | null }>;
  /** By `recordKey` of the source key. */
  readonly quarantine: Map<string, QuarantinedRecord & { readonly collection: string }>;
  readonly scopeSets: Map<string, ScopeSet>;
  readonly devices: Map<string, StoredDevice>;
  /** As `devices`: those that are registered for hints. */
  readonly phones: Map<string, StoredPhone>;
  hintCursor: { readonly epoch: Epoch; readonly seq: Seq } | null;
  audit: Pick<AuditPage, 'anchor' | 'rows'>;
}

export function emptyTables(epoch: Epoch): TenantTables {
  return {
    epoch,
    head: 0 as Seq,
    horizon: 0 as Seq,
    records: new Map(),
    sourceKeys: new Map(),
    memberships: new Map(),
    pairs: new Map(),
    changes: new Map(),
    intents: new Map(),
    lanes: new Map(),
    liveCounts: new Map(),
    collections: new Map(),
    rechecks: new Map(),
    askedPolls: new Map(),
    quarantine: new Map(),
    scopeSets: new Map(),
    devices: new Map(),
    phones: new Map(),
    hintCursor: null,
    audit: { anchor: { no: 0, hash: '' }, rows: [] },
  };
}

export function copyTables(tables: TenantTables): TenantTables {
  return {
    epoch: tables.epoch,
    head: tables.head,
    horizon: tables.horizon,
    records: new Map(tables.records),
    sourceKeys: new Map(tables.sourceKeys),
    memberships: new Map(tables.memberships),
    pairs: new Map(tables.pairs),
    changes: new Map(tables.changes),
    intents: new Map(tables.intents),
    lanes: new Map(tables.lanes),
    liveCounts: new Map(tables.liveCounts),
    collections: new Map(tables.collections),
    rechecks: new Map(tables.rechecks),
    askedPolls: new Map(tables.askedPolls),
    quarantine: new Map(tables.quarantine),
    scopeSets: new Map(tables.scopeSets),
    devices: new Map(tables.devices),
    phones: new Map(tables.phones),
    hintCursor: tables.hintCursor,
    audit: tables.audit,
  };
}

/** Keys of the maps: JSON texts, so that no name can be mistaken for two. */
export const recordKey = (collection: string, id: string): string => JSON.stringify([collection, id]);
export const deviceText = (device: DeviceKey): string => JSON.stringify([device.user, device.device]);
export const changeKey = (device: DeviceKey, changeId: string): string =>
  JSON.stringify([device.user, device.device, changeId]);

/** A record's open intents in accept order. */
export function intentsOf(tables: TenantTables, collection: string, id: string): readonly StoredIntent[] {
  const lane = tables.lanes.get(recordKey(collection, id)) ?? [];
  return lane.map((intentNo) => tables.intents.get(intentNo) as StoredIntent);
}

/** Adds or changes an intent; one whose record became another one's alias changes its lane. */
export function putIntent(tables: TenantTables, intent: StoredIntent): void {
  const key = recordKey(intent.collection, intent.id);
  const before = tables.intents.get(intent.intentNo);
  const isMoved = before !== undefined && recordKey(before.collection, before.id) !== key;
  if (isMoved) leaveLane(tables, before);
  if (before === undefined || isMoved) {
    tables.lanes.set(
      key,
      [...(tables.lanes.get(key) ?? []), intent.intentNo].sort((a, b) => a - b),
    );
  }
  tables.intents.set(intent.intentNo, intent);
}

export function dropIntent(tables: TenantTables, intent: StoredIntent): void {
  leaveLane(tables, intent);
  tables.intents.delete(intent.intentNo);
}

function leaveLane(tables: TenantTables, { collection, id, intentNo }: StoredIntent): void {
  const key = recordKey(collection, id);
  const left = (tables.lanes.get(key) ?? []).filter((other) => other !== intentNo);
  if (left.length === 0) tables.lanes.delete(key);
  else tables.lanes.set(key, left);
}

/** What others decided on this record before is stale now. */
export function moveMark(
  tables: TenantTables,
  { collection, id }: { readonly collection: string; readonly id: string },
): void {
  const key = recordKey(collection, id);
  const record = tables.records.get(key);
  if (record !== undefined) tables.records.set(key, { ...record, mark: record.mark + 1 });
}

/** Does its source have it? What is there only as the overlay of a create is not live, nor is a tombstone. */
export function isLive(record: Pick<StoredRecord, 'deleted' | 'body'>): boolean {
  return !record.deleted && record.body !== null;
}

/** A collection's progress; one that nothing is known of is PRIMING. */
export function collectionOf(tables: TenantTables, name: string): StoredCollection {
  return (
    tables.collections.get(name) ?? {
      state: 'PRIMING',
      cursor: null,
      floor: 0 as Seq,
      polledAtMs: null,
      scannedAtMs: null,
      heldDeletions: 0,
      allowed: null,
      scanAskedAtMs: null,
      readAs: null,
      provenAs: null,
      shape: null,
    }
  );
}

/** A text of lower-case letters and digits. */
export function randomName(chance: Chance, length: number): string {
  return Array.from({ length }, () => Math.floor(chance() * 36).toString(36)).join('');
}
