-- The tenant leads every key, and what comes from outside by its number is looked for within its tenant only. Until now there was one
-- tenant, `default`.

-- Leases live for seconds, and none is held now: gateways are stopped for a migration.
delete from lease;
alter table lease drop constraint lease_pkey, add column tenant text not null, add primary key (tenant, name);

alter table call_budget drop constraint call_budget_pkey, add column tenant text not null default 'default', add primary key (tenant, source);
alter table call_budget alter column tenant drop default;

alter table kept_secret drop constraint kept_secret_pkey, add column tenant text not null default 'default', add primary key (tenant, name);
alter table kept_secret alter column tenant drop default;

-- A few words of long functions are others now; all the rest of them stays as the migrations before say.
create function pg_temp.reword(p_function regproc, variadic p_words text[]) returns void
language plpgsql as $$
declare
  v_text text := pg_get_functiondef(p_function);
begin
  for i in 1 .. cardinality(p_words) by 2 loop
    if position(p_words[i] in v_text) = 0 then
      raise exception '% does not say "%"', p_function, p_words[i];
    end if;
    v_text := replace(v_text, p_words[i], p_words[i + 1]);
  end loop;
  execute v_text;
end
$$;

select pg_temp.reword('tidegate_commit',
  'where name = p_context', 'where tenant = p_tenant and name = p_context',
  't.intent_no = w.sn and t.fence = w.sf', 't.tenant = p_tenant and t.intent_no = w.sn and t.fence = w.sf',
  'where intent_no = (v_rare ->> 1)::bigint', 'where tenant = p_tenant and intent_no = (v_rare ->> 1)::bigint',
  'where intent_no = (v_outcomes', 'where tenant = p_tenant and intent_no = (v_outcomes');
select pg_temp.reword('tidegate_note_sent',
  'on t.intent_no = n.intent_no', 'on t.tenant = p_tenant and t.intent_no = n.intent_no');
-- An epoch of one tenant ends no lease of another.
select pg_temp.reword('tidegate_new_epoch',
  E'until = ''-infinity'';', E'until = ''-infinity'' where tenant = p_tenant;');

-- Back to PENDING after a call that certainly had no effect; false when the fence is lost. `p_waits_for` counts if `p_waits`.
drop function tidegate_release_intent(bigint, integer, bigint, boolean, bigint);
create function tidegate_release_intent(
  p_tenant text, p_intent_no bigint, p_fence integer, p_retry_in_ms bigint, p_waits boolean default false, p_waits_for bigint default null
) returns boolean
language plpgsql volatile as $$
declare
  v_record_no bigint;
begin
  perform 1 from tenant where id = p_tenant for update;
  update intent set
    state = 'PENDING', lease_holder = null, lease_until = null,
    not_before = clock_timestamp() + p_retry_in_ms * interval '1 millisecond',
    waits_for = case when p_waits then p_waits_for else waits_for end
  where tenant = p_tenant and intent_no = p_intent_no and fence = p_fence and state <> 'PARKED'
  returning record_no into v_record_no;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_record_no;
  return true;
end
$$;

-- SENT or IN_DOUBT → IN_DOUBT, without a holder until it is looked after again; false when the fence is lost.
drop function tidegate_leave_in_doubt(bigint, integer, bigint);
create function tidegate_leave_in_doubt(p_tenant text, p_intent_no bigint, p_fence integer, p_look_in_ms bigint) returns boolean
language plpgsql volatile as $$
declare
  v_record_no bigint;
begin
  perform 1 from tenant where id = p_tenant for update;
  update intent set
    state = 'IN_DOUBT', lease_holder = null, lease_until = clock_timestamp() + p_look_in_ms * interval '1 millisecond'
  where tenant = p_tenant and intent_no = p_intent_no and fence = p_fence and state in ('SENT', 'IN_DOUBT')
  returning record_no into v_record_no;
  if not found then
    return false;
  end if;
  update record set mark = mark + 1 where record_no = v_record_no;
  return true;
end
$$;

-- SENT intents whose lease ran out become IN_DOUBT and the caller's: what became of their calls is unknown. After a restore whole lanes
-- are in doubt: what is behind another one waits for it.
drop function tidegate_lease_in_doubt(text, bigint, integer);
create function tidegate_lease_in_doubt(p_tenant text, p_holder text, p_lease_ms bigint, p_limit integer) returns setof intent
language plpgsql volatile as $$
begin
  if not exists (
    select 1 from intent where tenant = p_tenant and state in ('SENT', 'IN_DOUBT') and lease_until < clock_timestamp()
  ) then
    return;
  end if;
  -- Marks move under the lock only.
  perform 1 from tenant where id = p_tenant for update;
  return query
    with taken as (
      update intent t set
        state = 'IN_DOUBT', lease_holder = p_holder, fence = t.fence + 1,
        lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
      where t.intent_no in (
        select i.intent_no from intent i
        where i.tenant = p_tenant and i.state in ('SENT', 'IN_DOUBT') and i.lease_until < clock_timestamp()
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
