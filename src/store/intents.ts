import type { HeldIntent, LeasedIntent, SendNote } from '../core/outbox-port.js';
import type { RecordStore } from '../core/record-port.js';
import { storeFault, type Database } from './database.js';
import { LEASED_JSON, leasedOf, referenceText, type LeasedRow } from './intent-row.js';

type LeaseRequest = Parameters<RecordStore['leaseIntents']>[0];

/** Due intents that are first in their record's lane. A lease that ran out before the call was noted is free again. */
export async function leaseIntents(database: Database, request: LeaseRequest): Promise<readonly LeasedIntent[]> {
  const text = `
    with taken as (
      update intent t set
        lease_holder = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond', fence = t.fence + 1
      where t.intent_no in (
        select i.intent_no from intent i
        where i.tenant = $1 and i.collection = any ($2) and i.state = 'PENDING' and i.not_before <= clock_timestamp()
          and (i.lease_until is null or i.lease_until < clock_timestamp())
          and not exists (select 1 from intent b where b.intent_no = i.waits_for)
          and not exists (
            select 1 from intent e
            where e.record_no = i.record_no and (
              e.intent_no < i.intent_no
              or (e.intent_no > i.intent_no and e.state <> 'PENDING' and not (e.state = 'IN_DOUBT' and e.payload is null))
            )
          )
        order by i.intent_no
        limit $5
        for update skip locked
      )
      returning t.*
    )
    select json_agg(${LEASED_JSON} order by t.intent_no)::text as intents from taken t`;
  const values = [request.tenant, request.collections, request.holder, request.leaseMs, request.limit];
  return readLeased(database, 'lease_intents', text, values);
}

/** Calls whose holder is gone: see `tidegate_lease_in_doubt`. */
export async function leaseInDoubt(
  database: Database,
  request: Parameters<RecordStore['leaseInDoubt']>[0],
): Promise<readonly LeasedIntent[]> {
  const text = `select json_agg(${LEASED_JSON} order by t.intent_no)::text as intents from tidegate_lease_in_doubt($1, $2, $3, $4) t`;
  return readLeased(database, 'lease_in_doubt', text, [request.tenant, request.holder, request.leaseMs, request.limit]);
}

async function readLeased(
  database: Database,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<readonly LeasedIntent[]> {
  try {
    const { rows } = await database.query<{ intents: string | null }>({ name, text, values: [...values] });
    return (JSON.parse(rows[0]?.intents ?? '[]') as readonly LeasedRow[]).map(leasedOf);
  } catch (cause) {
    throw storeFault(cause);
  }
}

export async function noteSent(
  database: Database,
  tenant: string,
  notes: readonly SendNote[],
): Promise<readonly ('sent' | 'stale' | 'lost')[]> {
  const encoded = notes.map((note) => ({
    intentNo: note.intentNo,
    fence: note.fence,
    c: note.collection,
    i: note.id,
    es: note.expected.seq,
    em: note.expected.mark,
    payload: note.payload,
    guard: note.guard,
    deadlineMs: Math.round(note.deadlineMs),
  }));
  try {
    const { rows } = await database.query<{ outcomes: readonly ('sent' | 'stale' | 'lost')[] }>({
      name: 'note_sent',
      text: 'select tidegate_note_sent($1, $2) as outcomes',
      values: [tenant, JSON.stringify(encoded)],
    });
    return rows[0]?.outcomes ?? [];
  } catch (cause) {
    throw storeFault(cause);
  }
}

export async function releaseIntent(
  database: Database,
  intent: HeldIntent,
  retryInMs: number,
  waitsFor?: number | null,
): Promise<boolean> {
  const { tenant, intentNo, fence } = intent;
  const values = [tenant, intentNo, fence, Math.round(retryInMs), waitsFor !== undefined, waitsFor ?? null];
  return isDone(database, 'release_intent', 'select tidegate_release_intent($1, $2, $3, $4, $5, $6) as done', values);
}

export async function leaveInDoubt(database: Database, intent: HeldIntent, lookInMs: number): Promise<boolean> {
  const values = [intent.tenant, intent.intentNo, intent.fence, Math.round(lookInMs)];
  return isDone(database, 'leave_in_doubt', 'select tidegate_leave_in_doubt($1, $2, $3, $4) as done', values);
}

async function isDone(database: Database, name: string, text: string, values: unknown[]): Promise<boolean> {
  try {
    const { rows } = await database.query<{ done: boolean }>({ name, text, values });
    return rows[0]?.done ?? false;
  } catch (cause) {
    throw storeFault(cause);
  }
}

export async function readUnshown(
  database: Database,
  { tenant, collections, olderThanMs, limit }: Parameters<RecordStore['readUnshown']>[0],
): ReturnType<RecordStore['readUnshown']> {
  const text = `
    select collection, record_id as id from intent
    where tenant = $1 and collection = any ($2) and seq is null and accepted_at <= clock_timestamp() - $3 * interval '1 millisecond'
    group by record_no, collection, record_id
    order by min(intent_no) limit $4`;
  try {
    const values = [tenant, collections, Math.round(olderThanMs), limit];
    return (await database.query<Unshown>({ name: 'read_unshown', text, values })).rows;
  } catch (cause) {
    throw storeFault(cause);
  }
}

type Unshown = Awaited<ReturnType<RecordStore['readUnshown']>>[number];

export async function readReferring(
  database: Database,
  tenant: string,
  to: Parameters<RecordStore['readReferring']>[1],
  before: number,
): ReturnType<RecordStore['readReferring']> {
  // Planned for each call: a plan made while few intents are open goes through all of them for ever.
  const text = `
    select intent_no as "intentNo", change_id as "changeId" from intent
    where tenant = $1 and refers @> array[$2] and intent_no < $3 order by intent_no`;
  try {
    const values = [tenant, referenceText(to), before];
    return (await database.query<{ intentNo: number; changeId: string }>({ text, values })).rows;
  } catch (cause) {
    throw storeFault(cause);
  }
}
