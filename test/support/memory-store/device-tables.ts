import type { Seq } from '../../../src/core/change.js';
import type { DeviceStore, KnownDevice } from '../../../src/core/device-port.js';
import type { Clock } from '../../../src/core/ports.js';
import { checkStanding, type DeviceKey } from '../../../src/core/session.js';
import { NEVER_HINTED, type StoredPhone } from './phone-tables.js';
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
    async registerDevice(key, { seen, ...registration }, atMost) {
      const tables = forWriting(key.tenant);
      const name = deviceText(key);
      const device = deviceIn(tables, key, clock.nowMs());
      checkStanding(device.standing);
      const others = [...tables.phones].filter(([other]) => other !== name);
      if (others.filter(([, phone]) => phone.key.user === key.user).length >= atMost) return null;
      const moved = others.find(([, phone]) => phone.token === registration.token);
      if (moved !== undefined) tables.phones.delete(moved[0]);
      const registeredAtMs = clock.nowMs();
      const before = tables.phones.get(name) ?? { ...NEVER_HINTED, key, collections: null };
      const { nextAtMs, freeAtMs } = moved?.[1] ?? before;
      const isSameList = before.collections?.join() === registration.collections?.join();
      const place = isSameList ? {} : { pulledSeq: 0 as Seq };
      const now = { registeredAtMs, scopes: seen.scopes, claim: 0, nextAtMs, freeAtMs, ...place };
      tables.devices.set(name, device);
      tables.phones.set(name, { ...before, ...registration, ...now });
      return { registeredAtMs };
    },
    async unregisterDevice(key) {
      return forWriting(key.tenant).phones.delete(deviceText(key));
    },
    async readDevices(tenant, { user, after, limit }) {
      const { devices, phones } = tablesOf(tenant);
      return [...devices.values()]
        .filter(({ key }) => (user === null || key.user === user) && (after === null || compareDevices(key, after) > 0))
        .sort((a, b) => compareDevices(a.key, b.key))
        .slice(0, limit)
        .map((device) => knownDevice(device, phones.get(deviceText(device.key))));
    },
    async revokeDevice(key) {
      const tables = forWriting(key.tenant);
      const device = tables.devices.get(deviceText(key));
      if (device === undefined) return null;
      const revokedAtMs = device.revokedAtMs ?? clock.nowMs();
      const revoked = { ...device, standing: 'revoked', revokedAtMs } as const;
      tables.devices.set(deviceText(key), revoked);
      tables.phones.delete(deviceText(key));
      return knownDevice(revoked, undefined);
    },
  };
}

/** @param seenAtMs of one that is not there yet */
export function deviceIn(tables: TenantTables, key: DeviceKey, seenAtMs: number): StoredDevice {
  return tables.devices.get(deviceText(key)) ?? { key, seenAtMs, standing: 'kept', revokedAtMs: null };
}

function knownDevice(
  { key, seenAtMs, standing, revokedAtMs }: StoredDevice,
  phone: StoredPhone | undefined,
): KnownDevice {
  if (phone === undefined) return { key, seenAtMs, standing, revokedAtMs, phone: null };
  const { platform, pulledAtMs, hintedAtMs, isStale } = phone;
  return { key, seenAtMs, standing, revokedAtMs, phone: { platform, pulledAtMs, hintedAtMs, isStale } };
}

type Named = Pick<DeviceKey, 'user' | 'device'>;

function compareDevices(a: Named, b: Named): number {
  if (a.user !== b.user) return a.user < b.user ? -1 : 1;
  if (a.device === b.device) return 0;
  return a.device < b.device ? -1 : 1;
}
