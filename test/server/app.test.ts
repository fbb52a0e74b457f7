import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { collection, defineConnector, deletesByScan, field, hmac } from '../../src/connectors/define.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { listenForHints } from '../support/hint-listener.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** A system of two visits that counts how often its list is read. */
interface VisitSystem {
  readonly url: string;
  readonly lists: () => number;
  change(id: string, notes: string | null): void;
  stop(): Promise<void>;
}

let postgres: TestPostgres;
let system: VisitSystem;
let gateway: Gateway;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-app-'));

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startVisitSystem();
  const config = await loadConfig({ PORT: '0', DATABASE_URL: await postgres.freshDatabase() }, folder, {
    connectors: [visitsOf(system.url)],
    patienceMs: 200,
  });
  gateway = await startGateway(config, { log: silentLog });
  await until('the first ingest is complete', async () =>
    (await gateway.progress()).every((one) => one.state === 'READY'),
  );
});

afterAll(async () => {
  await gateway.stop();
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

test('a gateway tells what it serves, that it is ready, and how its collections are', async () => {
  expect(gateway.collections.map(({ name }) => name)).toEqual(['visits']);
  expect(await gateway.progress()).toEqual([{ tenant: 'default', name: 'visits', state: 'READY', recordCount: 2 }]);
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  const metrics = await metricsOf(gateway);
  expect(metrics).toContain('tidegate_collection_records{tenant="default",collection="visits"} 2');
  expect(metrics).toMatch(/^tidegate_source_clock_skew_seconds\{tenant="default",collection="visits"\} -?\d/m);
});

test('a signed webhook makes the poll of its source come at once, or reads the record that it names; a forged one does nothing', async () => {
  const device = listenForHints(gateway.url, 'tablet');
  await untilListening();
  const before = system.lists();
  expect((await hook('{}', 'nobody')).status).toBe(404);
  expect((await hook('{}', 'office', 'another secret of whomever')).status).toBe(401);
  system.change('V-2', 'named');
  expect((await hook('{"key":"V-2"}')).status).toBe(202);
  await until('the record is read', async () => (await notes())['V-2'] === 'named');
  expect(system.lists()).toBe(before);
  system.change('V-2', null);
  expect((await hook('{}')).status).toBe(202);
  await until('the list is read', async () => (await notes())['V-2'] === null);
  expect(system.lists()).toBe(before + 1);
  const metrics = await metricsOf(gateway);
  expect(metrics).toContain('tidegate_webhooks_total{tenant="default",source="office",outcome="accepted"} 2');
  expect(metrics).toContain('tidegate_webhooks_total{tenant="default",source="office",outcome="forged"} 1');
  await until('the hints of both changes have left', async () =>
    /^tidegate_hint_delay_seconds_count 2$/m.test(await metricsOf(gateway)),
  );
  await device.stop();
  expect(metrics).toContain('tidegate_sockets_slow_total 0');
});

test('R6: pull answers from the store while sources are down, and R10: a push is accepted', async () => {
  await system.stop();
  const { pull } = await ask('{ pull { changes { id json } complete } }');
  expect(pull.complete).toBe(true);
  expect(pull.changes).toEqual([
    { id: 'V-1', json: { notes: 'bring the scale' } },
    { id: 'V-2', json: { notes: null } },
  ]);
  const { push } = await ask(
    `mutation { push(changes: [{ changeId: "c1", collection: "visits", id: "V-2", kind: UPSERT,
      baseVersion: "${await versionOf('V-2')}", changedAt: "2026-01-01T08:00:00Z",
      json: { notes: "rang twice" } }]) { results { status error { code } } } }`,
  );
  expect(push.results).toEqual([{ status: 'ACCEPTED', error: null }]);
});

test('a gateway stops once, however often it is asked to, and its port is free then; who listens is sent elsewhere, and hears of no end of its hints', async () => {
  const device = createClient({
    url: gateway.url.replace('http', 'ws') + '/graphql',
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const hint = device.iterate({ query: 'subscription { hints { at } }' }).next();
  // An end would be one that clients do not come back from.
  const sentAway = expect(hint).rejects.toMatchObject({ code: 1001 });
  await untilListening();
  await Promise.all([gateway.stop(), gateway.stop()]);
  await sentAway;
  await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
});

async function untilListening(): Promise<void> {
  await until('a device listens', async () => /^tidegate_hint_listeners 1$/m.test(await metricsOf(gateway)));
}

async function metricsOf({ url }: Gateway): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** What these tests look at of an answer. */
interface Answered {
  readonly pull: { readonly changes: unknown; readonly complete: boolean; readonly epoch: string };
  readonly push: { readonly results: unknown };
}

async function ask(query: string): Promise<Answered> {
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'tidegate-device': 'phone' },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await answer.json()) as { data: Answered; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

const SECRET = 'a secret of sixteen bytes or more';

function hook(body: string, source = 'office', secret = SECRET): Promise<Response> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return fetch(`${gateway.url}/webhooks/${source}`, {
    method: 'POST',
    body,
    headers: { 'x-office-signature': signature },
  });
}

async function notes(): Promise<Readonly<Record<string, unknown>>> {
  const { pull } = await ask('{ pull { changes { id json } complete } }');
  const changes = pull.changes as readonly { readonly id: string; readonly json: { readonly notes: unknown } }[];
  return Object.fromEntries(changes.map(({ id, json }) => [id, json.notes]));
}

async function versionOf(id: string): Promise<string> {
  const { pull } = await ask('{ pull { changes { id version } } }');
  const changes = pull.changes as readonly { readonly id: string; readonly version: string }[];
  return changes.find((change) => change.id === id)?.version ?? '';
}

function visitsOf(baseUrl: string) {
  return defineConnector({
    source: 'office',
    webhook: {
      proof: hmac({ header: 'X-Office-Signature', secret: SECRET }),
      names: ({ body }) => ({ collection: 'visits', ...(body as { readonly key?: string }) }),
    },
    transport: rest({ baseUrl, timeout: '500ms', connectTimeout: '500ms' }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        read: {
          list: get('/visits'),
          one: get('/visits/{key}'),
          deletes: deletesByScan({ every: '1d' }),
          pollEvery: '1h',
        },
        write: { update: patch('/visits/{key}') },
        fields: { notes: field.string() },
      }),
    },
  });
}

async function startVisitSystem(): Promise<VisitSystem> {
  const visits: { readonly id: string; notes: string | null }[] = [
    { id: 'V-1', notes: 'bring the scale' },
    { id: 'V-2', notes: null },
  ];
  let lists = 0;
  const server: Server = createServer((request, response) => {
    const one = visits.find(({ id }) => request.url === `/visits/${id}`);
    if (request.url === '/visits') lists += 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(one ?? visits));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lists: () => lists,
    change(id, text) {
      for (const visit of visits) if (visit.id === id) visit.notes = text;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
