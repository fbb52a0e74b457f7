import type { Epoch, Seq } from '../core/change.js';
import type { FeedHead, FeedSlice, FeedSnapshot, SliceForm, StoredReceipt } from '../core/feed-port.js';
import type { PushStatus } from '../core/intent.js';
import { scopeSet } from '../core/scope.js';
import { changeSql, quote, type ChangeColumns } from './change-sql.js';
import { copyRows, type RawRow } from './copy-out.js';
import { storeFault, type Connection, type Database } from './database.js';
import { filledRowsSql, noneOf, pairsSql } from './feed-rows.js';
import { errorOf } from './known-changes.js';

/** A drain looks at this many rows per change asked for, so that one statement cannot run away. */
const DRAIN_ROWS_PER_CHANGE = 5;
/** The order of the primary key without its index, which leads past the rows of all scopes: a drain reads those of lost ones only. */
const NO_KEY = 'record_no + 0';
/** Changes per row of the answer: rows of some 50 KB (see `copyRows`). */
const CHANGES_PER_TEXT = 100;

/**
 * Runs `read` on one snapshot of a tenant's feed: a read-only REPEATABLE READ transaction, opened with the head in one round
 * trip and closed without being waited for.
 */
export async function readSnapshot<T>(
  database: Database,
  tenant: string,
  read: (snapshot: FeedSnapshot) => Promise<T>,
): Promise<T> {
  let connection: Connection;
  try {
    connection = await database.connect();
  } catch (cause) {
    throw storeFault(cause);
  }
  let failed = true;
  try {
    const feed = await openSnapshot(connection, tenant);
    const value = await read(feedSnapshot(connection, tenant, feed));
    failed = false;
    return value;
  } catch (cause) {
    throw storeFault(cause);
  } finally {
    connection.query(failed ? 'rollback' : 'commit').then(
      () => connection.release(),
      (cause: unknown) => connection.release(cause as Error),
    );
  }
}

async function openSnapshot(connection: Connection, tenant: string): Promise<FeedHead> {
  const answers = (await connection.query(
    `begin isolation level repeatable read read only; select epoch, head, horizon from tenant where id = ${quote(tenant)}`,
  )) as unknown as readonly { readonly rows: readonly { epoch: string; head: number; horizon: number }[] }[];
  const row = answers[1]?.rows[0];
  if (row === undefined) throw new Error(`tenant "${tenant}" is not open`);
  return { epoch: row.epoch as Epoch, head: row.head as Seq, horizon: row.horizon as Seq };
}

