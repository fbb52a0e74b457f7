import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { hashText } from '../../src/server/telemetry.js';
import { filesWith } from '../support/file-search.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { createWardClient } from './ward-client.js';
import { startWardSystem, ward, type WardSystem } from './ward-system.js';

const KEY = `k1:${randomBytes(32).toString('base64')}`;
const OTHER = `k2:${randomBytes(32).toString('base64')}`;
/** Kept as it is: what finds it would find the others. */
const CONTROL = 'CONTROL-anna';
const SEALED = ['note', 'isolated'];

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-sealed-'));
let postgres: TestPostgres;
let system: WardSystem;
let gateway: Gateway;
const client = createWardClient(() => gateway.url);

beforeAll(async () => {
  postgres = await startTestPostgres();
});
beforeEach(async () => {
  system = await startWardSystem();
  system.edit('10', { name: CONTROL, note: 'CANARY-asthma', isolated: true });
  system.edit('11', { name: 'Bert', note: 'CANARY-bürns 🚑', ward: 'B' });
});
afterEach(async () => {
  await gateway.stop();
  await system.stop();
});
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

test('F32, attack 35: what is read, pushed, refused, in conflict, parked and open is on no page of the data folder, and a plain value is', async () => {
  const dataFolder = path.join(folder, 'data');
  gateway = await start({ TIDEGATE_DATA: dataFolder });
  const { changes } = await client.pull();
  expect(changes.map(({ id, json }) => [id, json])).toEqual([
    ['10', { name: CONTROL, note: 'CANARY-asthma', isolated: true, ward: 'A' }],
    ['11', { name: 'Bert', note: 'CANARY-bürns 🚑', isolated: false, ward: 'B' }],
  ]);
  const [first, second] = changes.map(({ version }) => version) as [string, string];
  expect(await client.push('applied', '10', first, { note: 'CANARY-applied' })).toMatchObject({ status: 'APPLIED' });
  // Known again although what rests of it is encrypted.
  expect(await client.push('applied', '10', first, { note: 'CANARY-applied' })).toMatchObject({ status: 'APPLIED' });
  expect(await client.push('applied', '10', first, { note: 'other' })).toMatchObject({ error: { code: 'KEY_REUSED' } });

  system.writes = 'refuses';
  const refused = await client.push('refused', '11', second, { note: 'CANARY-refused' });
  expect(refused).toMatchObject({
    status: 'REJECTED',
    error: { message: expect.stringContaining('CANARY-refused') as string },
  });
  system.writes = 'takes';
  system.edit('10', { note: 'CANARY-office' });
  const clash = await client.push('clash', '10', first, { note: 'CANARY-mine' });
  expect(clash).toMatchObject({ status: 'CONFLICT', conflict: { yours: { note: 'CANARY-mine' } } });
  expect(await client.conflicts()).toEqual([{ changeId: 'clash', conflict: { yours: { note: 'CANARY-mine' } } }]);
  // Told again as it was told first, from what rests encrypted.
  expect(await client.push('refused', '11', second, { note: 'CANARY-refused' })).toEqual(refused);
  const { receipts } = await client.pull();
  expect(JSON.stringify(receipts)).toContain('CANARY-refused');

  system.writes = 'fails';
  await client.push('lost', '6f1c7a4e-8d0b-4c59-9d5e-0c6f6a7b8c9d', null, {
    name: 'Carl',
    note: 'CANARY-lost',
    ward: 'A',
  });
  await until('the create is parked', async () => (await client.outbox()).some(({ state }) => state === 'PARKED'));
  expect((await client.outbox())[0]?.fields).toEqual({ name: 'Carl', note: 'CANARY-lost', ward: 'A' });
  system.isDown = true;
  await client.push('waits', '11', second, { note: 'CANARY-waits' });
  const page = await client.pull();
  expect(page.changes.find(({ id }) => id === '11')?.json).toMatchObject({ note: 'CANARY-waits' });
  await gateway.stop();
  const database = path.join(dataFolder, 'postgres');
  expect(filesWith(database, [CONTROL]).length).toBeGreaterThan(1);
  expect(filesWith(database, ['CANARY'])).toEqual([]);
});

