import { decodeJwt, errors, jwtVerify, type JWTPayload } from 'jose';
import { SyncError } from '../core/errors.js';
import type { Verified } from './auth.js';
import { createKeySet, type KeySet, type KeySetPorts } from './key-set.js';
import type { TokenIssuer } from './token-issuer.js';

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 16_384;

/** Checks tokens by the keys of their issuers (RFC 8725). */
export interface TokenVerifier {
  /** @throws SyncError UNAUTHENTICATED - the token is not taken; UNAVAILABLE - nobody can tell, since its issuer's keys were never read */
  verify(token: string): Promise<Verified>;
}

export function createTokenVerifier(issuers: readonly TokenIssuer[], ports: KeySetPorts): TokenVerifier {
  const { clock, log } = ports;
  const known = new Map<string, { readonly rules: TokenIssuer; readonly keys: KeySet }>(
    issuers.map((rules) => [rules.issuer, { rules, keys: createKeySet(rules, ports) }]),
  );

  return {
    async verify(token) {
      try {
        if (token.length > MAX_TOKEN_LENGTH) throw new errors.JWTInvalid('too long');
        const found = known.get(decodeJwt(token).iss ?? '');
        if (found === undefined) throw new errors.JWTInvalid('no issuer of ours');
        const { rules, keys } = found;
        const { payload } = await jwtVerify(token, (header, input) => keys.keyFor(header, input), {
          algorithms: [...rules.algorithms],
          issuer: rules.issuer,
          audience: [...rules.audience],
          requiredClaims: ['exp', 'iat', 'sub'],
          clockTolerance: rules.clockToleranceMs / 1_000,
          maxTokenAge: rules.maxAgeMs / 1_000,
          currentDate: new Date(clock.nowMs()),
          ...(rules.type === null ? {} : { typ: rules.type }),
        });
        checkClaims(payload, rules);
        const expiresAtMs = Number(payload.exp) * 1_000 + rules.clockToleranceMs;
        return { identity: { kind: 'token', issuer: rules.issuer, claims: payload }, expiresAtMs };
      } catch (thrown) {
        if (thrown instanceof SyncError) throw thrown;
        // Why a token is not taken helps whoever makes them up; whoever runs the gateway finds it here.
        log.info('a token is not taken', { reason: reasonOf(thrown) });
        throw refused(thrown instanceof errors.JWTExpired ? 'one that has not expired' : 'one that is valid here');
      }
    },
  };
}

function checkClaims(payload: JWTPayload, { claims }: TokenIssuer): void {
  const other = Object.entries(claims).find(([name, value]) => payload[name] !== value);
  if (other !== undefined)
    throw new errors.JWTClaimValidationFailed('another value', payload, other[0], 'check_failed');
  if (typeof payload.sub !== 'string' || payload.sub === '') {
    throw new errors.JWTClaimValidationFailed('expected a text', payload, 'sub', 'invalid');
  }
}

/** The code and the claim, never what the token has there. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof errors.JOSEError)) return 'no JWT';
  const claim = 'claim' in thrown && typeof thrown.claim === 'string' ? ` (${thrown.claim})` : '';
  return `${thrown.code}${claim}`;
}

/** @param expected a bearer token of which kind */
export function refused(expected: string): SyncError {
  return new SyncError('UNAUTHENTICATED', `Authorization: expected a bearer token, ${expected}`);
}
