import type { Seq } from '../core/change.js';
import type { KeepingStore, RestingText, Storage } from '../core/keeping.js';
import { queryRows, type Database } from './database.js';

/** What is kept for collections whose values are not: see `KeepingStore`. */
export function keepingStore(database: Database): KeepingStore {
  const rowsOf = <Row extends object>(text: string, values: unknown[]): Promise<readonly Row[]> =>
    queryRows<Row>(database, { text, values });

  return {
    async keepAs(tenant, collection, storage) {
      const [row] = await rowsOf<{ storage: Storage }>(
        `with known as (
           select case when exists (select 1 from record where tenant = $1 and collection = $2) then 'snapshot' else $3 end as storage
         )
         insert into collection (tenant, name, storage) select $1, $2, storage from known
         on conflict (tenant, name) do update set storage = coalesce(collection.storage, excluded.storage)
         returning storage`,
        [tenant, collection, storage],
      );
      return row?.storage ?? storage;
    },

    async keepSecret(tenant, name, text) {
      const [row] = await rowsOf<{ sealed: string }>(
        `insert into kept_secret (tenant, name, sealed) values ($1, $2, $3)
         on conflict (tenant, name) do update set sealed = kept_secret.sealed returning sealed`,
        [tenant, name, text],
      );
      return row?.sealed ?? text;
    },

    async replaceSecret(tenant, name, before, after) {
      await rowsOf('update kept_secret set sealed = $4 where tenant = $1 and name = $2 and sealed = $3', [
        tenant,
        name,
        before,
        after,
      ]);
    },

    async readTexts(tenant, collection, after, limit) {
      const rows = await rowsOf<Omit<RestingText, 'expected'> & { readonly seq: Seq; readonly mark: number }>(
        `select id, seq, mark, body, vis, hash from record
         where tenant = $1 and collection = $2 and id > $3 and (body is not null or vis is not null)
         order by id limit $4`,
        [tenant, collection, after ?? '', limit],
      );
      return rows.map(({ id, seq, mark, body, vis, hash }) => ({ id, expected: { seq, mark }, body, vis, hash }));
    },

    async rewriteTexts(tenant, collection, texts) {
      await rowsOf(
        `with locked as materialized (select 1 from tenant where id = $1 for update)
         update record r set body = n.body, vis = n.vis, hash = n.hash
         from locked, json_to_recordset($3::json) as n (id text, seq bigint, mark integer, body text, vis text, hash text)
         where r.tenant = $1 and r.collection = $2 and r.id = n.id and r.seq = n.seq and r.mark = n.mark`,
        [
          tenant,
          collection,
          JSON.stringify(texts.map(({ expected, ...text }) => ({ ...text, seq: expected.seq, mark: expected.mark }))),
        ],
      );
    },

    async oweBodies(tenant, owed, delayMs) {
      await rowsOf(
        `insert into owed_body (tenant, collection, id, seq, not_before)
         select $1, o.collection, o.id, max(o.seq), clock_timestamp() + $3 * interval '1 millisecond'
         from json_to_recordset($2::json) as o (collection text, id text, seq bigint)
         group by o.collection, o.id order by o.collection, o.id
         on conflict (tenant, collection, id) do update set
           seq = greatest(owed_body.seq, excluded.seq), owed_no = excluded.owed_no`,
        [tenant, JSON.stringify(owed), Math.round(delayMs)],
      );
    },

    async dueBodies(tenant, collection, limit) {
      return rowsOf(
        `select collection, id, seq, owed_no as "owedNo" from owed_body
         where tenant = $1 and collection = $2 and not_before <= clock_timestamp()
         order by not_before, owed_no limit $3`,
        [tenant, collection, limit],
      );
    },

    async deferBodies(tenant, owedNos, delayMs) {
      await rowsOf(
        `update owed_body set not_before = clock_timestamp() + $3 * interval '1 millisecond'
         where tenant = $1 and owed_no = any ($2::bigint[])`,
        [tenant, owedNos, Math.round(delayMs)],
      );
    },

    async settleBodies(tenant, owedNos) {
      await rowsOf('delete from owed_body where tenant = $1 and owed_no = any ($2::bigint[])', [tenant, owedNos]);
    },

    async owingCollections(tenant) {
      const rows = await rowsOf<{ collection: string }>('select distinct collection from owed_body where tenant = $1', [
        tenant,
      ]);
      return new Set(rows.map(({ collection }) => collection));
    },
  };
}
