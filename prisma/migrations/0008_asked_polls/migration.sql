-- A webhook came for a collection: whichever node polls it shall look at once, also one that did not get the webhook.

create table asked_poll (
  tenant text not null,
  collection text not null,
  -- Counts what was asked: nodes see by it that there is something new.
  asked_no bigint not null,
  -- The last of them that a poll must answer; null: it was answered, or keys alone were asked for.
  poll_no bigint,
  primary key (tenant, collection)
);
