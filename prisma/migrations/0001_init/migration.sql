-- The sync store. Tenant leads every key: it is the unit of order, of isolation and of distribution.
-- Bodies are text, never jsonb: pull sends their bytes as they are, and jsonb refuses texts that JSON allows.

create table tenant (
  id text primary key,
  epoch text not null,
  head bigint not null default 0,
  horizon bigint not null default 0,
  pg_identity text,
  created_at timestamptz(3) not null default now()
);
-- The head moves with every commit: leave room for its next versions on the page, so that no index is touched.
alter table tenant set (fillfactor = 50);

create table collection (
  tenant text not null,
  name text not null,
  state text not null default 'PRIMING',
  cursor text,
  floor bigint not null default 0,
  polled_at timestamptz(3),
  scanned_at timestamptz(3),
  live_records bigint not null default 0,
  primary key (tenant, name)
);

create table record (
  record_no bigint generated always as identity primary key,
  tenant text not null,
  collection text not null,
  id text not null,
  source_key text,
  seq bigint not null default 0,
  mark integer not null default 0,
  deleted boolean not null default false,
  deleted_by_source boolean not null default false,
  body text,
  source_version text,
  hash text,
  stamps jsonb not null default '{}',
  written bigint not null default 0,
  first_seq bigint not null default 0,
  vis text,
  pending boolean not null default false,
  changed_at text not null
);
-- Room for a page's next versions, so that an update of a record touches no index: a third of what its commit costs.
alter table record set (fillfactor = 50);
-- The part that tells keys apart stands first, here and below: a look-up among 100,000 then compares one column in each step, not three.
create unique index record_id on record (id, collection, tenant);
-- Partial, so that no plan that was made on a small table looks a record up by id in this index, passing every record of the
-- collection (seen: 5 ms a look-up among 3,000).
create unique index record_source_key on record (tenant, collection, source_key) where source_key is not null;

create table membership (
  record_no bigint not null,
  tenant text not null,
  collection text not null,
  scope text not null,
  entered bigint not null,
  seq bigint not null,
  "left" boolean not null,
  primary key (record_no, scope)
);
create index membership_feed on membership (tenant, collection, scope, seq) include (record_no, entered, "left");

create table scope (
  tenant text not null,
  collection text not null,
  scope text not null,
  primary key (tenant, collection, scope)
);

create table scope_set (
  tenant text not null,
  hash text not null,
  pairs text not null,
  saved_at timestamptz(3) not null default now(),
  primary key (tenant, hash)
);

create table signing_key (
  kid text primary key,
  secret bytea not null,
  created_at timestamptz(3) not null default now()
);

create table device (
  tenant text not null,
  user_id text not null,
  device text not null,
  platform text,
  token text,
  registered_at timestamptz(3),
  seen_at timestamptz(3) not null default now(),
  evicted boolean not null default false,
  primary key (tenant, user_id, device)
);

-- What a device pushed: for repeats (R7), for receipts (F10) and for `mine`.
create table push_change (
  tenant text not null,
  user_id text not null,
  device text not null,
  change_id text not null,
  body_hash text not null,
  collection text not null,
  record_no bigint,
  record_id text not null,
  status text not null,
  error text,
  blocked_by text,
  settled_seq bigint,
  in_effect boolean not null default false,
  accepted_at timestamptz(3) not null default now(),
  primary key (change_id, device, user_id, tenant)
);
create index push_change_settled on push_change (tenant, user_id, device, settled_seq) where settled_seq is not null;

-- The outbox: accepted changes that are not settled yet.
create table intent (
  intent_no bigint generated always as identity primary key,
  tenant text not null,
  user_id text not null,
  device text not null,
  change_id text not null,
  collection text not null,
  record_no bigint not null,
  record_id text not null,
  kind text not null,
  fields text not null,
  base_seq bigint not null,
  edited_at_ms bigint not null,
  state text not null default 'PENDING',
  attempt integer not null default 0,
  seq bigint,
  payload text,
  guard text,
  deadline timestamptz(3),
  not_before timestamptz(3) not null default now(),
  lease_holder text,
  lease_until timestamptz(3),
  fence integer not null default 0,
  accepted_at timestamptz(3) not null default now()
);
create index intent_lane on intent (record_no, intent_no);
create index intent_due on intent (collection, not_before);
-- Its note before the call doubles an intent: leave room on the page, so that no index is touched.
alter table intent set (fillfactor = 35);