function feedSnapshot(connection: Connection, tenant: string, feed: FeedHead): FeedSnapshot {
  return {
    feed,

    async everyPair(collections) {
      const { rows } = await connection.query<{ collection: string; scope: string }>({
        name: 'every_pair',
        text: 'select collection, scope from scope where tenant = $1 and collection = any ($2)',
        values: [tenant, collections],
      });
      return scopeSet(rows);
    },

    async fill({ set, after, upTo }, room, form) {
      const columns: ChangeColumns = {
        kind: { constant: 'UPSERT' },
        seq: 'r.seq',
        fields: 'always',
        mine: mineColumn(tenant, form),
      };
      const sql = `
        with pairs (c, s) as (${pairsSql(set)}),${filledRowsSql(tenant, set, after, upTo, room)},
        page as materialized (
          select *, row_number() over (order by seq) as n from rows order by seq limit ${room}
        )${mineSql(tenant, form)}
        ${textsSql(changeSql(form.shape, feed.epoch, columns), 'page', 'seq', form)}
        union all
        select null, (select count(*) from page)::integer, max(seq), (select count(*) from rows) <= ${room}, null from page`;
      return seqSlice(await copyRows(connection, sql));
    },

    async main({ cover, after, upTo, heldUpTo }, room, form) {
      const columns: ChangeColumns = {
        kind: { sql: 'p.kind' },
        seq: 'p.seq',
        fields: { when: "p.kind = 'UPSERT'" },
        mine: mineColumn(tenant, form),
      };
      const sql = `
        with pairs (c, s) as (${pairsSql(cover)}),
        rows as materialized (
          select m.seq, m.record_no, bool_or(not m."left") as live, bool_and(m."left" and m.entered > ${heldUpTo}) as never_held
          from pairs p cross join lateral (
            select seq, record_no, entered, "left" from membership
            where tenant = ${quote(tenant)} and collection = p.c and scope = p.s and seq > ${after} and seq <= ${upTo}
            order by seq limit ${room + 1}
          ) m
          group by m.seq, m.record_no
          order by m.seq limit ${room + 1}
        ),
        page as materialized (select * from rows order by seq limit ${room}),
        g as materialized (
          select page.seq, page.record_no, row_number() over (order by page.seq) as n,
            case when r.seq = page.seq and page.live then 'UPSERT' when r.deleted then 'DELETE' else 'REVOKE' end as kind
          from page join record r using (record_no)
          where not page.never_held and (
            r.seq = page.seq
            or ${noneOf(`select 1 from membership o join pairs p on o.collection = p.c and o.scope = p.s
              where o.record_no = page.record_no and not o."left" and o.entered <= page.seq`)}
          )
        )${mineSql(tenant, form)}
        ${textsSql(changeSql(form.shape, feed.epoch, columns), 'g', 'seq', form)}
        union all
        select null, (select count(*) from g)::integer, max(seq), (select count(*) from rows) <= ${room}, null from page`;
      return seqSlice(await copyRows(connection, sql));
    },

    async drain({ set, after, seq, cover, fill }, room, form) {
      const look = room * DRAIN_ROWS_PER_CHANGE;
      const columns: ChangeColumns = {
        kind: { sql: "case when r.deleted then 'DELETE' else 'REVOKE' end" },
        seq: 'p.seq',
        fields: 'never',
        mine: mineColumn(tenant, form),
      };
      const sql = `
        with pairs (c, s) as (${pairsSql(set)}),
        covered (c, s) as (${pairsSql(cover)}),
        filled (c, s) as (${pairsSql(fill?.set ?? [])}),
        rows as materialized (
          select m.record_no, m.scope, m.seq
          from pairs p cross join lateral (
            select record_no, scope, seq from membership
            where tenant = ${quote(tenant)} and collection = p.c and scope = p.s and entered <= ${seq} and (not "left" or seq > ${seq})
              ${after === null ? '' : `and (${NO_KEY}, scope) > (${after.recordNo}, ${quote(after.scope)})`}
            order by ${NO_KEY} limit ${look + 1}
          ) m
          order by m.record_no, m.scope limit ${look + 1}
        ),
        looked as materialized (
          select rows.*, row_number() over w as n, ${noneOf(`
            select 1 from membership h
            where h.record_no = rows.record_no and not h."left" and (
              (h.entered <= ${seq} and (h.collection, h.scope) in (select c, s from covered))
              or (h.seq <= ${fill?.at ?? 0} and (h.collection, h.scope) in (select c, s from filled))
            )`)} as emitted
          from rows window w as (order by record_no, scope)
        ),
        counted as materialized (
          select looked.*, count(*) filter (where emitted) over (order by n) as given from looked where n <= ${look}
        ),
        passed as materialized (select * from counted where given < ${room} or (given = ${room} and emitted)),
        page as (select * from passed where emitted)${mineSql(tenant, form)}
        ${textsSql(changeSql(form.shape, feed.epoch, columns), 'page', 'n', form)}
        union all
        select null, (select count(*) from page)::integer,
          (select record_no from passed order by n desc limit 1),
          (select max(n) from passed) = (select count(*) from rows),
          (select convert_to(scope, 'UTF8') from passed order by n desc limit 1)`;
      const { texts, count, position, exhausted, scope } = readSlice(await copyRows(connection, sql));
      return {
        texts,
        count,
        position: position === null || scope === null ? null : { recordNo: position, scope },
        exhausted: position === null || exhausted,
      };
    },

    async tally(set, upTo) {
      const rows = (moved: boolean): string => `
        select p.c, m.seq from pairs p cross join lateral (
          select seq from membership where tenant = ${quote(tenant)} and collection = p.c and scope = p.s
            and ${moved ? `seq > ${upTo} limit 1` : 'not "left"'}
        ) m`;
      const moved = await connection.query(`with pairs (c, s) as (${pairsSql(set)}) ${rows(true)} limit 1`);
      if (moved.rows.length > 0) return null;
      // A record has the seq of its state in every scope that it is in, and no other record has it: the feed's index says it all.
      const { rows: tallies } = await connection.query<{ c: string; count: number; sum: string }>(
        `with pairs (c, s) as (${pairsSql(set)}), live as (select distinct c, seq from (${rows(false)}) x)
         select c, count(*) as count, sum(('x' || left(encode(sha256(convert_to(${quote(`${feed.epoch}.`)} || seq, 'UTF8')), 'hex'), 16))::bit(64)::bigint)::text as sum
         from live group by c`,
      );
      return new Map(tallies.map(({ c, count, sum }) => [c, { count, sum: BigInt(sum) }]));
    },

    async receipts(device, after, upTo) {
      const { rows } = await connection.query<ReceiptRow>({
        name: 'receipts',
        text: `select change_id, status, collection, record_id, error, blocked_by, settled_seq
          from push_change
          where tenant = $1 and user_id = $2 and device = $3 and settled_seq > $4 and settled_seq <= $5
          order by settled_seq`,
        values: [device.tenant, device.user, device.device, after, upTo],
      });
      return rows.map(receiptOf);
    },
  };
}

