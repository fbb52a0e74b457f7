import { applicationName } from './postmaster.js';
import { queryRows, storeFault, type Database } from './database.js';

/** Sessions of the gateways that are connected to this very database. Those of a pooler have another name: behind one a gateway shows by its line to the others. */
const SESSIONS = "from pg_stat_activity where datname = current_database() and application_name like 'tidegate:%'";

/** Gateways that are connected now, this one included. @throws SyncError UNAVAILABLE, INTERNAL */
export async function countGateways(database: Database): Promise<number> {
  const [row] = await queryRows<{ count: number }>(database, {
    name: 'count_gateways',
    text: `select count(distinct application_name) as count ${SESSIONS} and application_name <> $1`,
    values: [applicationName()],
  });
  return 1 + (row?.count ?? 0);
}

/**
 * At a start without another gateway connected, every lease there is was a dead process's: after a kill its work goes on at once
 * instead of when its leases run out. Should another one live all the same, with its line to the others down, its fence is lost and
 * its next commit says so: nothing is written twice. A call that was SENT keeps its lease, since it may still be under way (F13).
 */
export async function endDeadLeases(database: Database): Promise<void> {
  const alone = `not exists (select 1 ${SESSIONS} and application_name <> $1)`;
  try {
    await database.query(`update lease set until = clock_timestamp() where until > clock_timestamp() and ${alone}`, [
      applicationName(),
    ]);
    await database.query(
      `update intent set lease_until = clock_timestamp()
       where state = 'PENDING' and lease_until > clock_timestamp() and ${alone}`,
      [applicationName()],
    );
  } catch (cause) {
    throw storeFault(cause);
  }
}
