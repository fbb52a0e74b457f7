import type { ChangeError, ErrorCode } from '../core/errors.js';
import type { FaultCode } from './gateway.js';

/**
 * What the device does when a whole request fails.
 *
 * - `later`: tries again, ever later; nothing is given up
 * - `less`: sends less at once; an entry that fails alone is set aside for a while and blocks no other record's
 * - `lessLater`: the same, after a pause: one of the changes may be what the gateway cannot take
 * - `signIn`: asks the app for new credentials, once, and tries again
 * - `beginAgain`: pulls with `since: null`; what is held stays until it came again or is swept
 * - `pullFirst`: what was sent for the first time was not; it goes out after a pull (F5)
 * - `newDevice`: takes a new device id (F11)
 * - `wipe`: removes all it holds and stops, for ever
 */
export type RequestReaction =
  'later' | 'less' | 'lessLater' | 'signIn' | 'beginAgain' | 'pullFirst' | 'newDevice' | 'wipe';

/**
 * What the device does with a change that is answered REJECTED: `refused` is the verdict; `again` is none, it stays queued; `newDevice`
 * says that this id stands for another change: it is sent under a new one, from a new device.
 */
export type ChangeReaction = 'refused' | 'again' | 'newDevice';

/** Codes that a whole request waits out, as it does any that this release does not know. The compiler asks for those that are added. */
type WaitedOut =
  | 'NOT_FOUND'
  | 'DEVICE_REQUIRED'
  | 'KEY_REUSED'
  | 'UNKNOWN_REFERENCE'
  | 'PARENT_REFUSED'
  | 'NO_SUCH_RECORD'
  | 'RECORD_BLOCKED'
  | 'CONFLICT'
  | 'SOURCE_REFUSED'
  | 'OPERATOR_REFUSED'
  | 'STILL_THERE'
  | 'SOURCE_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'FORBIDDEN'
  | 'PERSISTED_QUERY_NOT_FOUND'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'STARTUP';

const REACTIONS: Readonly<Record<Exclude<ErrorCode, WaitedOut>, RequestReaction>> = {
  BAD_REQUEST: 'less',
  BAD_CHECKPOINT: 'beginAgain',
  CHECKPOINT_COLLECTIONS: 'beginAgain',
  LIMIT_EXCEEDED: 'less',
  VALIDATION: 'less',
  DEVICE_EVICTED: 'newDevice',
  DEVICE_REVOKED: 'wipe',
  NEW_EPOCH: 'pullFirst',
  UNAUTHENTICATED: 'signIn',
  PAYLOAD_TOO_LARGE: 'less',
  INTERNAL: 'lessLater',
};

export function requestReaction(code: FaultCode): RequestReaction {
  return REACTIONS[code as keyof typeof REACTIONS] ?? 'later';
}

/**
 * Whether it can help later is the gateway's to say, of codes that this release does not know, too, and of a reference for which it
 * waited in vain.
 */
export function changeReaction(error: ChangeError | null | undefined): ChangeReaction {
  if (error?.code === 'KEY_REUSED') return 'newDevice';
  return error?.retryable === true ? 'again' : 'refused';
}
