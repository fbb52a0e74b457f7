import { type SyncError } from '../../src/core/errors.js';
import { createTokenVerifier, type TokenVerifier } from '../../src/auth/bearer-token.js';
import { oidc } from '../../src/auth/token-issuer.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import type { LookupFunction } from 'node:net';
import { silentLog } from '../support/postgres.js';
import { AUDIENCE, openTokenOffice, type TokenOffice } from './token-office.js';

let office: TokenOffice;
let clock: ManualClock;
let tokens: TokenVerifier;

beforeEach(async () => {
  office = await openTokenOffice();
  clock = createManualClock();
  tokens = verifier();
});
afterEach(() => office.close());

function verifier(options: { readonly jwksUrl?: string; readonly issuer?: string } = {}): TokenVerifier {
  return createTokenVerifier([oidc({ issuer: office.url, audience: AUDIENCE, ...options })], { clock, log: silentLog });
}

/** What a token signed by this key comes to: its user, or the code of the error. */
async function verify(kid = 'first', by = tokens): Promise<unknown> {
  const token = await office.token({}, { nowMs: clock.nowMs(), kid });
  return by.verify(token).then(
    ({ identity }) => identity.claims['sub'],
    (thrown: SyncError) => thrown.code,
  );
}

const KEYS = '/keys';
const DISCOVERY = '/.well-known/openid-configuration';

describe('attack 28: the keys of an issuer are not asked for where its discovery document leads inside:', () => {
  /** What comes of keys that are said to be there, and why. */
  async function reasonOf(jwksUri: string, resolve?: LookupFunction): Promise<string> {
    const reasons: string[] = [];
    const log = {
      ...silentLog,
      error: (_what: string, details: unknown) => void reasons.push(JSON.stringify(details)),
    };
    office.instead.set(DISCOVERY, { body: JSON.stringify({ issuer: office.url, jwks_uri: jwksUri }) });
    const ports = { clock, log, ...(resolve === undefined ? {} : { resolve }) };
    const misled = createTokenVerifier([oidc({ issuer: office.url, audience: AUDIENCE })], ports);
    expect(await verify('first', misled)).toBe('UNAVAILABLE');
    return reasons.join();
  }

  test.each([
    'https://169.254.169.254/latest/meta-data/',
    'https://[::ffff:127.0.0.1]/keys',
    'https://2130706433/keys',
    'https://10.0.0.5/keys',
    'http://localhost/keys',
  ])('%s', async (address) => {
    expect(await reasonOf(address)).toContain('expected a public address');
  });

  test('by a name that stands for this machine at the moment of the connection', async () => {
    const rebound: LookupFunction = (_name, _options, callback) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    expect(await reasonOf('https://keys.example.com/', rebound)).toContain('keys.example.com at 127.0.0.1');
  });
});

describe('the keys of an issuer', () => {
  test('are asked for once, by however many tokens', async () => {
    await Promise.all(Array.from({ length: 20 }, () => verify()));
    expect(office.asked).toEqual([DISCOVERY, KEYS]);
  });

  test('attack 13: that are new are found by the first token that names one', async () => {
    await verify();
    clock.advance(30_000);
    await office.addKey('second');
    expect(await verify('second')).toBe('nurse-7');
  });

  test('that are gone are not taken any more ten minutes later', async () => {
    await verify();
    await office.addKey('first', { isPublished: false });
    await office.addKey('second');
    clock.advance(600_000);
    // Read in the background: the old ones hold for this one still.
    await verify('second');
    expect(await verify('second')).toBe('nurse-7');
    expect(await verify('first')).toBe('UNAUTHENTICATED');
  });

  test('hold while their issuer is away', async () => {
    await verify();
    office.instead.set(KEYS, { status: 503, body: 'away' });
    for (let hours = 0; hours < 5; hours++) {
      clock.advance(3_600_000);
      expect(await verify()).toBe('nurse-7');
    }
  });

  test('that were never read make nobody a stranger: try again later', async () => {
    office.instead.set(KEYS, { status: 503, body: 'away' });
    expect(await verify()).toBe('UNAVAILABLE');
    office.instead.clear();
    expect(await verify()).toBe('UNAVAILABLE');
    clock.advance(5_000);
    expect(await verify()).toBe('nurse-7');
  });

  test('are asked for where they are said to be, without discovery', async () => {
    expect(await verify('first', verifier({ jwksUrl: `${office.url}${KEYS}` }))).toBe('nurse-7');
    expect(office.asked).toEqual([KEYS]);
  });

  test.each([
    [
      'a discovery document of another issuer',
      DISCOVERY,
      { body: '{"issuer":"https://elsewhere.example","jwks_uri":"https://elsewhere.example/k"}' },
    ],
    ['keys that are elsewhere, without TLS', DISCOVERY, { body: 'JWKS' }],
    ['a redirect', KEYS, { status: 302, headers: { location: '/elsewhere' }, body: '' }],
    ['no JSON', KEYS, { body: '<html>' }],
    ['no keys', KEYS, { body: '{"keys":7}' }],
    ['more than a megabyte', KEYS, { body: JSON.stringify({ keys: [], padding: 'x'.repeat(1_000_000) }) }],
  ])(
    'are not taken from %s',
    async (_what, path, { body, ...rest }: { status?: number; headers?: Record<string, string>; body: string }) => {
      const own = JSON.stringify({ issuer: office.url, jwks_uri: 'http://metadata.internal/keys' });
      office.instead.set(path, { ...rest, body: body === 'JWKS' ? own : body });
      expect(await verify()).toBe('UNAVAILABLE');
      expect(office.asked).not.toContain('/elsewhere');
    },
  );
});
