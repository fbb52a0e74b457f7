-- Epochs (specification part 8, F5): what proves that a database was restored, and the one transaction that begins a new epoch.

-- Counts a tenant's epochs: a node that saw a later one knows that this feed is older, and one that finds a later one than it saw
-- knows that the new epoch has begun already.
alter table tenant add column epoch_no integer not null default 1;

-- Names this database: the server's system identifier and timeline (a failover begins another), the database, and the table (a
-- dump that was loaded has another). The timeline is that of the log, which a promoted standby tells at once; its control file follows
-- with the next checkpoint. Null where the server does not tell.
create function tidegate_identity() returns text
language plpgsql volatile as $$
begin
  return concat_ws('/',
    (select system_identifier from pg_control_system()),
    left(pg_walfile_name(pg_current_wal_flush_lsn()), 8),
    (select oid from pg_database where datname = current_database()),
    'tenant'::regclass::oid);
exception when insufficient_privilege or undefined_function or feature_not_supported or object_not_in_prerequisite_state then
  return null;
end
$$;

-- How far the server's log is durable, in bytes: after a crash it goes on from there, an older copy of the files does not. Null as above.
create function tidegate_position() returns bigint
language plpgsql volatile as $$
begin
  return pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
exception when insufficient_privilege or undefined_function or feature_not_supported or object_not_in_prerequisite_state then
  return null;
end
$$;

update tenant set pg_identity = tidegate_identity();

-- Begins a new epoch, if `p_from` is still in force; returns the one that is. The head goes to at least `p_head`, the highest seq that
-- anybody is known to have seen, and the count past `p_no`.
create function tidegate_new_epoch(p_tenant text, p_from text, p_head bigint, p_no integer) returns text
language plpgsql volatile as $$
declare
  -- What was given out since the backup shall not be given out again: a process that holds such a number or fence would take
  -- another's row for its own.
  c_numbers constant bigint := 1000000000;
  c_fences constant integer := 1000000;
  v_epoch text;
  v_head bigint;
begin
  select epoch into v_epoch from tenant where id = p_tenant for update;
  if not found then
    raise exception 'tenant "%" is not open', p_tenant;
  end if;
  if v_epoch <> p_from then
    return v_epoch;
  end if;
  update tenant set
    epoch = substr(md5(gen_random_uuid()::text), 1, 8), epoch_no = greatest(epoch_no, p_no) + 1,
    head = greatest(head, p_head), pg_identity = tidegate_identity()
  where id = p_tenant
  returning epoch, head into v_epoch, v_head;

  -- What was delivered since the state that came back is not known: PENDING and SENT alike may have taken effect, and a gateway that
  -- lives on may be in a call of theirs now. It ends within the time that its source declares, which is added to the wait where no call
  -- is noted; where one is, that time is not known here. What is noted of a PENDING one is a call without effect, and says nothing of
  -- later ones.
  update intent set
    state = 'IN_DOUBT', fence = fence + c_fences, lease_holder = null, lease_until = clock_timestamp(),
    payload = case when state <> 'PENDING' then payload end, guard = case when state <> 'PENDING' then guard end,
    deadline = clock_timestamp() + case when state = 'PENDING' then interval '0' else interval '30 seconds' end
  where tenant = p_tenant and state in ('PENDING', 'SENT', 'IN_DOUBT');
  update record set mark = mark + 1 where record_no in (select record_no from intent where tenant = p_tenant);

  -- Every source is looked through: a poll without a cursor, and a scan, which alone finds what is gone. Observations whose read began in
  -- the epoch before are looked at again.
  update collection set cursor = null, scanned_at = null, floor = greatest(floor, v_head) where tenant = p_tenant;
  update lease set fence = fence + c_numbers, until = '-infinity';
  perform setval('intent_intent_no_seq', nextval('intent_intent_no_seq') + c_numbers);
  perform setval('record_record_no_seq', nextval('record_record_no_seq') + c_numbers);
  return v_epoch;
end
$$;
