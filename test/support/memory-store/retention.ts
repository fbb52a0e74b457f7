import type { Epoch, Seq } from '../../../src/core/change.js';
import { deviceText, moveMark, putIntent, recordKey, type TenantTables } from './tables.js';

/**
 * Forgets what is older than a time: moves the horizon and every collection's floor, drops left rows, tombstones and
 * receipts up to it. Dedupe rows live as long as their device (F11).
 */
export function purgeTables(tables: TenantTables, olderThanMs: number): Seq {
  const records = [...tables.records.values()];
  const old = records.filter((record) => record.changedAtMs < olderThanMs).map((record) => record.seq);
  tables.horizon = Math.max(tables.horizon, ...old) as Seq;
  const { horizon } = tables;
  for (const [recordNo, rows] of tables.memberships) {
    const kept = rows.filter((row) => !row.left || row.seq > horizon);
    if (kept.length === 0) tables.memberships.delete(recordNo);
    else if (kept.length < rows.length) tables.memberships.set(recordNo, kept);
  }
  const named = new Set(records.map(({ collection, aliasOf }) => recordKey(collection, aliasOf ?? '')));
  for (const record of records) {
    const key = recordKey(record.collection, record.id);
    // Aliases are for ever, and so is what they lead to.
    const isKept = record.aliasOf !== null || named.has(key) || tables.lanes.has(key);
    if (!record.deleted || record.seq > horizon || isKept) continue;
    tables.records.delete(key);
    if (record.sourceKey !== null) tables.sourceKeys.delete(recordKey(record.collection, record.sourceKey));
  }
  for (const [key, change] of tables.changes) {
    if (change.settledSeq === null || change.settledSeq > horizon || change.status === 'PARKED') continue;
    tables.changes.set(key, { ...change, settledSeq: null, error: null, kept: null });
  }
  evictSilent(tables, olderThanMs);
  for (const [name, collection] of tables.collections) {
    tables.collections.set(name, { ...collection, floor: Math.max(collection.floor, horizon) as Seq });
  }
  return horizon;
}

/** Their changes are forgotten but for what somebody may still ask for. */
function evictSilent(tables: TenantTables, olderThanMs: number): void {
  const evicted = [...tables.devices].filter(([, one]) => one.seenAtMs < olderThanMs && one.standing === 'kept');
  for (const [name, device] of evicted) {
    tables.devices.set(name, { ...device, standing: 'evicted' });
    tables.phones.delete(name);
  }
  const names = new Set(evicted.map(([name]) => name));
  for (const [key, { device, settledSeq, status }] of tables.changes) {
    if (!names.has(deviceText(device)) || settledSeq !== null) continue;
    if (status !== 'ACCEPTED' && status !== 'PARKED') tables.changes.delete(key);
  }
}

/** Numbers and fences that may have been given out since the backup are passed over. */
export const EPOCH_GAP = 1_000_000;

/** A new epoch: nothing open can be trusted to be unsent, and every source is looked through again (specification part 8). */
export function startEpoch(tables: TenantTables, epoch: Epoch, seenHead: Seq, nowMs: number): void {
  tables.epoch = epoch;
  tables.head = Math.max(tables.head, seenHead) as Seq;
  for (const intent of tables.intents.values()) {
    if (intent.state !== 'PARKED') {
      const fence = intent.fence + EPOCH_GAP;
      // What is noted of a PENDING one is a call without effect: it says nothing of later ones.
      const call = intent.state === 'PENDING' ? { payload: null, guard: null } : {};
      const deadlineMs = nowMs + (intent.state === 'PENDING' ? 0 : 30_000);
      putIntent(tables, { ...intent, ...call, state: 'IN_DOUBT', fence, leaseUntilMs: 0, deadlineMs });
    }
    moveMark(tables, intent);
  }
  for (const [name, collection] of tables.collections) {
    const floor = Math.max(collection.floor, tables.head) as Seq;
    tables.collections.set(name, { ...collection, cursor: null, scannedAtMs: null, floor });
  }
}
