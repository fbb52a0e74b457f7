import type { Seq } from '../core/change.js';
import type { Platform } from '../core/device-port.js';
import type { HintSettlement, PhoneStore, TakenHint } from '../core/phone-port.js';
import { queryRows, type Connection, type Database } from './database.js';
import { lockingPhones } from './phones.js';

/** What phones are owed, and what became of it: see `PhoneStore`. */
export function duePhones(database: Database): Pick<PhoneStore, 'markDue' | 'takeDue' | 'settleHints' | 'findSilent'> {
  return {
    markDue: (tenant, fence, { collections, upTo }) =>
      lockingPhones(database, tenant, async (connection) => {
        const { rowCount } = await connection.query(
          'select 1 from lease where tenant = $1 and name = $2 and fence = $3 and until > clock_timestamp() for share',
          [tenant, fence.name, fence.fence],
        );
        if (rowCount === 0) return null;
        const place = await readCursor(connection, tenant, upTo);
        if (place === null) return 0;
        return place.isOfOtherEpoch ? markAll(connection, tenant, place) : mark(connection, tenant, place, collections);
      }),

    async takeDue(tenant, { windows, limit }) {
      const rows = await queryRows<TakenRow>(database, {
        name: 'take_due',
        text: TAKE_DUE,
        values: [tenant, limit, windows.ANDROID, windows.IOS, windows.WEB, windows.staleMs],
      });
      const taken = rows.filter(({ is_awake }) => !is_awake).map((row) => takenHint(tenant, row));
      return { taken, hasMore: rows.length === limit };
    },

    async settleHints(tenant, settlements) {
      if (settlements.length === 0) return;
      await lockingPhones(database, tenant, (connection) =>
        connection.query({
          name: 'settle_hints',
          text: SETTLE_HINTS,
          values: [tenant, JSON.stringify(settlements.map(encodeSettlement))],
        }),
      );
    },

    findSilent: (tenant, { escalateAfterMs, staleAfterMs, hasNotice }) =>
      lockingPhones(database, tenant, async (connection) => {
        const stale = await connection.query({
          name: 'find_stale',
          text: `update phone set stale_at = clock_timestamp(), notice_due = false
            where tenant = $1 and stale_at is null and unanswered_since < now() - $2 * interval '1 millisecond'`,
          values: [tenant, staleAfterMs],
        });
        const escalated = await connection.query({
          name: 'find_silent',
          text: `update phone set escalated_at = clock_timestamp(), notice_due = $3,
              due_at = case when $3 then coalesce(due_at, clock_timestamp()) else due_at end
            where tenant = $1 and stale_at is null and escalated_at is null
              and unanswered_since < now() - $2 * interval '1 millisecond'`,
          values: [tenant, escalateAfterMs, hasNotice],
        });
        return { escalated: escalated.rowCount ?? 0, stale: stale.rowCount ?? 0 };
      }),
  };
}

/** Where the cursor is, and the head that it goes to. */
interface Place {
  readonly after: Seq;
  readonly head: Seq;
  readonly isOfOtherEpoch: boolean;
}

/** @returns null: nothing is behind the cursor */
async function readCursor(connection: Connection, tenant: string, upTo: Seq): Promise<Place | null> {
  // With the first phones comes the first cursor: what was before it they have pulled, or will.
  await connection.query(
    'insert into hint_cursor (tenant, epoch, seq) select t.id, t.epoch, t.head from tenant t where t.id = $1 on conflict do nothing',
    [tenant],
  );
  const { rows } = await connection.query<{ after: Seq; head: Seq; is_of_other_epoch: boolean }>({
    name: 'read_hint_cursor',
    text: `select c.seq as after, c.epoch <> t.epoch as is_of_other_epoch,
        case when c.epoch <> t.epoch then t.head else least(t.head, $2) end as head
      from hint_cursor c join tenant t on t.id = $1 where c.tenant = $1`,
    values: [tenant, upTo],
  });
  const [row] = rows;
  if (row === undefined || (row.head <= row.after && !row.is_of_other_epoch)) return null;
  return { after: row.after, head: row.head, isOfOtherEpoch: row.is_of_other_epoch };
}

