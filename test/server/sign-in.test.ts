import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { machineKey, oidc } from '../../src/auth/auth.js';
import { collection, defineConnector, deletesByScan, field } from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import type { Store } from '../../src/core/store-port.js';
import { AUDIENCE, openTokenOffice, type TokenOffice } from '../auth/token-office.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let office: TokenOffice;
let postgres: TestPostgres;
let source: Server;
let gateway: Gateway;
/** What each read of a page waits for once it is open. */
let pageOpened = (): Promise<void> => Promise.resolve();
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-sign-in-'));
const KEY = 'a-key-of-forty-characters-or-thereabouts';
const VISITS = [
  { id: 'V-7', route: '7', notes: 'bring the scale' },
  { id: 'V-9', route: '9', notes: 'a dog' },
];

beforeAll(async () => {
  office = await openTokenOffice();
  postgres = await startTestPostgres();
  source = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(VISITS)),
  );
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
  const visits = collection({
    type: 'Visit',
    key: 'id',
    read: { list: get('/'), deletes: deletesByScan({ every: '1d' }), pollEvery: '1h' },
    fields: { notes: field.string(), route: field.string({ required: true }) },
    scopes: ({ route }) => [`route:${String(route)}`],
  });
  const config = await loadConfig({ PORT: '0', DATABASE_URL: await postgres.freshDatabase() }, folder, {
    connectors: [defineConnector({ source: 'office', transport: rest({ baseUrl }), collections: { visits } })],
    auth: {
      issuers: [oidc({ issuer: office.url, audience: AUDIENCE })],
      keys: [machineKey({ name: 'prometheus', sha256: createHash('sha256').update(KEY).digest('hex') })],
      session: (identity) => {
        if (identity.kind === 'key') return { user: identity.name, scopes: [], isOperator: true };
        const { sub, route } = identity.claims;
        return { user: String(sub), scopes: [`route:${String(route)}`] };
      },
    },
  });
  gateway = await startGateway(config, { log: silentLog, decorate: { store: lookedOnStore } });
  await until('the first ingest is complete', async () =>
    (await gateway.progress()).every((one) => one.state === 'READY'),
  );
});

afterAll(async () => {
  await gateway.stop();
  await office.close();
  await new Promise((resolve) => source.close(resolve));
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: {
    readonly data?: unknown;
    readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
  };
}

async function ask(query: string, token: string | null): Promise<Answer> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify({ query }),
  });
  const challenge = answer.headers.get('www-authenticate');
  return { status: answer.status, challenge, body: (await answer.json()) as Answer['body'] };
}

function lookedOnStore(store: Store): Store {
  return {
    ...store,
    snapshot: (tenant, read) =>
      store.snapshot(tenant, async (snapshot) => {
        await pageOpened();
        return await read(snapshot);
      }),
  };
}

const PULL = '{ pull { changes { id json } } }';

test('a user is served the records of its scopes, and another user those of others', async () => {
  const seen = async (route: string) =>
    (await ask(PULL, await office.token({ sub: `nurse-${route}`, route }))).body.data;
  expect(await seen('7')).toEqual({
    pull: { changes: [{ id: 'V-7', json: expect.objectContaining({ notes: 'bring the scale' }) }] },
  });
  expect(await seen('9')).toEqual({
    pull: { changes: [{ id: 'V-9', json: expect.objectContaining({ notes: 'a dog' }) }] },
  });
  expect(await seen('none')).toEqual({ pull: { changes: [] } });
});

test('nobody is served without a token, with a forged one, or with one that has ended', async () => {
  const forged = `${(await office.token()).slice(0, -4)}AAAA`;
  const ended = await office.token({}, { nowMs: Date.now() - 7_200_000 });
  for (const token of [null, forged, ended]) {
    const { status, challenge, body } = await ask(PULL, token);
    expect([status, body.errors?.[0]?.extensions.code, body.data]).toEqual([401, 'UNAUTHENTICATED', undefined]);
    expect(challenge).toBe('Bearer');
  }
});

test('attack 27: of a user who pulls eight times at once one page is read after the other, and of another user one beside them', async () => {
  const [flooder, nurse] = await Promise.all([
    office.token({ sub: 'flooder', route: '7' }),
    office.token({ route: '7' }),
  ]);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let opened = 0;
  pageOpened = async () => {
    opened += 1;
    if (opened === 1) await released;
  };
  const flood = Array.from({ length: 8 }, () => ask(PULL, flooder));
  try {
    await until('the first page of the flood is being read', async () => opened > 0);
    expect((await ask(PULL, nurse)).status).toBe(200);
    expect(opened).toBe(2);
  } finally {
    release();
  }
  expect((await Promise.all(flood)).map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  expect(opened).toBe(9);
});

test('users are no operators, and are not told the schema', async () => {
  const token = await office.token({ route: '7' });
  const outbox = await ask('{ outboxCounts { __typename } }', token);
  expect(outbox.body.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  const schema = await ask('{ __schema { types { name } } }', token);
  expect([schema.status, schema.body.data]).toEqual([400, undefined]);
  const typo = await ask('{ pul { changes { id } } }', token);
  expect(JSON.stringify(typo.body)).not.toContain('Did you mean');
});

test('metrics are for operators, and no page tells strangers what is served', async () => {
  const metrics = async (token: string) =>
    (await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect((await fetch(`${gateway.url}/metrics`)).status).toBe(401);
  expect(await metrics(await office.token({ route: '7' }))).toBe(403);
  expect(await metrics(KEY)).toBe(200);
  for (const page of ['/', '/explorer']) expect((await fetch(`${gateway.url}${page}`)).status).toBe(404);
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
});

test('over graphql-ws the same token signs in', async () => {
  const listen = (authorization: string) => {
    const url = `${gateway.url.replace('http', 'ws')}/graphql`;
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization },
    });
    return client.iterate({ query: PULL });
  };
  const { value } = await listen(`Bearer ${await office.token({ route: '9' })}`).next();
  expect(value).toMatchObject({ data: { pull: { changes: [{ id: 'V-9' }] } } });
  await expect(listen('Bearer x').next()).rejects.toMatchObject({ code: 4401 });
});