test('R17, F32: a restart, and another key, leave every version as it is; one row is wrapped anew', async () => {
  const url = await postgres.freshDatabase();
  gateway = await start({ DATABASE_URL: url });
  const before = await client.pull();
  const [wrapped, ...texts] = await restingIn(url);
  await gateway.stop();
  gateway = await start({ DATABASE_URL: url, TIDEGATE_SEALING_KEYS: `${OTHER},${KEY}` });
  await gateway.stop();
  gateway = await start({ DATABASE_URL: url, TIDEGATE_SEALING_KEYS: OTHER });
  await readAgain();
  expect((await client.pull()).changes).toEqual(before.changes);
  expect((await client.pull(before.checkpoint)).changes).toEqual([]);
  const [other, ...same] = await restingIn(url);
  expect(other).not.toEqual(wrapped);
  expect(same).toEqual(texts);
  await gateway.stop();
  await expect(start({ DATABASE_URL: url })).rejects.toThrow('sealingKeys: expected the key "k2"');
  await expect(start({ DATABASE_URL: url, TIDEGATE_SEALING_KEYS: '' })).rejects.toThrow(
    'TIDEGATE_SEALING_KEYS: expected <key id>:<32 bytes in base64>, since patients.isolated is sealed, got nothing',
  );
});

test('F32: fields of a collection with records are sealed and opened again by a start, and devices notice nothing', async () => {
  const url = await postgres.freshDatabase();
  gateway = await start({ DATABASE_URL: url }, []);
  const before = await client.pull();
  const [first] = before.changes;
  const edit = [{ note: 'CANARY-edit' }, 'early', first?.version ?? null] as const;
  expect(await client.push(edit[1], '10', edit[2], edit[0])).toMatchObject({ status: 'APPLIED' });
  system.patients.delete('11');
  await readAgain();
  const plain = await client.pull(before.checkpoint);
  expect(JSON.stringify(await restingIn(url))).toContain('CANARY');
  for (const sealed of [SEALED, ['name'], []]) {
    await gateway.stop();
    gateway = await start({ DATABASE_URL: url }, sealed);
    const rests = JSON.stringify(await restingIn(url));
    expect([rests.includes('CANARY'), rests.includes(CONTROL)]).toEqual([
      !sealed.includes('note'),
      !sealed.includes('name'),
    ]);
    await readAgain();
    expect((await client.pull(before.checkpoint)).changes).toEqual(plain.changes);
    expect((await client.pull(plain.checkpoint)).changes).toEqual([]);
    // A repeat of what was pushed before is one.
    expect(await client.push(edit[1], '10', edit[2], edit[0])).toMatchObject({ status: 'APPLIED' });
    // A hash of the values would let them be tried.
    const values = { name: CONTROL, note: 'CANARY-edit', isolated: true, ward: 'A' };
    expect(rests.includes(hashText(JSON.stringify(values)))).toBe(sealed.length === 0);
  }
  await gateway.stop();
  await expect(start({ DATABASE_URL: url, TIDEGATE_SEALING_KEYS: '' }, [])).rejects.toThrow(
    'since fields of patients were sealed in this database, got nothing',
  );
});

test('F32, attack 35: a value that is put into another record of the database is shown to nobody', async () => {
  const url = await postgres.freshDatabase();
  gateway = await start({ DATABASE_URL: url });
  await query(url, `update record set body = (select body from record where id = '10') where id = '11'`);
  const answer = await client.post({ query: '{ pull { changes { id json } } }' });
  expect(answer).toContain('"code":"INTERNAL"');
  expect(answer).not.toContain('CANARY');
});

/** @param sealed its sealed fields */
async function start(env: Readonly<Record<string, string>>, sealed: readonly string[] = SEALED): Promise<Gateway> {
  const connectors = [ward(system.url, { storage: 'snapshot', sealed })];
  const defaults = { connectors, patienceMs: 5_000, logLevel: 'silent' as const };
  const config = await loadConfig({ PORT: '0', TIDEGATE_SEALING_KEYS: KEY, ...env }, folder, defaults);
  const started = await startGateway(config, { log: silentLog });
  await until('the first ingest is complete', async () =>
    (await started.progress()).every((one) => one.state === 'READY'),
  );
  return started;
}

/** The source is read whole once more. */
async function readAgain(): Promise<void> {
  await client.post({ query: 'mutation { scanNow(collection: "patients") { collection } }' });
  await until('it was read', async () =>
    (await client.post({ query: '{ ingest { isScanAsked } }' })).includes('"isScanAsked":false'),
  );
}

/** The wrapped keys, and the text of every record. */
async function restingIn(url: string): Promise<readonly unknown[]> {
  const secrets = await query(url, `select name, sealed from kept_secret where name <> 'sealed fields' order by name`);
  return [secrets, ...(await query(url, 'select id, body, vis, hash from record order by id'))];
}

async function query(url: string, text: string): Promise<readonly object[]> {
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  try {
    return (await database.query<object>(text)).rows;
  } finally {
    await database.end();
  }
}
