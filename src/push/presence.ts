import type { DeviceStore } from '../core/device-port.js';
import type { Clock } from '../core/ports.js';
import type { DeviceKey } from '../core/session.js';

/** A device is noted again after this long: retention counts in days (F11). */
const NOTE_EVERY_MS = 60_000;
/** Devices remembered; past it all are noted once more. */
const MOST_DEVICES = 50_000;

/**
 * Notes that a device was here, at most once a minute, so that its dedupe rows live as long as it pushes (R7, F11).
 *
 * @returns false when the device is evicted
 */
export function createPresence(
  store: Pick<DeviceStore, 'touchDevice'>,
  clock: Clock,
): (device: DeviceKey) => Promise<boolean> {
  let notedAtMs = new Map<string, number>();

  return async (device) => {
    const key = JSON.stringify([device.tenant, device.user, device.device]);
    const now = clock.monotonicMs();
    if (now - (notedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < NOTE_EVERY_MS) return true;
    if (!(await store.touchDevice(device))) return false;
    if (notedAtMs.size >= MOST_DEVICES) notedAtMs = new Map();
    notedAtMs.set(key, now);
    return true;
  };
}
