import { createHash } from 'node:crypto';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { checkScopes } from '../core/scope.js';
import type { ScopeGrant, Session } from '../core/session.js';
import type { Auth, SignedIn, Verified } from './auth.js';
import { createTokenVerifier, refused } from './bearer-token.js';
import { verifyKey } from './machine-key.js';

/** Who a token belongs to, without the device that it came from. */
export type User = Omit<Session, 'device'>;

/** What an answer is good for: a user who is disabled is out this much later. */
const USER_LASTS_MS = 25_000;
/** Tokens whose user is remembered: those of the last minutes. */
const MOST_REMEMBERED = 10_000;
const MAX_SCOPES = 1_000;
const MAX_USER_LENGTH = 256;
/** Control characters and halves of pairs: not for keys and logs. */
const UNFIT = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** Turns `Authorization` into its user. */
export interface SignIn {
  /** @throws SyncError UNAUTHENTICATED, UNAVAILABLE; INTERNAL - the rule of the configuration failed, or gave what is no session */
  userOf(authorization: string | null): Promise<User>;
}

/** @param options.tenants those that the gateway serves */
export function createSignIn(
  auth: Auth,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  options: { readonly tenants: readonly string[] },
): SignIn {
  const { issuers = [], keys = [] } = auth;
  const tokens = createTokenVerifier(issuers, { clock, log });
  /** By the hash of the token; the oldest first. */
  const remembered = new Map<string, { readonly user: Promise<User>; readonly untilMs: number }>();

  async function verified(bearer: string): Promise<Verified> {
    const byKey = verifyKey(keys, bearer);
    if (byKey !== null) return byKey;
    if (issuers.length === 0) throw refused('a key that is known here');
    return await tokens.verify(bearer);
  }

  async function signIn(bearer: string): Promise<User> {
    const { identity, expiresAtMs } = await verified(bearer);
    let answer: SignedIn | null;
    try {
      answer = await auth.session(identity);
      if (answer === null) throw refused('of somebody who may use this gateway');
      return userFrom(answer, expiresAtMs, options.tenants);
    } catch (thrown) {
      if (thrown instanceof SyncError && thrown.code === 'UNAUTHENTICATED') throw thrown;
      throw new SyncError('INTERNAL', 'auth.session failed', { cause: thrown });
    }
  }

  function remember(name: string, user: Promise<User>): void {
    remembered.delete(name);
    remembered.set(name, { user, untilMs: clock.monotonicMs() + USER_LASTS_MS });
    user.catch(() => remembered.delete(name));
    const [oldest] = remembered.keys();
    if (remembered.size > MOST_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  }

  return {
    async userOf(authorization) {
      const bearer = bearerOf(authorization ?? '');
      if (bearer === null) throw refused('got none');
      const name = createHash('sha256').update(bearer).digest('base64');
      const known = remembered.get(name);
      if (known === undefined || known.untilMs <= clock.monotonicMs()) remember(name, signIn(bearer));
      const user = await (remembered.get(name)?.user ?? signIn(bearer));
      if ((user.expiresAtMs ?? Infinity) > clock.nowMs()) return user;
      throw refused('one that has not expired');
    },
  };
}

/** What an `Authorization` of this scheme holds; null: it is of another, or holds nothing. */
export function bearerOf(authorization: string): string | null {
  return /^Bearer +([!-~]+) *$/i.exec(authorization)?.[1] ?? null;
}

/** @throws Error - what the rule gave is no session */
export function userFrom(answer: SignedIn, expiresAtMs: number | null, tenants: readonly string[]): User {
  const { tenant = 'default', user, roles = [], isOperator = false, readsEveryTenant = false } = answer;
  if (!tenants.includes(tenant)) throw new Error(`tenant: expected one of ${tenants.join(', ')}`);
  if (typeof user !== 'string' || user === '' || user.length > MAX_USER_LENGTH || UNFIT.test(user)) {
    throw new Error(`user: expected a text of 1 to ${MAX_USER_LENGTH} characters without control characters`);
  }
  const { writes } = answer;
  return {
    tenant,
    user,
    roles: [...roles],
    grant: answer.scopes === 'every' ? { kind: 'every' } : listed(answer.scopes),
    ...(writes === undefined ? {} : { writeGrant: listed(writes) }),
    isOperator: isOperator === true,
    ...(readsEveryTenant === true ? { readsEveryTenant } : {}),
    ...(expiresAtMs === null ? {} : { expiresAtMs }),
  };
}

function listed(names: readonly string[]): ScopeGrant {
  const scopes = checkScopes('session', names);
  if (scopes.length > MAX_SCOPES) throw new Error(`scopes: expected at most ${MAX_SCOPES}, got ${scopes.length}`);
  return { kind: 'listed', scopes };
}
