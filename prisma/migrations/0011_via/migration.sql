-- Scopes through a reference: a record has the scopes that the record which it names has now.

-- `via` names that record: `k collection key` by its source key, `i collection id` while its source does not have it. `own_seq` is the
-- seq that a record had before it only followed another one; null: it did not since it changed itself.
alter table record add column via text, add column own_seq bigint;
-- The children of a record: read by the whole name.
create index record_via on record (via, tenant) where via is not null;

-- Collections whose records give others their scopes: what tells commits of all other records that nobody follows.
create table via_parent (
  tenant text not null,
  collection text not null,
  primary key (tenant, collection)
);

-- Appends to a tenant's feed: one round trip, and every before-image is read behind the lock (F1). `p_takes` is how many of the
-- writes take a seq: those with a next state or a settlement. Returns { base, epoch, now, outcomes, touched }. A write is flat, so
-- that each of its values is taken out of the JSON once (and json, not jsonb, which costs 17 us a write to build); what does not
-- concern it is absent:
--   c, i, es, em      collection, id, expected seq and mark
--   nd and the rest   next state: deleted, nk source key, nb body, nv source version, nh hash, nx vis, np pending, ns scopes, nt through us,
--                     vi the record whose scopes it has instead of `ns`
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
  v_parents text[];
  v_led json;
  v_followed json;
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
      where tenant = p_tenant and name = p_context -> 'fence' ->> 'name'
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

  select array_agg(collection) into v_parents from via_parent where tenant = p_tenant;

  -- A statement of its own, so that its snapshot is younger than the lock.
  with w as (
    select t.*, v_base + count(*) filter (where nd is not null or ss is not null) over (order by ord) as q
    -- Numbers and what tells the kinds of write apart stand first: each step below takes its rows apart up to its last column.
    from rows from (
      json_to_recordset(p_writes) as (
        nd boolean, nt boolean, np boolean, sv boolean, si boolean, aq boolean, em integer, am integer, sf integer,
        es bigint, sn bigint, ab bigint, ae bigint, aw bigint,
        ss text, ah text, ak text, c text, i text, nk text, ns text[], star text, st text, du text, dd text, dc text,
        nb text, nx text, nv text, nh text, af text, al text, ar text[], se text, sb text, sk text, vi text
      )
    ) with ordinality as t (
      nd, nt, np, sv, si, aq, em, am, sf, es, sn, ab, ae, aw, ss, ah, ak, c, i, nk, ns, star, st, du, dd, dc,
      nb, nx, nv, nh, af, al, ar, se, sb, sk, vi, ord
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
    left join intent t on t.tenant = p_tenant and t.intent_no = w.sn and t.fence = w.sf
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
      via = case when ok.nd is not null then ok.vi else r.via end,
      own_seq = case when ok.nd is not null then null else r.own_seq end,
      stamps = ok.stamped,
      written = case when ok.nt then ok.q else r.written end,
      -- A record that comes back after a deletion is new to scans that began before (R14).
      first_seq = case when not ok.nd and ok.nb is not null and not ok.was_live then ok.q else r.first_seq end,
      changed_at = case when ok.nd is not null then v_now else r.changed_at end
    from ok where r.record_no = ok.record_no
  ),
  made as (
    insert into record (record_no, tenant, collection, id, source_key, seq, mark, deleted, body, vis, pending, source_version, hash,
      stamps, written, first_seq, changed_at, via)
    overriding system value
    select
      no, p_tenant, c, i, nk, case when nd is not null then q else 0 end, marks, coalesce(nd, false), nb, nx,
      coalesce(np, false), nv, nh, stamped, case when nt then q else 0 end, case when not nd and nb is not null then q else 0 end, v_now, vi
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
  -- One with the scopes of another record keeps its own until these are known, below.
  stayed as (
    -- By place, each found by its key: as a plain join on a plan of empty tables this went through all rows that there are, for each commit.
    update membership m set seq = one.q, "left" = one.vi is null and m.scope <> all (one.ns)
    from (
      select ok.q, ok.vi, ok.ns, x.place
      from ok cross join lateral (
        select ctid as place from membership
        where record_no = ok.record_no and (not "left" or scope = any (ok.ns))
        order by record_no, scope
      ) x
      where ok.nd is not null and ok.es > 0
    ) one
    where m.ctid = one.place
    returning m.collection, m.scope, m.seq
  ),
  entered as (
    insert into membership (record_no, tenant, collection, scope, entered, seq, "left")
    select ok.no, p_tenant, ok.c, x.scope, ok.q, ok.q, false
    from ok cross join unnest(ok.ns) as x (scope)
    -- As a subquery behind "or" it was hashed: all rows that there are, for each commit.
    left join lateral (
      select true as is_known from membership
      where ok.es > 0 and record_no = ok.record_no and scope = x.scope order by record_no, scope limit 1
    ) m on true
    where ok.nd is not null and m.is_known is null
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
  led as (
    insert into via_parent (tenant, collection)
    select distinct p_tenant, split_part(vi, ' ', 2) from ok where vi is not null
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
    (select json_agg(json_build_array(collection, scope, settled_by)) from touched),
    (
      select json_build_object(
        'children', array_agg(no) filter (where vi is not null),
        -- Only whose children have to move: 10,000 of them are looked through in 0.3 s.
        'parents', array_agg(no) filter (where c = any (v_parents) and (
          nd or had_key is distinct from nk or (vi is null and not exists (
            select 1 from (select array(select m.scope from membership m where m.record_no = ok.no and not m."left") as scopes) had
            where had.scopes @> ns and ns @> had.scopes
          ))
        )),
        'names', array_agg('k ' || c || ' ' || had_key) filter (where c = any (v_parents) and had_key is distinct from nk)
      )
      from ok where nd is not null and (vi is not null or c = any (v_parents))
      having count(*) > 0
    )
  into v_outcomes, v_touched, v_led;

  -- Behind the writes: the record that an alias turned out to be may be made by the same commit. One by one, each by its key, whatever
  -- the tables looked like when the plan was made.
  if p_context ? 'shown' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'shown') e loop
      v_outcome := v_outcomes -> (v_rare ->> 0)::integer;
      if v_outcome ->> 0 = 'written' then
        update intent set seq = (v_outcome ->> 1)::bigint where tenant = p_tenant and intent_no = (v_rare ->> 1)::bigint and seq is null;
      end if;
    end loop;
  end if;
  if p_context ? 'inDoubt' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'inDoubt') e loop
      update intent set state = 'IN_DOUBT', lease_holder = null, lease_until = clock_timestamp(), deadline = clock_timestamp()
      where tenant = p_tenant and intent_no = (v_outcomes -> (v_rare #>> '{}')::integer ->> 2)::bigint;
    end loop;
  end if;
  if p_context ? 'aliases' then
    for v_rare in select e from jsonb_array_elements(p_context -> 'aliases') e loop
      if v_outcomes -> (v_rare ->> 'at')::integer ->> 0 = 'written' then
        perform tidegate_make_alias(p_tenant, v_rare ->> 'c', v_rare ->> 'i', v_rare ->> 'to');
      end if;
    end loop;
  end if;

  -- Behind the aliases, which lead to other parents. In this transaction: no pull sees a parent that moved without its children.
  if v_led is not null then
    v_followed := tidegate_follow(p_tenant, v_now, v_led);
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

  return json_build_object('base', v_base, 'epoch', v_epoch, 'now', v_now, 'outcomes', coalesce(v_outcomes, '[]'), 'touched', coalesce(v_touched, '[]'), 'followed', v_followed);
end
$$;

-- The children of some records: whatever names them by key, by id or by the id of one of their aliases, or by one of `p_names`.
create function tidegate_children(p_tenant text, p_parents bigint[], p_names text[]) returns bigint[]
language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return array(
    select c.record_no
    from (
      select n.name
      from unnest(p_parents) as p (no)
      join record r on r.record_no = p.no
      cross join lateral (
        select 'k ' || r.collection || ' ' || r.source_key as name where r.source_key is not null
        union all select 'i ' || r.collection || ' ' || r.id
        union all select 'i ' || a.collection || ' ' || a.id from record a where a.alias_of = r.record_no
      ) n
      union select unnest(p_names)
    ) named
    join record c on c.via = named.name and c.tenant = p_tenant
  );
end
$$;

-- Brings what has the scopes of another record there, generation by generation, under the tenant's lock. `p_led` has what the commit wrote:
-- { children, parents, names }. A child that the commit wrote keeps the seq that it took; any other takes one of its own if its scopes
-- change. Returns { head, touched }.
create function tidegate_follow(p_tenant text, p_now text, p_led json) returns json
language plpgsql volatile
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_written bigint[] := array(select json_array_elements_text(nullif(p_led ->> 'children', '')::json)::bigint);
  -- With those that this very commit has made parents.
  v_parents text[] := array(select collection from via_parent where tenant = p_tenant);
  v_generation bigint[];
  v_moved bigint[];
  v_some json;
  v_touched jsonb := '[]';
begin
  v_generation := v_written || tidegate_children(
    p_tenant,
    array(select json_array_elements_text(nullif(p_led ->> 'parents', '')::json)::bigint),
    array(select json_array_elements_text(nullif(p_led ->> 'names', '')::json))
  );
  for v_depth in 1 .. 100 loop
    exit when cardinality(v_generation) = 0;
    with child as materialized (
      select r.record_no, r.collection, r.seq, r.record_no = any (v_written) as is_written, w.scopes as wanted,
        array(select m.scope from membership m where m.record_no = r.record_no and not m."left") as had
      from (select distinct no from unnest(v_generation) as g (no)) g
      join record r on r.record_no = g.no
      left join lateral (
        select p.record_no as no from record p
        where left(r.via, 1) = 'k' and p.tenant = p_tenant and p.collection = split_part(r.via, ' ', 2)
          and p.source_key >= split_part(r.via, ' ', 3) and p.source_key <= split_part(r.via, ' ', 3)
        order by p.tenant, p.collection, p.source_key limit 1
      ) k on true
      left join lateral (
        select coalesce(p.alias_of, p.record_no) as no from record p
        where left(r.via, 1) = 'i' and p.tenant = p_tenant and p.collection = split_part(r.via, ' ', 2)
          and p.id = split_part(r.via, ' ', 3)
        limit 1
      ) i on true
      cross join lateral (
        -- Records that follow each other in a circle, which only another declaration can have left, are nobody's.
        select array(
          select m.scope from membership m where v_depth < 50 and m.record_no = coalesce(k.no, i.no) and not m."left"
        ) as scopes
      ) w
    ),
    moving as materialized (
      select child.*, row_number() over (partition by is_written order by record_no) as n
      from child where not (had @> wanted and wanted @> had)
    ),
    counted as (
      update tenant set head = head + (select count(*) from moving where not is_written)
      where id = p_tenant and exists (select 1 from moving)
      returning head
    ),
    placed as materialized (
      select m.*, case when is_written then seq else (select head from counted) - (select count(*) from moving x where not x.is_written) + n end as q
      from moving m
    ),
    moved as (
      update record r set seq = p.q, own_seq = coalesce(r.own_seq, r.seq), changed_at = p_now
      from placed p where r.record_no = p.record_no and not p.is_written
    ),
    stayed as (
      update membership m set seq = one.q, "left" = m.scope <> all (one.wanted)
      from (
        select p.q, p.wanted, x.place
        from placed p cross join lateral (
          select ctid as place from membership
          where record_no = p.record_no and (not "left" or scope = any (p.wanted))
          order by record_no, scope
        ) x
      ) one
      where m.ctid = one.place
      returning m.collection, m.scope
    ),
    entered as (
      insert into membership (record_no, tenant, collection, scope, entered, seq, "left")
      select p.record_no, p_tenant, p.collection, x.scope, p.q, p.q, false
      from placed p cross join unnest(p.wanted) as x (scope)
      left join lateral (
        select true as is_known from membership
        where record_no = p.record_no and scope = x.scope order by record_no, scope limit 1
      ) m on true
      where m.is_known is null
      returning collection, scope
    ),
    named as (
      insert into scope (tenant, collection, scope)
      select distinct p_tenant, collection, scope from entered
      on conflict do nothing
    )
    select
      array(select record_no from placed where collection = any (v_parents)),
      (select json_agg(json_build_array(collection, scope, null)) from (select * from stayed union select * from entered) x)
    into v_moved, v_some;
    v_touched := v_touched || coalesce(v_some::jsonb, '[]');
    v_generation := tidegate_children(p_tenant, v_moved, '{}');
  end loop;
  return json_build_object('head', (select head from tenant where id = p_tenant), 'touched', v_touched);
end
$$;
