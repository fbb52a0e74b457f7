import type { RecordId, Seq } from '../core/change.js';
import { EVERY_FIELD } from '../core/conflict.js';
import {
  ERASED_BODY,
  ERASED_HASH,
  ERASED_WRITER,
  erasedError,
  NOTHING_ERASED,
  type Erased,
  type ErasureStore,
  type RecordErasure,
} from '../core/erasure-port.js';
import { writerOf } from '../core/session.js';
import type { Database } from './database.js';
import { errorOf } from './known-changes.js';
import { PHONES_LOCK } from './phones.js';
import { inLongTransaction, inTransaction, type Run } from './tenant-transaction.js';

/** Records whose stamps are gone through under one lock: nobody waits for long. */
const RECORDS_AT_ONCE = 1_000;

/** Erasure on request: rare, so its statements are planned for each call, and read all of a table where no index leads. */
export function erasureStore(database: Database): ErasureStore {
  return {
    eraseRecord: (tenant, name) => inTransaction(database, tenant, (run) => eraseRecord(run, tenant, name)),

    async eraseUser(tenant, user) {
      const erasure = await inTransaction(database, tenant, (run) => eraseTraces(run, tenant, user));
      if (erasure.kind !== 'erased') return erasure;
      const marks = await eraseMarks(database, tenant, writersOf(tenant, user));
      return { ...erasure, erased: { ...erasure.erased, marks } };
    },
  };
}

/** A record's tombstone, or an alias that leads to it. */
interface Named {
  readonly record_no: number;
  readonly id: RecordId;
  readonly source_key: string | null;
  readonly deleted: boolean;
  readonly is_alias: boolean;
  readonly seq: Seq;
}

async function eraseRecord(
  run: Run,
  tenant: string,
  { collection, id, isServed }: Parameters<ErasureStore['eraseRecord']>[1],
): Promise<RecordErasure> {
  const named = await run<Named>(
    `with asked as (
       select coalesce(alias_of, record_no) as no from record where tenant = $1 and collection = $2 and id = $3
     )
     select r.record_no, r.id, r.source_key, r.deleted, r.alias_of is not null as is_alias, r.seq
     from asked join record r on r.tenant = $1 and (r.record_no = asked.no or r.alias_of = asked.no)`,
    [tenant, collection, id],
  );
  const numbers = named.map(({ record_no: number }) => number);
  const ids = [...new Set([id, ...named.map((one) => one.id)])];
  // The id of a record that its source made is its key.
  const keys = [...ids, ...named.flatMap(({ source_key: key }) => key ?? [])];

  const open = await run<{ intent_no: number }>(
    `select intent_no from intent where tenant = $1 and (record_no = any ($2) or refers && $3) order by intent_no`,
    [tenant, numbers, ids.map((one) => `${collection} ${one}`)],
  );
  if (open.length > 0) return { kind: 'open', intentNos: open.map(({ intent_no: number }) => number) };
  if (named.some(({ deleted, is_alias: isAlias }) => !deleted && !isAlias)) return { kind: 'alive' };
  const about = [tenant, collection, keys] as const;
  if (isServed && (await isListed(run, about))) return { kind: 'listed' };

  const rested = await eraseStates(run, tenant, numbers);
  const told = await eraseAnswers(run, [tenant, collection, ids, numbers]);
  const listed = await eraseEntries(run, about, ids);
  const newest = Math.max(0, ...named.map(({ seq }) => seq));
  if (rested.keys > 0) await raiseFloor(run, tenant, collection, newest as Seq);
  const { known, ...answered } = told;
  return {
    kind: 'erased',
    erased: { ...NOTHING_ERASED, ...rested, ...answered, listed },
    isKnown: named.length > 0 || known > 0 || listed > 0,
  };
}

type Keys = readonly [tenant: string, collection: string, keys: readonly string[]];

async function isListed(run: Run, about: Keys): Promise<boolean> {
  const rows = await run(
    `select 1 from quarantine where tenant = $1 and collection = $2 and source_key = any ($3)
     union all select 1 from recheck where tenant = $1 and collection = $2 and source_key = any ($3)`,
    about,
  );
  return rows.length > 0;
}

