import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, type Dirent } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { Log } from '../../src/core/ports.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { startWardSystem, ward, type WardSystem } from './ward-system.js';

const SEALING_KEY = `k1:${randomBytes(32).toString('base64')}`;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-metadata-'));
let postgres: TestPostgres;
let system: WardSystem;
let databaseUrl: string;
let gateway: Gateway;
const lines: string[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startWardSystem();
  databaseUrl = await postgres.freshDatabase();
  system.edit('10', { name: 'CANARY-anna', note: 'CANARY-asthma', ward: 'A' });
  system.edit('11', { name: 'CANARY-bert', note: 'CANARY-burns', ward: 'B', isolated: true });
  gateway = await start();
});

afterAll(async () => {
  await gateway.stop();
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

test('F29, attack 35: bodies are read live, and no planted value rests in the database or the log after ingest and pull', async () => {
  const page = await pull(null);
  expect(page.changes).toEqual([
    upsert('10', { name: 'CANARY-anna', note: 'CANARY-asthma', isolated: false, ward: 'A' }),
    upsert('11', { name: 'CANARY-bert', note: 'CANARY-burns', isolated: true, ward: 'B' }),
  ]);
  expect(page).toMatchObject({ hasMore: false, complete: true });
  await expectNoCanary();
});

test('F29, attack 35: an applied, a refused, a conflicting, a misfitting and a parked change leave no value behind', async () => {
  const { changes } = await pull(null);
  const base = changes[0]?.version ?? '';
  expect(await push('applied', '10', base, { note: 'CANARY-applied' })).toMatchObject({
    status: 'APPLIED',
    error: null,
  });
  expect(system.patients.get('10')?.note).toBe('CANARY-applied');
  await expectNoCanary();

  system.writes = 'refuses';
  const refused = await push('refused', '11', changes[1]?.version ?? '', { note: 'CANARY-refused' });
  expect(refused).toMatchObject({ status: 'REJECTED', error: { code: 'SOURCE_REFUSED', field: 'note' } });
  expect(JSON.stringify(refused)).not.toContain('CANARY');
  await expectNoCanary();

  system.writes = 'takes';
  system.edit('10', { note: 'CANARY-office' });
  const clash = await push('clash', '10', base, { note: 'CANARY-mine' });
  expect(clash).toMatchObject({ status: 'CONFLICT', error: { code: 'CONFLICT' } });
  await expectNoCanary();

  const misfit = await push('misfit', '10', base, { isolated: 'CANARY-no-boolean' });
  expect(misfit).toMatchObject({ status: 'REJECTED', error: { code: 'VALIDATION' } });
  const moved = await push('moved', '10', base, { ward: 'CANARY-ward' });
  expect(moved).toMatchObject({ status: 'REJECTED', error: { code: 'VALIDATION', field: 'ward' } });
  await expectNoCanary();

  system.writes = 'fails';
  const lost = { name: 'CANARY-carl', note: 'CANARY-croup', ward: 'A' };
  await push('lost', '6f1c7a4e-8d0b-4c59-9d5e-0c6f6a7b8c9d', null, lost);
  system.writes = 'takes';
  await until('the create is parked', async () => (await outbox())[0]?.state === 'PARKED');
  const [parked] = await outbox();
  // Sealed in the store, open for its operator.
  expect(parked?.fields).toEqual(lost);
  expect(await rowsOf('intent')).toEqual([expect.stringContaining('sealed')]);
  await expectNoCanary();
  expect((await post(rejectionOf(parked?.intentNo))).status).toBe(200);
  expect(await rowsOf('intent')).toEqual([]);
  await expectNoCanary();
});

test('F29, attack 34: a request that is none leaves no value in the log', async () => {
  const faults = [
    '{"query": "CANARY-json',
    JSON.stringify({ query: '{ pull(since: "CANARY-checkpoint") { epoch } }' }),
    JSON.stringify({ query: '{ CANARY-syntax }' }),
    JSON.stringify({
      query: 'mutation ($c: [ChangeInput!]!) { push(changes: $c) { epoch } }',
      variables: { c: 'CANARY-c' },
    }),
  ];
  for (const fault of faults) expect((await post(fault)).status).toBe(400);
  await expectNoCanary();
});

test('F29: while the source is down a pull says so per record and goes on; the records come again when it is back', async () => {
  const before = await pull(null);
  // Its source may be presumed down by now: then it is applied a little later.
  await push('waiting', '11', before.changes.find(({ id }) => id === '11')?.version ?? '', { note: 'CANARY-waits' });
  await until('the change is applied', async () => system.patients.get('11')?.note === 'CANARY-waits');
  system.isDown = true;
  const page = await pull(null);
  const unavailable = { code: 'SOURCE_UNAVAILABLE', retryable: true };
  expect(page.changes.map(({ id, json, unavailable: why }) => ({ id, json, why }))).toEqual([
    { id: '10', json: null, why: unavailable },
    { id: '11', json: null, why: unavailable },
  ]);
  expect(page).toMatchObject({ hasMore: false, complete: false });
  const kept = await push('offline', '10', page.changes[0]?.version ?? '', { note: 'CANARY-offline' });
  expect(kept).toMatchObject({ status: 'ACCEPTED' });
  expect(await rowsOf('intent')).toEqual([expect.stringContaining('sealed')]);
  await expectNoCanary();

  system.isDown = false;
  let since = page.checkpoint;
  const held = new Map<string, unknown>();
  await until('both bodies have come', async () => {
    const next = await pull(since);
    since = next.checkpoint;
    for (const { id, json } of next.changes) if (json !== null) held.set(id, json);
    return held.size === 2 && next.complete;
  });
  expect(held.get('11')).toMatchObject({ note: 'CANARY-waits' });
  await until('the waiting change is applied', async () => system.patients.get('10')?.note === 'CANARY-offline');
  await until('nothing is open', async () => (await outbox()).length === 0);
  await expectNoCanary();
  await expectNoCanaryOnDisk();
});

test('a restart with another first key goes on; without the old one, without any, or with storage changed it does not start', async () => {
  await gateway.stop();
  const other = `k2:${randomBytes(32).toString('base64')}`;
  await expect(start({ keys: undefined })).rejects.toThrow(
    /TIDEGATE_SEALING_KEYS: expected .* since patients has storage/,
  );
  await expect(start({ keys: other })).rejects.toThrow(/sealingKeys: expected the key "k1"/);
  await expect(start({ keys: SEALING_KEY, storage: 'snapshot' })).rejects.toThrow(
    /patients\.storage: expected "metadataOnly"/,
  );
  system.isDown = true;
  gateway = await start({ keys: SEALING_KEY });
  await until('no call is made any more', async () => {
    await pull(null);
    return (await (await fetch(`${gateway.url}/metrics`)).text()).includes(
      'tidegate_source_down{tenant="default",collection="patients"} 1',
    );
  });
  const [held] = (await pull(null)).changes;
  expect(await push('old-key', '10', held?.version ?? '', { note: 'CANARY-late' })).toMatchObject({
    status: 'ACCEPTED',
  });
  await gateway.stop();
  gateway = await start({ keys: `${other},${SEALING_KEY}` });
  await gateway.stop();
  // What seals changes is wrapped anew by then: the old key is not needed any more.
  system.isDown = false;
  gateway = await start({ keys: other });
  await until('the change is settled', async () => {
    const [open] = await outbox();
    // Whatever became of its call: nobody waits for the doubt to end.
    if (open !== undefined) await post(rejectionOf(open.intentNo));
    return open === undefined;
  });
  await until('nothing is owed', async () => (await rowsOf('owed_body')).length === 0);
  const [before] = (await pull(null)).changes;
  await gateway.stop();
  // No record looks changed.
  gateway = await start({ keys: other });
  expect((await pull(null)).changes[0]?.version).toBe(before?.version);
  await expectNoCanary();
});

interface Pulled {
  readonly id: string;
  readonly kind: string;
  readonly version: string;
  readonly json: unknown;
  readonly unavailable: unknown;
}

interface Page {
  readonly changes: readonly Pulled[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly complete: boolean;
}

interface Answered {
  readonly pull: Page;
  readonly push: { readonly results: readonly unknown[] };
  readonly outbox: { readonly changes: readonly { intentNo: string; state: string; fields: unknown }[] };
}

async function start(
  given: { readonly keys?: string | undefined; readonly storage?: 'snapshot' } = { keys: SEALING_KEY },
): Promise<Gateway> {
  const { keys, ...more } = given;
  const settings = {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    ...(keys === undefined ? {} : { TIDEGATE_SEALING_KEYS: keys }),
  };
  const config = await loadConfig(settings, folder, { connectors: [ward(system.url, more)], patienceMs: 5_000 });
  const started = await startGateway(config, { log: collectingLog() });
  await until('the first ingest is complete', async () =>
    (await started.progress()).every((one) => one.state === 'READY'),
  );
  return started;
}

function collectingLog(): Log {
  const take = (what: string, details?: object): void => void lines.push(`${what} ${JSON.stringify(details ?? {})}`);
  return { debug: take, info: take, warn: take, error: take };
}

function upsert(id: string, json: object): unknown {
  return { id, kind: 'UPSERT', version: expect.any(String) as unknown, json, unavailable: null };
}

async function pull(since: string | null): Promise<Page> {
  const given = since === null ? '' : `(since: "${since}")`;
  const fields = 'changes { id kind version json unavailable { code retryable } } checkpoint hasMore complete';
  return (await ask(`{ pull${given} { ${fields} } }`)).pull;
}

async function push(changeId: string, id: string, baseVersion: string | null, json: object): Promise<unknown> {
  const change = {
    changeId,
    collection: 'patients',
    id,
    kind: 'UPSERT',
    baseVersion,
    changedAt: '2026-01-01T08:00:00Z',
    json,
  };
  const mutation = `mutation ($changes: [ChangeInput!]!) {
    push(changes: $changes) { results { status error { code message field fields { field message } } conflict { yours } } }
  }`;
  return (await ask(mutation, { changes: [change] })).push.results[0];
}

async function outbox(): Promise<Answered['outbox']['changes']> {
  return (await ask('{ outbox { changes { intentNo state fields } } }')).outbox.changes;
}

function rejectionOf(intentNo: string | undefined): string {
  return JSON.stringify({
    query: `mutation { rejectChange(intentNo: "${intentNo}", reason: "nobody knows") { status } }`,
  });
}

function post(body: string): Promise<Response> {
  return fetch(`${gateway.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

async function ask(query: string, variables: object = {}): Promise<Answered> {
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'tidegate-device': 'tablet' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await answer.json()) as { data: Answered; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

/** Every row of every table, and every line of the log. */
async function expectNoCanary(): Promise<void> {
  const tables = await query<{ name: string }>(`select tablename as name from pg_tables where schemaname = 'public'`);
  const rows: string[] = [];
  for (const { name } of tables) rows.push(...(await rowsOf(name)).map((row) => `${name}: ${row}`));
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => row.includes('CANARY'))).toEqual([]);
  expect(lines.filter((line) => line.includes('CANARY'))).toEqual([]);
}

/** The database's own files: tables with what was overwritten in them, and its log. */
async function expectNoCanaryOnDisk(): Promise<void> {
  await query('checkpoint');
  const [row] = await query<{ data_directory: string }>('show data_directory');
  const files = readdirSync(row?.data_directory ?? '', { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  const bytesOf = (one: Dirent): Buffer => {
    try {
      return readFileSync(path.join(one.parentPath, one.name));
    } catch {
      // Gone since it was listed.
      return Buffer.alloc(0);
    }
  };
  const withScope = files.filter((one) => bytesOf(one).includes('ward:A'));
  expect(withScope.length).toBeGreaterThan(0);
  expect(files.filter((one) => bytesOf(one).includes('CANARY')).map(({ name }) => name)).toEqual([]);
}

async function rowsOf(table: string): Promise<readonly string[]> {
  return (await query<{ row: string }>(`select t::text as row from ${table} t`)).map(({ row }) => row);
}

async function query<Row extends object>(text: string): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
