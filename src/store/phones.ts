import type { Platform } from '../core/device-port.js';
import type { Answered, PhoneContact, PhoneStore } from '../core/phone-port.js';
import type { DeviceKey } from '../core/session.js';
import { onConnection, queryRows, type Connection, type Database } from './database.js';

/** Names the lock of a tenant's phones, in SQL: who writes several of them has it, so that no two wait for each other. */
export const PHONES_LOCK = "hashtextextended('tidegate phones ' || $1, 0)";

/** One transaction that has a tenant's phones alone; none of it touches the feed. @throws SyncError UNAVAILABLE, INTERNAL */
export function lockingPhones<T>(
  database: Database,
  tenant: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  return onConnection(database, async (connection) => {
    await connection.query('begin');
    await connection.query(`select pg_advisory_xact_lock(${PHONES_LOCK})`, [tenant]);
    const value = await work(connection);
    await connection.query('commit');
    return value;
  });
}

/** Who was here and who is awake: see `PhoneStore`. */
export function phoneContacts(
  database: Database,
): Pick<PhoneStore, 'noteContacts' | 'countPhones' | 'noteAwake' | 'noteAsleep'> {
  return {
    async noteContacts(tenant, contacts) {
      if (contacts.length === 0) return [];
      const given = JSON.stringify(contacts.map(encodeContact));
      return lockingPhones(database, tenant, async (connection) => {
        const { rows: unknown } = await connection.query<{ h: string }>({
          name: 'unknown_sets',
          text: `select distinct g.h from jsonb_to_recordset($2::jsonb) as g (u text, d text, h text)
            join phone p on p.tenant = $1 and p.user_id = g.u and p.device = g.d
            where p.scopes <> g.h and not exists (select 1 from phone_scope s where s.tenant = $1 and s.hash = g.h)`,
          values: [tenant, given],
        });
        const names = new Set(unknown.map(({ h }) => h));
        const sets = new Map(contacts.map(({ seen }) => [seen.hash, seen]));
        for (const { hash, scopes } of sets.values()) {
          if (!names.has(hash)) continue;
          await connection.query(
            'insert into phone_scope (tenant, hash, scope) select $1, $2, unnest($3::text[]) on conflict do nothing',
            [tenant, hash, [...scopes]],
          );
        }
        const { rows } = await connection.query<{ platform: Platform; after_ms: number }>({
          name: 'note_contacts',
          text: NOTE_CONTACTS,
          values: [tenant, given],
        });
        return rows.map((row): Answered => ({ platform: row.platform, afterMs: row.after_ms }));
      });
    },

    async countPhones(tenant) {
      const [row] = await queryRows<Counted>(database, {
        name: 'count_phones',
        text: `select
            count(*) filter (where platform = 'ANDROID') as android, count(*) filter (where platform = 'IOS') as ios,
            count(*) filter (where platform = 'WEB') as web, count(*) filter (where stale_at is not null) as stale,
            count(*) filter (where due_at is not null) as due,
            min(greatest(due_at, next_at)) filter (where due_at is not null and next_at <= clock_timestamp()) as oldest
          from phone where tenant = $1`,
        values: [tenant],
      });
      return {
        byPlatform: { ANDROID: row?.android ?? 0, IOS: row?.ios ?? 0, WEB: row?.web ?? 0 },
        due: row?.due ?? 0,
        oldestDueAtMs: row?.oldest?.getTime() ?? null,
        stale: row?.stale ?? 0,
      };
    },

    async noteAwake(tenant, node, sockets) {
      if (sockets.length === 0) return [];
      const rows = await queryRows<{ user_id: string; device: string }>(database, {
        name: 'note_awake',
        // In the order of their keys: two gateways may have sockets of one device.
        text: `insert into presence (tenant, user_id, device, node, until)
          select $1, p.user_id, p.device, $2, clock_timestamp() + g.ms * interval '1 millisecond'
          from unnest($3::text[], $4::text[], $5::double precision[]) as g (u, d, ms)
          join phone p on p.tenant = $1 and p.user_id = g.u and p.device = g.d
          order by 2, 3
          on conflict (tenant, user_id, device, node) do update set until = excluded.until
          returning user_id, device`,
        values: [tenant, node, ...keyColumns(sockets.map(({ device }) => device)), sockets.map(({ forMs }) => forMs)],
      });
      const noted = new Set(rows.map((row) => JSON.stringify([row.user_id, row.device])));
      return sockets
        .map(({ device }) => device)
        .filter(({ user, device }) => !noted.has(JSON.stringify([user, device])));
    },

    async noteAsleep(tenant, node, devices) {
      if (devices.length === 0) return;
      await lockingPhones(database, tenant, (connection) =>
        connection.query({ name: 'note_asleep', text: NOTE_ASLEEP, values: [tenant, node, ...keyColumns(devices)] }),
      );
    },
  };
}

