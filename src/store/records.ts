import type { RecordId, Seq, SourceKey } from '../core/change.js';
import type { Stamps } from '../core/conflict.js';
import type { OpenIntent, RecordMark, RecordView } from '../core/record-port.js';
import type { ViaName } from '../core/via.js';
import { storeFault, type Database } from './database.js';
import { INTENT_JSON, intentOf, type IntentRow } from './intent-row.js';

/**
 * One row per record, everything in one JSON value: reading rows by column costs Node more than the query itself. A record that
 * never had an intent has the mark 0.
 */
const VIEW = `
  json_build_object(
    'c', r.collection, 'i', r.id, 'k', r.source_key, 'q', r.seq, 'm', r.mark, 'd', r.deleted, 'b', r.body, 'x', r.vis, 'p', r.pending,
    'a', case when r.alias_of is not null then (select a.id from record a where a.record_no = r.alias_of) end,
    'v', r.source_version, 'h', r.hash, 's', r.stamps, 'w', r.written, 't', r.changed_at,
    'z', (
      select json_agg(m.scope order by m.scope collate "C") from membership m
      where m.record_no = r.record_no and (not m."left" or (r.deleted and m.seq = r.seq))
    ),
    'o', case when r.mark > 0 then (select json_agg(${INTENT_JSON} order by t.intent_no) from intent t where t.record_no = r.record_no) end
  )`;

/** One look-up per id; its whole key has one index only, for the other one is partial. */
const BY_ID = `
  cross join lateral (
    select * from record where tenant = $1 and collection = n.collection and id = n.id limit 1
  ) r`;

/**
 * One look-up per source key, in the order of the one index that has it: sessions keep plans that were made while the table was
 * small, when a join over all of it, or an index that shares only some columns, looked as good. It ends at its key: for one that
 * is not there it would read the neighbour in all its versions (100 us).
 */
const BY_SOURCE_KEY = `
  cross join lateral (
    select * from record
    where tenant = $1 and collection = $2 and source_key >= n.key and source_key <= n.key
    order by tenant, collection, source_key limit 1
  ) r`;

/**
 * What a new epoch put in doubt although no call of it is remembered holds nothing back: it may wait for an operator, too (F5).
 */
const IS_IN_FLIGHT = `(t.state = 'SENT' or (t.state = 'IN_DOUBT' and t.payload is not null))`;

interface ViewRow {
  readonly c: string;
  readonly i: string;
  readonly k: string | null;
  readonly q: number;
  readonly m: number;
  readonly d: boolean;
  readonly b: string | null;
  readonly x: string | null;
  readonly p: boolean;
  readonly a: string | null;
  readonly v: string | null;
  readonly h: string | null;
  readonly s: Readonly<Record<string, readonly [number, string]>>;
  readonly w: number;
  readonly t: string;
  readonly z: readonly string[] | null;
  readonly o: readonly IntentRow[] | null;
}

/** @returns views in the order of the names; absent ones have seq and mark 0 */
export async function readRecords(
  database: Database,
  tenant: string,
  names: readonly { readonly collection: string; readonly id: RecordId }[],
): Promise<readonly RecordView[]> {
  const found = await readViews(
    database,
    'read_records',
    `select json_agg(${VIEW})::text as views
     from json_to_recordset($2::json) as n (collection text, id text) ${BY_ID}`,
    [tenant, JSON.stringify(names)],
    tenant,
  );
  const byName = new Map(found.map((view) => [`${view.collection} ${view.id}`, view]));
  return names.map((name) => byName.get(`${name.collection} ${name.id}`) ?? absentView(name.collection, name.id));
}

export async function readBySourceKey(
  database: Database,
  tenant: string,
  collection: string,
  keys: readonly SourceKey[],
): Promise<ReadonlyMap<SourceKey, RecordView>> {
  const found = await readViews(
    database,
    'read_by_source_key',
    `select json_agg(${VIEW})::text as views
     from json_array_elements_text($3::json) as n (key) ${BY_SOURCE_KEY}`,
    [tenant, collection, JSON.stringify(keys)],
    tenant,
  );
  return new Map(found.map((view) => [view.sourceKey as SourceKey, view]));
}

async function readViews(
  database: Database,
  name: string,
  text: string,
  values: readonly unknown[],
  tenant: string,
): Promise<readonly RecordView[]> {
  try {
    const { rows } = await database.query<{ views: string | null }>({ name, text, values: [...values] });
    return (JSON.parse(rows[0]?.views ?? '[]') as readonly ViewRow[]).map((row) => viewOf(tenant, row));
  } catch (cause) {
    throw storeFault(cause);
  }
}

