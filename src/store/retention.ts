import { randomBytes } from 'node:crypto';
import type { Seq } from '../core/change.js';
import type { RetentionStore } from '../core/retention-port.js';
import { onConnection, queryRows, type Database } from './database.js';
import { PHONES_LOCK } from './phones.js';
import { beginEpoch, type RestoreWatch } from './restore-watch.js';
import { inTransaction, type Run } from './tenant-transaction.js';

/** Forgetting by age and new epochs: rare, each one transaction under the tenant's lock (specification parts 2 and 8). */
export function retention(database: Database, { seenOf }: Pick<RestoreWatch, 'seenOf'>): RetentionStore {
  return {
    purge: (tenant, olderThanMs) =>
      inTransaction(database, tenant, async (run) => {
        const older = new Date(olderThanMs).toISOString();
        // Seqs and times of change grow together: the youngest of the old is the horizon.
        const [{ horizon } = { horizon: 0 }] = await run<{ horizon: number }>(
          `update tenant set horizon = greatest(horizon, coalesce((
             select max(seq) from record where tenant = $1 and changed_at < $2
           ), 0)) where id = $1 returning horizon`,
          [tenant, older],
        );
        await run('delete from membership where tenant = $1 and "left" and seq <= $2', [tenant, horizon]);
        await run(
          `delete from record r where tenant = $1 and deleted and seq <= $2
             -- Aliases are for ever, and so is what they lead to.
             and alias_of is null and not exists (select 1 from record a where a.alias_of = r.record_no)
             and not exists (select 1 from intent t where t.record_no = r.record_no)
             and not exists (select 1 from membership m where m.record_no = r.record_no)`,
          [tenant, horizon],
        );
        // The row stays for repeats (R7, F11); only the receipt is forgotten.
        await run(
          `update push_change set settled_seq = null, error = null, kept = null
           where tenant = $1 and settled_seq <= $2 and status <> 'PARKED'`,
          [tenant, horizon],
        );
        await run(`select pg_advisory_xact_lock(${PHONES_LOCK})`, [tenant]);
        await evictSilent(run, tenant, older);
        await run('delete from scope_set where tenant = $1 and saved_at < $2', [tenant, older]);
        await forgetUnseen(run, tenant);
        await run('update collection set floor = greatest(floor, $2) where tenant = $1', [tenant, horizon]);
        return { horizon: horizon as Seq };
      }),

    async rotateSigningKeys({ newestBeforeMs, replacedBeforeMs }) {
      const [kid, secret] = [`k${randomBytes(4).toString('hex')}`, randomBytes(32)];
      const time = (ms: number): string => (ms === Infinity ? 'infinity' : new Date(ms).toISOString());
      await queryRows(database, {
        text: `insert into signing_key (kid, secret, created_at) select $1, $2, clock_timestamp()
          where not exists (select 1 from signing_key where created_at >= $3)`,
        values: [kid, secret, time(newestBeforeMs)],
      });
      await queryRows(database, {
        text: `delete from signing_key k where exists (
            select 1 from signing_key n where (n.created_at, n.kid) > (k.created_at, k.kid) and n.created_at < $1
          )`,
        values: [time(replacedBeforeMs)],
      });
    },

    async newEpoch(tenant, from, seenHead) {
      const seen = seenOf(tenant);
      const past = { head: Math.max(seenHead ?? 0, seen?.head ?? 0) as Seq, epochNo: seen?.epochNo ?? 0 };
      return onConnection(database, async (connection) => beginEpoch(connection, tenant, from, past));
    },
  };
}

/**
 * Their ids are remembered for ever, what they pushed only as long as somebody may still ask for it: an answer that is not
 * forgotten, and a change that is open (F11).
 */
async function evictSilent(run: Run, tenant: string, older: string): Promise<void> {
  const evicted = await run<{ user_id: string; device: string }>(
    `update device set evicted = true where tenant = $1 and seen_at < $2 and not evicted and revoked_at is null returning user_id, device`,
    [tenant, older],
  );
  if (evicted.length === 0) return;
  const names = [tenant, evicted.map((one) => one.user_id), evicted.map((one) => one.device)];
  await run(
    'delete from phone where tenant = $1 and (user_id, device) in (select * from unnest($2::text[], $3::text[]))',
    names,
  );
  await run(
    `delete from push_change
     where tenant = $1 and settled_seq is null and status not in ('ACCEPTED', 'PARKED')
       and (user_id, device) in (select * from unnest($2::text[], $3::text[]))`,
    names,
  );
}

/** What nobody's phone sees any more, and sockets that are long closed. Under the lock of phones: one may be about to see it. */
async function forgetUnseen(run: Run, tenant: string): Promise<void> {
  await run(
    'delete from phone_scope s where tenant = $1 and not exists (select 1 from phone p where p.tenant = $1 and p.scopes = s.hash)',
    [tenant],
  );
  await run("delete from presence where tenant = $1 and until < now() - interval '1 hour'", [tenant]);
}
