import type { Seq } from '../../../src/core/change.js';
import type { RecordWrite, Settlement } from '../../../src/core/record-port.js';
import { deviceOf, type DeviceKey } from '../../../src/core/session.js';
import type { Counters } from './record-row.js';
import { changeKey, dropIntent, putIntent, recordKey, type TenantTables } from './tables.js';

/** The dedupe row of a pushed change, and its intent unless it is final at once. @returns the intent's number */
export function accept(
  tables: TenantTables,
  tenant: string,
  counters: Counters,
  nowMs: number,
  write: RecordWrite,
  seq: Seq,
): number | null {
  const { acceptance, collection, id } = write;
  if (!acceptance) return null;
  const { changeId, bodyHash, intent } = acceptance;
  const intentNo = intent === null ? null : ++counters.intentNo;
  const device = deviceOf({ ...acceptance.device, tenant, grant: { kind: 'every' } }) as DeviceKey;
  tables.changes.set(changeKey(device, changeId), {
    device,
    changeId,
    bodyHash,
    collection,
    id,
    status: 'ACCEPTED',
    error: null,
    settledSeq: null,
    inEffect: false,
    effectOn: recordKey(collection, id),
    intentNo,
    blockedBy: null,
    kept: null,
  });
  if (intent === null || intentNo === null) return null;
  const { kind, fields, baseSeq, editedAtMs, lease, waitsFor, isShown, inDoubt, refersTo = [] } = intent;
  putIntent(tables, {
    kind,
    fields,
    baseSeq,
    editedAtMs,
    waitsFor,
    intentNo,
    device,
    changeId,
    collection,
    id,
    state: inDoubt === true ? 'IN_DOUBT' : 'PENDING',
    attempt: 0,
    seq: isShown ? seq : null,
    acceptedAtMs: nowMs,
    payload: null,
    guard: null,
    notBeforeMs: nowMs,
    leaseUntilMs: lease === null ? nowMs : nowMs + lease.leaseMs,
    fence: lease === null ? 0 : 1,
    deadlineMs: inDoubt === true ? nowMs : null,
    refersTo: refersTo.map((to) => recordKey(to.collection, to.id)),
  });
  return intentNo;
}

/** The overlays of these intents are taken at this seq, those that were not before. */
export function show(tables: TenantTables, intentNos: readonly number[], seq: Seq): void {
  for (const intentNo of intentNos) {
    const intent = tables.intents.get(intentNo);
    if (intent?.seq === null) putIntent(tables, { ...intent, seq });
  }
}

/** A change's fate; its intent closes, or stays as PARKED. */
export function settle(tables: TenantTables, settlement: Settlement, seq: Seq): void {
  const { device, changeId, status, error, inEffect, intent, blockedBy = null, kept = null } = settlement;
  const key = changeKey(device, changeId);
  const change = tables.changes.get(key);
  if (change) tables.changes.set(key, { ...change, status, error, inEffect, settledSeq: seq, blockedBy, kept });
  const open = intent === null ? undefined : tables.intents.get(intent.intentNo);
  if (!open) return;
  if (status === 'PARKED') putIntent(tables, { ...open, state: 'PARKED', leaseUntilMs: 0 });
  else dropIntent(tables, open);
}
