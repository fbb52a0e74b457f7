import type { Seq, SourceKey } from '../core/change.js';
import type { CollectionProgress, IngestStore, QuarantinedRecord } from '../core/ingest-port.js';
import type { CollectionState, Recheck } from '../core/record-port.js';
import { queryRows, type Database } from './database.js';
import { countGateways } from './gateways.js';
import { readingStore } from './reading-store.js';

interface QuarantineRow {
  readonly source_key: string;
  readonly field: string | null;
  readonly reason: string;
  readonly first_seen: Date;
  readonly last_seen: Date;
}

/** What ingest keeps per collection, and leases: see `IngestStore`. */
export function ingestProgress(database: Database): IngestStore {
  const rowsOf = <Row extends object>(name: string, text: string, values: unknown[]): Promise<readonly Row[]> =>
    queryRows<Row>(database, { name, text, values });

  return {
    ...readingStore(database),

    async readCollection(tenant, collection): Promise<CollectionProgress> {
      const [row] = await rowsOf<{
        state: CollectionState;
        cursor: string | null;
        floor: number;
        polled_at: Date | null;
        scanned_at: Date | null;
        live_records: number;
        held_deletions: number;
        allowed_deletions: number;
        scan_asked_at: Date | null;
        read_as: string | null;
        proven_as: string | null;
        shape: string | null;
      }>(
        'read_collection',
        `select state, cursor, floor, polled_at, scanned_at, live_records, held_deletions, scan_asked_at, read_as, proven_as, shape,
           case when allowed_until > clock_timestamp() then allowed_deletions else 0 end as allowed_deletions
         from collection where tenant = $1 and name = $2`,
        [tenant, collection],
      );
      return {
        state: row?.state ?? 'PRIMING',
        cursor: row?.cursor ?? null,
        floor: (row?.floor ?? 0) as Seq,
        polledAtMs: row?.polled_at?.getTime() ?? null,
        scannedAtMs: row?.scanned_at?.getTime() ?? null,
        recordCount: row?.live_records ?? 0,
        heldDeletions: row?.held_deletions ?? 0,
        allowedDeletions: row?.allowed_deletions ?? 0,
        scanAskedAtMs: row?.scan_asked_at?.getTime() ?? null,
        readAs: row?.read_as ?? null,
        provenAs: row?.proven_as ?? null,
        shape: row?.shape ?? null,
      };
    },

    async readCreates(tenant, collection) {
      const [row] = await rowsOf<{ in_flight: boolean | null; parked: readonly string[] | null }>(
        'read_creates',
        `select bool_or(not is_still) as in_flight, json_agg(t.fields order by t.intent_no) filter (where is_still) as parked
         from intent t
         cross join lateral (select t.state = 'PARKED' or (t.state = 'IN_DOUBT' and t.payload is null) as is_still) s
         where t.tenant = $1 and t.collection = $2 and t.kind = 'UPSERT' and t.state in ('SENT', 'IN_DOUBT', 'PARKED')
           and (
             (select r.source_key is null or r.body is null or r.deleted from record r where r.record_no = t.record_no)
             -- A record that is made again, before a scan has seen that it is gone.
             or t.payload::json ->> 'kind' = 'create'
           )`,
        [tenant, collection],
      );
      return { inFlight: row?.in_flight ?? false, parked: row?.parked ?? [] };
    },

    async dueRechecks(tenant, collection, nowMs, limit): Promise<readonly Recheck[]> {
      const rows = await rowsOf<{ source_key: string; reason: string; not_before: Date }>(
        'due_rechecks',
        `select source_key, reason, not_before from recheck
         where tenant = $1 and collection = $2 and not_before <= to_timestamp(least($3::double precision / 1000, 1e11))
         order by not_before, source_key limit $4`,
        [tenant, collection, nowMs, limit],
      );
      return rows.map((row) => ({
        sourceKey: row.source_key as SourceKey,
        reason: row.reason,
        notBeforeMs: row.not_before.getTime(),
      }));
    },

    async knownKeys(tenant, collection, before, after, limit) {
      const rows = await rowsOf<{ source_key: string }>(
        'known_keys',
        `select source_key from record r
         where tenant = $1 and collection = $2 and source_key > $4 and not deleted and body is not null and first_seq <= $3
           and (mark = 0 or not exists (select 1 from intent t where t.record_no = r.record_no))
         order by source_key limit $5`,
        [tenant, collection, before, after ?? '', limit],
      );
      return rows.map((row) => row.source_key as SourceKey);
    },

    async countDeletions(tenant, collection, sinceMs) {
      const [row] = await rowsOf<{ deletions: number; live: number | null }>(
        'count_deletions',
        `select
           (select count(*) from record
            where tenant = $1 and collection = $2 and deleted and deleted_by_source and changed_at >= $3) as deletions,
           (select live_records from collection where tenant = $1 and name = $2) as live`,
        [tenant, collection, new Date(sinceMs).toISOString()],
      );
      return { deletions: row?.deletions ?? 0, live: row?.live ?? 0 };
    },

    async noteHeldDeletions(tenant, collection, deletions) {
      await rowsOf(
        'note_held_deletions',
        `insert into collection (tenant, name, held_deletions) values ($1, $2, $3)
         on conflict (tenant, name) do update set held_deletions = excluded.held_deletions`,
        [tenant, collection, deletions],
      );
    },

    async noteScanned(tenant, collection, askedAtMs) {
      await rowsOf(
        'note_scanned',
        'update collection set scan_asked_at = null where tenant = $1 and name = $2 and scan_asked_at <= $3',
        [tenant, collection, new Date(askedAtMs).toISOString()],
      );
    },

    async readQuarantine(tenant, collection): Promise<readonly QuarantinedRecord[]> {
      const rows = await rowsOf<QuarantineRow>(
        'read_quarantine',
        `select source_key, field, reason, first_seen, last_seen from quarantine
         where tenant = $1 and collection = $2 order by source_key`,
        [tenant, collection],
      );
      return rows.map((row) => ({
        sourceKey: row.source_key as SourceKey,
        field: row.field,
        reason: row.reason,
        firstSeenAtMs: row.first_seen.getTime(),
        lastSeenAtMs: row.last_seen.getTime(),
      }));
    },

    async countQuarantined(tenant) {
      const rows = await rowsOf<{ collection: string; count: number }>(
        'count_quarantined',
        'select collection, count(*) as count from quarantine where tenant = $1 group by collection',
        [tenant],
      );
      return new Map(rows.map(({ collection, count }) => [collection, count]));
    },

    async noteQuarantine(tenant, collection, { misfits, released, atMs, atMost }) {
      const rows = await rowsOf<{ source_key: string; is_new: boolean }>(
        'note_quarantine',
        `with released as (
           delete from quarantine where tenant = $1 and collection = $2 and source_key = any ($4::text[]) returning 1
         ), given as (
           select g.*, q.source_key is not null as is_known, q.reason is distinct from g.reason or q.field is distinct from g.field as is_new
           from json_to_recordset($3::json) as g (source_key text, field text, reason text)
           left join quarantine q on q.tenant = $1 and q.collection = $2 and q.source_key = g.source_key
         ), room as (
           select $6::bigint - (select count(*) from quarantine where tenant = $1 and collection = $2) + (select count(*) from released) as places
         ), noted as (
           insert into quarantine (tenant, collection, source_key, field, reason, first_seen, last_seen)
           select $1, $2, g.source_key, g.field, g.reason, $5, $5
           from (select *, row_number() over (partition by is_known order by source_key) as place from given) g
           where g.is_known or g.place <= (select places from room)
           on conflict (tenant, collection, source_key) do update
             set field = excluded.field, reason = excluded.reason, last_seen = excluded.last_seen
           returning source_key
         )
         select source_key, is_new from noted join given using (source_key) order by source_key`,
        [
          tenant,
          collection,
          JSON.stringify(misfits.map(({ sourceKey, field, reason }) => ({ source_key: sourceKey, field, reason }))),
          released,
          new Date(atMs).toISOString(),
          atMost,
        ],
      );
      const listed = rows.map((row) => row.source_key as SourceKey);
      return { listed, isNew: listed.filter((_key, at) => rows[at]?.is_new === true) };
    },

    async acquireLease(tenant, name, holder, leaseMs) {
      const [row] = await rowsOf<{ fence: number }>(
        'acquire_lease',
        `insert into lease (tenant, name, holder, fence, until)
         values ($1, $2, $3, 1, clock_timestamp() + $4 * interval '1 millisecond')
         on conflict (tenant, name) do update set
           holder = excluded.holder, until = excluded.until,
           fence = lease.fence + case when lease.holder = excluded.holder and lease.until > clock_timestamp() then 0 else 1 end
         where lease.holder = excluded.holder or lease.until <= clock_timestamp()
         returning fence`,
        [tenant, name, holder, leaseMs],
      );
      return row === undefined ? null : { fence: row.fence };
    },

    async releaseLease(tenant, name, holder) {
      // Not `clock_timestamp()`: rounded to its milliseconds, it can lie ahead, and the next holder is turned away.
      const text = "update lease set until = '-infinity' where tenant = $1 and name = $2 and holder = $3";
      await rowsOf('release_lease', text, [tenant, name, holder]);
    },

    countGateways: () => countGateways(database),
  };
}