interface ReceiptRow {
  readonly change_id: string;
  readonly status: PushStatus;
  readonly collection: string;
  readonly record_id: string;
  readonly error: string | null;
  readonly blocked_by: string | null;
  readonly settled_seq: number;
}

function receiptOf(row: ReceiptRow): StoredReceipt {
  return {
    changeId: row.change_id,
    status: row.status,
    collection: row.collection,
    id: row.record_id,
    error: errorOf(row.error),
    blockedBy: row.blocked_by,
    seq: row.settled_seq as Seq,
  };
}

/**
 * Rows of texts in the order of `by`, a hundred changes each, from a relation with `record_no` and a running number `n`; the
 * caller adds the last row, which tells count, position and whether the range is exhausted.
 */
function textsSql(change: string, relation: string, by: string, form: SliceForm): string {
  return `(
          select convert_to(string_agg(${change}, ',' order by p.${by}), 'UTF8'), null::integer, null::bigint, null::boolean, null::bytea
          from ${relation} p join record r using (record_no) ${mineJoin(form)}
          group by (p.n - 1) / ${CHANGES_PER_TEXT} order by (p.n - 1) / ${CHANGES_PER_TEXT}
        )`;
}

function readSlice(rows: readonly RawRow[]): Omit<FeedSlice<number>, 'position'> & {
  readonly position: number | null;
  readonly scope: string | null;
} {
  const [, count, position, exhausted, scope] = rows.at(-1) ?? [];
  return {
    texts: rows.slice(0, -1).map(([text]) => text as Buffer),
    count: count?.readInt32BE() ?? 0,
    position: position ? Number(position.readBigInt64BE()) : null,
    exhausted: exhausted?.[0] === 1,
    scope: scope?.toString('utf8') ?? null,
  };
}

function seqSlice(rows: readonly RawRow[]): FeedSlice<Seq> {
  const { texts, count, position, exhausted } = readSlice(rows);
  return { texts, count, position: position as Seq | null, exhausted };
}

/** `mine` costs a join only for sessions with a device; its settled changes are few and found by their index. */
function mineSql(tenant: string, { device, mineAfter }: SliceForm): string {
  if (device === null) return '';
  return `,
        mine as (
          select record_no, '[' || string_agg(to_json(change_id)::text, ',' order by settled_seq) || ']' as ids
          from push_change
          where tenant = ${quote(tenant)} and user_id = ${quote(device.user)} and device = ${quote(device.device)}
            and settled_seq > ${mineAfter} and in_effect
          group by record_no
        )`;
}

function mineJoin({ device }: SliceForm): string {
  return device === null ? '' : 'left join mine using (record_no)';
}

/** Of a record with an overlay also the device's open changes that are laid over it: few, and found by their lane. */
function mineColumn(tenant: string, { device, mineAfter }: SliceForm): string | null {
  if (device === null) return null;
  const owner = `user_id = ${quote(device.user)} and device = ${quote(device.device)}`;
  return `case when not r.pending then coalesce(mine.ids, '[]') else (
    select coalesce('[' || string_agg(to_json(x.change_id)::text, ',' order by x.step, x.place) || ']', '[]')
    from (
      select change_id, 0 as step, settled_seq as place from push_change
      where tenant = ${quote(tenant)} and ${owner} and settled_seq > ${mineAfter} and in_effect and record_no = r.record_no
      union all
      select change_id, 1, intent_no from intent
      where record_no = r.record_no and ${owner} and kind = 'UPSERT' and seq > ${mineAfter}
    ) x
  ) end`;
}
