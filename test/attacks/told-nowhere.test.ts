import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { faulted, startNotes, type NotesSource } from '../connectors/soap/notes-source.js';
import { createWardClient, type WardClient } from '../integration/ward-client.js';
import { startWardSystem, type WardSystem } from '../integration/ward-system.js';
import { AUTHORITY, SERVER } from '../support/certificates.js';
import { builtProgram } from '../support/built-program.js';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { runProgram } from '../support/program.js';
import { until } from '../support/until.js';

/** One for each place of a configuration, and each header, that takes a secret. */
const SECRETS = {
  basic: 'CANARY-basic-password',
  bearer: 'CANARY-bearer-token',
  apiKey: 'CANARY-header-key',
  client: 'CANARY-client-secret',
  login: 'CANARY-login-password',
  soap: 'CANARY-wsse-password',
  passphrase: 'CANARY-mtls-passphrase',
  webhook: 'CANARY-webhook-secret',
  machine: 'CANARY-machine-key-of-32-characters-at-least',
  user: 'CANARY-token-of-a-user',
  database: 'CANARY-database-password',
} as const;
const SEALING = randomBytes(32).toString('base64');
/** Of the service account that hints phones. */
const PUSH_KEY = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-secrets-'));
const operator = { authorization: `Bearer ${SECRETS.machine}` };
let postgres: TestPostgres;
let databaseUrl: string;
let system: WardSystem;
let notes: NotesSource;
let echo: Server;
let gateway: GatewayProcess;
let client: WardClient;
/** Everything that anybody was told, by where it was told. */
const told = new Map<string, string>();

beforeAll(async () => {
  builtProgram();
  postgres = await startTestPostgres();
  databaseUrl = await postgres.freshDatabase();
  system = await startWardSystem();
  system.edit('10', { name: 'CANARY-anna', note: 'CANARY-asthma' });
  notes = await startNotes();
  notes.answer = ({ headers, body }) => ({
    status: 500,
    body: faulted('Client', `no: ${JSON.stringify(headers)} ${body.replaceAll('<', '&lt;')}`),
  });
  echo = createServer(
    (request, response) =>
      void answerWithAll(request).then((text) =>
        response
          .writeHead(401, {
            'content-type': 'application/json',
          })
          .end(text),
      ),
  );
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await system.stop();
  notes.close().catch(() => undefined);
  echo.closeAllConnections();
  await new Promise((resolve) => echo.close(resolve));
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

test('attack 34: a gateway whose sources say every credential back tells none, in its log, its metrics and its answers', async () => {
  configure('tidegate.config.ts');
  gateway = await startGatewayProcess(['start'], settings(), folder);
  client = createWardClient(() => gateway.url, operator);
  await until('the ward was read', async () => (await client.pull()).changes.length === 1);
  const [version] = (await client.pull()).changes.map((one) => one.version);
  expect((await client.push('applied', '10', version ?? '', { note: 'CANARY-applied' })).status).toBe('APPLIED');
  system.writes = 'refuses';
  expect((await client.push('refused', '10', version ?? '', { note: 'CANARY-refused' })).status).toBe('REJECTED');
  system.writes = 'fails';
  await client.push('lost', '6f1c7a4e-8d0b-4c59-9d5e-0c6f6a7b8c9d', null, { name: 'CANARY-carl', ward: 'A' });
  await until('each source was asked', async () => sourcesIn(gateway.output()).size >= SOURCES.length);

  const webhook = { method: 'POST', headers: { 'x-signature': SECRETS.webhook }, body: 'CANARY-forged' };
  expect((await fetch(`${gateway.url}/webhooks/bearer`, webhook)).status).toBe(401);
  for (const authorization of [`Bearer ${SECRETS.user}`, `Basic ${SECRETS.user}`, SECRETS.user]) {
    const answer = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers: { authorization }, body: '{}' });
    note(`an answer to ${authorization.split(' ')[0]}`, await answer.text());
    expect(answer.status).toBe(401);
  }
  for (const query of ['{ CANARY', '{ CANARYfield }', '{ pull(since: "CANARY-checkpoint") { epoch } }'])
    note('the log after a bad query', (await client.post({ query })).replaceAll(/"message":"[^"]*CANARY[^"]*"/g, ''));
  note('metrics', await (await fetch(`${gateway.url}/metrics`, { headers: operator })).text());
  note('the log', gateway.output());
  expect(tellers()).toEqual([]);
});

