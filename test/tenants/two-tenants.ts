import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { oidc } from '../../src/auth/auth.js';
import {
  collection,
  defineConnector,
  field,
  sharedSecret,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import { startGateway } from '../../src/server/app.js';
import { loadConfig, type Config } from '../../src/server/config.js';
import { AUDIENCE, openTokenOffice } from '../auth/token-office.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** The office of one tenant: its visits, which it names as the other one does. */
export interface Office {
  readonly url: string;
  readonly notes: Map<string, unknown>;
  /** Secret of its webhooks. */
  readonly secret: string;
  /** How often its list was read, and what was written. */
  readonly counts: { lists: number; writes: number };
  /** Its next write takes effect, and nobody is told. */
  loseNextAnswer(): void;
}

/** Somebody of a tenant, on a device or on none. */
export interface Person {
  /** The text of the answer, as it came. */
  ask(query: string, variables?: object, headers?: Readonly<Record<string, string>>): Promise<string>;
  readonly authorization: string;
}

export interface TwoTenants {
  readonly url: string;
  readonly config: Config;
  readonly north: Office;
  readonly south: Office;
  person(who: {
    readonly tenant: string;
    readonly user: string;
    readonly isOperator?: boolean;
    readonly readsEveryTenant?: boolean;
  }): Promise<Person>;
  /** Every row of the database that a tenant has, as text. */
  rowsOf(tenant: string): Promise<string>;
  stop(): Promise<void>;
}

/** Two tenants on one gateway, one Postgres, and an office each: sources, collections, users and devices have the same names. */
export async function startTwoTenants(): Promise<TwoTenants> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-two-tenants-'));
  const [issuer, postgres] = await Promise.all([openTokenOffice(), startTestPostgres()]);
  const [north, south] = [await openOffice('north'), await openOffice('south')];
  const databaseUrl = await postgres.freshDatabase();
  const config = await loadConfig({ PORT: '0', DATABASE_URL: databaseUrl }, folder, {
    tenants: [
      { id: 'north', connectors: [connectorOf(north.office)] },
      { id: 'south', connectors: [connectorOf(south.office)] },
    ],
    requestBurst: 10_000,
    requestsPerSecond: 10_000,
    hintWindowMs: 0,
    auth: {
      issuers: [oidc({ issuer: issuer.url, audience: AUDIENCE })],
      session: ({ claims }) => ({
        tenant: String(claims['tenant']),
        user: String(claims['sub']),
        scopes: 'every',
        isOperator: claims['isOperator'] === true,
        readsEveryTenant: claims['readsEveryTenant'] === true,
      }),
    },
  });
  const gateway = await startGateway(config, { log: silentLog });
  await until('both offices are read', async () => (await gateway.progress()).every(({ state }) => state === 'READY'));
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });

  return {
    url: gateway.url,
    config,
    north: north.office,
    south: south.office,
    async person({ user, ...claims }) {
      const authorization = `Bearer ${await issuer.token({ sub: user, ...claims })}`;
      return {
        authorization,
        async ask(query, variables = {}, headers = {}) {
          const answer = await fetch(`${gateway.url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization, ...headers },
            body: JSON.stringify({ query, variables }),
          });
          return `${answer.status} ${await answer.text()}`;
        },
      };
    },
    async rowsOf(tenant) {
      const { rows: tables } = await database.query<{ name: string }>(
        "select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'tenant' order by 1",
      );
      const texts = await Promise.all(
        [...tables.map(({ name }) => [name, 'tenant'] as const), ['tenant', 'id'] as const].map(async ([name, key]) => {
          const sql = `select json_agg(t order by t::text)::text as rows from ${name} t where ${key} = $1`;
          const { rows } = await database.query<{ rows: string }>(sql, [tenant]);
          return `${name} ${rows[0]?.rows}`;
        }),
      );
      return texts.join('\n');
    },
    async stop() {
      await gateway.stop();
      await database.end();
      await Promise.all([issuer.close(), postgres.stop(), north.close(), south.close()]);
      rmSync(folder, { recursive: true });
    },
  };
}

function connectorOf({ url, secret }: Office): ConnectorDefinition {
  return defineConnector({
    source: 'office',
    transport: rest({ baseUrl: url, timeout: '2s' }),
    webhook: { proof: sharedSecret({ header: 'X-Token', secret }), names: 'visits' },
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        policy: 'sourceWins',
        fields: { notes: field.string() },
        read: { list: get('/visits'), pollEvery: '1h' },
        write: { update: patch('/visits/{key}') },
      }),
    },
  });
}

async function openOffice(tenant: string): Promise<{ readonly office: Office; close(): Promise<void> }> {
  // A number is no text: that record is set aside.
  const notes = new Map<string, unknown>([
    ['V-1', `first note of ${tenant}`],
    ['V-2', `second note of ${tenant}`],
    [`V-${tenant}`, `own note of ${tenant}`],
    [`V-bad-${tenant}`, 5],
  ]);
  const counts = { lists: 0, writes: 0 };
  let losesAnswer = false;
  const server = createServer((request, response) => {
    const key = /^\/visits\/(.+)$/.exec(request.url ?? '')?.[1];
    response.setHeader('content-type', 'application/json');
    if (request.method === 'GET' && key === undefined) {
      counts.lists += 1;
      response.end(JSON.stringify([...notes].map(([id, text]) => ({ id, notes: text }))));
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { notes: text } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly notes: unknown };
      notes.set(key ?? '', text);
      counts.writes += 1;
      if (losesAnswer) request.socket.destroy();
      else response.end(JSON.stringify({ id: key, notes: text }));
      losesAnswer = false;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    office: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      notes,
      counts,
      secret: `the secret of webhooks of ${tenant}`,
      loseNextAnswer: () => void (losesAnswer = true),
    },
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}
