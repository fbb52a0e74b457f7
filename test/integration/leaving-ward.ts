import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { oidc } from '../../src/auth/auth.js';
import { collection, defineConnector, deletesByScan, field } from '../../src/connectors/define.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { systemClock } from '../../src/server/clock.js';
import { loadConfig } from '../../src/server/config.js';
import { AUDIENCE, openTokenOffice } from '../auth/token-office.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

const DAY_MS = 86_400_000;

/** What a gateway answers over HTTP. */
export interface Answer {
  readonly status: number;
  readonly body: {
    readonly data?: Readonly<Record<string, unknown>> | null;
    readonly errors?: readonly {
      readonly message: string;
      readonly extensions: { readonly code: string };
    }[];
  };
}

/** A ward whose people and devices come and go: a source, a Postgres, and a gateway whose clock can be days ahead. */
export interface LeavingWard {
  readonly url: () => string;
  readonly database: pg.Pool;
  /** Of the source, by id. */
  readonly notes: Map<string, string>;
  /** Bodies of the writes that the source took. */
  readonly writes: string[];
  /** The source takes a write and answers nobody. */
  loseAnswers(does: boolean): void;
  token(user: string, isOperator?: boolean): Promise<string>;
  ask(query: string, variables: object, who: { readonly user: string; readonly device?: string }): Promise<Answer>;
  asOperator(query: string, variables?: object): Promise<Answer>;
  /** The gateway is started anew, so many days later. */
  later(days: number): Promise<void>;
  untilRead(): Promise<void>;
  stop(): Promise<void>;
}

export async function openLeavingWard(): Promise<LeavingWard> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-leaving-'));
  const [office, postgres] = await Promise.all([openTokenOffice(), startTestPostgres()]);
  const notes = new Map([
    ['V-1', 'first note'],
    ['V-2', 'second note'],
    ['V-3', 'third note'],
  ]);
  const writes: string[] = [];
  let losesAnswers = false;
  const source = createServer((request, response) => {
    const id = decodeURIComponent((request.url ?? '').split('/')[2] ?? '');
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const recordOf = (key: string) => ({ id: key, notes: notes.get(key) });
    if (request.method === 'GET') {
      if (id === '') answer(200, [...notes.keys()].map(recordOf));
      else if (notes.has(id)) answer(200, recordOf(id));
      else answer(404, {});
      return;
    }
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      writes.push(text);
      if (losesAnswers) {
        request.socket.destroy();
        return;
      }
      notes.set(id, (JSON.parse(text) as { notes: string }).notes);
      answer(200, recordOf(id));
    });
  });
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
  const databaseUrl = await postgres.freshDatabase();
  const visits = collection({
    type: 'Visit',
    key: 'id',
    policy: 'sourceWins',
    fields: { notes: field.string() },
    read: {
      list: get('/visits'),
      one: get('/visits/{key}'),
      deletes: deletesByScan({ every: '1d' }),
      pollEvery: '1h',
    },
    write: { update: patch('/visits/{key}') },
  });
  const config = await loadConfig({ PORT: '0', DATABASE_URL: databaseUrl }, folder, {
    connectors: [
      defineConnector({ source: 'ward', transport: rest({ baseUrl, timeout: '2s' }), collections: { visits } }),
    ],
    hintWindowMs: 0,
    auth: {
      issuers: [oidc({ issuer: office.url, audience: AUDIENCE, maxAgeMs: 300 * DAY_MS })],
      session: ({ claims }) => ({
        user: String(claims['sub']),
        scopes: 'every',
        isOperator: claims['isOperator'] === true,
      }),
    },
  });
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const start = (): Promise<Gateway> => startGateway(config, { log: silentLog, clock });
  let gateway = await start();
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const token = (user: string, isOperator = false): Promise<string> =>
    office.token({ sub: user, isOperator }, { nowMs: systemClock.nowMs() + aheadMs });
  const untilRead = (): Promise<void> =>
    until('the source is read', async () => (await gateway.progress()).every(({ state }) => state === 'READY'));
  await untilRead();

  async function post(query: string, variables: object, authorization: string, device?: string): Promise<Answer> {
    const answer = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${authorization}`,
        ...(device === undefined ? {} : { 'tidegate-device': device }),
      },
      body: JSON.stringify({ query, variables }),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  }

  return {
    url: () => gateway.url,
    database,
    notes,
    writes,
    loseAnswers: (does) => void (losesAnswers = does),
    token,
    ask: async (query, variables, { user, device }) => post(query, variables, await token(user), device),
    asOperator: async (query, variables = {}) => post(query, variables, await token('office', true)),
    async later(days) {
      await gateway.stop();
      aheadMs += days * DAY_MS;
      gateway = await start();
      await untilRead();
      // What the first look after age does is done beside the requests.
      await until('silent devices are evicted', async () => {
        const text = 'select 1 from device where not evicted and revoked_at is null and $1 > 0';
        return (await database.query(text, [days])).rows.length === 0;
      });
    },
    untilRead,
    async stop() {
      await gateway.stop();
      await database.end();
      await new Promise((resolve) => source.close(resolve));
      await Promise.all([office.close(), postgres.stop()]);
      rmSync(folder, { recursive: true });
    },
  };
}
