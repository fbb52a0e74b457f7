import type { DeviceKey } from './session.js';

/** Devices and their tokens: low-rate. */
export interface DeviceStore {
  /** Notes that the device was here; false when it is evicted (F11). */
  touchDevice(device: DeviceKey): Promise<boolean>;
  registerDevice(
    device: DeviceKey,
    registration: { readonly token: string; readonly platform: Platform },
  ): Promise<{ readonly registeredAtMs: number }>;
  /** False when it was not registered. */
  unregisterDevice(device: DeviceKey): Promise<boolean>;
}

export type Platform = 'ANDROID' | 'IOS' | 'WEB';