create table lease (
  name text primary key,
  holder text not null,
  fence bigint not null,
  until timestamptz(3) not null
);

create table recheck (
  tenant text not null,
  collection text not null,
  source_key text not null,
  reason text not null,
  not_before timestamptz(3) not null,
  primary key (tenant, collection, source_key)
);

-- Appends to a tenant's feed: one round trip, and every before-image is read behind the lock (F1). `p_takes` is how many of the
-- writes take a seq: those with a next state or a settlement. Returns { base, epoch, now, outcomes, touched }. A write is flat, so
-- that each of its values is taken out of the JSON once (and json, not jsonb, which costs 17 us a write to build); what does not
-- concern it is absent:
--   c, i, es, em      collection, id, expected seq and mark
--   nd and the rest   next state: deleted, nk source key, nb body, nv source version, nh hash, ns scopes, nt through us
--   sv, nv            only the source version moves
--   star, st          writer of every field; stamps as the text of a JSON object with U+0001 where the new seq goes
--   du, dd, dc        user, device and change id of what is accepted or settled
--   ah                acceptance: hash of the change; with an intent ak kind, af fields, ab base seq, ae edited at, al lease holder
--                     and am its ms
--   ss                settlement: status, se error, si in effect; of an intent sn its number and sf its fence
-- Its plan is made once in each session (a plan of its own for each of the first five calls costs 5 ms each) and may be made while the tables are nearly empty and the planner knows nothing of them. So
-- every join is told to go by an index, row by row, or the first load of 100,000 records slows down from 14,000 to 4,000 a second;
-- and a record is looked up by the order of the one index that has its key: two indexes that share their first columns look equally
-- good, and by the wrong one a commit of 499 records took 6 s instead of 40 ms. The look-up ends at its key, or for each new record
-- it would read the neighbour in all its versions (100 us).
create function tidegate_commit(p_tenant text, p_writes json, p_takes integer, p_context jsonb) returns json
language plpgsql volatile
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_base bigint;
  v_epoch text;
  v_now text := to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  v_outcomes json;
  v_touched json;
  v_ingest jsonb := p_context -> 'ingest';
