import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collection, defineConnector, field } from '../../src/connectors/define.js';
import { clientCredentials, get, rest, sessionLogin } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import { CLIENT, LOCKED, SERVER, STRANGER } from '../support/certificates.js';

const SECRET = 'pa55word-of-the-clinic';
const VISIT = { type: 'Visit', key: 'id', fields: { note: field.string() } } as const;

/** The lines that a connector is refused with; none: it is fine. What is given is deliberately not typed. */
function linesOf(options: object): readonly string[] {
  const visits = collection({ ...VISIT, read: { list: get('/visits') } });
  const transport = rest({ baseUrl: 'https://clinic.example', ...options });
  return messageOf(() => defineConnector({ source: 'clinic', transport, collections: { visits } }));
}

function soapLinesOf(options: object): readonly string[] {
  const visits = collection({ ...VISIT, read: { list: call('List', { rows: 'visit' }) } });
  const transport = soap({ wsdl: 'a.wsdl', endpoint: 'http://clinic.example', ...options });
  return messageOf(() => defineConnector({ source: 'clinic', transport, collections: { visits } }));
}

function messageOf(work: () => unknown): readonly string[] {
  try {
    work();
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n');
  }
}

const TOKEN = { tokenUrl: 'https://login.example/token?tenant=7', clientId: 'tidegate', clientSecret: SECRET };
const LOGIN = { login: { url: 'https://clinic.example/login', json: { password: SECRET } }, token: 'cookie' } as const;
const credentials = (more: object): object => ({ auth: clientCredentials({ ...TOKEN, ...more }) });
const session = (more: object): object => ({ auth: sessionLogin({ ...LOGIN, ...more }) });
const login = (more: object): object => session({ login: { ...LOGIN.login, ...more } });

test('options that go together are taken as they are', () => {
  expect(linesOf(credentials({ scope: 'a b', audience: 'x', send: 'body' }))).toEqual([]);
  expect(
    linesOf(session({ token: { member: 'a.b' }, send: { header: 'X-S', prefix: 'T ' }, expiresAfter: '20m' })),
  ).toEqual([]);
  expect(linesOf(login({ json: undefined, form: { a: 'b' }, statuses: [200, 302], headers: { a: 'b' } }))).toEqual([]);
});

const ADDRESS = 'expected an address like https://login.example.com/oauth2/token without user and fragment';
const LOGIN_ADDRESS = 'expected an address like https://erp.example.com/login';

test.each<readonly [string, object, string]>([
  [
    'an auth of nobody',
    { auth: { token: SECRET } },
    'auth: expected basic(…), bearer(…), header(…), clientCredentials(…) or sessionLogin(…), got an object',
  ],
  [
    'an auth that is a text',
    { auth: SECRET },
    'auth: expected basic(…), bearer(…), header(…), clientCredentials(…) or sessionLogin(…), got another text',
  ],
  ['no secret', credentials({ clientSecret: undefined }), 'auth.clientSecret: expected a text, got nothing'],
  ['an empty secret', credentials({ clientSecret: '' }), 'auth.clientSecret: expected a text, got ""'],
  [
    'a secret that is a number',
    credentials({ clientSecret: 123456 }),
    'auth.clientSecret: expected a text, got a number',
  ],
  ['a token address that is none', credentials({ tokenUrl: SECRET }), `auth.tokenUrl: ${ADDRESS}, got another text`],
  [
    'a token address with a password',
    credentials({ tokenUrl: `https://a:${SECRET}@b.example/` }),
    `auth.tokenUrl: ${ADDRESS}, got another text`,
  ],
  [
    'a token address of another kind',
    credentials({ tokenUrl: 'file:///etc/passwd' }),
    `auth.tokenUrl: ${ADDRESS}, got another text`,
  ],
  [
    'another way to send',
    credentials({ send: 'query' }),
    'auth.send: expected one of "body"|"basic", got another text',
  ],
  ['an unknown key', credentials({ secret: SECRET }), 'auth.secret: expected no such key'],
  [
    'a login without a body',
    login({ json: undefined }),
    'auth.login: expected json or form, one of the two, got an object',
  ],
  ['a login with two bodies', login({ form: {} }), 'auth.login: expected json or form, one of the two, got an object'],
  ['a login nowhere', login({ url: undefined }), `auth.login.url: ${LOGIN_ADDRESS}, got nothing`],
  [
    'a login that fails well',
    login({ statuses: [401] }),
    'auth.login.statuses.0: expected a status from 200 to 399, got a number',
  ],
  [
    'a session in nothing',
    session({ token: 'body' }),
    'auth.token: expected "cookie", { member } or { header }, got another text',
  ],
  [
    'cookies sent in another way',
    session({ send: 'bearer' }),
    'auth.send: expected nothing beside token: "cookie", which goes back as it came, got a way to send it',
  ],
  [
    'a header of no name',
    session({ token: { member: 'a' }, send: { header: 'X S' } }),
    'auth.send.header: expected the name of a header or a cookie, got another text',
  ],
  [
    'a life without a unit',
    session({ expiresAfter: '20' }),
    'auth.expiresAfter: expected a duration from "1ms" to "24d", like "30m", got another text',
  ],
  [
    'a session over by a success',
    session({ expiredOn: [200] }),
    'auth.expiredOn.0: expected a status from 400 to 499, got a number',
  ],
  ['a test that is none', session({ isExpired: true }), 'auth.isExpired: expected a function, got a boolean'],
])('%s is refused at start, and no secret is shown', (_what, options, line) => {
  for (const lines of [linesOf(options), soapLinesOf(options)]) {
    expect(lines).toEqual([`connector clinic: transport.${line}`]);
    expect(lines.join()).not.toContain(SECRET);
  }
});

