-- Phones: the registrations of devices for hints by a push service, what is due to them, and what became of what was sent (R18, F27).
-- A table of its own, with a row only while there is a registration: what ends it ends everything that hangs on it.
create table phone (
  tenant text not null,
  user_id text not null,
  device text not null,
  platform text not null,
  token text not null,
  registered_at timestamptz(3) not null,
  -- None: every one that there is.
  collections text[] default '{}',
  -- Names a set of scopes in `phone_scope`: what its user saw when the device was here last.
  scopes text not null,
  pulled_at timestamptz(3),
  -- Up to where it has pulled all of its collections, and up to where every receipt was told in the answer to a push.
  pulled_seq bigint not null default 0,
  told_seq bigint not null default 0,
  -- Since when something waits for it, up to which seq, in which collections; null: nothing does.
  due_at timestamptz(3),
  due_seq bigint not null default 0,
  due_collections text[] default '{}',
  -- Not before: the end of its window, of a back-off, or of its socket.
  next_at timestamptz(3) not null default 'epoch',
  -- The end of its window, for when its back-off ends early.
  free_at timestamptz(3) not null default 'epoch',
  -- Names the last time that it was taken for sending, and no other.
  claim bigint not null default 0,
  hinted_at timestamptz(3),
  -- Of the first hint after its last pull.
  unanswered_since timestamptz(3),
  escalated_at timestamptz(3),
  notice_due boolean not null default false,
  stale_at timestamptz(3),
  primary key (tenant, user_id, device)
);
-- Marks and answers move its rows: room for their next versions on the page.
alter table phone set (fillfactor = 70);
-- On a shared phone a token is of who registered last.
create unique index phone_token on phone (tenant, token);
create index phone_seeing on phone (tenant, scopes);
-- What is worked off: of 10,000 phones a hundred that are due are taken in 9 ms, whatever the others are.
create index phone_due on phone (tenant, next_at) where due_at is not null;
create index phone_silent on phone (tenant, unanswered_since) where unanswered_since is not null and stale_at is null;
create sequence phone_claim;

-- Which scopes a set has; '' is every scope that there is. Phones of one ward share a row for each of its scopes.
create table phone_scope (
  tenant text not null,
  hash text not null,
  scope text not null,
  primary key (tenant, hash, scope)
);
create index phone_scope_seen on phone_scope (tenant, scope);

-- Up to which seq phones were marked due (F27).
create table hint_cursor (
  tenant text primary key,
  epoch text not null,
  seq bigint not null
);

-- Who is awake: a row for the sockets of a device at a gateway, good until some time after their last pong. Not logged: after a crash of
-- the database nobody is awake for some seconds, and a hint too many goes out.
create unlogged table presence (
  tenant text not null,
  user_id text not null,
  device text not null,
  node text not null,
  until timestamptz(3) not null,
  primary key (tenant, user_id, device, node)
);
alter table presence set (fillfactor = 50);

-- What its user saw is not known of a registration that was there before: it is hinted from its next pull on.
insert into phone (tenant, user_id, device, platform, token, registered_at, scopes)
select distinct on (tenant, token) tenant, user_id, device, platform, token, coalesce(registered_at, now()), ''
from device where token is not null and platform is not null and length(token) <= 1024
order by tenant, token, registered_at desc;
alter table device drop column platform, drop column token, drop column registered_at;
