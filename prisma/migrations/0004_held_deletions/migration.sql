-- Deletions that wait for an operator (R14): how many, and what an operator allowed.

alter table collection
  -- How many deletions the limit held when it was last passed; says something while the collection is HELD.
  add column held_deletions integer not null default 0,
  -- Until then so many deletions within an hour are no reason to hold them.
  add column allowed_deletions integer not null default 0,
  add column allowed_until timestamptz(3),
  -- A scan was asked for and is not done yet.
  add column scan_asked_at timestamptz(3);
