-- The outbox whole: overlays, dependencies, aliases, what is kept of conflicts.

-- The record that this one turned out to be (F9), for ever; never itself an alias.
alter table record add column alias_of bigint;
create index record_alias on record (alias_of) where alias_of is not null;

-- `refers` names records as `collection id`; null for the most, so that an ordinary intent touches no further index.
alter table intent add column waits_for bigint, add column refers text[];
create index intent_refers on intent using gin (refers) where refers is not null;

alter table push_change add column intent_no bigint, add column kept text;
create index push_change_kept on push_change (tenant, settled_seq) where kept is not null;
update push_change p set intent_no = t.intent_no
from intent t where t.tenant = p.tenant and t.user_id = p.user_id and t.device = p.device and t.change_id = p.change_id;

-- Appends to a tenant's feed: one round trip, and every before-image is read behind the lock (F1). `p_takes` is how many of the
-- writes take a seq: those with a next state or a settlement. Returns { base, epoch, now, outcomes, touched }. A write is flat, so
-- that each of its values is taken out of the JSON once (and json, not jsonb, which costs 17 us a write to build); what does not
-- concern it is absent:
--   c, i, es, em      collection, id, expected seq and mark
--   nd and the rest   next state: deleted, nk source key, nb body, nv source version, nh hash, nx vis, np pending, ns scopes, nt through us
--   sv, nv            only the source version moves
--   star, st          writer of every field; stamps as the text of a JSON object with U+0001 where the new seq goes
--   du, dd, dc        user, device and change id of what is accepted or settled
--   ah                acceptance: hash of the change; with an intent ak kind, af fields, ab base seq, ae edited at, al lease holder
--                     and am its ms, aw the intent it waits for, aq its overlay is taken, ar what it refers to
--   ss                settlement: status, se error, si in effect, sb blocked by, sk what is kept; of an intent sn its number and sf
--                     its fence
-- What few commits have is in the context, by the place of its write (from 0), and costs the others nothing:
--   shown             [place, intent]: open intents whose overlay is taken
--   inDoubt           places: the intent begins in doubt
--   aliases           { at, c, i, to }: the record is an alias of another one
-- Its plan is made once in each session (a plan of its own for each of the first five calls costs 5 ms each) and may be made while the tables are nearly empty and the planner knows nothing of them. So
-- every join is told to go by an index, row by row, or the first load of 100,000 records slows down from 14,000 to 4,000 a second;
-- and a record is looked up by the order of the one index that has its key: two indexes that share their first columns look equally
-- good, and by the wrong one a commit of 499 records took 6 s instead of 40 ms. The look-up ends at its key, or for each new record
-- it would read the neighbour in all its versions (100 us).
create or replace function tidegate_commit(p_tenant text, p_writes json, p_takes integer, p_context jsonb) returns json
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
  v_rare jsonb;
  v_outcome json;
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
        nd boolean, nt boolean, np boolean, sv boolean, si boolean, aq boolean, em integer, am integer, sf integer,
        es bigint, sn bigint, ab bigint, ae bigint, aw bigint,
        ss text, ah text, ak text, c text, i text, nk text, ns text[], star text, st text, du text, dd text, dc text,
        nb text, nx text, nv text, nh text, af text, al text, ar text[], se text, sb text, sk text
      )
    ) with ordinality as t (
      nd, nt, np, sv, si, aq, em, am, sf, es, sn, ab, ae, aw, ss, ah, ak, c, i, nk, ns, star, st, du, dd, dc,
      nb, nx, nv, nh, af, al, ar, se, sb, sk, ord
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
      r.has_body and not r.deleted as was_live,
      w.*,
      r.stamps,
      r.source_key as had_key,
      k.id as taken_by
    from w
    left join lateral (
      select record_no, seq, mark, deleted, stamps, source_key, body is not null as has_body from record
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
      -- An overlay that falls was never the source's to delete; and a deletion is counted once.
      deleted_by_source = case
        when ok.nd is null then r.deleted_by_source
        when ok.was_live then ok.nd and not ok.nt
        else ok.nd and r.deleted_by_source
      end,
      body = case when ok.nd is not null then ok.nb else r.body end,
      vis = case when ok.nd is not null then ok.nx else r.vis end,
      pending = case when ok.nd is not null then coalesce(ok.np, false) else r.pending end,
      source_version = case when ok.nd is not null or ok.sv then ok.nv else r.source_version end,
      hash = case when ok.nd is not null then ok.nh else r.hash end,
      stamps = ok.stamped,
      written = case when ok.nt then ok.q else r.written end,
      -- A record that comes back after a deletion is new to scans that began before (R14).
      first_seq = case when not ok.nd and ok.nb is not null and not ok.was_live then ok.q else r.first_seq end,
      changed_at = case when ok.nd is not null then v_now else r.changed_at end
    from ok where r.record_no = ok.record_no
  ),
  made as (
    insert into record (record_no, tenant, collection, id, source_key, seq, mark, deleted, body, vis, pending, source_version, hash,
      stamps, written, first_seq, changed_at)
    overriding system value
    select
      no, p_tenant, c, i, nk, case when nd is not null then q else 0 end, marks, coalesce(nd, false), nb, nx,
      coalesce(np, false), nv, nh, stamped, case when nt then q else 0 end, case when not nd and nb is not null then q else 0 end, v_now
    from ok where record_no is null and no is not null
  ),
  counted as (
    insert into collection (tenant, name, live_records)
    select p_tenant, c, sum((not nd and nb is not null)::integer - coalesce(was_live, false)::integer)
    from ok where nd is not null
    group by c
    having sum((not nd and nb is not null)::integer - coalesce(was_live, false)::integer) <> 0
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
    insert into push_change (tenant, user_id, device, change_id, body_hash, collection, record_no, record_id, intent_no, status, error,
      blocked_by, kept, settled_seq, in_effect)
    select
      p_tenant, du, dd, dc, ah, c, no, i, intent_no, coalesce(ss, 'ACCEPTED'), se, sb, sk, case when ss is not null then q end,
      coalesce(si, false)
    from ok where ah is not null
  ),
  intended as (
    insert into intent (intent_no, tenant, user_id, device, change_id, collection, record_no, record_id, kind, fields, base_seq,
      edited_at_ms, seq, waits_for, refers, lease_holder, lease_until, fence)
    overriding system value
    select
      intent_no, p_tenant, du, dd, dc, c, no, i, ak, af, ab, ae, case when aq then q end, aw, ar, al,
      clock_timestamp() + am * interval '1 millisecond', (al is not null)::integer
    from ok where ak is not null
  ),
  -- By place, each found by its key: as a plain join this went through all changes of the tenant for each of the writes
  -- (2 s for 200 settlements among 2,000 changes).
  settled as (
    update push_change p set
      status = one.ss, error = one.se, blocked_by = one.sb, kept = one.sk, settled_seq = one.q, in_effect = coalesce(one.si, false)
    from (
      select ok.ss, ok.se, ok.sb, ok.sk, ok.si, ok.q, x.place
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

  -- Behind the writes: the record that an alias turned out to be may be made by the same commit. One by one, each by its key, whatever
  -- the tables looked like when the plan was made.
  if p_context ? 'shown' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'shown') e loop
      v_outcome := v_outcomes -> (v_rare ->> 0)::integer;
      if v_outcome ->> 0 = 'written' then
        update intent set seq = (v_outcome ->> 1)::bigint where intent_no = (v_rare ->> 1)::bigint and seq is null;
      end if;
    end loop;
  end if;
  if p_context ? 'inDoubt' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'inDoubt') e loop
      update intent set state = 'IN_DOUBT', lease_holder = null, lease_until = clock_timestamp(), deadline = clock_timestamp()
      where intent_no = (v_outcomes -> (v_rare #>> '{}')::integer ->> 2)::bigint;
    end loop;
  end if;
  if p_context ? 'aliases' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'aliases') e loop
      if v_outcomes -> (v_rare ->> 'at')::integer ->> 0 = 'written' then
        perform tidegate_make_alias(p_tenant, v_rare ->> 'c', v_rare ->> 'i', v_rare ->> 'to');
      end if;
    end loop;
  end if;

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

-- A record turned out to be another one (F9): its id becomes an alias of the last one of the chain, and with it everything that is open
-- on it or refers to it. Under the tenant's lock.
create function tidegate_make_alias(p_tenant text, p_collection text, p_id text, p_other text) returns void
language plpgsql volatile
set enable_bitmapscan = on
as $$
declare
  v_alias bigint := (select record_no from record where tenant = p_tenant and collection = p_collection and id = p_id);
  v_to bigint := (
    select coalesce(alias_of, record_no) from record where tenant = p_tenant and collection = p_collection and id = p_other
  );
  v_id text := (select id from record where record_no = v_to);
  v_intent intent;
begin
  if v_to is null or v_to = v_alias then
    raise exception 'expected another record that % % is an alias of, got %', p_collection, p_id, p_other;
  end if;
  update record set alias_of = v_to where record_no = v_alias;
  update record set alias_of = v_to where alias_of = v_alias;
  update record set mark = mark + 1 where record_no = v_to;
  -- What a device is told of its change stays as it named it; where the change takes effect is another record now.
  for v_intent in select * from intent where record_no = v_alias loop
    update push_change set record_no = v_to
    where tenant = p_tenant and user_id = v_intent.user_id and device = v_intent.device and change_id = v_intent.change_id;
  end loop;
  -- Their overlays lay over the alias: over the other record they are to be taken anew.
  update intent set record_no = v_to, record_id = v_id, seq = null where record_no = v_alias;
  update intent set refers = array_replace(refers, p_collection || ' ' || p_id, p_collection || ' ' || v_id)
  where refers @> array[p_collection || ' ' || p_id] and tenant = p_tenant;
end
$$;

-- PENDING or IN_DOUBT → SENT, durable before the call (R11), under the tenant's lock and compared like a write. A note comes as
-- { intentNo, fence, c, i, es, em, payload, guard, deadlineMs }. Returns 'sent', 'stale' or 'lost' for each.
create or replace function tidegate_note_sent(p_tenant text, p_notes json) returns json
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
        when t.intent_no is null or t.fence <> n.fence or t.state not in ('PENDING', 'IN_DOUBT') then 'lost'
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

-- Back to PENDING after a call that certainly had no effect; false when the fence is lost. `p_waits_for` counts if `p_waits`.
drop function tidegate_release_intent(bigint, integer, bigint);
create function tidegate_release_intent(
  p_intent_no bigint, p_fence integer, p_retry_in_ms bigint, p_waits boolean default false, p_waits_for bigint default null
) returns boolean
language plpgsql volatile as $$
declare
  v_record_no bigint;
begin
  perform 1 from tenant where id = (select tenant from intent where intent_no = p_intent_no) for update;
  update intent set
    state = 'PENDING', lease_holder = null, lease_until = null,
    not_before = clock_timestamp() + p_retry_in_ms * interval '1 millisecond',
    waits_for = case when p_waits then p_waits_for else waits_for end
  where intent_no = p_intent_no and fence = p_fence and state <> 'PARKED'
  returning record_no into v_record_no;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_record_no;
  return true;
end
$$;

-- SENT or IN_DOUBT → IN_DOUBT, without a holder until it is looked after again; false when the fence is lost.
create function tidegate_leave_in_doubt(p_intent_no bigint, p_fence integer, p_look_in_ms bigint) returns boolean
language plpgsql volatile as $$
declare
  v_record_no bigint;
begin
  perform 1 from tenant where id = (select tenant from intent where intent_no = p_intent_no) for update;
  update intent set
    state = 'IN_DOUBT', lease_holder = null, lease_until = clock_timestamp() + p_look_in_ms * interval '1 millisecond'
  where intent_no = p_intent_no and fence = p_fence and state in ('SENT', 'IN_DOUBT')
  returning record_no into v_record_no;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_record_no;
  return true;
end
$$;

-- PARKED → PENDING by an operator: due at once, and told as accepted again; false when it is not parked (any more).
create function tidegate_reopen_intent(p_tenant text, p_intent_no bigint) returns boolean
language plpgsql volatile as $$
declare
  v_intent intent;
begin
  perform 1 from tenant where id = p_tenant for update;
  update intent set
    state = 'PENDING', lease_holder = null, lease_until = null, not_before = clock_timestamp(), fence = fence + 1
  where intent_no = p_intent_no and tenant = p_tenant and state = 'PARKED'
  returning * into v_intent;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_intent.record_no;
  update push_change set status = 'ACCEPTED', error = null, blocked_by = null, settled_seq = null
  where tenant = p_tenant and user_id = v_intent.user_id and device = v_intent.device and change_id = v_intent.change_id;
  return true;
end
$$;

-- SENT intents whose lease ran out become IN_DOUBT and the caller's: what became of their calls is unknown. After a restore whole lanes
-- are in doubt: what is behind another one waits for it.
create or replace function tidegate_lease_in_doubt(p_holder text, p_lease_ms bigint, p_limit integer) returns setof intent
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
        select i.intent_no from intent i
        where i.state in ('SENT', 'IN_DOUBT') and i.lease_until < clock_timestamp() and i.tenant = any (v_tenants)
          and not exists (
            select 1 from intent e
            where e.record_no = i.record_no and e.intent_no < i.intent_no
              -- One of which no call is remembered keeps its place: it may be made on top of what waits before it.
              and (e.state <> 'PENDING' or (i.state = 'IN_DOUBT' and i.payload is null))
          )
        order by i.intent_no limit p_limit
      )
      returning t.*
    ),
    marked as (
      update record r set mark = r.mark + 1 from taken where r.record_no = taken.record_no
    )
    select * from taken;
end
$$;
