import { PrismaPg } from '@prisma/adapter-pg';
import type { DeviceStanding, DeviceStore, KnownDevice, KnownPhone, Platform } from '../core/device-port.js';
import { checkStanding, type DeviceKey } from '../core/session.js';
import { onConnection, queryRows, storeFault, type Database } from './database.js';
import { PrismaClient } from './generated/client.js';
import { PHONES_LOCK } from './phones.js';

/** How a row of `device` stands, in SQL. */
export const STANDING = "case when revoked_at is not null then 'revoked' when evicted then 'evicted' else 'kept' end";

/** Devices and their registrations, on the pool of the store. */
export function deviceStore(database: Database): DeviceStore & { close(): Promise<void> } {
  const prisma = new PrismaClient({ adapter: new PrismaPg(database) });
  const keyOf = (device: DeviceKey): { tenant: string; userId: string; device: string } => ({
    tenant: device.tenant,
    userId: device.user,
    device: device.device,
  });
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw storeFault(cause);
    }
  };

  return {
    async touchDevice({ tenant, user, device }) {
      const values = [tenant, user, device];
      // Each contact comes by here: it is read far more often than written.
      const [row] = await queryRows<{ standing: DeviceStanding; is_noted: boolean }>(database, {
        name: 'read_standing',
        text: `select ${STANDING} as standing, seen_at > now() - interval '1 hour' as is_noted from device
          where tenant = $1 and user_id = $2 and device = $3`,
        values,
      });
      if (row !== undefined && (row.is_noted || row.standing !== 'kept')) return row.standing;
      const [noted] = await queryRows<{ standing: DeviceStanding }>(database, {
        text: `insert into device (tenant, user_id, device) values ($1, $2, $3)
          on conflict (tenant, user_id, device) do update set seen_at = now() returning ${STANDING} as standing`,
        values,
      });
      return noted?.standing ?? 'kept';
    },

    registerDevice(device, { token, platform, collections, seen }, atMost) {
      const key = keyOf(device);
      const { tenant, userId } = key;
      const registration = {
        token,
        platform,
        collections: collections === null ? [] : [...collections],
        scopes: seen.hash,
        // An answer that is still to come is about what was registered before.
        claim: 0,
      };
      return guarded(
        prisma.$transaction(async (tx) => {
          const [{ registeredAt }] = await tx.$queryRawUnsafe<[{ readonly registeredAt: Date }]>(
            `select clock_timestamp() as "registeredAt" from pg_advisory_xact_lock(${PHONES_LOCK})`,
            tenant,
          );
          const { evicted, revokedAt } = await tx.device.upsert({
            where: { tenant_userId_device: key },
            create: key,
            // Written, so that who revokes it meanwhile waits and ends what is registered here.
            update: { device: key.device },
          });
          checkStanding(revokedAt !== null ? 'revoked' : evicted ? 'evicted' : 'kept');
          const others = await tx.phone.count({ where: { tenant: key.tenant, userId, NOT: { device: key.device } } });
          if (others >= atMost) return null;
          const moved = { tenant, token, NOT: { userId, device: key.device } };
          const before = await tx.phone.findFirst({ where: moved, select: { nextAt: true, freeAt: true } });
          await tx.phone.deleteMany({ where: moved });
          await tx.phoneScope.createMany({
            data: seen.scopes.map((scope) => ({ tenant, hash: seen.hash, scope })),
            skipDuplicates: true,
          });
          // The window is the phone's: it goes with the token.
          const window = before ?? {};
          const held = await tx.phone.findUnique({
            where: { tenant_userId_device: key },
            select: { collections: true },
          });
          // Up to where it pulled is of the collections that it wanted then.
          const isSameList = held?.collections.join() === registration.collections.join();
          await tx.phone.upsert({
            where: { tenant_userId_device: key },
            create: { ...key, ...registration, registeredAt, ...window },
            update: { ...registration, registeredAt, ...window, ...(isSameList ? {} : { pulledSeq: 0 }) },
          });
          return { registeredAtMs: registeredAt.getTime() };
        }),
      );
    },

    async unregisterDevice(device) {
      const { count } = await guarded(prisma.phone.deleteMany({ where: keyOf(device) }));
      return count > 0;
    },

    async readDevices(tenant, { user, after, limit }) {
      const rows = await queryRows<DeviceRow>(database, {
        text: `select ${COLUMNS} from device d left join phone p on p.tenant = $1 and p.user_id = d.user_id and p.device = d.device
          where d.tenant = $1 and ($2::text is null or d.user_id = $2)
            and ($3::text is null or (d.user_id collate "C", d.device collate "C") > ($3, $4))
          order by d.user_id collate "C", d.device collate "C" limit $5`,
        values: [tenant, user, after?.user ?? null, after?.device ?? null, limit],
      });
      return rows.map((row) => knownDevice(tenant, row));
    },

    async revokeDevice({ tenant, user, device }) {
      const row = await onConnection(database, async (connection) => {
        await connection.query('begin');
        const { rows } = await connection.query<Omit<DeviceRow, keyof PhoneRow>>(
          `update device set revoked_at = coalesce(revoked_at, now()) where tenant = $1 and user_id = $2 and device = $3
           returning user_id, device, seen_at, revoked_at, ${STANDING} as standing`,
          [tenant, user, device],
        );
        // Behind it: a registration that was under way is to be seen here.
        const values = [tenant, user, device];
        await connection.query('delete from phone where tenant = $1 and user_id = $2 and device = $3', values);
        await connection.query('commit');
        return rows[0];
      });
      const none = { platform: null, pulled_at: null, hinted_at: null, is_stale: null };
      return row === undefined ? null : knownDevice(tenant, { ...row, ...none });
    },

    close: () => prisma.$disconnect(),
  };
}

const COLUMNS = `d.user_id, d.device, d.seen_at, d.revoked_at, ${STANDING} as standing,
  p.platform, p.pulled_at, p.hinted_at, p.stale_at is not null as is_stale`;

interface PhoneRow {
  readonly platform: Platform | null;
  readonly pulled_at: Date | null;
  readonly hinted_at: Date | null;
  readonly is_stale: boolean | null;
}

interface DeviceRow extends PhoneRow {
  readonly user_id: string;
  readonly device: string;
  readonly seen_at: Date;
  readonly revoked_at: Date | null;
  readonly standing: DeviceStanding;
}

function knownDevice(tenant: string, row: DeviceRow): KnownDevice {
  return {
    key: { tenant, user: row.user_id, device: row.device },
    seenAtMs: row.seen_at.getTime(),
    standing: row.standing,
    revokedAtMs: row.revoked_at?.getTime() ?? null,
    phone: row.platform === null ? null : knownPhone(row.platform, row),
  };
}

function knownPhone(platform: Platform, row: PhoneRow): KnownPhone {
  return {
    platform,
    pulledAtMs: row.pulled_at?.getTime() ?? null,
    hintedAtMs: row.hinted_at?.getTime() ?? null,
    isStale: row.is_stale === true,
  };
}
