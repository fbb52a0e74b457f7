import type { PushKind, RecordId, Seq } from '../core/change.js';
import type { OpenState } from '../core/intent.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { OpenIntent } from '../core/record-port.js';

/** An intent `t` as a JSON array: what `intentOf` reads. */
export const INTENT_JSON = `json_build_array(
  t.intent_no, t.user_id, t.device, t.change_id, t.collection, t.record_id, t.kind, t.fields, t.base_seq, t.edited_at_ms,
  t.state, t.attempt, t.seq, t.waits_for, t.fence, (extract(epoch from t.accepted_at) * 1000)::bigint, t.payload, t.guard)`;

/** An intent `t` that is leased or could be: what `leasedOf` reads. */
export const LEASED_JSON = `json_build_array(
  t.tenant, (extract(epoch from clock_timestamp() - t.deadline) * 1000)::bigint, ${INTENT_JSON})`;

/** The change that an open intent `t` waits for: see `OutboxEntry.blockedBy`. */
export const BLOCKER = `coalesce(
  (select b.change_id from intent b where b.intent_no = t.waits_for),
  (select b.change_id from intent b where b.record_no = t.record_no and b.intent_no < t.intent_no
   order by b.record_no desc, b.intent_no desc limit 1)
)`;

export type IntentRow = readonly [
  intentNo: number,
  user: string,
  device: string,
  changeId: string,
  collection: string,
  id: string,
  kind: PushKind,
  fields: string,
  baseSeq: number,
  editedAtMs: number,
  state: OpenState,
  attempt: number,
  seq: number | null,
  waitsFor: number | null,
  fence: number,
  acceptedAtMs: number,
  payload: string | null,
  guard: string | null,
];

export type LeasedRow = readonly [tenant: string, sinceDeadlineMs: number | null, intent: IntentRow];

export function intentOf(tenant: string, row: IntentRow): OpenIntent {
  const [intentNo, user, device, changeId, collection, id, kind, fields, baseSeq, editedAtMs, ...state] = row;
  const [openState, attempt, seq, waitsFor, fence, acceptedAtMs, payload, guard] = state;
  return {
    intentNo,
    device: { tenant, user, device },
    changeId,
    collection,
    id: id as RecordId,
    kind,
    fields,
    baseSeq: baseSeq as Seq,
    editedAtMs,
    state: openState,
    attempt,
    seq: seq as Seq | null,
    waitsFor,
    fence,
    acceptedAtMs,
    payload,
    guard,
  };
}

export function leasedOf([tenant, sinceDeadlineMs, intent]: LeasedRow): LeasedIntent {
  return { ...intentOf(tenant, intent), tenant, sinceDeadlineMs };
}

/** A record that an intent refers to, as `intent.refers` names it: collections are names without spaces. */
export function referenceText(to: { readonly collection: string; readonly id: RecordId }): string {
  return `${to.collection} ${to.id}`;
}