function viewOf(tenant: string, row: ViewRow): RecordView {
  const intents: readonly OpenIntent[] = (row.o ?? []).map((intent) => intentOf(tenant, intent));
  const stamps: Stamps = Object.fromEntries(
    Object.entries(row.s).map(([field, [seq, writer]]) => [field, { seq: seq as Seq, writer }]),
  );
  return {
    collection: row.c,
    id: row.i as RecordId,
    sourceKey: row.k as SourceKey | null,
    seq: row.q as Seq,
    mark: row.m,
    deleted: row.d,
    body: row.b,
    vis: row.x,
    pending: row.p,
    aliasOf: row.a as RecordId | null,
    sourceVersion: row.v,
    hash: row.h,
    stamps,
    scopes: row.z ?? [],
    written: row.w as Seq,
    changedAtMs: Date.parse(row.t),
    intents,
  };
}

function absentView(collection: string, id: RecordId): RecordView {
  return {
    collection,
    id,
    sourceKey: null,
    seq: 0 as Seq,
    mark: 0,
    deleted: false,
    body: null,
    vis: null,
    pending: false,
    aliasOf: null,
    sourceVersion: null,
    hash: null,
    stamps: {},
    scopes: [],
    written: 0 as Seq,
    changedAtMs: 0,
    intents: [],
  };
}

type MarkRow = readonly [
  string,
  string,
  number,
  number,
  string | null,
  string | null,
  boolean,
  number,
  boolean,
  number,
  boolean,
  number,
  string | null,
];

export async function readHashes(
  database: Database,
  tenant: string,
  collection: string,
  keys: readonly SourceKey[],
): Promise<ReadonlyMap<SourceKey, RecordMark>> {
  const text = `
    select json_agg(json_build_array(
      r.source_key, r.id, r.seq, r.mark, r.hash, r.source_version, r.deleted, r.written,
      r.pending, coalesce(o.count, 0), coalesce(o.in_flight, false), coalesce(r.own_seq, r.seq), r.via
    ))::text as marks
    from json_array_elements_text($3::json) as n (key) ${BY_SOURCE_KEY}
    left join lateral (
      select count(*) as count, bool_or(${IS_IN_FLIGHT}) as in_flight
      from intent t where r.mark > 0 and t.record_no = r.record_no
    ) o on true`;
  try {
    const values = [tenant, collection, JSON.stringify(keys)];
    const { rows } = await database.query<{ marks: string | null }>({ name: 'read_hashes', text, values });
    const marks = JSON.parse(rows[0]?.marks ?? '[]') as readonly MarkRow[];
    return new Map(
      marks.map(
        ([key, id, seq, mark, hash, sourceVersion, deleted, written, pending, openIntents, inFlight, ownSeq, via]) => [
          key as SourceKey,
          {
            id: id as RecordId,
            seq: seq as Seq,
            mark,
            hash,
            sourceVersion,
            deleted,
            written: written as Seq,
            ownSeq: ownSeq as Seq,
            via: via as ViaName | null,
            pending,
            openIntents,
            inFlight,
          },
        ],
      ),
    );
  } catch (cause) {
    throw storeFault(cause);
  }
}

/** The hash of `statesText` (core), made where the rows are: a scan asks for thousands of records to learn that nothing changed. */
export async function readStates(
  database: Database,
  tenant: string,
  collection: string,
  keys: readonly SourceKey[],
): Promise<string | null> {
  const text = `
    select case when count(r.hash) = json_array_length($3::json) and not bool_or(r.deleted or r.in_flight)
      then encode(sha256(convert_to(string_agg(r.hash || ' ' || r.version, E'\\n' order by n.no), 'UTF8')), 'hex')
    end as states
    from json_array_elements_text($3::json) with ordinality as n (key, no)
    cross join lateral (
      select r.hash, r.deleted, coalesce(to_json(r.source_version)::text, 'null') as version,
        r.mark > 0 and exists (select from intent t where t.record_no = r.record_no and ${IS_IN_FLIGHT}) as in_flight
      from (select 1) one ${BY_SOURCE_KEY}
    ) r`;
  try {
    const values = [tenant, collection, JSON.stringify(keys)];
    const { rows } = await database.query<{ states: string | null }>({ name: 'read_states', text, values });
    return rows[0]?.states ?? null;
  } catch (cause) {
    throw storeFault(cause);
  }
}
