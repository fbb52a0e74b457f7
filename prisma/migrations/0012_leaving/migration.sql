-- Devices whose rights an operator took away: for ever.
alter table device add column revoked_at timestamptz(3);
-- Only pushes were noted so far: a device that pulled yesterday was not silent.
update device set seen_at = now();
