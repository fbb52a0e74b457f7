import pg from 'pg';
import { item } from './items.js';
import { inParallel, timed } from './measure.js';

/**
 * What the database alone takes: items upserted by bare `pg`, one jsonb statement and one commit per batch.
 *
 * @returns records per second
 */
export async function upsertsPerSecond(
  url: string,
  records: number,
  batch: number,
  connections: number,
): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  await pool.query('drop table if exists bare_item');
  await pool.query('create table bare_item (id text primary key, body text not null, changed_at timestamptz not null)');
  const { ms } = await timed(() =>
    inParallel(records / batch, connections, async (at) => {
      const rows = Array.from({ length: batch }, (_none, n) => item(at * batch + n));
      await pool.query({
        name: 'bare_upsert',
        text: `insert into bare_item (id, body, changed_at)
          select x ->> 'id', x::text, now() from jsonb_array_elements($1::jsonb) x
          on conflict (id) do update set body = excluded.body, changed_at = excluded.changed_at`,
        values: [JSON.stringify(rows)],
      });
    }),
  );
  await pool.query('drop table bare_item');
  await pool.end();
  return (records * 1000) / ms;
}
