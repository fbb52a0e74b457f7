import type { DeviceStanding, DeviceStore } from '../core/device-port.js';
import type { Clock } from '../core/ports.js';
import { deviceOf, deviceRevoked, type DeviceKey } from '../core/session.js';
import type { SessionResolver } from './session.js';

/** How a device stands is asked for again after this long: so long another gateway may serve one that was revoked here. */
const ASK_AGAIN_MS = 20_000;
/** Devices remembered; past it all are asked for once more. */
const MOST_DEVICES = 50_000;

/** Which devices are let in. */
export interface Presence {
  /**
   * Sessions of devices that may come in. Each is noted, so that its dedupe rows live as long as it comes (R7, F11).
   *
   * @throws SyncError DEVICE_REVOKED, and what `sessions` throws
   */
  admitting(sessions: SessionResolver): SessionResolver;
  /** A device was revoked: from now on it is let in here no more. */
  revoked(device: DeviceKey): void;
  onRevoked(listener: (device: DeviceKey) => void): void;
}

export function createPresence(store: Pick<DeviceStore, 'touchDevice'>, clock: Clock): Presence {
  let known = new Map<string, { readonly atMs: number; readonly standing: Promise<DeviceStanding> }>();
  const listeners: ((device: DeviceKey) => void)[] = [];

  function standingOf(device: DeviceKey): Promise<DeviceStanding> {
    const key = keyOf(device);
    const now = clock.monotonicMs();
    const before = known.get(key);
    if (before !== undefined && now - before.atMs < ASK_AGAIN_MS) return before.standing;
    if (known.size >= MOST_DEVICES) known = new Map();
    const asked = { atMs: now, standing: store.touchDevice(device) };
    known.set(key, asked);
    // Whoever waits for it is told; the next one asks again.
    asked.standing.catch(() => known.get(key) === asked && known.delete(key));
    return asked.standing;
  }

  return {
    admitting: (sessions) => async (credentials) => {
      const session = await sessions(credentials);
      const device = deviceOf(session);
      if (device === null) return session;
      const standing = await standingOf(device);
      if (standing === 'revoked') throw deviceRevoked();
      return standing === 'evicted' ? { ...session, isEvicted: true } : session;
    },
    revoked(device) {
      known.delete(keyOf(device));
      for (const listener of listeners) listener(device);
    },
    onRevoked: (listener) => void listeners.push(listener),
  };
}

function keyOf({ tenant, user, device }: DeviceKey): string {
  return JSON.stringify([tenant, user, device]);
}
