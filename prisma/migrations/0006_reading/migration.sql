-- How collections are read, so that a change of it is noticed: who reads which set (R14), and what becomes of a row.

alter table collection
  -- Salted hash of the reading by which all of the collection was last read; null before this was kept.
  add column read_as text,
  -- Salted hash of credentials, address and list of the set that absences are compared with.
  add column proven_as text,
  -- The shape in force, as JSON text.
  add column shape text;

-- The same states in other texts: no seq. Behind the tenant's lock, like everything that writes records.
create function tidegate_restate(p_tenant text, p_collection text, p_records json) returns void
language plpgsql volatile as $$
begin
  perform 1 from tenant where id = p_tenant for update;
  update record r set body = n.body, hash = n.hash, vis = n.vis
  from json_to_recordset(p_records) as n (id text, seq bigint, mark integer, body text, hash text, vis text)
  where r.tenant = p_tenant and r.collection = p_collection and r.id = n.id and r.seq = n.seq and r.mark = n.mark
    and not r.deleted and not exists (select 1 from intent t where t.record_no = r.record_no);
end
$$;
