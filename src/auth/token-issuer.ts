import { StartupError } from '../core/errors.js';

/** Whose tokens are taken, and what they must say. Made by `oidc` or `firebase`. */
export interface TokenIssuer {
  /** `iss`, to the letter. */
  readonly issuer: string;
  readonly audience: readonly string[];
  /** Where its public keys are; null: as its discovery document says. */
  readonly jwksUrl: string | null;
  readonly algorithms: readonly string[];
  readonly clockToleranceMs: number;
  readonly maxAgeMs: number;
  /** `typ` of the header; null: any. */
  readonly type: string | null;
  /** Claims that must have just these values. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
}

export interface OidcOptions {
  /** The `iss` of its tokens, to the letter, like `https://login.example.com/`. */
  readonly issuer: string;
  /** The `aud` that tokens for this gateway have: one of these is enough. */
  readonly audience: string | readonly string[];
  /** Where its public keys are. Default: the `jwks_uri` of `<issuer>/.well-known/openid-configuration`. */
  readonly jwksUrl?: string;
  /** Signature algorithms that are taken. Default: every asymmetric one (RS, PS, ES, EdDSA). Never one with a shared secret. */
  readonly algorithms?: readonly string[];
  /** How far its clock may be from ours, ms. Default: 30 s. */
  readonly clockToleranceMs?: number;
  /** A token that was issued longer ago is not taken, whatever its own end, ms. Default: a day. */
  readonly maxAgeMs?: number;
  /** `typ` that the header must have, like `at+jwt` (RFC 9068): tells access tokens from ID tokens where both have our audience. Default: any. */
  readonly type?: string;
  /** Claims that must have just these values, like `{ azp: 'care-app' }`. Default: none. */
  readonly claims?: Readonly<Record<string, string | number | boolean>>;
}

const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const DAY_MS = 86_400_000;
const FIREBASE_KEYS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * An issuer of OpenID Connect or OAuth 2 tokens (JWT).
 *
 * @throws StartupError config - naming the option, what was expected and what came
 */
export function oidc(options: OidcOptions): TokenIssuer {
  const { issuer, jwksUrl, algorithms = ASYMMETRIC, clockToleranceMs = 30_000, maxAgeMs = DAY_MS } = options;
  const audience = typeof options.audience === 'string' ? [options.audience] : [...options.audience];
  checkKeyUrl('issuer', issuer);
  if (jwksUrl !== undefined) checkKeyUrl('jwksUrl', jwksUrl);
  if (audience.length === 0 || audience.includes('')) {
    throw misfit('audience', 'what the tokens for this gateway have in `aud`', JSON.stringify(options.audience));
  }
  const secret = algorithms.find((one) => !ASYMMETRIC.includes(one));
  if (secret !== undefined || algorithms.length === 0) {
    throw misfit('algorithms', `some of ${ASYMMETRIC.join(', ')}`, secret ?? 'none');
  }
  checkMs('clockToleranceMs', clockToleranceMs, 300_000);
  checkMs('maxAgeMs', maxAgeMs, 365 * DAY_MS);
  const { type = null, claims = {} } = options;
  return { issuer, audience, jwksUrl: jwksUrl ?? null, algorithms, clockToleranceMs, maxAgeMs, type, claims };
}

/**
 * ID tokens of Firebase Authentication, as apps get them from its SDKs.
 *
 * @throws StartupError config
 */
export function firebase({ projectId }: { readonly projectId: string }): TokenIssuer {
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(projectId)) throw misfit('projectId', 'the id of a project', projectId);
  return oidc({
    issuer: `https://securetoken.google.com/${projectId}`,
    audience: projectId,
    jwksUrl: FIREBASE_KEYS,
    algorithms: ['RS256'],
  });
}

/** Is this where keys may be read from? Over TLS, or on this machine. */
export function isKeyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
}

function checkKeyUrl(option: string, text: string): void {
  if (!isKeyUrl(text)) throw misfit(option, 'an https address without user and password', text);
}

function checkMs(option: string, ms: number, most: number): void {
  if (!Number.isFinite(ms) || ms < 0 || ms > most) throw misfit(option, `0 to ${most} ms`, String(ms));
}

function misfit(option: string, expected: string, got: string): StartupError {
  return new StartupError('config', `auth: ${option}: expected ${expected}, got ${got}`);
}