begin
  -- The lock is the counter. A write that turns out stale leaves a hole, which nothing minds.
  if p_takes > 0 then
    update tenant set head = head + p_takes where id = p_tenant returning head - p_takes, epoch into v_base, v_epoch;
  else
    select head, epoch into v_base, v_epoch from tenant where id = p_tenant for update;
  end if;
  if not found then
    raise exception 'tenant "%" is not open', p_tenant;
  end if;

  if p_context ? 'fence' then
    perform 1 from lease
      where name = p_context -> 'fence' ->> 'name'
        and fence = (p_context -> 'fence' ->> 'fence')::bigint
        and until > clock_timestamp()
      for share;
    if not found then
      return json_build_object('base', v_base, 'epoch', v_epoch, 'now', v_now, 'fenceLost', true);
    end if;
  end if;

  -- Before the writes: one that comes back stale puts its key on the list again, and must stay there (R16).
  if v_ingest ? 'dropRechecks' then
    delete from recheck
    where tenant = p_tenant and collection = v_ingest ->> 'collection'
      and source_key in (select jsonb_array_elements_text(v_ingest -> 'dropRechecks'));
  end if;

  -- A statement of its own, so that its snapshot is younger than the lock.
  with w as (
    select t.*, v_base + count(*) filter (where nd is not null or ss is not null) over (order by ord) as q
    -- Numbers and what tells the kinds of write apart stand first: each step below takes its rows apart up to its last column.
    from rows from (
      json_to_recordset(p_writes) as (
        nd boolean, nt boolean, sv boolean, si boolean, em integer, am integer, sf integer, es bigint, sn bigint, ab bigint, ae bigint,
        ss text, ah text, ak text, c text, i text, nk text, ns text[], star text, st text, du text, dd text, dc text,
        nb text, nv text, nh text, af text, al text, se text
      )
    ) with ordinality as t (
      nd, nt, sv, si, em, am, sf, es, sn, ab, ae, ss, ah, ak, c, i, nk, ns, star, st, du, dd, dc, nb, nv, nh, af, al, se, ord
    )
  ),
  cmp as (
    select
      case
        when p.change_id is not null then 'known'
        when w.sn is not null and t.intent_no is null then 'fenceLost'
        when coalesce(r.seq, 0) <> w.es or coalesce(r.mark, 0) <> w.em then 'stale'
        when k.id is not null then 'keyTaken'
        else 'written'
      end as outcome,
      r.record_no,
      r.first_seq > 0 and not r.deleted as was_live,
      w.*,
      r.stamps,
      r.source_key as had_key,
      k.id as taken_by
    from w
    left join lateral (
      select record_no, seq, mark, deleted, stamps, source_key, first_seq from record
      where tenant = p_tenant and collection = w.c and id = w.i
    ) r on true
    -- A record that has the key already has it alone.
    left join lateral (
      select id from record
      where w.nk is distinct from r.source_key and tenant = p_tenant and collection = w.c and source_key >= w.nk and source_key <= w.nk
      order by tenant, collection, source_key limit 1
    ) k on k.id <> w.i
    left join lateral (
      select change_id from push_change
      where w.ah is not null and tenant = p_tenant and user_id = w.du and device = w.dd and change_id = w.dc
    ) p on true
    left join intent t on t.intent_no = w.sn and t.fence = w.sf
    order by w.ord
  ),
  -- Numbers of new rows are taken here, in the order of the writes, so that no later step looks for what another made.
  judged as materialized (
    select
      case
        when outcome = 'written' and record_no is null and (nd is not null or ak is not null) then nextval('record_record_no_seq')
        else record_no
      end as no,
      case when outcome = 'written' and ak is not null then nextval('intent_intent_no_seq') end as intent_no,
      (ak is not null)::integer + (sn is not null)::integer as marks,
      cmp.*,
      case
        when star is not null then jsonb_build_object('*', jsonb_build_array(q, star))
        when st is not null then coalesce(stamps, '{}') || replace(st, E'\u0001', q::text)::jsonb
        else coalesce(stamps, '{}')
      end as stamped
    from cmp
  ),
  -- Not kept a second time: copying rows with bodies costs more than passing over the few that are not written.
  ok as not materialized (
    select * from judged where outcome = 'written'
  ),
  moved as (
    update record r set
      source_key = case when ok.nd is not null then ok.nk else r.source_key end,
      seq = case when ok.nd is not null then ok.q else r.seq end,
      mark = r.mark + ok.marks,
      deleted = coalesce(ok.nd, r.deleted),
      deleted_by_source = case when ok.nd is not null then ok.nd and not ok.nt else r.deleted_by_source end,
      body = case when ok.nd is not null then ok.nb else r.body end,
      source_version = case when ok.nd is not null or ok.sv then ok.nv else r.source_version end,
      hash = case when ok.nd is not null then ok.nh else r.hash end,
      stamps = ok.stamped,
      written = case when ok.nt then ok.q else r.written end,
      -- A record that comes back after a deletion is new to scans that began before (R14).
      first_seq = case when ok.nd is not null and (r.seq = 0 or (r.deleted and not ok.nd)) then ok.q else r.first_seq end,
      changed_at = case when ok.nd is not null then v_now else r.changed_at end
    from ok where r.record_no = ok.record_no
  ),
  made as (
    insert into record (record_no, tenant, collection, id, source_key, seq, mark, deleted, body, source_version, hash, stamps, written,
      first_seq, changed_at)
    overriding system value
    select
      no, p_tenant, c, i, nk, case when nd is not null then q else 0 end, marks, coalesce(nd, false), nb, nv, nh, stamped,
      case when nt then q else 0 end, case when nd is not null then q else 0 end, v_now
    from ok where record_no is null and no is not null
  ),
  counted as (
    insert into collection (tenant, name, live_records)
    select p_tenant, c, sum((not nd)::integer - coalesce(was_live, false)::integer)
    from ok where nd is not null
    group by c
    having sum((not nd)::integer - coalesce(was_live, false)::integer) <> 0
    on conflict (tenant, name) do update set live_records = collection.live_records + excluded.live_records
  ),
  -- Live rows take the seq, stay or leave; a row that left comes back with the `entered` it had. A record without a seq has no rows.
  stayed as (
    update membership m set seq = ok.q, "left" = m.scope <> all (ok.ns)
    from ok
    where ok.nd is not null and ok.es > 0 and m.record_no = ok.record_no and (not m."left" or m.scope = any (ok.ns))
    returning m.collection, m.scope, m.seq
  ),
  entered as (
    insert into membership (record_no, tenant, collection, scope, entered, seq, "left")
    select ok.no, p_tenant, ok.c, x.scope, ok.q, ok.q, false
    from ok, unnest(ok.ns) as x (scope)
    where ok.nd is not null
      and (ok.es = 0 or not exists (select 1 from membership m where m.record_no = ok.record_no and m.scope = x.scope))
    returning collection, scope, seq
  ),
  touched as (
    select distinct collection, scope,
      case when seq = any (array(select q from ok where ss is not null)) then seq end as settled_by
    from (select * from stayed union all select * from entered) x
  ),
  named as (
    insert into scope (tenant, collection, scope)
    select distinct p_tenant, collection, scope from entered
    on conflict do nothing
  ),
  accepted as (
    insert into push_change (tenant, user_id, device, change_id, body_hash, collection, record_no, record_id, status, error, settled_seq, in_effect)
    select
      p_tenant, du, dd, dc, ah, c, no, i, coalesce(ss, 'ACCEPTED'), se, case when ss is not null then q end, coalesce(si, false)
    from ok where ah is not null
  ),
  intended as (
    insert into intent (intent_no, tenant, user_id, device, change_id, collection, record_no, record_id, kind, fields, base_seq,
      edited_at_ms, lease_holder, lease_until, fence)
    overriding system value
    select
      intent_no, p_tenant, du, dd, dc, c, no, i, ak, af, ab, ae, al, clock_timestamp() + am * interval '1 millisecond',
      (al is not null)::integer
    from ok where ak is not null
  ),
  -- By place, each found by its key: as a plain join this went through all changes of the tenant for each of the writes
  -- (2 s for 200 settlements among 2,000 changes).
  settled as (
    update push_change p set status = one.ss, error = one.se, settled_seq = one.q, in_effect = coalesce(one.si, false)
    from (
      select ok.ss, ok.se, ok.si, ok.q, x.place
      from ok cross join lateral (
        select ctid as place from push_change
        where tenant = p_tenant and user_id = ok.du and device = ok.dd and change_id = ok.dc
        limit 1
      ) x
      where ok.ss is not null and ok.ah is null
    ) one
    where p.ctid = one.place
  ),
  closed as (
    delete from intent t using ok where ok.sn is not null and ok.ss <> 'PARKED' and t.intent_no = ok.sn
  ),
  parked as (
    update intent t set state = 'PARKED', lease_holder = null, lease_until = null
    from ok where ok.sn is not null and ok.ss = 'PARKED' and t.intent_no = ok.sn
  ),
  again as (
    insert into recheck (tenant, collection, source_key, reason, not_before)
    select distinct on (c, key) p_tenant, c, key, outcome, clock_timestamp()
    from (select c, coalesce(nk, had_key) as key, outcome from judged) x
    where v_ingest is not null and outcome in ('stale', 'keyTaken') and key is not null
    on conflict (tenant, collection, source_key) do update set reason = excluded.reason, not_before = excluded.not_before
  )
  select
    (select json_agg(json_build_array(outcome, q, intent_no, taken_by) order by ord) from judged),
    (select json_agg(json_build_array(collection, scope, settled_by)) from touched)
  into v_outcomes, v_touched;

  if v_ingest is not null then
    insert into collection (tenant, name) values (p_tenant, v_ingest ->> 'collection') on conflict do nothing;
    update collection set
      cursor = case when v_ingest ? 'cursor' then v_ingest ->> 'cursor' else cursor end,
      state = coalesce(v_ingest ->> 'state', state),
      polled_at = coalesce(to_timestamp((v_ingest ->> 'polledAtMs')::double precision / 1000), polled_at),
      scanned_at = coalesce(to_timestamp((v_ingest ->> 'scannedAtMs')::double precision / 1000), scanned_at)
    where tenant = p_tenant and name = v_ingest ->> 'collection';
    if v_ingest ? 'addRechecks' then
      insert into recheck (tenant, collection, source_key, reason, not_before)
      select p_tenant, v_ingest ->> 'collection', x ->> 'sourceKey', x ->> 'reason',
        to_timestamp((x ->> 'notBeforeMs')::double precision / 1000)
      from jsonb_array_elements(v_ingest -> 'addRechecks') x
      on conflict (tenant, collection, source_key) do update
        set reason = excluded.reason, not_before = excluded.not_before;
    end if;
  end if;

  return json_build_object('base', v_base, 'epoch', v_epoch, 'now', v_now, 'outcomes', coalesce(v_outcomes, '[]'), 'touched', coalesce(v_touched, '[]'));
