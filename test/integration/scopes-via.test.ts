import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { collection, collectionsOf, defineConnector, field, via } from '../../src/connectors/define.js';
import type { AnyCollectionDefinition, ConnectorDefinition } from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import type { Change } from '../../src/core/change.js';
import { fullShape } from '../../src/core/shape.js';
import type { Store } from '../../src/core/store-port.js';
import { createPull, type Pull } from '../../src/pull/pull.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { systemClock } from '../../src/server/clock.js';
import { loadConfig } from '../../src/server/config.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { priming } from '../pull/priming.js';

// A real HTTP source of patients, their visits and notes on these; a real database; nurses who see one ward each.

type Row = Readonly<Record<string, string>>;
type Name = 'patients' | 'visits' | 'notes';

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-via-'));
let postgres: TestPostgres;
let server: Server;
let baseUrl: string;
let url: string;
let rows: Record<Name, Row[]>;
let gateway: Gateway | null = null;
let store: Store;

beforeAll(async () => {
  postgres = await startTestPostgres();
  server = createServer((request, response) => {
    const [, name = '', key] = (request.url ?? '').split('/');
    const list = rows[name as Name];
    const answer = key === undefined ? list : list.find(({ id }) => id === key);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(async () => {
  url = await postgres.freshDatabase();
  store = await openStore({ url, clock: systemClock, log: silentLog });
  rows = {
    patients: [
      { id: 'p1', name: 'Ida', ward: 'A' },
      { id: 'p2', name: 'Max', ward: 'B' },
    ],
    visits: [
      { id: 'v1', text: 'wash', patient: 'p1' },
      { id: 'v2', text: 'feed', patient: 'p2' },
      { id: 'v3', text: 'walk', patient: 'p9' },
    ],
    notes: [
      { id: 'n1', text: 'well', visit: 'v1' },
      { id: 'n2', text: 'ill', visit: 'v2' },
    ],
  };
});

afterEach(async () => {
  await gateway?.stop();
  gateway = null;
  await store.close();
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

const read = (name: Name) => ({ list: get(`/${name}`), one: get(`/${name}/{key}`), pollEvery: '100ms' }) as const;

function wards(visitScopes: AnyCollectionDefinition['scopes'] = via('patient')): ConnectorDefinition {
  const patients = collection({
    ...{ type: 'Patient', key: 'id', fields: { name: field.string(), ward: field.string() } },
    scopes: ({ ward }) => [`ward:${ward}`],
    read: read('patients'),
  });
  const visits = collection({
    ...{ type: 'Visit', key: 'id', fields: { text: field.string(), patient: field.reference('patients') } },
    read: read('visits'),
  });
  const notes = collection({
    ...{ type: 'Note', key: 'id', fields: { text: field.string(), visit: field.reference('visits') } },
    scopes: via('visit'),
    read: read('notes'),
  });
  const scoped = { ...visits, ...(visitScopes === undefined ? {} : { scopes: visitScopes }) };
  const collections = { notes, visits: scoped, patients };
  return defineConnector({ source: 'office', transport: rest({ baseUrl }), collections });
}

async function start(connector: ConnectorDefinition = wards()): Promise<void> {
  await gateway?.stop();
  const config = await loadConfig({ PORT: '0', DATABASE_URL: url }, folder, { connectors: [connector] });
  gateway = await startGateway(config, { log: silentLog });
}

/** A nurse's phone: `visits v1`, sorted. */
async function nurseOf(...wardNames: readonly string[]) {
  const shape = fullShape(['patients', 'visits', 'notes']);
  const grant = { kind: 'listed', scopes: wardNames.map((ward) => `ward:${ward}`) } as const;
  const session = { tenant: 'default', user: `nurse of ${wardNames.join()}`, device: 'phone', grant };
  const pull: Pull = await createPull({ store, collections: collectionsOf(wards()), readPriming: priming(store) });
  const held = new Set<string>();
  const said: string[] = [];
  let since: string | null = null;
  return {
    said,
    async pull(): Promise<readonly string[]> {
      for (let hasMore = true; hasMore;) {
        const page = await pull(session, { since, collections: null, limit: 2, shape });
        const text = page.texts.map((bytes) => Buffer.from(bytes).toString()).join(',');
        for (const { kind, collection: name, id } of JSON.parse(`[${text}]`) as Change[]) {
          said.push(`${kind} ${name} ${id}`);
          if (kind === 'UPSERT') held.add(`${name} ${id}`);
          else held.delete(`${name} ${id}`);
        }
        ({ checkpoint: since, hasMore } = page);
      }
      return [...held].sort();
    },
  };
}

const put = (name: Name, id: string, fields: Row): void => {
  rows[name] = [...rows[name].filter((row) => row['id'] !== id), { id, ...fields }];
};

test('R4: visits, and notes on them, are where their patient is, and go with her in one step', async () => {
  await start();
  const [a, b] = [await nurseOf('A'), await nurseOf('B')];
  await until('ward A has everything', async () => (await a.pull()).length === 3);
  expect(await a.pull()).toEqual(['notes n1', 'patients p1', 'visits v1']);
  await until('ward B has everything', async () => (await b.pull()).length === 3);
  put('patients', 'p1', { name: 'Ida', ward: 'B' });
  // Whoever still has the patient has all that hangs on her, and whoever lost her has nothing of it.
  const steps = new Set<number>();
  await until('the patient is in ward B', async () => {
    steps.add((await a.pull()).length);
    return (await b.pull()).length === 6;
  });
  expect(await a.pull()).toEqual([]);
  expect([...steps].filter((size) => size !== 0 && size !== 3)).toEqual([]);
  expect(a.said.slice(-3).sort()).toEqual(['REVOKE notes n1', 'REVOKE patients p1', 'REVOKE visits v1']);
});

test("R4: a visit whose patient comes later is nobody's until then; one that changes its patient changes wards", async () => {
  await start();
  const a = await nurseOf('A');
  await until('ward A has everything', async () => (await a.pull()).length === 3);
  put('patients', 'p9', { name: 'Eva', ward: 'A' });
  await until('the patient brings her visit', async () => (await a.pull()).includes('visits v3'));
  put('visits', 'v2', { text: 'feed', patient: 'p9' });
  await until('the visit brings its note', async () => (await a.pull()).includes('notes n2'));
  put('visits', 'v1', { text: 'wash', patient: 'p2' });
  await until('the visit is gone, and its note', async () => (await a.pull()).length === 5);
  expect(await a.pull()).toEqual(['notes n2', 'patients p1', 'patients p9', 'visits v2', 'visits v3']);
});

test('R4: what had scopes of its own is read again when they are declared to come from its patient', async () => {
  await start(wards(() => ['ward:A']));
  const a = await nurseOf('A');
  await until('ward A has all visits', async () => (await a.pull()).length === 6);
  await start();
  await until('visits went to their patients', async () => (await a.pull()).length === 3);
  expect(await a.pull()).toEqual(['notes n1', 'patients p1', 'visits v1']);
});
