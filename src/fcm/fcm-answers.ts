import type { HintOutcome } from '../core/phone-hint-port.js';

/** FCM's own advice where it names no time: a minute after a quota, soon after the rest. */
const AFTER_QUOTA_MS = 60_000;
const AFTER_FAULT_MS = 15_000;
/** What nobody foresaw is not tried in a hurry. */
const AFTER_UNKNOWN_MS = 60_000;

/** What one fault of the SDK comes to. */
export interface FcmAnswer {
  readonly outcome: HintOutcome;
  /** True: a person has to look. */
  readonly isAlarm: boolean;
  /** May be of the service or of our access to it, not of this one hint: so many in a row open the breaker. */
  readonly isOutage: boolean;
}

/** What the process knows from answers so far: of a service that says no to everything, no "no" is believed to be about a token. */
export interface FcmProof {
  /** A message of this very form was taken: it is not the form that FCM minds. */
  readonly formTaken: boolean;
  /** Any message was taken: project and credential are the right ones. */
  readonly anyTaken: boolean;
}

type Meaning = (fault: FcmFault, proof: FcmProof) => FcmAnswer;

/** What the SDK says of a fault. */
export interface FcmFault {
  readonly code: string;
  readonly message: string;
}

const gone = (reason: Extract<HintOutcome, { kind: 'gone' }>['reason'], isAlarm = false): FcmAnswer => ({
  outcome: { kind: 'gone', reason },
  isAlarm,
  isOutage: false,
});
const later = (
  reason: Extract<HintOutcome, { kind: 'later' }>['reason'],
  afterMs: number,
  isAlarm = false,
): FcmAnswer => ({ outcome: { kind: 'later', reason, afterMs }, isAlarm, isOutage: true });
const refused = (reason: Extract<HintOutcome, { kind: 'refused' }>['reason'], isOutage = false): FcmAnswer => ({
  outcome: { kind: 'refused', reason },
  isAlarm: true,
  isOutage,
});

const badPayload: Meaning = () => refused('payload');
const noCredential: Meaning = () => refused('credential', true);
const unreachable: Meaning = () => later('unreachable', AFTER_FAULT_MS);
/** Of the project or of one device: FCM does not say which. Others that are taken show that it was one device's. */
const overQuota: Meaning = () => later('quota', AFTER_QUOTA_MS);
/** FCM minds the token or the message and does not say which: the token only when messages of that form went through before. */
const badToken: Meaning = (_fault, { formTaken }) => (formTaken ? gone('malformed') : refused('payload'));

/** Every code that the SDK gives a send, and those that its transport and its sign-in give (firebase-admin 13.10). */
const MEANINGS: Readonly<Record<FcmCode, Meaning>> = {
  'messaging/registration-token-not-registered': () => gone('unregistered'),
  'messaging/invalid-registration-token': badToken,
  'messaging/invalid-argument': badToken,
  // The SDK says the same of a token of another project and of an account that may not send at all. Believed to be about the token only
  // when FCM says so and this process has sent before: the credential of another project would else take away every token that there is.
  'messaging/mismatched-credential': ({ message }, { anyTaken }) =>
    anyTaken && /sender ?id/i.test(message) ? gone('otherProject', true) : refused('credential', true),
  'messaging/message-rate-exceeded': overQuota,
  'messaging/device-message-rate-exceeded': overQuota,
  'messaging/topics-message-rate-exceeded': overQuota,
  'messaging/server-unavailable': () => later('unavailable', AFTER_FAULT_MS),
  'messaging/internal-error': () => later('broken', AFTER_FAULT_MS),
  // APNs or a browser's push service refuses the project's key. The SDK says the same of an access token that FCM does not take.
  'messaging/third-party-auth-error': () => refused('platformCredential'),
  'messaging/authentication-error': noCredential,
  'messaging/invalid-recipient': badPayload,
  'messaging/invalid-payload': badPayload,
  'messaging/invalid-data-payload-key': badPayload,
  'messaging/payload-size-limit-exceeded': badPayload,
  'messaging/invalid-options': badPayload,
  'messaging/invalid-package-name': badPayload,
  'messaging/too-many-topics': badPayload,
  'messaging/unknown-error': () => later('unknown', AFTER_UNKNOWN_MS, true),
  'app/network-error': unreachable,
  'app/network-timeout': unreachable,
  // No access token came: the account was refused, or the way to Google is broken. Only the first needs a person.
  'app/invalid-credential': ({ message }, proof) =>
    /invalid_grant|invalid_client|unauthorized|disabled|not found/i.test(message)
      ? noCredential({ code: '', message }, proof)
      : later('unreachable', AFTER_FAULT_MS, true),
};

type FcmCode = (typeof FCM_CODES)[number];

export const FCM_CODES = [
  'messaging/registration-token-not-registered',
  'messaging/invalid-registration-token',
  'messaging/invalid-argument',
  'messaging/mismatched-credential',
  'messaging/message-rate-exceeded',
  'messaging/device-message-rate-exceeded',
  'messaging/topics-message-rate-exceeded',
  'messaging/server-unavailable',
  'messaging/internal-error',
  'messaging/third-party-auth-error',
  'messaging/authentication-error',
  'messaging/invalid-recipient',
  'messaging/invalid-payload',
  'messaging/invalid-data-payload-key',
  'messaging/payload-size-limit-exceeded',
  'messaging/invalid-options',
  'messaging/invalid-package-name',
  'messaging/too-many-topics',
  'messaging/unknown-error',
  'app/network-error',
  'app/network-timeout',
  'app/invalid-credential',
] as const;

/** What became of a hint for which the SDK threw. Codes that nobody foresaw are tried again, and told. */
export function answerOf(thrown: unknown, proof: FcmProof): FcmAnswer {
  const { code, message } = faultOf(thrown);
  const meaning = (MEANINGS as Readonly<Record<string, Meaning | undefined>>)[code];
  return (meaning ?? MEANINGS['messaging/unknown-error'])({ code, message }, proof);
}

/** Code and message of whatever was thrown. */
export function faultOf(thrown: unknown): FcmFault {
  const { code, message } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Partial<FcmFault>;
  return { code: typeof code === 'string' ? code : 'unknown', message: typeof message === 'string' ? message : '' };
}
