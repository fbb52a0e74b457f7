import type { CallBudgetStore } from '../core/call-budget-port.js';
import { queryRows, type Database } from './database.js';

interface Granted {
  readonly taken: number;
  readonly wait_ms: number;
}

/**
 * The turns of each source in one row, by the database's clock: its lock puts the gateways in order, and what was taken within the
 * window is counted. Turns that were taken together stand together.
 */
export function callBudgetStore(database: Database): CallBudgetStore {
  const take = (values: readonly (string | number)[]): Promise<readonly Granted[]> =>
    queryRows<Granted>(database, {
      name: 'take_turns',
      text: `
          -- Not waited for on the disk: what a crash of the database forgets is one window of turns.
          with quick as materialized (select set_config('synchronous_commit', 'off', true)),
          held as (select at_ms, turns from call_budget, quick where tenant = $1 and source = $2 for update of call_budget),
          -- Read when the row is ours.
          clock as (select extract(epoch from clock_timestamp())::double precision * 1000 as now_ms from held),
          recent as (
            select t.at_ms, t.turns from held, clock, unnest(held.at_ms, held.turns) as t (at_ms, turns)
            where t.at_ms > now_ms - $4::double precision and t.at_ms <= now_ms
          ),
          granted as (
            select now_ms, least($5::integer, greatest(0, $3::integer - coalesce((select sum(turns) from recent), 0)))::integer as taken
            from clock
          )
          update call_budget b
          set at_ms = coalesce((select array_agg(at_ms order by at_ms) from recent), '{}')
              || case when taken > 0 then array[now_ms] else '{}' end,
            turns = coalesce((select array_agg(turns order by at_ms) from recent), '{}')
              || case when taken > 0 then array[taken] else '{}' end
          from granted
          where b.tenant = $1 and b.source = $2
          returning taken, case when taken > 0 then 0
            else coalesce((select min(at_ms) from recent) + $4::double precision - now_ms, 0) end as wait_ms`,
      values: [...values],
    });

  return {
    callBudget: (tenant) => ({
      async takeTurns(source, { most, windowMs }, atMost) {
        const values = [tenant, source, most, windowMs, atMost];
        let [granted] = await take(values);
        if (granted === undefined) {
          // The first call of a source that has a limit.
          const text = 'insert into call_budget (tenant, source) values ($1, $2) on conflict do nothing';
          await queryRows(database, { text, values: [tenant, source] });
          [granted] = await take(values);
        }
        return { taken: granted?.taken ?? 0, waitMs: granted?.wait_ms ?? 0 };
      },
    }),
  };
}
