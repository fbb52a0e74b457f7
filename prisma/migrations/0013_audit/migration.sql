-- Who did what: rows are appended, each with the hash of the one before it, and only forgotten by age from the oldest on.

create table audit (
  tenant text not null,
  no bigint not null,
  at timestamptz(3) not null,
  user_id text,
  device text,
  action text not null,
  collection text,
  subject text,
  outcome text not null,
  count integer not null,
  outcome_of bigint,
  previous text not null,
  hash text not null,
  primary key (tenant, no)
);

-- Where each tenant's chain begins and ends. Its lock puts the gateways in one order.
create table audit_chain (
  tenant text primary key,
  -- The last row that was forgotten.
  anchor_no bigint not null default 0,
  anchor_hash text not null default '',
  head_no bigint not null default 0,
  head_hash text not null default ''
);

create function tidegate_audit_time(p_at timestamptz) returns text
language sql stable as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Each value with its length, so that no two rows have the same text. core/audit.ts writes it the same way.
create function tidegate_audit_text(p_row audit) returns text
language sql stable as $$
  select string_agg(case when value is null then '-,' else char_length(value) || ':' || value || ',' end, '' order by place)
  from unnest(array[
    p_row.tenant, p_row.no::text, tidegate_audit_time(p_row.at), p_row.user_id, p_row.device, p_row.action, p_row.collection,
    p_row.subject, p_row.outcome, p_row.count::text, p_row.outcome_of::text, p_row.previous
  ]) with ordinality as t (value, place)
$$;

create function tidegate_append_audit(
  p_tenant text, p_user text, p_device text, p_action text, p_collection text, p_subject text, p_outcome text, p_count integer,
  p_outcome_of bigint
) returns audit
language plpgsql volatile as $$
declare
  v_row audit;
begin
  insert into audit_chain (tenant) values (p_tenant) on conflict do nothing;
  select head_no + 1, head_hash into v_row.no, v_row.previous from audit_chain where tenant = p_tenant for update;
  v_row.tenant := p_tenant;
  v_row.at := date_trunc('milliseconds', clock_timestamp());
  v_row.user_id := p_user;
  v_row.device := p_device;
  v_row.action := p_action;
  v_row.collection := p_collection;
  v_row.subject := p_subject;
  v_row.outcome := p_outcome;
  v_row.count := p_count;
  v_row.outcome_of := p_outcome_of;
  v_row.hash := encode(sha256(convert_to(tidegate_audit_text(v_row), 'UTF8')), 'hex');
  insert into audit (tenant, no, at, user_id, device, action, collection, subject, outcome, count, outcome_of, previous, hash)
  values (
    v_row.tenant, v_row.no, v_row.at, v_row.user_id, v_row.device, v_row.action, v_row.collection, v_row.subject, v_row.outcome,
    v_row.count, v_row.outcome_of, v_row.previous, v_row.hash
  );
  update audit_chain set head_no = v_row.no, head_hash = v_row.hash where tenant = p_tenant;
  return v_row;
end
$$;

-- Forgets the oldest rows as far as all of them are older. The chain itself says up to which hash, so that it can be proven from there
-- on, and that nobody else took them. Where only such rows are old nothing is done, or each would bring about the next one.
create function tidegate_forget_audit(p_tenant text, p_older timestamptz) returns bigint
language plpgsql volatile as $$
declare
  v_last bigint;
  v_hash text;
  v_count bigint;
begin
  select head_no into v_last from audit_chain where tenant = p_tenant for update;
  select coalesce((select no - 1 from audit where tenant = p_tenant and at >= p_older order by no limit 1), v_last) into v_last;
  if not exists (select 1 from audit where tenant = p_tenant and no <= v_last and action <> 'forget') then
    return 0;
  end if;
  select hash into v_hash from audit where tenant = p_tenant and no = v_last;
  -- First: what is behind the anchor may go.
  update audit_chain set anchor_no = v_last, anchor_hash = v_hash where tenant = p_tenant;
  delete from audit where tenant = p_tenant and no <= v_last;
  get diagnostics v_count = row_count;
  perform tidegate_append_audit(p_tenant, null, null, 'forget', null, v_last || ':' || v_hash, 'DONE', v_count::integer, null);
  return v_count;
end
$$;

create function tidegate_keep_audit() returns trigger
language plpgsql as $$
begin
  if tg_op = 'DELETE' and exists (select 1 from audit_chain where tenant = old.tenant and anchor_no >= old.no) then
    return old;
  end if;
  raise exception 'audit: expected rows to stay as they are until they are forgotten by age, got %', tg_op;
end
$$;

create trigger audit_is_kept before update or delete on audit for each row execute function tidegate_keep_audit();
create trigger audit_is_not_emptied before truncate on audit for each statement execute function tidegate_keep_audit();
