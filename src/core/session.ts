import type { DeviceStanding } from './device-port.js';
import { SyncError } from './errors.js';

/** Who a device belongs to. Another user's device of the same id is another device. */
export interface DeviceKey {
  readonly tenant: string;
  readonly user: string;
  readonly device: string;
}

/**
 * Which scopes a session may see: the ones listed by name, or every scope there is (development mode), new ones
 * included.
 */
export type ScopeGrant = { readonly kind: 'every' } | { readonly kind: 'listed'; readonly scopes: readonly string[] };

/** Who asks. One place of the server turns a request into a session; everything behind trusts it. */
export interface Session {
  readonly tenant: string;
  readonly user: string;
  /** Absent: pull has no receipts and no `mine`; push is refused with DEVICE_REQUIRED. */
  readonly device: string | null;
  readonly grant: ScopeGrant;
  /** In which it may write, of those that it may see. Absent: in all of them. */
  readonly writeGrant?: ScopeGrant;
  /** May see the outbox and settle what is parked (`operator` of the API). Absent: no. */
  readonly isOperator?: boolean;
  /** An operator who may read the metrics of every tenant. Absent: of its own. */
  readonly readsEveryTenant?: boolean;
  /** What the rules of collections go by. Absent: none. */
  readonly roles?: readonly string[];
  /** Its device was silent for too long: it may still pull, from the start (F11). Absent: it was not. */
  readonly isEvicted?: boolean;
  /** When its token ends, ms since 1970: open sockets are closed then. Absent: it does not. */
  readonly expiresAtMs?: number;
}

/** @throws SyncError DEVICE_EVICTED, DEVICE_REVOKED - a device that may not push (F11) */
export function checkStanding(standing: DeviceStanding): void {
  if (standing === 'evicted')
    throw new SyncError('DEVICE_EVICTED', 'expected a device that was here lately, this one was silent for too long');
  if (standing === 'revoked') throw deviceRevoked();
}

export function deviceRevoked(): SyncError {
  return new SyncError('DEVICE_REVOKED', 'expected a device that may come in, an operator took its rights away');
}

/** The session's device, or null when the request names none. */
export function deviceOf(session: Session): DeviceKey | null {
  return session.device === null ? null : { tenant: session.tenant, user: session.user, device: session.device };
}

export function sameDevice(a: DeviceKey, b: DeviceKey): boolean {
  return a.device === b.device && a.user === b.user && a.tenant === b.tenant;
}

/** The writer mark of a device in field stamps: user and device, so that two users' devices never compare equal. */
export function writerOf(device: DeviceKey): string {
  return `device:${encodeURIComponent(device.user)}/${device.device}`;
}

/** The writer mark of the source itself. */
export const SOURCE_WRITER = 'source';
