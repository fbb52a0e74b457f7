import type { DeviceKey } from './session.js';

/** Devices and their registrations: low-rate. */
export interface DeviceStore {
  /** Notes, to the hour, that the device was here, and tells how it stands (F11). Not noted any more once it is evicted or revoked. */
  touchDevice(device: DeviceKey): Promise<DeviceStanding>;
  /**
   * Registers a device for hints by its push service. A token is of one device of its tenant: whoever had it before has no registration any
   * more from then on. Safe to repeat.
   *
   * @param atMost registrations of one user
   * @returns null: its user has as many others already
   */
  registerDevice(
    device: DeviceKey,
    registration: Registration,
    atMost: number,
  ): Promise<{ readonly registeredAtMs: number } | null>;
  /** False when it was not registered. */
  unregisterDevice(device: DeviceKey): Promise<boolean>;
  /** Devices by user and name, after a device. */
  readDevices(
    tenant: string,
    request: {
      /** Null: of every user. */
      readonly user: string | null;
      readonly after: Pick<DeviceKey, 'user' | 'device'> | null;
      readonly limit: number;
    },
  ): Promise<readonly KnownDevice[]>;
  /** Ends its registration and what it may, for ever. Safe to repeat: it is revoked since the first time. Null: there is none. */
  revokeDevice(device: DeviceKey): Promise<KnownDevice | null>;
}

export type Platform = 'ANDROID' | 'IOS' | 'WEB';

/** Where hints go, and for what. */
export interface Registration {
  readonly platform: Platform;
  readonly token: string;
  /** Null: every one that there is. */
  readonly collections: readonly string[] | null;
  readonly seen: SeenScopes;
}

/** The scopes that a device's user sees, and the hash that names equal sets. `EVERY_SCOPE` stands for all that there are. */
export interface SeenScopes {
  readonly hash: string;
  readonly scopes: readonly string[];
}

/** No scope has this name. */
export const EVERY_SCOPE = '';

/** `evicted`: silent for longer than its dedupe rows are kept (F11). `revoked`: an operator took its rights away. Both for ever. */
export type DeviceStanding = 'kept' | 'evicted' | 'revoked';

/** A device as operators see it. */
export interface KnownDevice {
  readonly key: DeviceKey;
  /** To the hour, ms since 1970. */
  readonly seenAtMs: number;
  readonly standing: DeviceStanding;
  readonly revokedAtMs: number | null;
  /** Null: it is not registered for hints. */
  readonly phone: KnownPhone | null;
}

/** A device's registration for hints, and what came of it. Times are ms since 1970; null: not yet. */
export interface KnownPhone {
  readonly platform: Platform;
  readonly pulledAtMs: number | null;
  readonly hintedAtMs: number | null;
  /** It did not pull for too long after hints: it is hinted rarely until it does. */
  readonly isStale: boolean;
}
