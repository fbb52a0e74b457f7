-- Collections whose field values are not kept (F29).

-- How a collection's records are kept: `snapshot` or `metadataOnly`; null: nobody has said yet.
alter table collection add column storage text;

-- Texts that are sealed under a key which the database does not have.
create table kept_secret (
  name text primary key,
  sealed text not null
);

-- Bodies that their source did not show when they were pulled: the record comes again when it does. No values.
create sequence owed_body_no;

create table owed_body (
  tenant text not null,
  collection text not null,
  id text not null,
  -- The state of which the body is owed.
  seq bigint not null,
  -- A new one whenever it is owed again.
  owed_no bigint not null default nextval('owed_body_no'),
  not_before timestamptz(3) not null,
  primary key (tenant, collection, id)
);

create index owed_body_due on owed_body (tenant, collection, not_before);