/** What is known of seqs is of another epoch: everybody has to pull. */
async function markAll(connection: Connection, tenant: string, { head }: Place): Promise<number> {
  const { rowCount } = await connection.query(
    `update phone set due_at = coalesce(due_at, clock_timestamp()), due_seq = $2, due_collections = '{}', pulled_seq = 0, told_seq = 0
     where tenant = $1`,
    [tenant, head],
  );
  await moveCursor(connection, tenant, head);
  return rowCount ?? 0;
}

async function mark(
  connection: Connection,
  tenant: string,
  { after, head }: Place,
  collections: readonly string[],
): Promise<number> {
  const { rowCount } = await connection.query({
    name: 'mark_due',
    text: MARK_DUE,
    values: [tenant, after, head, [...collections]],
  });
  await moveCursor(connection, tenant, head);
  return rowCount ?? 0;
}

async function moveCursor(connection: Connection, tenant: string, head: Seq): Promise<void> {
  await connection.query(
    'update hint_cursor set seq = $2, epoch = (select epoch from tenant where id = $1) where tenant = $1',
    [tenant, head],
  );
}

/**
 * From the scopes that somebody sees to the pairs that moved, one look-up each in `membership_feed`; from these to the sets that have them,
 * and to the phones that see such a set. Of 10,000 phones with 1,000 sets: 50 ms for a ward of ten, 0.7 s for everybody, on a busy machine.
 */
const MARK_DUE = `
  with seen as materialized (select distinct scope from phone_scope where tenant = $1),
  pair as (
    select c.name as collection, seen.scope, seen.scope as seen_as from unnest($4::text[]) as c (name) cross join seen where seen.scope <> ''
    union all
    select s.collection, s.scope, '' from unnest($4::text[]) as c (name) join scope s on s.tenant = $1 and s.collection = c.name
    where exists (select 1 from seen where scope = '')
  ),
  moved as materialized (
    select * from pair
    where exists (
      select 1 from membership m
      where m.tenant = $1 and m.collection = pair.collection and m.scope = pair.scope and m.seq > $2 and m.seq <= $3
    )
  ),
  candidate as (
    select p.user_id, p.device, x.collection
    from moved x
    join phone_scope s on s.tenant = $1 and s.scope = x.seen_as
    join phone p on p.tenant = $1 and p.scopes = s.hash
    where p.pulled_seq < $3 and (p.collections = '{}' or x.collection = any (p.collections))
      and exists (
        select 1 from membership m
        where m.tenant = $1 and m.collection = x.collection and m.scope = x.scope and m.seq > greatest($2, p.pulled_seq) and m.seq <= $3
          -- Its own change, as it was pushed: the author has it.
          and not exists (
            select 1 from push_change o
            where o.tenant = $1 and o.user_id = p.user_id and o.device = p.device and o.settled_seq = m.seq
              and o.record_no = m.record_no and o.status = 'APPLIED'
          )
      )
    union
    select p.user_id, p.device, r.collection
    from phone p cross join lateral (
      select distinct collection from push_change r
      where r.tenant = $1 and r.user_id = p.user_id and r.device = p.device
        and r.settled_seq > greatest($2, p.pulled_seq, p.told_seq) and r.settled_seq <= $3
    ) r
    where p.tenant = $1 and (p.collections = '{}' or r.collection = any (p.collections))
  ),
  due as (select user_id, device, array_agg(collection) as names from candidate group by user_id, device)
  update phone p set
    due_at = coalesce(p.due_at, clock_timestamp()), due_seq = $3,
    -- None stands for all.
    due_collections = case
      when p.due_at is not null and p.due_collections = '{}' then '{}'
      else array(select distinct name from unnest(p.due_collections || due.names) as x (name) order by name)
    end
  from due where p.tenant = $1 and p.user_id = due.user_id and p.device = due.device`;

/**
 * The first of what is due, by `phone_due`; one that another node has under its hands is passed over. Windows are written here, before
 * anything is sent: whatever happens then, the next hint comes after it.
 */
