import type { DeviceStore, KnownDevice } from '../../../src/core/device-port.js';
import type { Clock } from '../../../src/core/ports.js';
import type { DeviceKey } from '../../../src/core/session.js';
import { deviceText, type StoredDevice, type TenantTables } from './tables.js';

const HOUR_MS = 3_600_000;

/** Devices and their tokens. */
export function createDeviceTables(ports: {
  readonly clock: Clock;
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): DeviceStore {
  const { clock, tablesOf, forWriting } = ports;
  return {
    async touchDevice(key) {
      const tables = forWriting(key.tenant);
      const device = deviceIn(tables, key, 0);
      const isNoted = device.seenAtMs > clock.nowMs() - HOUR_MS;
      if (device.standing === 'kept' && !isNoted) {
        tables.devices.set(deviceText(key), { ...device, seenAtMs: clock.nowMs() });
      }
      return device.standing;
    },
    async registerDevice(key, { token, platform }) {
      const tables = forWriting(key.tenant);
      const registration = { token, platform, atMs: clock.nowMs() };
      for (const [name, other] of tables.devices) {
        if (other.registration?.token === token) tables.devices.set(name, { ...other, registration: null });
      }
      tables.devices.set(deviceText(key), { ...deviceIn(tables, key, clock.nowMs()), registration });
      return { registeredAtMs: registration.atMs };
    },
    async unregisterDevice(key) {
      const tables = forWriting(key.tenant);
      const device = tables.devices.get(deviceText(key));
      if (device === undefined || device.registration === null) return false;
      tables.devices.set(deviceText(key), { ...device, registration: null });
      return true;
    },
    async readDevices(tenant, { user, after, limit }) {
      return [...tablesOf(tenant).devices.values()]
        .filter(({ key }) => (user === null || key.user === user) && (after === null || compareDevices(key, after) > 0))
        .sort((a, b) => compareDevices(a.key, b.key))
        .slice(0, limit)
        .map(knownDevice);
    },
    async revokeDevice(key) {
      const tables = forWriting(key.tenant);
      const device = tables.devices.get(deviceText(key));
      if (device === undefined) return null;
      const revokedAtMs = device.revokedAtMs ?? clock.nowMs();
      const revoked = { ...device, standing: 'revoked', revokedAtMs, registration: null } as const;
      tables.devices.set(deviceText(key), revoked);
      return knownDevice(revoked);
    },
  };
}

/** @param seenAtMs of one that is not there yet */
export function deviceIn(tables: TenantTables, key: DeviceKey, seenAtMs: number): StoredDevice {
  return (
    tables.devices.get(deviceText(key)) ?? { key, seenAtMs, standing: 'kept', revokedAtMs: null, registration: null }
  );
}

function knownDevice({ key, registration, seenAtMs, standing, revokedAtMs }: StoredDevice): KnownDevice {
  return { key, platform: registration?.platform ?? null, seenAtMs, standing, revokedAtMs };
}

type Named = Pick<DeviceKey, 'user' | 'device'>;

function compareDevices(a: Named, b: Named): number {
  if (a.user !== b.user) return a.user < b.user ? -1 : 1;
  if (a.device === b.device) return 0;
  return a.device < b.device ? -1 : 1;
}