/**
 * A pull covers what is due if it was to the end, in the epoch in force, of every due collection and up to where it is due; it moves
 * `pulled_seq` only if it was of everything that is registered. Receipts count as told up to the head if the answers to pushes told each
 * that there is behind what was pulled.
 */
const NOTE_CONTACTS = `
  with given as (
    select g.*, clock_timestamp() - g.ago * interval '1 millisecond' as at,
      case when g.e = t.epoch then g.q end as reached, t.head
    from jsonb_to_recordset($2::jsonb) as g (u text, d text, h text, ago double precision, e text, q bigint, c text[], told text[])
    join tenant t on t.id = $1
  ),
  found as (
    select p.user_id, p.device, p.platform, p.unanswered_since, g.*,
      g.reached is not null and (g.c is null or (p.collections <> '{}' and p.collections <@ g.c)) as is_whole,
      coalesce(g.reached >= p.due_seq and (g.c is null or (p.due_collections <> '{}' and p.due_collections <@ g.c)), false) as covers_due,
      g.q is not null and p.unanswered_since <= g.at as answers,
      g.told <> '{}' and not exists (
        select 1 from push_change r
        where r.tenant = $1 and r.user_id = p.user_id and r.device = p.device
          and r.settled_seq > greatest(p.pulled_seq, p.told_seq) and r.settled_seq <= g.head and r.change_id <> all (g.told)
      ) as is_told
    from given g join phone p on p.tenant = $1 and p.user_id = g.u and p.device = g.d
  ),
  noted as (
    update phone p set
      -- One that waited while the store was away says nothing of what is seen since.
      scopes = case when f.at < p.pulled_at then p.scopes else f.h end,
      pulled_at = case when f.q is not null then greatest(p.pulled_at, f.at) else p.pulled_at end,
      pulled_seq = case when f.is_whole then greatest(p.pulled_seq, f.reached) else p.pulled_seq end,
      told_seq = case when f.is_told then f.head else p.told_seq end,
      due_at = case when f.covers_due then null else p.due_at end,
      due_collections = case when f.covers_due then '{}' else p.due_collections end,
      unanswered_since = case when f.answers then null else p.unanswered_since end,
      escalated_at = case when f.answers then null else p.escalated_at end,
      notice_due = p.notice_due and not coalesce(f.answers, false),
      stale_at = case when f.answers then null else p.stale_at end,
      -- Who reacts again is hinted as often as others.
      next_at = case when f.answers and p.stale_at is not null then least(p.next_at, p.free_at) else p.next_at end
    from found f
    where p.tenant = $1 and p.user_id = f.user_id and p.device = f.device
  )
  select platform, extract(epoch from at - unanswered_since)::double precision * 1000 as after_ms from found where answers`;

/** What was put off because the device was awake is looked at again at the end of its window: it may be awake at another gateway. */
const NOTE_ASLEEP = `
  with closed as (
    delete from presence where tenant = $1 and node = $2
      and (user_id, device) in (select * from unnest($3::text[], $4::text[]))
    returning user_id, device, until
  )
  update phone p set next_at = p.free_at from closed c
  where p.tenant = $1 and p.user_id = c.user_id and p.device = c.device and p.due_at is not null
    and p.free_at < p.next_at and p.next_at <= c.until`;

interface Counted {
  readonly android: number;
  readonly ios: number;
  readonly web: number;
  readonly stale: number;
  readonly due: number;
  readonly oldest: Date | null;
}

function encodeContact({ device: { user, device }, agoMs, seen, pulled, told }: PhoneContact): object {
  const reached = pulled === null ? {} : { e: pulled.epoch, q: pulled.seq, c: pulled.collections };
  return { u: user, d: device, h: seen.hash, ago: agoMs, told, ...reached };
}

function keyColumns(devices: readonly DeviceKey[]): readonly [string[], string[]] {
  return [devices.map(({ user }) => user), devices.map(({ device }) => device)];
}