test.each([
  ['plan', ['plan'], 0],
  ['doctor', ['doctor'], 6],
  ['doctor for programs', ['doctor', '--json'], 6],
  ['collections', ['collections', 'list'], 0],
  ['a refused settlement', ['outbox', 'settle', '99999'], 8],
  ['inspect of an address with a password', ['inspect', `http://u:${SECRETS.login}@127.0.0.1:1/`], null],
])('attack 34: the command line tells no secret: %s', async (what, line, code) => {
  const program = runProgram(
    line,
    { ...settings(), TIDEGATE_TOKEN: SECRETS.machine, PORT: portOf(gateway.url) },
    folder,
  );
  const exit = await program.ended;
  note(what, program.output());
  if (code === null) expect(exit).not.toBe(0);
  else expect(exit).toBe(code);
  expect(tellers()).toEqual([]);
});

test('attack 34: an operator sees what waits, and no secret beside it', async () => {
  const line = ['outbox', 'list'];
  const program = runProgram(line, { TIDEGATE_TOKEN: SECRETS.machine, PORT: portOf(gateway.url) }, folder);
  expect(await program.ended).toBe(0);
  for (const secret of [...Object.values(SECRETS), SEALING]) expect(program.output()).not.toContain(secret);
});

test.each<readonly [string, Readonly<Record<string, string>>, string, RegExp]>([
  ['another password of the database', { DATABASE_URL: 'WRONG' }, '', /store|password|database/i],
  [
    'an address of the database that is none',
    { DATABASE_URL: `postgres//x:${SECRETS.database}@nowhere` },
    '',
    /DATABASE_URL|database/i,
  ],
  ['a short sealing key', { TIDEGATE_SEALING_KEYS: `k1:${SEALING.slice(0, 30)}` }, '', /sealingKeys: expected/],
  [
    'another sealing key',
    { TIDEGATE_SEALING_KEYS: `k9:${randomBytes(32).toString('base64')}` },
    '',
    /expected the key "k1"/,
  ],
  ['a setting that is not known', {}, `apiSecret: '${SECRETS.bearer}',`, /no such key/],
  [
    'a setting of another kind',
    { DATABASE_URL: '' },
    `databaseUrl: ['${SECRETS.database}'],`,
    /databaseUrl|DATABASE_URL/,
  ],
  ['a passphrase of another key', {}, 'PASSPHRASE', /tls/],
  ['half a push key', { TIDEGATE_FCM_CREDENTIALS: 'half.json' }, '', /whose "private_key" is none/],
  ['a push key that is no JSON', { TIDEGATE_FCM_CREDENTIALS: 'gate.key' }, '', /got no JSON object/],
  ['a syntax error behind a secret', {}, `port: '${SECRETS.bearer}' 'x',`, /cannot be read/],
  ['a fault that nobody foresaw', {}, 'CRASH', /it fell over/],
])('attack 34: a start that fails, or falls over, tells no secret: %s', async (what, env, more, says) => {
  configure('broken.config.ts', more);
  const wrong = new URL(databaseUrl);
  wrong.password = SECRETS.database;
  const database = env['DATABASE_URL'] === 'WRONG' ? { DATABASE_URL: wrong.href } : {};
  const config = { TIDEGATE_CONFIG: 'broken.config.ts', PORT: '0' };
  const program = runProgram(['start'], { ...settings(), ...config, ...env, ...database }, folder);
  expect(await program.ended).not.toBe(0);
  expect(program.output()).toMatch(says);
  note(what, program.output());
  expect(tellers()).toEqual([]);
});

const SOURCES = ['basic', 'bearer', 'apiKey', 'client', 'login', 'soap', 'tls'] as const;

function sourcesIn(log: string): ReadonlySet<string> {
  return new Set(SOURCES.filter((name) => log.includes(`"source":"${name}"`) || log.includes(`${name}.${name}s`)));
}

function note(where: string, text: string): void {
  expect(text.length).toBeGreaterThan(0);
  told.set(where, text);
}

/** Where a secret or a value was told, and around what. */
function tellers(): readonly string[] {
  const secrets = [
    'CANARY',
    SEALING,
    SEALING.slice(0, 30),
    ...PUSH_KEY.split('\n').slice(1, 3),
    new URL(databaseUrl).password,
    encoded(`gate:${SECRETS.basic}`),
  ];
  return [...told].flatMap(([where, text]) =>
    secrets.flatMap((secret) => {
      const at = text.indexOf(secret);
      return at === -1 ? [] : [`${where}: ${text.slice(Math.max(0, at - 200), at + 100)}`];
    }),
  );
}

function settings(): Readonly<Record<string, string>> {
  return {
    DATABASE_URL: databaseUrl,
    TIDEGATE_SEALING_KEYS: `k1:${SEALING}`,
    TIDEGATE_LOG: 'debug',
    TIDEGATE_CONFIG: 'tidegate.config.ts',
  };
}

