import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { machineKey, oidc } from '../../src/auth/auth.js';
import { collection, defineConnector, deletesByScan, field } from '../../src/connectors/define.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import { startGateway } from '../../src/server/app.js';
import { loadConfig, type TidegateConfig } from '../../src/server/config.js';
import { AUDIENCE, openTokenOffice } from '../auth/token-office.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** An answer of the gateway as it came. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  /** Of the first error. */
  readonly code: string | null;
}

export interface PushedResult {
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string; readonly field: string | null } | null;
}

/** Who attacks: a user with a valid token for one route, on a device. */
export interface Attacker {
  /** Posts an operation, or any body; what is a text goes out as it is. */
  ask(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  query(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** One change of visits; what is not given is harmless. */
  push(change: Readonly<Record<string, unknown>>): Promise<PushedResult>;
  /** All visits that it sees, by id. */
  visits(): Promise<Readonly<Record<string, Readonly<Record<string, unknown>>>>>;
}

/** The product on a real port, behind sign-in, before a REST system whose visits it may change. */
export interface AttackedClinic {
  readonly url: string;
  /** What the system has, by key. */
  readonly rows: Map<string, Record<string, unknown>>;
  /** Method and path of each write that reached the system. */
  readonly written: string[];
  user(name: string, route: string, device?: string): Promise<Attacker>;
  operator(): Attacker;
  stop(): Promise<void>;
}

export const KEY_WITH_METACHARACTERS = `V'";--(*)|&/..\\%00 or "1"="1`;
const OPERATOR_KEY = 'the-key-of-an-operator-of-this-clinic';
const ROWS = [
  { id: 'V-7', route: '7', notes: 'bring the scale', minutes: 10, version: 1 },
  { id: 'V-9', route: '9', notes: 'a dog', minutes: 10, version: 1 },
  { id: KEY_WITH_METACHARACTERS, route: '7', notes: 'odd', minutes: 10, version: 1 },
];
let changes = 0;

export async function startAttackedClinic(settings: Partial<TidegateConfig> = {}): Promise<AttackedClinic> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-attacks-'));
  const [office, postgres] = await Promise.all([openTokenOffice(), startTestPostgres()]);
  const rows = new Map<string, Record<string, unknown>>(ROWS.map((row) => [row.id, { ...row }]));
  const written: string[] = [];
  const source = createServer((request, response) => {
    const say = (status: number, json: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const key = decodeURIComponent((request.url ?? '').replace('/visits', '').replace('/', ''));
      if (key === '') return say(200, [...rows.values()]);
      const row = rows.get(key);
      if (row === undefined) return say(404, {});
      if (request.method === 'GET') return say(200, row);
      written.push(`${request.method} ${request.url}`);
      if (request.headers['if-match'] !== `"${String(row['version'])}"`) return say(412, row);
      Object.assign(row, JSON.parse(Buffer.concat(chunks).toString('utf8')), { version: Number(row['version']) + 1 });
      return say(200, row);
    });
  });
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
  const visits = collection({
    type: 'Visit',
    key: 'id',
    version: 'version',
    read: {
      list: get('/visits'),
      one: get('/visits/{key}'),
      deletes: deletesByScan({ every: '1d' }),
      pollEvery: '1h',
    },
    write: { update: patch('/visits/{key}'), guard: 'ifMatch' },
    policy: 'newestWins',
    fields: {
      notes: field.string(),
      minutes: field.int(),
      steps: field.long(),
      extra: field.json(),
      route: field.string({ required: true }),
      office: field.string({ writable: false }),
    },
    scopes: ({ route }) => [`route:${String(route)}`],
  });
  const config = await loadConfig({ PORT: '0', DATABASE_URL: await postgres.freshDatabase() }, folder, {
    connectors: [
      defineConnector({
        source: 'office',
        transport: rest({ baseUrl: `http://127.0.0.1:${(source.address() as AddressInfo).port}` }),
        collections: { visits },
      }),
    ],
    auth: {
      issuers: [oidc({ issuer: office.url, audience: AUDIENCE })],
      keys: [machineKey({ name: 'operator', sha256: createHash('sha256').update(OPERATOR_KEY).digest('hex') })],
      session: (identity) =>
        identity.kind === 'key'
          ? { user: identity.name, scopes: 'every', isOperator: true }
          : { user: String(identity.claims['sub']), scopes: [`route:${String(identity.claims['route'])}`] },
    },
    requestsPerSecond: 10_000,
    requestBurst: 10_000,
    ...settings,
  });
  const gateway = await startGateway(config, { log: silentLog });
  await until('the first ingest is complete', async () =>
    (await gateway.progress()).every((one) => one.state === 'READY'),
  );
  return {
    url: gateway.url,
    rows,
    written,
    user: async (name, route, device = `tablet-of-${name}`) =>
      attackerWith(gateway.url, await office.token({ sub: name, route }), device),
    operator: () => attackerWith(gateway.url, OPERATOR_KEY, 'desk'),
    async stop() {
      await gateway.stop();
      await Promise.all([office.close(), new Promise((resolve) => source.close(resolve)), postgres.stop()]);
      rmSync(folder, { recursive: true });
    },
  };
}

const PUSH =
  'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results { status error { code message field } } } }';

function attackerWith(url: string, token: string, device: string): Attacker {
  const attacker: Attacker = {
    async ask(body, headers = {}) {
      const answer = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${token}`,
          'tidegate-device': device,
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await answer.text();
      const { data = null, errors = [] } = JSON.parse(text) as {
        data?: Answer['data'];
        errors?: readonly { readonly extensions: { readonly code: string } }[];
      };
      return { status: answer.status, headers: answer.headers, text, data, code: errors[0]?.extensions.code ?? null };
    },
    query: (query, variables = {}) => attacker.ask({ query, variables }),
    async push(change) {
      const whole = {
        changeId: `change-${(changes += 1)}`,
        collection: 'visits',
        id: 'V-7',
        kind: 'UPSERT',
        changedAt: new Date().toISOString(),
        ...change,
      };
      const { data, text } = await attacker.query(PUSH, { changes: [whole] });
      const pushed = data as { push?: { results: readonly PushedResult[] } } | null;
      const [result] = pushed?.push?.results ?? [];
      if (result === undefined) throw new Error(`expected a result, got ${text}`);
      return result;
    },
    async visits() {
      const { data } = await attacker.query('{ pull { changes { id kind version json } } }');
      const { changes: pulled } = (data as { pull: { changes: readonly Record<string, unknown>[] } }).pull;
      return Object.fromEntries(
        pulled.map(({ id, version, json }) => [String(id), { ...(json as object), version }] as const),
      );
    },
  };
  return attacker;
}
