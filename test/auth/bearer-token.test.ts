import { generateKeyPair, type JWTPayload } from 'jose';
import { createTokenVerifier, type TokenVerifier } from '../../src/auth/bearer-token.js';
import { firebase, oidc } from '../../src/auth/token-issuer.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { AUDIENCE, openTokenOffice, type SignOptions, type TokenOffice } from './token-office.js';

let office: TokenOffice;
let clock: ManualClock;
let lines: { readonly what: string; readonly details: unknown }[];
let tokens: TokenVerifier;

beforeEach(async () => {
  office = await openTokenOffice();
  clock = createManualClock();
  lines = [];
  const tell = (what: string, details?: unknown): void => void lines.push({ what, details });
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  tokens = createTokenVerifier([oidc({ issuer: office.url, audience: AUDIENCE, maxAgeMs: 3_600_000 })], { clock, log });
});
afterEach(() => office.close());

const token = (claims?: JWTPayload, options?: SignOptions): Promise<string> =>
  office.token(claims, { nowMs: clock.nowMs(), ...options });
const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const seconds = (offsetMs: number): number => Math.floor((clock.nowMs() + offsetMs) / 1_000);

describe('a token', () => {
  test('that its issuer signed for us says who its user is, and when it ends', async () => {
    const { identity, expiresAtMs } = await tokens.verify(await token({ routes: ['7'] }));
    expect(identity).toMatchObject({ kind: 'token', issuer: office.url, claims: { sub: 'nurse-7', routes: ['7'] } });
    expect(expiresAtMs).toBe(seconds(600_000) * 1_000 + 30_000);
    expect(office.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('with one of several audiences of ours is taken', async () => {
    await expect(tokens.verify(await token({ aud: ['other', AUDIENCE] }))).resolves.toBeDefined();
  });

  test('attack 15: that ended 20 s ago is taken, one that ended 31 s ago is not', async () => {
    await expect(tokens.verify(await token({ exp: seconds(-20_000) }))).resolves.toBeDefined();
    await expect(tokens.verify(await token({ exp: seconds(-31_000) }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'Authorization: expected a bearer token, one that has not expired',
    });
  });

  const bad: readonly (readonly [what: string, make: () => Promise<string>])[] = [
    ['without a signature (alg none)', async () => `${segment({ alg: 'none' })}.${(await token()).split('.')[1]}.`],
    ['with alg nOnE', async () => `${segment({ alg: 'nOnE' })}.${(await token()).split('.')[1]}.`],
    [
      'signed with the public key as a shared secret',
      () =>
        token(
          {},
          { header: { alg: 'HS256' }, key: new TextEncoder().encode(JSON.stringify(office.publicKey('first'))) },
        ),
    ],
    [
      'signed by another key under the same name',
      async () => token({}, { key: (await generateKeyPair('ES256')).privateKey }),
    ],
    ['of another issuer', () => token({ iss: 'https://elsewhere.example' })],
    ['of no issuer', () => token({}, { without: ['iss'] })],
    ['whose issuer has a slash more', () => token({ iss: `${office.url}/` })],
    ['for somebody else', () => token({ aud: 'other' })],
    ['for nobody', () => token({}, { without: ['aud'] })],
    ['without an end', () => token({}, { without: ['exp'] })],
    ['with an end in words', () => token({ exp: '2099' as never })],
    ['that is not valid yet', () => token({ nbf: seconds(120_000) })],
    ['that was issued two hours ago, where an hour is allowed', () => token({ iat: seconds(-7_200_000) })],
    ['that was issued in the future', () => token({ iat: seconds(7_200_000) })],
    ['without the time of its issue', () => token({}, { without: ['iat'] })],
    ['of no user', () => token({}, { without: ['sub'] })],
    ['of an empty user', () => token({ sub: '' })],
    ['whose user is a number', () => token({ sub: 7 as never })],
    ['with an extension that must be understood', () => token({}, { header: { crit: ['x'], x: 1 } })],
    [
      'whose body was changed',
      async () => {
        const [header, , signature] = (await token()).split('.');
        return `${header}.${segment({ iss: office.url, aud: AUDIENCE, sub: 'admin', iat: seconds(0), exp: seconds(60_000) })}.${signature}`;
      },
    ],
    ['that is encrypted', async () => `${await token()}.a.b`],
    ['that is none', async () => 'not-a-token'],
    ['that is longer than any', async () => `${await token()}${'a'.repeat(20_000)}`],
  ];

  test.each(bad)('attacks 12 and 14: %s is not taken', async (_what, make) => {
    await expect(tokens.verify(await make())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test.each([
    ['kid', { kid: '../../etc/passwd' }],
    ['kid with SQL', { kid: "' or 1=1 --" }],
    ['jku', { jku: 'https://attacker.example/keys', kid: 'unknown' }],
    ['x5u', { x5u: 'https://attacker.example/cert', kid: 'unknown' }],
  ])(
    'attack 13: whose %s leads elsewhere is not taken, and nothing but the own keys is asked for, once in 30 s',
    async (_what, header) => {
      await tokens.verify(await token());
      office.asked.length = 0;
      for (let times = 0; times < 5; times++) {
        const { privateKey } = await generateKeyPair('ES256');
        await expect(tokens.verify(await token({}, { header, key: privateKey }))).rejects.toMatchObject({
          code: 'UNAUTHENTICATED',
        });
      }
      expect(office.asked).toEqual([]);
      clock.advance(30_000);
      const { privateKey } = await generateKeyPair('ES256');
      const forged = { header, key: privateKey };
      await Promise.all(
        [token({}, forged), token({}, forged)].map(async (made) => tokens.verify(await made).catch(() => null)),
      );
      expect(office.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    },
  );

  test('attack 13: with a key of its own in the header is not taken', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const jwk = office.publicKey('first');
    await expect(tokens.verify(await token({}, { header: { jwk }, key: privateKey }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  test('attack 34: that is not taken says why in the log, and nothing of what it holds', async () => {
    const canary = 'canary-of-a-secret';
    await tokens.verify(await token({ aud: canary, sub: canary })).catch(() => null);
    expect(lines).toContainEqual({
      what: 'a token is not taken',
      details: { reason: 'ERR_JWT_CLAIM_VALIDATION_FAILED (aud)' },
    });
    expect(JSON.stringify(lines)).not.toContain(canary);
  });
});

describe('tokens of two kinds from one issuer', () => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  test('attack 16: are told apart by their type', async () => {
    const rules = oidc({ issuer: office.url, audience: AUDIENCE, type: 'at+jwt' });
    const strict = createTokenVerifier([rules], { clock, log });
    await expect(strict.verify(await token({}, { header: { typ: 'at+jwt' } }))).resolves.toBeDefined();
    await expect(strict.verify(await token({}, { header: { typ: 'JWT' } }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  test('are told apart by a claim', async () => {
    const rules = oidc({ issuer: office.url, audience: AUDIENCE, claims: { azp: 'care-app' } });
    const strict = createTokenVerifier([rules], { clock, log });
    await expect(strict.verify(await token({ azp: 'care-app' }))).resolves.toBeDefined();
    await expect(strict.verify(await token())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('attack 16: of one issuer are not taken by the keys of another', async () => {
    const other = await openTokenOffice();
    try {
      const both = createTokenVerifier(
        [office.url, other.url].map((issuer) => oidc({ issuer, audience: AUDIENCE })),
        { clock, log },
      );
      await expect(both.verify(await other.token({}, { nowMs: clock.nowMs() }))).resolves.toBeDefined();
      await expect(both.verify(await other.token({ iss: office.url }, { nowMs: clock.nowMs() }))).rejects.toMatchObject(
        { code: 'UNAUTHENTICATED' },
      );
    } finally {
      await other.close();
    }
  });
});

describe('an issuer', () => {
  test.each([
    ['issuer', { issuer: 'http://login.example.com', audience: 'a' }, /issuer: expected an https address/],
    [
      'issuer',
      { issuer: 'https://user:pass@login.example.com', audience: 'a' },
      /issuer: expected an https address without user/,
    ],
    [
      'jwksUrl',
      { issuer: 'https://a.example', audience: 'a', jwksUrl: 'file:///etc/passwd' },
      /jwksUrl: expected an https/,
    ],
    ['audience', { issuer: 'https://a.example', audience: [] }, /audience: expected what the tokens/],
    [
      'algorithms',
      { issuer: 'https://a.example', audience: 'a', algorithms: ['HS256'] },
      /algorithms: expected some of RS256.*got HS256/,
    ],
    [
      'clockToleranceMs',
      { issuer: 'https://a.example', audience: 'a', clockToleranceMs: -1 },
      /clockToleranceMs: expected 0 to 300000 ms, got -1/,
    ],
  ])('with a bad %s is refused at start', (_option, options, message) => {
    expect(() => oidc(options)).toThrow(message);
  });

  test('Firebase is one, by its project', () => {
    expect(firebase({ projectId: 'care-app-1' })).toMatchObject({
      issuer: 'https://securetoken.google.com/care-app-1',
      audience: ['care-app-1'],
      algorithms: ['RS256'],
    });
    expect(() => firebase({ projectId: 'Care App' })).toThrow(/projectId/);
  });
});
