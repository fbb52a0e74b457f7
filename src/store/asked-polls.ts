import type { AskedPollStore } from '../core/asked-poll-port.js';
import { queryRows, type Database } from './database.js';

/** Polls that webhooks ask for: see `AskedPollStore`. */
export function askedPolls(database: Database): AskedPollStore {
  const rowsOf = <Row extends object>(name: string, text: string, values: unknown[]): Promise<readonly Row[]> =>
    queryRows<Row>(database, { name, text, values });

  return {
    async askPoll(tenant, collection, keys, nowMs) {
      await rowsOf(
        'ask_poll',
        `with waiting as (
           insert into recheck (tenant, collection, source_key, reason, not_before)
           select $1, $2, k, 'a webhook named it', $4 from unnest($3::text[]) as k
           on conflict (tenant, collection, source_key) do nothing
           returning 1
         ), whole as (
           select cardinality($3::text[]) = 0 or (select count(*) from waiting) < cardinality($3::text[]) as is_asked
         )
         insert into asked_poll as a (tenant, collection, asked_no, poll_no)
         select $1, $2, 1, case when is_asked then 1 end from whole
         on conflict (tenant, collection) do update set
           asked_no = a.asked_no + 1,
           poll_no = case when (select is_asked from whole) then a.asked_no + 1 else a.poll_no end`,
        [tenant, collection, [...new Set(keys)], new Date(nowMs).toISOString()],
      );
    },

    async countAsked(tenant) {
      const rows = await rowsOf<{ collection: string; asked_no: number }>(
        'count_asked',
        'select collection, asked_no from asked_poll where tenant = $1',
        [tenant],
      );
      return new Map(rows.map((row) => [row.collection, row.asked_no]));
    },

    async readAsked(tenant, collection) {
      const [row] = await rowsOf<{ poll_no: number | null }>(
        'read_asked',
        'select poll_no from asked_poll where tenant = $1 and collection = $2',
        [tenant, collection],
      );
      return row?.poll_no ?? null;
    },

    async noteAnswered(tenant, collection, askedNo) {
      await rowsOf(
        'note_answered',
        'update asked_poll set poll_no = null where tenant = $1 and collection = $2 and poll_no <= $3',
        [tenant, collection, askedNo],
      );
    },
  };
}
