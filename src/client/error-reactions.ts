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
 * - `newDevice`: takes a new device id (F11)
 * - `wipe`: removes all it holds and stops, for ever
 */
export type RequestReaction = 'later' | 'less' | 'lessLater' | 'signIn' | 'beginAgain' | 'newDevice' | 'wipe';

/**
 * What the device does with a change that is answered REJECTED: `refused` is the verdict; `again` is none, it stays queued; `newDevice`
 * says that this id stands for another change: it is sent under a new one, from a new device.
 */
export type ChangeReaction = 'refused' | 'again' | 'newDevice';

const LATER = ['later', 'refused'] as const;
const AGAIN = ['later', 'again'] as const;

/** Every code of the catalogue: of a whole request, and of one change. The compiler asks for those that are added. */
export const REACTIONS: Readonly<Record<ErrorCode, readonly [RequestReaction, ChangeReaction]>> = {
  BAD_REQUEST: ['less', 'refused'],
  BAD_CHECKPOINT: ['beginAgain', 'refused'],
  CHECKPOINT_COLLECTIONS: ['beginAgain', 'refused'],
  LIMIT_EXCEEDED: ['less', 'refused'],
  VALIDATION: ['less', 'refused'],
  NOT_FOUND: LATER,
  DEVICE_REQUIRED: LATER,
  DEVICE_EVICTED: ['newDevice', 'refused'],
  DEVICE_REVOKED: ['wipe', 'refused'],
  KEY_REUSED: ['later', 'newDevice'],
  UNKNOWN_REFERENCE: AGAIN,
  PARENT_REFUSED: LATER,
  NO_SUCH_RECORD: LATER,
  RECORD_BLOCKED: AGAIN,
  CONFLICT: LATER,
  SOURCE_REFUSED: LATER,
  OPERATOR_REFUSED: LATER,
  STILL_THERE: AGAIN,
  SOURCE_UNAVAILABLE: AGAIN,
  OUTCOME_UNKNOWN: LATER,
  UNAUTHENTICATED: ['signIn', 'refused'],
  FORBIDDEN: LATER,
  PERSISTED_QUERY_NOT_FOUND: LATER,
  PAYLOAD_TOO_LARGE: ['less', 'refused'],
  RATE_LIMITED: AGAIN,
  UNAVAILABLE: AGAIN,
  INTERNAL: ['lessLater', 'again'],
  STARTUP: LATER,
};

/** A code that this release does not know is waited out. */
export function requestReaction(code: FaultCode): RequestReaction {
  return REACTIONS[code as ErrorCode]?.[0] ?? 'later';
}

/**
 * A code that this release does not know goes by what the gateway says of it. One that can help later is a verdict all the same where the
 * gateway says so: a reference for which it waited in vain.
 */
export function changeReaction(error: ChangeError | null | undefined): ChangeReaction {
  if (error === null || error === undefined) return 'refused';
  const reaction = REACTIONS[error.code]?.[1] ?? 'again';
  return reaction === 'again' && !error.retryable ? 'refused' : reaction;
}
