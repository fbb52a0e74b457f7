import type { Seq, SourceKey } from '../../../src/core/change.js';
import type { TouchedPair, WaitingReceipt } from '../../../src/core/feed-port.js';
import type { CommitContext, RecordWrite, WriteOutcome } from '../../../src/core/record-port.js';
import { checkAlias, makeAlias } from './aliases.js';
import { accept, settle, show } from './changes.js';
import { follow, liveScopes, place } from './follow.js';
import { writeRecord, type Counters } from './record-row.js';
import { changeKey, collectionOf, recordKey, type StoredRecord, type TenantTables } from './tables.js';

export interface CommitResult {
  readonly outcomes: readonly WriteOutcome[];
  readonly touched: readonly TouchedPair[];
  readonly receipts: readonly WaitingReceipt[];
}

/** One commit on one tenant: the rules of `RecordStore.commit` and of specification part 2, one write after the other. */
export function commitWrites(
  tables: TenantTables,
  tenant: string,
  counters: Counters,
  nowMs: number,
  writes: readonly RecordWrite[],
  ingest: CommitContext['ingest'],
): CommitResult {
  const touched = new Map<string, TouchedPair>();
  const receipts: WaitingReceipt[] = [];
  const missed: SourceKey[] = [];
  for (const write of writes) if (refuse(tables, write) === null) checkAlias(tables, writes, write);
  const outcomes = writes.map((write): WriteOutcome => {
    const refusal = refuse(tables, write);
    if (refusal !== null) {
      const key = write.next?.sourceKey ?? null;
      if ((refusal.kind === 'stale' || refusal.kind === 'keyTaken') && key !== null) missed.push(key);
      return refusal;
    }
    const seq = write.next || write.settlement ? ((tables.head = (tables.head + 1) as Seq), tables.head) : tables.head;
    const record = writeRecord(tables, counters, nowMs, write, seq);
    if (write.next && record) {
      // One with the scopes of another record keeps its own until these are known, below.
      const scopes = (write.next.via ?? null) === null ? write.next.scopes : liveScopes(tables, record);
      const author = write.settlement?.status === 'APPLIED' ? write.settlement.device : null;
      place(tables, record, new Set(scopes), seq, touched, author);
    }
    const intentNo = accept(tables, tenant, counters, nowMs, write, seq);
    show(tables, write.shown ?? [], seq);
    if (write.settlement) {
      settle(tables, write.settlement, seq);
      receipts.push({ device: write.settlement.device, collection: write.collection });
    }
    return { kind: 'written', seq, intentNo };
  });
  // The record that an alias turned out to be may be made by the same commit.
  writes.forEach(({ collection, id, aliasOf }, at) => {
    if (aliasOf !== undefined && outcomes[at]?.kind === 'written') makeAlias(tables, collection, id, aliasOf);
  });
  const written = writes.filter((write, at) => write.next !== undefined && outcomes[at]?.kind === 'written');
  if (written.length > 0) follow(tables, written, nowMs, touched);
  if (ingest !== undefined) noteIngest(tables, nowMs, ingest, missed);
  return { outcomes, touched: [...touched.values()], receipts };
}

function refuse(tables: TenantTables, write: RecordWrite): WriteOutcome | null {
  const { acceptance, settlement, next, expected } = write;
  if (acceptance && tables.changes.has(changeKey(acceptance.device, acceptance.changeId))) return { kind: 'known' };
  if (settlement?.intent && tables.intents.get(settlement.intent.intentNo)?.fence !== settlement.intent.fence) {
    return { kind: 'fenceLost' };
  }
  const record = tables.records.get(recordKey(write.collection, write.id));
  if ((record?.seq ?? 0) !== expected.seq || (record?.mark ?? 0) !== expected.mark) return { kind: 'stale' };
  const holder = next?.sourceKey ? tables.sourceKeys.get(recordKey(write.collection, next.sourceKey)) : undefined;
  if (holder !== undefined && holder !== recordKey(write.collection, write.id)) {
    return { kind: 'keyTaken', by: (tables.records.get(holder) as StoredRecord).id };
  }
  return null;
}

function noteIngest(
  tables: TenantTables,
  nowMs: number,
  ingest: NonNullable<CommitContext['ingest']>,
  missed: readonly SourceKey[],
): void {
  const { collection } = ingest;
  const before = collectionOf(tables, collection);
  tables.collections.set(collection, {
    ...before,
    ...(ingest.cursor === undefined ? {} : { cursor: ingest.cursor }),
    ...(ingest.state === undefined ? {} : { state: ingest.state }),
    ...(ingest.polledAtMs === undefined ? {} : { polledAtMs: ingest.polledAtMs }),
    ...(ingest.scannedAtMs === undefined ? {} : { scannedAtMs: ingest.scannedAtMs }),
  });
  // What was missed goes on the list last: a key that its reader meant to take off stays when its write did not happen.
  for (const key of ingest.dropRechecks ?? []) tables.rechecks.delete(recordKey(collection, key));
  for (const one of ingest.addRechecks ?? []) {
    tables.rechecks.set(recordKey(collection, one.sourceKey), { ...one, collection });
  }
  for (const sourceKey of missed) {
    const reason = 'moved while it was decided';
    tables.rechecks.set(recordKey(collection, sourceKey), { collection, sourceKey, reason, notBeforeMs: nowMs });
  }
}