/** What the echo says: everything that it was told, as such systems do. */
async function answerWithAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { authorization = '' } = request.headers;
  const clear = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString();
  const message = `${JSON.stringify(request.rawHeaders)} ${clear} ${Buffer.concat(chunks).toString()}`;
  return JSON.stringify({ error: 'invalid_client', error_description: message, message });
}

/** A configuration with a secret in every place that takes one. */
function configure(name: string, more = ''): void {
  const url = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
  const files = {
    'gate.crt': SERVER.cert,
    'ca.crt': AUTHORITY,
    'gate.key': more === 'PASSPHRASE' ? lockedKey() : SERVER.key,
    'push.json': pushAccount(PUSH_KEY),
    'half.json': pushAccount(PUSH_KEY.slice(0, 800)),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text, { mode: 0o600 });
  const at = (file: string): string => JSON.stringify(path.join(folder, file));
  const fields = `{ type: 'T', key: 'id', fields: { note: field.string() }, read: { list: get('/all') } }`;
  const own = (source: string, options: string, extra = ''): string => `defineConnector({ source: '${source}', ${extra}
    transport: rest({ ${options} }), collections: { ${source}s: collection({ ...${fields}, type: '${source.toUpperCase()}' }) } })`;
  const echoes = `baseUrl: '${url}'`;
  writeFileSync(
    path.join(folder, name),
    `import { defineConfig } from 'tidegate';
import { machineKey } from 'tidegate/auth';
import { collection, defineConnector, field, hmac } from 'tidegate/connector';
import { basic, bearer, clientCredentials, get, header, patch, post, rest, sessionLogin } from 'tidegate/connector/rest';
import { call, soap, usernameToken } from 'tidegate/connector/soap';
${more === 'CRASH' ? "setTimeout(() => {\n  throw new Error('it fell over');\n}, 3000);" : ''}
export default defineConfig({
  auth: {
    keys: [machineKey({ name: 'ops', sha256: '${createHash('sha256').update(SECRETS.machine).digest('hex')}' })],
    session: () => ({ user: 'ops', scopes: 'every', isOperator: true }),
  },
  patienceMs: 3000,
  push: { fcm: { credentials: 'push.json', endpoint: '${url}' } },
  ${['CRASH', 'PASSPHRASE'].includes(more) ? '' : more}
  connectors: [
    defineConnector({
      source: 'ward',
      transport: rest({ baseUrl: '${system.url}', auth: basic('gate', '${SECRETS.basic}') }),
      collections: {
        patients: collection({
          type: 'Patient', key: 'id', version: 'version',
          read: { list: get('/patients'), one: get('/patients/{key}') },
          write: { create: post('/patients'), update: patch('/patients/{key}'), guard: 'ifMatch' },
          fields: {
            name: field.string({ sealed: true }), note: field.string({ sealed: true }),
            isolated: field.boolean({ sealed: true }), ward: field.string(),
          },
        }),
      },
    }),
    ${own('basic', `${echoes}, auth: basic('gate', '${SECRETS.basic}')`)},
    ${own('bearer', `${echoes}, auth: bearer('${SECRETS.bearer}')`, `webhook: { proof: hmac({ secret: '${SECRETS.webhook}', header: 'X-Signature' }) },`)},
    ${own('apiKey', `${echoes}, auth: header('X-Api-Key', '${SECRETS.apiKey}')`)},
    ${own('client', `${echoes}, auth: clientCredentials({ tokenUrl: '${url}/token', clientId: 'gate', clientSecret: '${SECRETS.client}' })`)},
    ${own('login', `${echoes}, auth: sessionLogin({ login: { url: '${url}/login', json: { user: 'gate', password: '${SECRETS.login}' } }, token: { member: 'session' }, send: { header: 'X-Session' } })`)},
    ${own('tls', `baseUrl: '${url.replace('http:', 'https:')}', tls: { cert: ${at('gate.crt')}, key: ${at('gate.key')}, ca: ${at('ca.crt')}, passphrase: '${SECRETS.passphrase}' }`)},
    defineConnector({
      source: 'soap',
      transport: soap({ wsdl: '${notes.url}/notes?wsdl', endpoint: '${notes.url}/notes', auth: usernameToken('gate', '${SECRETS.soap}') }),
      collections: {
        soaps: collection({ type: 'SOAP', key: 'id', fields: { title: field.string() }, read: { list: call('ListNotes', { rows: 'notes.note' }) } }),
      },
    }),
  ],
});
`,
  );
}

function pushAccount(privateKey: string): string {
  const account = { type: 'service_account', project_id: 'care-app', client_email: 'gate@care-app.example' };
  return JSON.stringify({ ...account, private_key_id: 'CANARY-push-key-id', private_key: privateKey });
}

/** A private key under a passphrase that nobody configured. */
function lockedKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'another' }).toString();
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

function portOf(url: string): string {
  return new URL(url).port;
}
