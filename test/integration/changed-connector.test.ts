import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { collection, defineConnector, deletesByScan, field } from '../../src/connectors/define.js';
import type { AnyCollectionDefinition } from '../../src/connectors/define.js';
import { basic, get, rest, type RestOptions } from '../../src/connectors/rest.js';
import type { Log } from '../../src/core/ports.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

// One real database, over which gateways with changed connectors are started one after the other.

interface Row {
  readonly id: string;
  readonly note: string;
  readonly size: string;
  readonly old: string | null;
}

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-changed-'));
const told: string[] = [];
const tell = (what: string, details?: object): void => void told.push(`${what} ${JSON.stringify(details ?? {})}`);
const log: Log = { debug: tell, info: tell, warn: tell, error: tell };
let postgres: TestPostgres;
let server: Server;
let baseUrl: string;
let url: string;
let database: pg.Client;
let gateway: Gateway | null = null;
let nurse: SyncDevice;
/** Rows as each user of the source sees them. */
let rowsOf: (user: string) => readonly Row[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  server = createServer((request, response) => {
    const [user = ''] = Buffer.from((request.headers.authorization ?? '').slice('Basic '.length), 'base64')
      .toString()
      .split(':');
    const rows = rowsOf(user);
    const key = /^\/visits\/(.+)$/.exec(request.url ?? '')?.[1];
    const answer = key === undefined ? rows : rows.find(({ id }) => id === decodeURIComponent(key));
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { message: 'there is none' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(async () => {
  url = await postgres.freshDatabase();
  database = new pg.Client({ connectionString: url });
  await database.connect();
  const rows = [1, 2, 3, 4, 5].map((n) => ({
    id: `V-${n}`,
    note: `note ${n}`,
    size: String(n),
    old: n === 5 ? null : 'x',
  }));
  rowsOf = () => rows;
  nurse = createSyncDevice('nurse', () => (gateway as Gateway).url);
  told.length = 0;
});

afterEach(async () => {
  await gateway?.stop();
  gateway = null;
  await database.end();
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

const FIELDS = { note: field.string(), size: field.string(), old: field.string() };

async function start(
  definition: Partial<AnyCollectionDefinition> = {},
  { auth, settings = {} }: { readonly auth?: RestOptions['auth']; readonly settings?: object } = {},
): Promise<void> {
  await gateway?.stop();
  gateway = null;
  const visits = {
    ...collection({
      type: 'Visit',
      key: 'id',
      fields: FIELDS,
      read: {
        list: get('/visits'),
        one: get('/visits/{key}'),
        pollEvery: '24h',
        deletes: deletesByScan({ every: '24h' }),
      },
    }),
    ...definition,
  };
  const transport = rest({ baseUrl, auth: auth ?? basic('clerk', 'first password') });
  const connectors = [defineConnector({ source: 'office', transport, collections: { visits } })];
  const config = await loadConfig({ PORT: '0', DATABASE_URL: url }, folder, { connectors, ...settings });
  gateway = await startGateway(config, { log });
}

interface Kept {
  readonly read_as: string;
  readonly proven_as: string;
  readonly shape: string;
  readonly state: string;
}

async function kept(): Promise<Kept | undefined> {
  const { rows } = await database.query<Kept>(
    "select read_as, proven_as, shape, state from collection where name = 'visits'",
  );
  return rows[0];
}

/** The first load, by the connector as it is first. */
async function startFirst(definition: Partial<AnyCollectionDefinition> = {}): Promise<void> {
  await start(definition);
  await until('the first load is complete', async () => (await kept())?.state === 'READY');
  expect(await nurse.pull()).toHaveLength(5);
}

/** Starts with another connector and waits until everything was read again. */
async function startOther(...other: Parameters<typeof start>): Promise<void> {
  const before = await kept();
  await start(...other);
  await until('everything is read again', async () => (await kept())?.read_as !== before?.read_as);
}

const json = (id: string): unknown => nurse.held('visits', id).json;

test('R17: a connector that only says the same in another way sends nothing to devices, and new ones get the new form', async () => {
  await startFirst();
  await startOther({
    fields: { size: field.string(), added: field.int(), old: field.string(), note: field.string() },
    map: ({ note, size, old }: Row) => ({ note: `${note}`, size, old, added: null }),
  });
  expect(await nurse.pull()).toEqual([]);
  const other = createSyncDevice('other', () => (gateway as Gateway).url);
  await other.pull();
  expect(JSON.stringify(other.held('visits', 'V-5').json)).toBe('{"size":"5","added":null,"old":null,"note":"note 5"}');
  expect(told.filter((line) => line.startsWith('a field changed'))).toEqual([
    expect.stringContaining('"field":"added","says":"new (int): devices get the records that have a value"'),
  ]);
  expect(told.join()).toContain(
    'is read in another way than at the last start {"tenant":"default","collection":"visits"',
  );
});

test('a field that goes, and one of another type: devices get what really changed, and the log says which and why', async () => {
  await startFirst();
  rowsOf = (
    (rows) => () =>
      rows.map((row) => (row.id === 'V-4' ? { ...row, size: 'large' } : row))
  )(rowsOf(''));
  await startOther({
    fields: { note: field.string(), size: field.int() },
    map: ({ note, size }: Row) => ({ note, size: size === 'large' ? size : Number(size) }),
  });
  expect((await nurse.pull()).map(({ id }) => id)).toEqual(['V-1', 'V-2', 'V-3', 'V-5']);
  expect(json('V-5')).toEqual({ note: 'note 5', size: 5 });
  // It does not fit: its last good state stays.
  expect(json('V-4')).toMatchObject({ note: 'note 4', size: '4' });
  const { rows } = await database.query("select source_key, field from quarantine where collection = 'visits'");
  expect(rows).toEqual([{ source_key: 'V-4', field: 'size' }]);
  expect(told.filter((line) => line.startsWith('a field changed'))).toEqual([
    expect.stringContaining(
      '"collection":"visits","field":"size","says":"was string, is int: devices get what is read otherwise now',
    ),
    expect.stringContaining(
      '"field":"old","says":"no longer declared (it was string): devices get records again without it',
    ),
  ]);
});

test('R4: another scope rule moves the records whose scopes differ, and no others', async () => {
  await startFirst({ scopes: ({ note }: { note: string }) => [note.endsWith('1') ? 'mine' : 'theirs'] });
  await startOther({ scopes: ({ note }: { note: string }) => [note.endsWith('2') ? 'mine' : 'theirs'] });
  expect((await nurse.pull()).map(({ id }) => id)).toEqual(['V-1', 'V-2']);
  const { rows } = await database.query(
    'select r.id from membership m join record r using (record_no) where m.scope = $1 and not m."left"',
    ['mine'],
  );
  expect(rows).toEqual([{ id: 'V-2' }]);
});

test('the same connector again reads nothing anew and says nothing; another password is the same reader', async () => {
  await startFirst();
  await start({}, { auth: basic('clerk', 'second password') });
  expect(told.join()).not.toContain('in another way');
});

test('F20: other keys are refused at start, by collection, until they are accepted', async () => {
  await startFirst();
  const rekeyed = { keyForm: { case: 'lower' } } as const;
  await expect(start(rekeyed)).rejects.toThrow(
    'connector office: visits: expected key and keyForm as at the last start, got others',
  );
  await expect(start(rekeyed, { settings: { acceptNewKeys: ['cars'] } })).rejects.toThrow(
    'acceptNewKeys: expected some of visits, got "cars"',
  );
  await startOther(rekeyed, { settings: { acceptNewKeys: ['visits'] } });
  // Under the new ids they are there; what was known under the old ones is the operator's to let go.
  expect((await nurse.pull()).map(({ id, kind }) => `${kind} ${id}`)).toEqual(
    [1, 2, 3, 4, 5].map((n) => `UPSERT v-${n}`),
  );
  expect((await kept())?.state).toBe('HELD');
  await allow(5);
  await until('the old ones are gone', async () => (await nurse.pull()).length > 0 || nurse.records.size === 5);
  expect([...nurse.records.keys()].every((name) => name.startsWith('visits v-'))).toBe(true);
  await until('the new keys are in force', async () => (await kept())?.shape.includes('lower') === true);
  // From then on they are as at the last start.
  await start(rekeyed);
});

test('R14: what other credentials do not show is held, however little it is, until an operator allows it', async () => {
  await startFirst();
  rowsOf = ((rows) => (user: string) => (user === 'trainee' ? rows.slice(0, 4) : rows))(rowsOf(''));
  await startOther({}, { auth: basic('trainee', 'first password') });
  expect(await nurse.pull()).toEqual([]);
  expect((await kept())?.state).toBe('HELD');
  expect(told.join()).toContain(
    'deletions are held: the collection is read in another way than what is known of it was',
  );
  await allow(1);
  await until('it is let go', async () =>
    (await nurse.pull()).some(({ id, kind }) => id === 'V-5' && kind === 'DELETE'),
  );
  await until('the hold is over', async () => (await kept())?.state === 'READY');
});

test('R14: other credentials that show no less end the doubt by themselves, and keep no secret', async () => {
  await startFirst();
  const before = await kept();
  await startOther({}, { auth: basic('head clerk', 'first password') });
  await until('the new set is in force', async () => (await kept())?.proven_as !== before?.proven_as);
  expect((await kept())?.state).toBe('READY');
  expect(await nurse.pull()).toEqual([]);
  const { rows } = await database.query<{ text: string }>('select row_to_json(c)::text as text from collection c');
  for (const { text } of rows) expect(text).not.toMatch(/clerk|password/);
});

async function allow(upTo: number): Promise<void> {
  const query = `mutation { allowDeletions(collection: "visits", upTo: ${upTo}) { state } }`;
  const answer = await fetch(new URL('/graphql', (gateway as Gateway).url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  expect(await answer.json()).toMatchObject({ data: { allowDeletions: {} } });
}
