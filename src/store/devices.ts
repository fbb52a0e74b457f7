import { PrismaPg } from '@prisma/adapter-pg';
import type { DeviceStore } from '../core/device-port.js';
import type { DeviceKey } from '../core/session.js';
import { storeFault, type Database } from './database.js';
import { PrismaClient } from './generated/client.js';

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
    async touchDevice(device) {
      const key = keyOf(device);
      const { evicted } = await guarded(
        prisma.device.upsert({
          where: { tenant_userId_device: key },
          create: key,
          update: { seenAt: new Date() },
          select: { evicted: true },
        }),
      );
      return !evicted;
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

    close: () => prisma.$disconnect(),
  };
}