end
$$;

-- PENDING → SENT, durable before the call (R11), under the tenant's lock and compared like a write. A note comes as
-- { intentNo, fence, c, i, es, em, payload, guard, deadlineMs }. Returns 'sent', 'stale' or 'lost' for each.
create function tidegate_note_sent(p_tenant text, p_notes json) returns json
language plpgsql volatile
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_outcomes json;
begin
  perform 1 from tenant where id = p_tenant for update;
  with n as materialized (
    select t.*
    from rows from (
      json_to_recordset(p_notes) as (
        "intentNo" bigint, fence integer, c text, i text, es bigint, em integer, payload text, guard text, "deadlineMs" integer
      )
    ) with ordinality as t (intent_no, fence, c, i, es, em, payload, guard, deadline_ms, ord)
  ),
  cmp as materialized (
    select n.*, r.record_no,
      case
        when t.intent_no is null or t.fence <> n.fence or t.state <> 'PENDING' then 'lost'
        when r.seq <> n.es or r.mark <> n.em then 'stale'
        else 'sent'
      end as outcome
    from n
    left join intent t on t.intent_no = n.intent_no
    left join record r on r.record_no = t.record_no
  ),
  sent as (
    update intent t set
      state = 'SENT', attempt = t.attempt + 1, payload = cmp.payload, guard = cmp.guard,
      deadline = clock_timestamp() + cmp.deadline_ms * interval '1 millisecond',
      -- The holder may act until the call's deadline and settle a little later.
      lease_until = greatest(t.lease_until, clock_timestamp() + (cmp.deadline_ms + 15000) * interval '1 millisecond')
    from cmp where t.intent_no = cmp.intent_no and cmp.outcome not in ('lost', 'stale')
  ),
  marked as (
    update record r set mark = r.mark + 1
    from cmp where r.record_no = cmp.record_no and cmp.outcome not in ('lost', 'stale')
  )
  select json_agg(outcome order by ord) into v_outcomes from cmp;
  return coalesce(v_outcomes, '[]');
