import { createHash } from 'node:crypto';
import type { Auth, Identity, SignedIn } from '../../src/auth/auth.js';
import { machineKey } from '../../src/auth/machine-key.js';
import { createSignIn, type SignIn } from '../../src/auth/sessions.js';
import { oidc } from '../../src/auth/token-issuer.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';
import { AUDIENCE, openTokenOffice, type TokenOffice } from './token-office.js';

let office: TokenOffice;
let clock: ManualClock;

beforeAll(async () => {
  office = await openTokenOffice();
});
afterAll(() => office.close());
beforeEach(() => {
  clock = createManualClock();
});

const KEY = 'a-key-of-forty-characters-or-thereabouts';
const sha256 = createHash('sha256').update(KEY).digest('hex');
const bearer = async (claims = {}, lastsMs?: number): Promise<string> =>
  `Bearer ${await office.token(claims, { nowMs: clock.nowMs(), ...(lastsMs === undefined ? {} : { lastsMs }) })}`;

function signIn(session: Auth['session'], rest: Partial<Auth> = {}): SignIn {
  const auth = { issuers: [oidc({ issuer: office.url, audience: AUDIENCE })], session, ...rest };
  return createSignIn(auth, { clock, log: silentLog }, { tenants: ['default', 'north'] });
}

/** The rule of most tests: the claims are the scopes. */
const byRoute = ({ claims }: Identity): SignedIn => ({
  user: String(claims['sub']),
  scopes: (claims['routes'] as string[] | undefined)?.map((route) => `route:${route}`) ?? [],
});

describe('a user', () => {
  test('is what the rule makes of the claims', async () => {
    const rule = (identity: Identity): SignedIn => ({
      ...byRoute(identity),
      tenant: 'north',
      roles: ['nurse'],
      writes: ['route:7'],
      isOperator: true,
    });
    expect(await signIn(rule).userOf(await bearer({ routes: ['7', '7', '12'] }))).toEqual({
      tenant: 'north',
      user: 'nurse-7',
      roles: ['nurse'],
      grant: { kind: 'listed', scopes: ['route:12', 'route:7'] },
      writeGrant: { kind: 'listed', scopes: ['route:7'] },
      isOperator: true,
      expiresAtMs: Math.floor(clock.nowMs() / 1_000) * 1_000 + 630_000,
    });
  });

  test('sees nothing and is no operator unless the rule says so', async () => {
    expect(await signIn(byRoute).userOf(await bearer())).toMatchObject({
      tenant: 'default',
      grant: { kind: 'listed', scopes: [] },
      isOperator: false,
      roles: [],
    });
  });

  test('is asked for again 25 s later, and is nobody when the rule says so', async () => {
    let asked = 0;
    let isOurs = true;
    const users = signIn((identity) => ((asked += 1), isOurs ? byRoute(identity) : null));
    const authorization = await bearer();
    await Promise.all([users.userOf(authorization), users.userOf(authorization)]);
    clock.advance(24_999);
    await users.userOf(authorization);
    expect(asked).toBe(1);
    isOurs = false;
    clock.advance(1);
    await expect(users.userOf(authorization)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    isOurs = true;
    await expect(users.userOf(authorization)).resolves.toBeDefined();
  });

  test('is out when its token ends, however lately it was asked for', async () => {
    const users = signIn(byRoute);
    // Ten seconds of the 30 by which clocks may differ are left.
    const authorization = await bearer({}, -20_000);
    await users.userOf(authorization);
    clock.advance(9_000);
    await expect(users.userOf(authorization)).resolves.toBeDefined();
    clock.advance(2_000);
    await expect(users.userOf(authorization)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('may be asked for elsewhere', async () => {
    const users = signIn(async (identity) => byRoute(identity));
    await expect(users.userOf(await bearer())).resolves.toMatchObject({ user: 'nurse-7' });
  });

  test.each([null, '', 'Basic dXNlcg==', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer \u00e9'])(
    'is not found in %j',
    async (authorization) => {
      await expect(signIn(byRoute).userOf(authorization)).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        message: 'Authorization: expected a bearer token, got none',
      });
    },
  );
});

describe('a rule of sessions that fails is a fault of the gateway, told to nobody', () => {
  const rules: readonly (readonly [what: string, rule: () => unknown])[] = [
    [
      'throws',
      () => {
        throw new Error('canary');
      },
    ],
    ['names a tenant that is not served', () => ({ user: 'a', scopes: [], tenant: 'south' })],
    ['names no user', () => ({ scopes: [] })],
    ['names an empty user', () => ({ user: '', scopes: [] })],
    ['names a user with a line break', () => ({ user: 'a\nb', scopes: [] })],
    ['names a user of 257 characters', () => ({ user: 'a'.repeat(257), scopes: [] })],
    ['gives no scopes', () => ({ user: 'a' })],
    ['gives a scope that is no text', () => ({ user: 'a', scopes: [7] })],
    ['gives 1,001 scopes', () => ({ user: 'a', scopes: Array.from({ length: 1_001 }, (_one, at) => `route:${at}`) })],
    ['gives nothing', () => undefined],
  ];
  test.each(rules)('when it %s', async (_what, rule) => {
    const asked = signIn(rule as Auth['session']).userOf(await bearer());
    await expect(asked).rejects.toMatchObject({ code: 'INTERNAL', message: 'auth.session failed' });
  });
});

describe('a key of a machine', () => {
  const keys = [machineKey({ name: 'reporting', sha256, claims: { routes: ['7'] } })];

  test('is a user by its name', async () => {
    const users = signIn(
      (identity) => ({ ...byRoute(identity), user: identity.kind === 'key' ? identity.name : 'x' }),
      { keys },
    );
    expect(await users.userOf(`Bearer ${KEY}`)).toMatchObject({
      user: 'reporting',
      grant: { kind: 'listed', scopes: ['route:7'] },
    });
    expect(await users.userOf(await bearer())).toMatchObject({ user: 'x' });
  });

  test('that is another one is refused, also where nothing else signs in', async () => {
    await expect(signIn(byRoute, { keys }).userOf(`Bearer ${KEY}x`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const only = signIn(byRoute, { keys, issuers: [] });
    await expect(only.userOf(`Bearer ${sha256}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(only.userOf(`Bearer ${'k'.repeat(600)}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test.each([
    [{ name: 'a b', sha256 }, /keys: expected a name/],
    [{ name: 'a', sha256: KEY }, /keys: a: expected the SHA-256/],
  ])('that is declared badly is refused at start', (options, message) => {
    expect(() => machineKey(options)).toThrow(message);
  });
});
