import { SEQ_ZERO, type RecordId, type Seq } from '../../../src/core/change.js';
import { EVERY_FIELD, type Stamp, type Stamps } from '../../../src/core/conflict.js';
import type { NextState, RecordWrite, Stamping } from '../../../src/core/record-port.js';
import { isLive, recordKey, type StoredRecord, type TenantTables } from './tables.js';

/** Numbers that are never given twice. */
export interface Counters {
  recordNo: number;
  intentNo: number;
}

/** The record's part of a write that was not refused. @returns null when there is no record, and need not be */
export function writeRecord(
  tables: TenantTables,
  counters: Counters,
  nowMs: number,
  write: RecordWrite,
  seq: Seq,
): StoredRecord | null {
  const key = recordKey(write.collection, write.id);
  const before = tables.records.get(key);
  if (before === undefined && write.next === undefined && !write.acceptance?.intent) return null;
  const moves = (write.acceptance?.intent ? 1 : 0) + (write.settlement?.intent ? 1 : 0);
  let after: StoredRecord = before ?? absentRecord(++counters.recordNo, write.collection, write.id, nowMs);
  if (write.next) after = withNext(after, write.next, seq, nowMs);
  if (write.sourceVersion !== undefined) after = { ...after, sourceVersion: write.sourceVersion };
  after = { ...after, mark: after.mark + moves, stamps: stamped(after.stamps, write.stamps ?? [], seq) };
  if (before?.sourceKey && before.sourceKey !== after.sourceKey) {
    tables.sourceKeys.delete(recordKey(write.collection, before.sourceKey));
  }
  if (after.sourceKey !== null) tables.sourceKeys.set(recordKey(write.collection, after.sourceKey), key);
  tables.records.set(key, after);
  countLive(tables, before, after);
  return after;
}

export function absentRecord(recordNo: number, collection: string, id: RecordId, nowMs: number): StoredRecord {
  return {
    recordNo,
    collection,
    id,
    sourceKey: null,
    seq: SEQ_ZERO,
    mark: 0,
    deleted: false,
    deletedBySource: false,
    body: null,
    vis: null,
    pending: false,
    aliasOf: null,
    sourceVersion: null,
    hash: null,
    stamps: {},
    via: null,
    ownSeq: SEQ_ZERO,
    written: SEQ_ZERO,
    firstSeq: SEQ_ZERO,
    changedAtMs: nowMs,
  };
}

function countLive(tables: TenantTables, before: StoredRecord | undefined, after: StoredRecord): void {
  const { collection } = after;
  const more = Number(isLive(after)) - Number(before !== undefined && isLive(before));
  if (more !== 0) tables.liveCounts.set(collection, (tables.liveCounts.get(collection) ?? 0) + more);
}

function withNext(record: StoredRecord, next: NextState, seq: Seq, nowMs: number): StoredRecord {
  const wasLive = isLive(record);
  // An overlay that falls was never the source's to delete; and a deletion is counted once.
  const isDeletedBySource = wasLive ? !next.throughUs : record.deletedBySource;
  return {
    ...record,
    sourceKey: next.sourceKey,
    seq,
    deleted: next.deleted,
    deletedBySource: next.deleted && isDeletedBySource,
    body: next.body,
    vis: next.vis,
    pending: next.pending,
    sourceVersion: next.sourceVersion,
    hash: next.hash,
    via: next.via ?? null,
    ownSeq: seq,
    written: next.throughUs ? seq : record.written,
    firstSeq: !wasLive && isLive(next) ? seq : record.firstSeq,
    changedAtMs: nowMs,
  };
}

function stamped(before: Stamps, stampings: readonly Stamping[], seq: Seq): Stamps {
  let stamps: Record<string, Stamp> = { ...before };
  for (const { fields, writer, at } of stampings) {
    if (fields.includes(EVERY_FIELD) && at === null) stamps = { [EVERY_FIELD]: { seq, writer } };
    else for (const field of fields) stamps[field] = { seq: at ?? seq, writer };
  }
  return stamps;
}