describe('a client certificate', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidegate-tls-'));
    writeFileSync(join(folder, 'client.crt'), CLIENT.cert);
    writeFileSync(join(folder, 'client.key'), CLIENT.key);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('with its key is taken as it is, as texts and as files', () => {
    expect(linesOf({ tls: CLIENT })).toEqual([]);
    expect(linesOf({ tls: { cert: join(folder, 'client.crt'), key: join(folder, 'client.key') } })).toEqual([]);
    expect(linesOf({ tls: { cert: CLIENT.cert, ...LOCKED, ca: SERVER.cert } })).toEqual([]);
  });

  const [, BARE = ''] = CLIENT.key.split('\n');

  test.each<readonly [string, object, string]>([
    [
      'with the key of another',
      { ...CLIENT, key: STRANGER.key },
      '.key: expected the private key of the certificate "CN=tidegate of the clinic", got another one\'s',
    ],
    ['without a key', { cert: CLIENT.cert }, '.key: expected a text, got nothing'],
    [
      'that is a key',
      { ...CLIENT, cert: CLIENT.key },
      '.cert: expected a certificate as PEM, got one that cannot be read',
    ],
    [
      'whose key is a certificate',
      { ...CLIENT, key: CLIENT.cert },
      '.key: expected a private key as PEM, got one that cannot be read',
    ],
    [
      'whose key lost its first line',
      { ...CLIENT, key: BARE },
      '.key: expected a private key as PEM or the path of its file, got neither (ENOENT)',
    ],
    [
      'in a file that is not there',
      { ...CLIENT, cert: 'none.crt' },
      '.cert: expected a certificate as PEM or the path of its file, got neither (ENOENT)',
    ],
    [
      'whose key is locked',
      { cert: CLIENT.cert, key: LOCKED.key },
      '.passphrase: expected the one that opens the key, got nothing',
    ],
    [
      'whose key is opened by another word',
      { ...CLIENT, ...LOCKED, passphrase: SECRET },
      '.passphrase: expected the one that opens the key, got another',
    ],
    [
      'beside an authority that is none',
      { ...CLIENT, ca: CLIENT.key },
      '.ca: expected a certificate as PEM, got one that cannot be read',
    ],
    ['of an unknown key', { ...CLIENT, pfx: SECRET }, '.pfx: expected no such key'],
  ])('%s is refused at start, and no secret is shown', (_what, tls, line) => {
    const lines = linesOf({ tls });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.replace(/ \(ERR_\w+\)$/, '')).toBe(`connector clinic: transport.tls${line}`);
    for (const secret of [SECRET, BARE]) expect(lines.join()).not.toContain(secret);
    expect(soapLinesOf({ endpoint: 'https://clinic.example', tls })).toEqual(lines);
  });

  test('is refused at start where there is no TLS', () => {
    const line = 'connector clinic: transport.tls: expected an address with https: beside it, got one with http:';
    expect(linesOf({ baseUrl: 'http://clinic.example', tls: CLIENT })).toEqual([line]);
    expect(soapLinesOf({ tls: CLIENT })).toEqual([line]);
  });
});

test.each<readonly [string, unknown, string]>([
  ['no truth value but true', false, '.csrf: expected true or { path }, a path that begins with "/", got a boolean'],
  ['another path', { path: 'token' }, '.csrf.path: expected a path that begins with "/", got another text'],
  ['another key', { url: '/token' }, '.csrf.url: expected no such key'],
])('csrf is refused with %s', (_what, csrf, line) => {
  expect(linesOf({ csrf })).toEqual([`connector clinic: transport${line}`]);
  expect(linesOf({ csrf: { path: '/token' } })).toEqual([]);
});
