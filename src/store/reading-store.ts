import type { SourceKey } from '../core/change.js';
import type { IngestStore } from '../core/ingest-port.js';
import { queryRows, type Database } from './database.js';

/** What is kept of how collections are read, and what a change of it needs: rare, so planned for each call. See `IngestStore`. */
export function readingStore(database: Database): Pick<IngestStore, 'noteReading' | 'readScopes' | 'restate'> {
  const rowsOf = <Row extends object>(text: string, values: unknown[]): Promise<readonly Row[]> =>
    queryRows<Row>(database, { text, values });

  return {
    async noteReading(tenant, collection, { readAs, provenAs, shape }) {
      await rowsOf(
        `insert into collection (tenant, name, read_as, proven_as, shape) values ($1, $2, $3, $4, $5)
         on conflict (tenant, name) do update set
           read_as = coalesce(excluded.read_as, collection.read_as),
           proven_as = coalesce(excluded.proven_as, collection.proven_as),
           shape = coalesce(excluded.shape, collection.shape)`,
        [tenant, collection, readAs ?? null, provenAs ?? null, shape ?? null],
      );
    },

    async readScopes(tenant, collection, keys) {
      const rows = await rowsOf<{ source_key: string; scopes: readonly string[] }>(
        `select r.source_key, coalesce(array_agg(m.scope) filter (where m.scope is not null), '{}') as scopes
         from json_array_elements_text($3::json) as n (key)
         join record r on r.tenant = $1 and r.collection = $2 and r.source_key = n.key and not r.deleted and r.body is not null
         left join membership m on m.record_no = r.record_no and not m."left"
         group by r.source_key`,
        [tenant, collection, JSON.stringify(keys)],
      );
      return new Map(rows.map((row) => [row.source_key as SourceKey, [...row.scopes].sort()]));
    },

    async restate(tenant, collection, records) {
      if (records.length === 0) return;
      const given = records.map(({ expected, ...record }) => ({ ...record, seq: expected.seq, mark: expected.mark }));
      await rowsOf('select tidegate_restate($1, $2, $3)', [tenant, collection, JSON.stringify(given)]);
    },
  };
}
