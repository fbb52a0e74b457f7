import type { DeviceStore, Registration, SeenScopes } from '../core/device-port.js';
import { SyncError } from '../core/errors.js';
import type { DeviceKey, Session } from '../core/session.js';

/** Registers a device for hints while it sleeps. Safe to repeat. @throws SyncError LIMIT_EXCEEDED, DEVICE_EVICTED, DEVICE_REVOKED */
export type Register = (
  session: Session,
  device: DeviceKey,
  asked: Omit<Registration, 'seen'>,
) => Promise<{ readonly registeredAtMs: number }>;

/** @param options.atMost registrations of one user: what is hinted, and kept, for somebody who registers token after token */
export function createRegistration(
  ports: {
    readonly store: Pick<DeviceStore, 'registerDevice'>;
    readonly seenBy: (session: Session) => SeenScopes;
  },
  { atMost }: { readonly atMost: number },
): Register {
  return async (session, device, asked) => {
    const registered = await ports.store.registerDevice(device, { ...asked, seen: ports.seenBy(session) }, atMost);
    if (registered !== null) return registered;
    throw new SyncError(
      'LIMIT_EXCEEDED',
      `expected at most ${atMost} devices of one user that are registered for hints: unregister one that is not used any more`,
    );
  };
}
