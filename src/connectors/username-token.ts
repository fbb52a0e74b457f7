import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Chance, Clock } from '../core/ports.js';
import { durationMs, parseDuration, type Duration } from './duration.js';
import type { Classification } from './fault.js';
import { misfitsOf, words } from './sign-in-check.js';
import type { SoapFault } from './soap-fault-reader.js';
import type { SoapDialect } from './soap-version.js';
import { attributeText, elementText, unsendableIn } from './xml-text.js';

/** How a UsernameToken is written. */
export interface UsernameTokenOptions {
  /** The password is not sent: a digest of it, the time and a number that is used once is. Default: false, the password is. */
  readonly digest?: boolean;
  /** A Timestamp beside the token: what arrives later than this is not to be believed. Default: none. */
  readonly expiresAfter?: Duration;
}

/** WS-Security's UsernameToken, which SOAP calls carry in their header. */
export interface UsernameToken {
  readonly kind: 'usernameToken';
  readonly user: string;
  readonly password: string;
  readonly options: UsernameTokenOptions;
}

/**
 * User and password in the header of every call (WS-Security 1.0, UsernameToken Profile), with a nonce and the time of its
 * own. Without `digest` the password goes as it is: over https only.
 */
export function usernameToken(user: string, password: string, options: UsernameTokenOptions = {}): UsernameToken {
  return { kind: 'usernameToken', user, password, options };
}

/** Writes the header's part of one call. Another one for each: a source refuses a nonce that it has seen. */
export type SecurityHeader = (dialect: SoapDialect) => string;

const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';
const WSSE = `${OASIS}-wssecurity-secext-1.0.xsd`;
const WSU = `${OASIS}-wssecurity-utility-1.0.xsd`;
const PROFILE = `${OASIS}-username-token-profile-1.0`;
const BASE64 = `${OASIS}-soap-message-security-1.0#Base64Binary`;
const NONCE_BYTES = 16;

const sendable = words.refine((text) => unsendableIn(text) === null, 'expected a text that XML can carry');
const OPTIONS = z.strictObject({
  kind: z.literal('usernameToken'),
  user: sendable,
  password: sendable,
  options: z.strictObject({
    digest: z.boolean('expected true or false').optional(),
    expiresAfter: z
      .string('expected a duration like "5m"')
      .refine((text) => (parseDuration(text) ?? 0) >= 1_000, 'expected a duration like "5m", at least a second')
      .optional(),
  }),
});

/** What is wrong with it, each as ".key: expected …, got …"; no text of it is shown. */
export function misfitsOfUsernameToken(token: UsernameToken): readonly string[] {
  return misfitsOf(OPTIONS, token).map((misfit) => misfit.replace(/^\.options/, ''));
}

/** What must not be told: the password, as it is and as XML has it. */
export function secretsOfUsernameToken({ password }: UsernameToken): readonly string[] {
  return [password, elementText(password)];
}

export function securityHeader(
  { user, password, options }: UsernameToken,
  { clock, chance }: { readonly clock: Clock; readonly chance: Chance },
): SecurityHeader {
  return ({ mustUnderstand }) => {
    const nowMs = clock.nowMs();
    const created = new Date(nowMs).toISOString();
    const nonce = Buffer.from(Array.from({ length: NONCE_BYTES }, () => Math.floor(chance() * 256)));
    const type = `${PROFILE}#Password${options.digest === true ? 'Digest' : 'Text'}`;
    const shown = options.digest === true ? digestOf(nonce, created, password) : elementText(password);
    return (
      `<wsse:Security xmlns:wsse="${WSSE}" xmlns:wsu="${WSU}" s:mustUnderstand="${mustUnderstand}">` +
      (options.expiresAfter === undefined ? '' : timestamp(created, nowMs + durationMs(options.expiresAfter))) +
      `<wsse:UsernameToken><wsse:Username>${elementText(user)}</wsse:Username>` +
      `<wsse:Password Type="${attributeText(type)}">${shown}</wsse:Password>` +
      `<wsse:Nonce EncodingType="${attributeText(BASE64)}">${nonce.toString('base64')}</wsse:Nonce>` +
      `<wsu:Created>${created}</wsu:Created></wsse:UsernameToken></wsse:Security>`
    );
  };
}

/** What says that a message was not let in (WS-Security 1.0, 12): nothing of it was done. */
const REFUSALS: ReadonlySet<string> = new Set([
  'FailedAuthentication',
  'FailedCheck',
  'InvalidSecurity',
  'InvalidSecurityToken',
  'SecurityTokenUnavailable',
  'UnsupportedAlgorithm',
  'UnsupportedSecurityToken',
]);
const SHOWN_SKEW_MS = 2_000;

/**
 * What a fault of WS-Security says of our credentials; null: it is none. Only codes of its own namespaces count: a source may
 * call a refusal of its own alike.
 *
 * @param aheadMs how far our clock is ahead of the source's, ms; null: it does not tell its time
 */
export function securityRefusal({ codes, message }: SoapFault, aheadMs: number | null): Classification | null {
  const local = codes.find(({ namespace }) => namespace === WSSE || namespace === WSU)?.local;
  if (local === 'MessageExpired') {
    const skew =
      aheadMs === null || Math.abs(aheadMs) < SHOWN_SKEW_MS
        ? ''
        : ` (ours is ${Math.round(Math.abs(aheadMs) / 1_000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} its)`;
    const reason = `it says MessageExpired: expected clocks that agree${skew}: ${message}`;
    return { kind: 'notProcessed', reason, retryAfterMs: null };
  }
  if (local === undefined || !REFUSALS.has(local)) return null;
  return { kind: 'notProcessed', reason: `it refuses our credentials (${local}): ${message}`, retryAfterMs: null };
}

/** UsernameToken Profile 1.0, 3.1. */
function digestOf(nonce: Buffer, created: string, password: string): string {
  return createHash('sha1').update(nonce).update(created).update(password).digest('base64');
}

function timestamp(created: string, expiresMs: number): string {
  const expires = new Date(expiresMs).toISOString();
  return `<wsu:Timestamp><wsu:Created>${created}</wsu:Created><wsu:Expires>${expires}</wsu:Expires></wsu:Timestamp>`;
}
