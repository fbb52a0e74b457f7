import type { RecordId, Seq } from '../core/change.js';
import type { OpenState } from '../core/intent.js';
import type { OperatorStore } from '../core/operator-port.js';
import { queryRows, type Database } from './database.js';
import { BLOCKER, LEASED_JSON, leasedOf, type LeasedRow } from './intent-row.js';
import { errorOf, knownOf, type ChangeRow } from './known-changes.js';

/** What operators see and do: low-rate, so its statements are planned for each call. */
export function operatorStore(database: Database): OperatorStore {
  const rowsOf = <Row extends object>(text: string, values: unknown[]): Promise<readonly Row[]> =>
    queryRows<Row>(database, { text, values });

  return {
    async readOutbox(tenant, { states, collection, after, limit }) {
      const rows = await rowsOf<{
        intent: LeasedRow;
        error: string | null;
        blocked_by: string | null;
        due_at_ms: number;
      }>(
        `select ${LEASED_JSON} as intent, ${BLOCKER} as blocked_by,
           (select p.error from push_change p
            where p.tenant = t.tenant and p.user_id = t.user_id and p.device = t.device and p.change_id = t.change_id) as error,
           (extract(epoch from case when t.state in ('SENT', 'IN_DOUBT') then t.lease_until else t.not_before end) * 1000)::bigint
             as due_at_ms
         from intent t
         where t.tenant = $1 and (cardinality($2::text[]) = 0 or t.state = any ($2)) and ($3::text is null or t.collection = $3)
           and t.intent_no > $4
         order by t.intent_no limit $5`,
        [tenant, states, collection, after ?? 0, limit],
      );
      return rows.map((row) => ({
        ...leasedOf(row.intent),
        error: errorOf(row.error),
        blockedBy: row.blocked_by,
        dueAtMs: row.due_at_ms,
      }));
    },

    async countOutbox(tenant) {
      const rows = await rowsOf<{ state: OpenState; count: number }>(
        'select state, count(*) as count from intent where tenant = $1 group by state',
        [tenant],
      );
      return new Map(rows.map(({ state, count }) => [state, count]));
    },

    async askScan(tenant, collection, allow) {
      await rowsOf(
        `insert into collection (tenant, name, scan_asked_at, allowed_deletions, allowed_until)
         values ($1, $2, clock_timestamp(), coalesce($3::integer, 0), clock_timestamp() + $4::bigint * interval '1 millisecond')
         on conflict (tenant, name) do update set
           scan_asked_at = excluded.scan_asked_at,
           allowed_deletions = coalesce($3, collection.allowed_deletions),
           allowed_until = case when $3 is null then collection.allowed_until else excluded.allowed_until end`,
        [tenant, collection, allow?.deletions ?? null, allow?.forMs ?? null],
      );
    },

    async reopenIntent(tenant, intentNo) {
      const [row] = await rowsOf<{ done: boolean }>('select tidegate_reopen_intent($1, $2) as done', [
        tenant,
        intentNo,
      ]);
      return row?.done ?? false;
    },

    async readSettled(tenant, intentNo) {
      const [row] = await rowsOf<ChangeRow & { readonly user_id: string; readonly device: string }>(
        `select change_id, body_hash, collection, record_id, status, error, blocked_by, kept, user_id, device
         from push_change
         where tenant = $1 and intent_no = $2 and not exists (select 1 from intent where tenant = $1 and intent_no = $2)`,
        [tenant, intentNo],
      );
      return row === undefined
        ? null
        : { ...knownOf(row), intentNo, device: { tenant, user: row.user_id, device: row.device } };
    },

    async readConflicts(tenant, after, limit) {
      const rows = await rowsOf<ConflictRow>(
        `select user_id, device, change_id, collection, record_id, error, kept, settled_seq
         from push_change
         where tenant = $1 and kept is not null and settled_seq > $2
         order by settled_seq limit $3`,
        [tenant, after ?? 0, limit],
      );
      return rows.map((row) => ({
        device: { tenant, user: row.user_id, device: row.device },
        changeId: row.change_id,
        collection: row.collection,
        id: row.record_id as RecordId,
        error: errorOf(row.error),
        kept: row.kept,
        settledSeq: row.settled_seq as Seq,
      }));
    },

    async dismissConflict(device, changeId) {
      const rows = await rowsOf(
        `update push_change set kept = null
         where tenant = $1 and user_id = $2 and device = $3 and change_id = $4 and kept is not null
         returning 1`,
        [device.tenant, device.user, device.device, changeId],
      );
      return rows.length > 0;
    },
  };
}

interface ConflictRow {
  readonly user_id: string;
  readonly device: string;
  readonly change_id: string;
  readonly collection: string;
  readonly record_id: string;
  readonly error: string | null;
  readonly kept: string;
  readonly settled_seq: number;
}
