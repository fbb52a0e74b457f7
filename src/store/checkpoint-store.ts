import { randomBytes } from 'node:crypto';
import type { FeedReader, SigningKey } from '../core/feed-port.js';
import { scopeSet, type ScopePair, type ScopeSet } from '../core/scope.js';
import { storeFault, type Database } from './database.js';

/** Scope sets in memory: they never change, and the newest ones are asked for with every pull. */
const CACHED_SETS = 2_000;
const SECRET_BYTES = 32;

/** What checkpoints need besides the feed: the sets that their hashes name, and the keys that sign them (F24). */
export function checkpointStore(
  database: Database,
): Pick<FeedReader, 'saveScopeSets' | 'readScopeSet' | 'readSigningKeys'> {
  const cached = new Map<string, ScopeSet>();

  function remember(tenant: string, hash: string, set: ScopeSet): void {
    const oldest = cached.size >= CACHED_SETS ? cached.keys().next().value : undefined;
    if (oldest !== undefined) cached.delete(oldest);
    cached.set(`${tenant} ${hash}`, set);
  }

  return {
    async saveScopeSets(tenant, sets) {
      const unsaved = [...sets].filter(([hash]) => !cached.has(`${tenant} ${hash}`));
      if (unsaved.length === 0) return;
      try {
        await database.query({
          name: 'save_scope_sets',
          // A set that is still used is young again: purging by age must not take it.
          text: `insert into scope_set (tenant, hash, pairs)
            select $1, x ->> 0, x ->> 1 from jsonb_array_elements($2::jsonb) x
            on conflict (tenant, hash) do update set saved_at = now()`,
          values: [tenant, JSON.stringify(unsaved.map(([hash, set]) => [hash, JSON.stringify(set)]))],
        });
      } catch (cause) {
        throw storeFault(cause);
      }
      for (const [hash, set] of unsaved) remember(tenant, hash, set);
    },

    async readScopeSet(tenant, hash) {
      const known = cached.get(`${tenant} ${hash}`);
      if (known !== undefined) return known;
      try {
        const { rows } = await database.query<{ pairs: string }>({
          name: 'read_scope_set',
          text: 'select pairs from scope_set where tenant = $1 and hash = $2',
          values: [tenant, hash],
        });
        const [row] = rows;
        if (row === undefined) return null;
        const set = scopeSet(JSON.parse(row.pairs) as readonly ScopePair[]);
        remember(tenant, hash, set);
        return set;
      } catch (cause) {
        throw storeFault(cause);
      }
    },

    async readSigningKeys(): Promise<readonly SigningKey[]> {
      try {
        await database.query(
          `insert into signing_key (kid, secret) select $1, $2 where not exists (select 1 from signing_key)
           on conflict do nothing`,
          [`k${randomBytes(4).toString('hex')}`, randomBytes(SECRET_BYTES)],
        );
        const { rows } = await database.query<{ kid: string; secret: Buffer }>(
          'select kid, secret from signing_key order by created_at desc, kid desc',
        );
        return rows;
      } catch (cause) {
        throw storeFault(cause);
      }
    },
  };
}