/** Of what there is no state, of a create that was refused, nothing else is made: its id may be taken again. */
async function eraseStates(
  run: Run,
  tenant: string,
  numbers: readonly number[],
): Promise<Pick<Erased, 'states' | 'keys' | 'marks'>> {
  const [counts] = await run<Pick<Erased, 'states' | 'keys' | 'marks'>>(
    `with held as materialized (
       select record_no, source_key is not null as has_key, stamps <> marked as has_marks,
         coalesce(body <> $3, false) or coalesce(vis, hash, source_version, via) is not null as has_state
       from (
         select *, jsonb_build_object($4::text, jsonb_build_array(seq, $5::text)) as marked
         from record where tenant = $1 and record_no = any ($2)
       ) r
     ),
     erased as (
       update record r set
         body = case when body is not null then $3 end, vis = null, hash = null, source_version = null, via = null, source_key = null,
         stamps = jsonb_build_object($4::text, jsonb_build_array(seq, $5::text)),
         -- What was decided on what is gone now is stale.
         mark = mark + 1
       from held where r.record_no = held.record_no and (has_key or has_marks or has_state)
     )
     select count(*) filter (where has_state) as states, count(*) filter (where has_key) as keys,
       count(*) filter (where has_marks) as marks
     from held`,
    [tenant, numbers, ERASED_BODY, EVERY_FIELD, ERASED_WRITER],
  );
  return counts ?? NOTHING_ERASED;
}

/** Answers stay for whoever asks again (R7), without their words; hashes of what was pushed, by which values can be tried, do not. */
async function eraseAnswers(
  run: Run,
  of: readonly [tenant: string, collection: string, ids: readonly string[], numbers: readonly number[]],
): Promise<Pick<Erased, 'answers' | 'keptEdits'> & { readonly known: number }> {
  const rows = await run<{ place: string; error: string | null; kept: boolean; body_hash: string }>(
    `select ctid as place, error, kept is not null as kept, body_hash from push_change
     where tenant = $1 and ((collection = $2 and record_id = any ($3)) or record_no = any ($4))`,
    of,
  );
  const [tenant] = of;
  let answers = 0;
  for (const { place, error, kept, body_hash: hash } of rows) {
    const known = errorOf(error);
    const left = known === null ? null : JSON.stringify(erasedError(known));
    if (hash === ERASED_HASH && left === error && !kept) continue;
    answers += 1;
    await run(
      'update push_change set error = $3, kept = null, body_hash = $4 where tenant = $1 and ctid = $2::text::tid',
      [tenant, place, left, ERASED_HASH],
    );
  }
  return { answers, keptEdits: rows.filter(({ kept }) => kept).length, known: rows.length };
}

async function eraseEntries(run: Run, about: Keys, ids: readonly string[]): Promise<number> {
  const [tenant, collection] = about;
  const entries = [
    await run(
      'delete from quarantine where tenant = $1 and collection = $2 and source_key = any ($3) returning 1',
      about,
    ),
    await run('delete from recheck where tenant = $1 and collection = $2 and source_key = any ($3) returning 1', about),
    await run('delete from owed_body where tenant = $1 and collection = $2 and id = any ($3) returning 1', [
      tenant,
      collection,
      ids,
    ]),
  ];
  return entries.flat().length;
}

/** What a source showed before the record was gone is read again: nothing here knows any more whose key that is. */
async function raiseFloor(run: Run, tenant: string, collection: string, to: Seq): Promise<void> {
  await run(
    `insert into collection (tenant, name, floor) values ($1, $2, $3)
     on conflict (tenant, name) do update set floor = greatest(collection.floor, excluded.floor)`,
    [tenant, collection, to],
  );
}