end
$$;

-- Back to PENDING after a call that certainly had no effect; false when the fence is lost.
create function tidegate_release_intent(p_intent_no bigint, p_fence integer, p_retry_in_ms bigint) returns boolean
language plpgsql volatile as $$
declare
  v_record_no bigint;
begin
  perform 1 from tenant where id = (select tenant from intent where intent_no = p_intent_no) for update;
  update intent set
    state = 'PENDING', lease_holder = null, lease_until = null,
    not_before = clock_timestamp() + p_retry_in_ms * interval '1 millisecond'
  where intent_no = p_intent_no and fence = p_fence and state in ('PENDING', 'SENT')
  returning record_no into v_record_no;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_record_no;
  return true;
end
$$;

-- SENT intents whose lease ran out become IN_DOUBT and the caller's: what became of their calls is unknown.
create function tidegate_lease_in_doubt(p_holder text, p_lease_ms bigint, p_limit integer) returns setof intent
language plpgsql volatile as $$
declare
  v_tenants text[];
begin
  -- Marks move under the lock only: an intent of a tenant that is not locked by now waits for the next call.
  v_tenants := array(
    select id from tenant
    where id in (select tenant from intent where state in ('SENT', 'IN_DOUBT') and lease_until < clock_timestamp())
    order by id for update
  );
  return query
    with taken as (
      update intent t set
        state = 'IN_DOUBT', lease_holder = p_holder, fence = t.fence + 1,
        lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
      where t.intent_no in (
        select intent_no from intent
        where state in ('SENT', 'IN_DOUBT') and lease_until < clock_timestamp() and tenant = any (v_tenants)
        order by intent_no limit p_limit
      )
      returning t.*
    ),
    marked as (
      update record r set mark = r.mark + 1 from taken where r.record_no = taken.record_no
    )
    select * from taken;
end
$$;

