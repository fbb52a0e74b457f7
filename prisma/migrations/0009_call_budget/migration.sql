-- Calls that gateways made to a source that limits them, over all gateways: when, in ms since 1970, and how many at once.

create table call_budget (
  source text primary key,
  at_ms double precision[] default '{}',
  turns integer[] default '{}'
);