const TAKE_DUE = `
  with picked as materialized (
    -- \`now()\`, not \`clock_timestamp()\`: only what does not change can be looked up in an index.
    select p.user_id, p.device, p.notice_due, now() as now
    from phone p where p.tenant = $1 and p.due_at is not null and p.next_at <= now()
    order by p.next_at limit $2 for update skip locked
  ),
  looked as (
    select k.*, (select max(x.until) from presence x where x.tenant = $1 and x.user_id = k.user_id and x.device = k.device and x.until > k.now) as awake_until
    from picked k
  )
  update phone p set
    next_at = coalesce(l.awake_until, l.now + interval '1 millisecond' * greatest(
      case p.platform when 'ANDROID' then $3::double precision when 'IOS' then $4 else $5 end,
      case when p.stale_at is not null then $6::double precision else 0 end
    )),
    free_at = case when l.awake_until is not null then p.free_at
      else l.now + interval '1 millisecond' * case p.platform when 'ANDROID' then $3::double precision when 'IOS' then $4 else $5 end end,
    claim = case when l.awake_until is not null then p.claim else nextval('phone_claim') end,
    notice_due = p.notice_due and l.awake_until is not null
  from looked l
  where p.tenant = $1 and p.user_id = l.user_id and p.device = l.device
  returning p.user_id, p.device, p.platform, p.token, p.due_collections, p.due_at, p.due_seq, p.claim, l.now as taken_at,
    l.notice_due as is_notice, l.awake_until is not null as is_awake`;

const SETTLE_HINTS = `
  with given as (
    select * from jsonb_to_recordset($2::jsonb) as g (u text, d text, n bigint, q bigint, k text, at timestamptz, ms double precision, notice boolean)
  ),
  gone as (
    delete from phone p using given g where g.k = 'gone' and p.tenant = $1 and p.user_id = g.u and p.device = g.d and p.claim = g.n
  )
  update phone p set
    due_at = case when g.k = 'sent' and p.due_seq <= g.q and not p.notice_due then null else p.due_at end,
    due_collections = case when g.k = 'sent' and p.due_seq <= g.q and not p.notice_due then '{}' else p.due_collections end,
    hinted_at = case when g.k = 'sent' then g.at else p.hinted_at end,
    -- It may have pulled before the answer came.
    unanswered_since = case
      when g.k = 'sent' and (p.pulled_at is null or p.pulled_at < g.at) then coalesce(p.unanswered_since, g.at)
      else p.unanswered_since
    end,
    next_at = case
      when g.k = 'unsent' then clock_timestamp() + g.ms * interval '1 millisecond'
      when g.k = 'unclear' then greatest(p.next_at, clock_timestamp() + g.ms * interval '1 millisecond')
      else p.next_at
    end,
    notice_due = p.notice_due or (g.k = 'unsent' and g.notice)
  from given g
  where g.k <> 'gone' and p.tenant = $1 and p.user_id = g.u and p.device = g.d and p.claim = g.n`;

interface TakenRow {
  readonly user_id: string;
  readonly device: string;
  readonly platform: Platform;
  readonly token: string;
  readonly due_collections: readonly string[];
  readonly due_at: Date;
  readonly due_seq: Seq;
  readonly claim: number;
  readonly taken_at: Date;
  readonly is_notice: boolean;
  readonly is_awake: boolean;
}

function takenHint(tenant: string, row: TakenRow): TakenHint {
  return {
    device: { tenant, user: row.user_id, device: row.device },
    platform: row.platform,
    token: row.token,
    collections: row.due_collections,
    dueAtMs: row.due_at.getTime(),
    dueSeq: row.due_seq,
    claim: row.claim,
    takenAtMs: row.taken_at.getTime(),
    isNotice: row.is_notice,
  };
}

function encodeSettlement(settlement: HintSettlement): object {
  const { device, claim, dueSeq, takenAtMs, kind, isNotice } = settlement;
  const ms = kind === 'unsent' || kind === 'unclear' ? settlement.afterMs : 0;
  return {
    u: device.user,
    d: device.device,
    n: claim,
    q: dueSeq,
    k: kind,
    at: new Date(takenAtMs).toISOString(),
    ms,
    notice: isNotice,
  };
}
