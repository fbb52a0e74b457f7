import type { DeviceKey } from './session.js';

/** Devices and their tokens: low-rate. */
export interface DeviceStore {
  /** Notes, to the hour, that the device was here, and tells how it stands (F11). Not noted any more once it is evicted or revoked. */
  touchDevice(device: DeviceKey): Promise<DeviceStanding>;
  registerDevice(
    device: DeviceKey,
    registration: { readonly token: string; readonly platform: Platform },
  ): Promise<{ readonly registeredAtMs: number }>;
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

/** `evicted`: silent for longer than its dedupe rows are kept (F11). `revoked`: an operator took its rights away. Both for ever. */
export type DeviceStanding = 'kept' | 'evicted' | 'revoked';

/** A device as operators see it. */
export interface KnownDevice {
  readonly key: DeviceKey;
  /** Of its registration for hints; null: it has none. */
  readonly platform: Platform | null;
  /** To the hour, ms since 1970. */
  readonly seenAtMs: number;
  readonly standing: DeviceStanding;
  readonly revokedAtMs: number | null;
}
