import { PrismaPg } from '@prisma/adapter-pg';
import type { DeviceStanding, DeviceStore, KnownDevice, Platform } from '../core/device-port.js';
import type { DeviceKey } from '../core/session.js';
import { queryRows, storeFault, type Database } from './database.js';
import { PrismaClient } from './generated/client.js';

/** How a row of `device` stands, in SQL. */
export const STANDING = "case when revoked_at is not null then 'revoked' when evicted then 'evicted' else 'kept' end";

/** Devices and their tokens, on the pool of the store. */
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

    async registerDevice(device, { token, platform }) {
      const key = keyOf(device);
      const registration = { token, platform, registeredAt: new Date() };
      await guarded(
        prisma.$transaction([
          // A token belongs to one device of a tenant: on a shared phone it moves to who registered last.
          prisma.device.updateMany({
            where: { tenant: key.tenant, token, NOT: { userId: key.userId, device: key.device } },
            data: { token: null, registeredAt: null },
          }),
          prisma.device.upsert({
            where: { tenant_userId_device: key },
            create: { ...key, ...registration },
            update: { ...registration, seenAt: registration.registeredAt },
          }),
        ]),
      );
      return { registeredAtMs: registration.registeredAt.getTime() };
    },

    async unregisterDevice(device) {
      const { count } = await guarded(
        prisma.device.updateMany({
          where: { ...keyOf(device), token: { not: null } },
          data: { token: null, platform: null, registeredAt: null },
        }),
      );
      return count > 0;
    },

    async readDevices(tenant, { user, after, limit }) {
      const rows = await queryRows<DeviceRow>(database, {
        text: `select ${COLUMNS} from device
          where tenant = $1 and ($2::text is null or user_id = $2) and ($3::text is null or (user_id collate "C", device collate "C") > ($3, $4))
          order by user_id collate "C", device collate "C" limit $5`,
        values: [tenant, user, after?.user ?? null, after?.device ?? null, limit],
      });
      return rows.map((row) => knownDevice(tenant, row));
    },

    async revokeDevice({ tenant, user, device }) {
      const [row] = await queryRows<DeviceRow>(database, {
        text: `update device set revoked_at = coalesce(revoked_at, now()), token = null, platform = null, registered_at = null
          where tenant = $1 and user_id = $2 and device = $3 returning ${COLUMNS}`,
        values: [tenant, user, device],
      });
      return row === undefined ? null : knownDevice(tenant, row);
    },

    close: () => prisma.$disconnect(),
  };
}

const COLUMNS = `user_id, device, platform, seen_at, revoked_at, ${STANDING} as standing`;

interface DeviceRow {
  readonly user_id: string;
  readonly device: string;
  readonly platform: Platform | null;
  readonly seen_at: Date;
  readonly revoked_at: Date | null;
  readonly standing: DeviceStanding;
}

function knownDevice(tenant: string, row: DeviceRow): KnownDevice {
  return {
    key: { tenant, user: row.user_id, device: row.device },
    platform: row.platform,
    seenAtMs: row.seen_at.getTime(),
    standing: row.standing,
    revokedAtMs: row.revoked_at?.getTime() ?? null,
  };
}