async function eraseTraces(
  run: Run,
  tenant: string,
  user: string,
): Promise<Awaited<ReturnType<ErasureStore['eraseUser']>>> {
  const open = await run<{ intent_no: number }>(
    'select intent_no from intent where tenant = $1 and user_id = $2 order by intent_no',
    [tenant, user],
  );
  if (open.length > 0) return { kind: 'open', intentNos: open.map(({ intent_no: number }) => number) };
  // Also of one that nothing but its changes is known of: once these are forgotten, only that it is revoked keeps them from being taken again.
  await run(`select pg_advisory_xact_lock(${PHONES_LOCK})`, [tenant]);
  const devices = await run<{ device: string; was_here: boolean }>(
    `with known as materialized (
       select device, revoked_at is null as was_here from device where tenant = $1 and user_id = $2
       union all
       select distinct p.device, true from push_change p
       where p.tenant = $1 and p.user_id = $2
         and not exists (select 1 from device d where d.tenant = $1 and d.user_id = $2 and d.device = p.device)
     ),
     revoked as (
       insert into device (tenant, user_id, device, revoked_at) select $1, $2, device, now() from known
       on conflict (tenant, user_id, device) do update set revoked_at = coalesce(device.revoked_at, excluded.revoked_at)
     )
     select * from known`,
    [tenant, user],
  );
  // Behind it: a registration that was under way is to be seen here.
  const phones = await run('delete from phone where tenant = $1 and user_id = $2 returning 1', [tenant, user]);
  await run('delete from presence where tenant = $1 and user_id = $2', [tenant, user]);
  const pushed = await run<{ kept: boolean }>(
    'delete from push_change where tenant = $1 and user_id = $2 returning kept is not null as kept',
    [tenant, user],
  );
  const scopes = await eraseHiddenScopes(run, tenant, writersOf(tenant, user));
  return {
    kind: 'erased',
    devices: devices.map(({ device }) => ({ tenant, user, device })),
    erased: {
      ...NOTHING_ERASED,
      answers: pushed.length,
      keptEdits: pushed.filter(({ kept }) => kept).length,
      devices: devices.filter(({ was_here: wasHere }) => wasHere).length,
      registrations: phones.length,
      scopes,
    },
  };
}

/** Scopes that only one device sees are named as its writer marks are (F21). Nothing is in them: that takes an open change. */
async function eraseHiddenScopes(run: Run, tenant: string, writers: string): Promise<number> {
  await run('delete from membership where tenant = $1 and "left" and starts_with(scope, $2)', [tenant, writers]);
  await run('delete from scope_set where tenant = $1 and position($2 in pairs) > 0', [tenant, writers]);
  const gone = await run(
    `delete from scope s where s.tenant = $1 and starts_with(s.scope, $2) and not exists (
       select 1 from membership m where m.tenant = $1 and m.collection = s.collection and m.scope = s.scope
     ) returning 1`,
    [tenant, writers],
  );
  return gone.length;
}

/**
 * What is looked for takes a while, and no new one comes: its devices are revoked.
 *
 * @returns of how many records
 */
async function eraseMarks(database: Database, tenant: string, writers: string): Promise<number> {
  const marked = await inLongTransaction(database, (run) =>
    run<{ record_no: number }>(
      `select record_no from record
       where tenant = $1 and exists (select 1 from jsonb_each(stamps) s where starts_with(s.value ->> 1, $2))`,
      [tenant, writers],
    ),
  );
  for (let at = 0; at < marked.length; at += RECORDS_AT_ONCE) {
    const numbers = marked.slice(at, at + RECORDS_AT_ONCE).map(({ record_no: number }) => number);
    await inTransaction(database, tenant, (run) =>
      run(
        `update record set stamps = (
           select jsonb_object_agg(s.key, case
             when starts_with(s.value ->> 1, $3) then jsonb_build_array(s.value -> 0, $4::text) else s.value
           end) from jsonb_each(stamps) s
         )
         where tenant = $1 and record_no = any ($2)`,
        [tenant, numbers, writers, ERASED_WRITER],
      ),
    );
  }
  return marked.length;
}

/** How the writer marks of all devices of a user begin. */
function writersOf(tenant: string, user: string): string {
  return writerOf({ tenant, user, device: '' });
}
