-- Records that their source shows, but not as declared: set aside with the reason, never with a value, until they fit or are gone.

create table quarantine (
  tenant text not null,
  collection text not null,
  source_key text not null,
  -- Null: the record as a whole.
  field text,
  reason text not null,
  first_seen timestamptz(3) not null,
  last_seen timestamptz(3) not null,
  primary key (tenant, collection, source_key)
);
