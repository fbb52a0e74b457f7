import type { Platform } from './device-port.js';
import type { DeviceKey } from './session.js';

/** A hint on its way to one sleeping phone: names and a time, never data (R18). */
export interface PhoneHint {
  readonly device: DeviceKey;
  readonly platform: Platform;
  /** Of the device's registration, as the push service gave it to the app. */
  readonly token: string;
  /** In which something changed for this device. Empty: in any of them. */
  readonly collections: readonly string[];
  /** When the change was seen, ms since 1970. */
  readonly atMs: number;
  /** People are to see this one, where the configuration has a text for that. Absent: only what shows something anyway. */
  readonly isNotice?: boolean;
}

/** What became of one hint. Who sends tells the alarms of it in the log; who asked keeps the books. */
export type HintOutcome =
  /** The push service took it; whether the phone gets it, nobody says. */
  | { readonly kind: 'sent' }
  /** The token reaches no phone of ours any more: to be removed, if it was registered before the hint was handed over. */
  | { readonly kind: 'gone'; readonly reason: GoneReason }
  /**
   * Not now: to be tried again, but not within `afterMs`. It says nothing about the token. After `unreachable`, `broken` and `unknown` it may have been
   * taken; after the others it surely was not.
   */
  | { readonly kind: 'later'; readonly reason: LaterReason; readonly afterMs: number }
  /** It will not go before a person repairs something, here or in the project of the push service. No token is to be removed for it. */
  | { readonly kind: 'refused'; readonly reason: RefusedReason };

export type GoneReason = 'unregistered' | 'malformed' | 'otherProject';
export type LaterReason = 'quota' | 'unavailable' | 'unreachable' | 'broken' | 'unknown' | 'breaker' | 'stopped';
export type RefusedReason = 'platformCredential' | 'credential' | 'payload';

/** Hands hints to a push service. */
export interface PhoneSender {
  /**
   * Hands hints over, a hundred at a time; it may take seconds, so nobody's request waits for it. A repeat hints twice, which is harmless.
   *
   * @param signal stops it: what was not handed over yet is `stopped`, what was under way `unreachable`
   * @returns one outcome for each hint, in their order. It never throws.
   */
  send(hints: readonly PhoneHint[], signal?: AbortSignal): Promise<readonly HintOutcome[]>;
  /** Ends what is kept open. Safe to repeat. */
  close(): Promise<void>;
}
