import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import pg from 'pg';
import { addAudit } from '../../src/cli/audit.js';
import { addCollections } from '../../src/cli/collections.js';
import { addEpoch } from '../../src/cli/epoch.js';
import { collection, defineConnector, field } from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-audit-'));
let postgres: TestPostgres;
let environment: Readonly<Record<string, string>>;
let gateway: Gateway;
let database: pg.Client;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const databaseUrl = await postgres.freshDatabase();
  environment = { PORT: '0', DATABASE_URL: databaseUrl, TIDEGATE_DATA: folder };
  // Nobody answers there; what operators ask is in the log all the same.
  const office = defineConnector({
    source: 'office',
    transport: rest({ baseUrl: 'http://localhost:9' }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        fields: { notes: field.string() },
        read: { list: get('/visits') },
      }),
    },
  });
  gateway = await startGateway(await loadConfig(environment, folder, { connectors: [office] }), { log: silentLog });
  database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
});

afterAll(async () => {
  await database.end();
  await gateway.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

/** @returns what it printed */
async function run(...line: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const { stdout } = process;
  const { log } = console;
  const write = stdout.write.bind(stdout);
  stdout.write = (text: string | Uint8Array) => printed.push(String(text)) > 0;
  console.log = (text: string) => void printed.push(text);
  try {
    const program = new Command().exitOverride();
    addAudit(program, environment);
    addCollections(program, environment);
    addEpoch(program, environment);
    await program.parseAsync([...line], { from: 'user' });
    return printed.join('');
  } finally {
    stdout.write = write;
    console.log = log;
  }
}

const audit = (...line: readonly string[]): Promise<string> => run('audit', ...line, '--url', gateway.url);
const headOf = (page: string): string => /^head (\d+:[0-9a-f]{64})$/m.exec(page)?.[1] ?? '';

/** What somebody does who may write to the database, and who puts it back when the gateway was asked. */
async function tampered(sql: string): Promise<Error> {
  const kept =
    'create temp table kept as select * from audit; create temp table kept_chain as select * from audit_chain';
  const back =
    'delete from audit; insert into audit select * from kept; delete from audit_chain; insert into audit_chain select * from kept_chain';
  await database.query(kept);
  await database.query(`alter table audit disable trigger all; ${sql}`);
  try {
    return await audit('verify').then(
      (text) => new Error(`nothing was noticed: ${text}`),
      (thrown: unknown) => thrown as Error,
    );
  } finally {
    await database.query(`${back}; drop table kept, kept_chain; alter table audit enable trigger all`);
  }
}

test('attack 36: what operators do is listed, with who, what, about what and the outcome', async () => {
  const first = await audit('list');
  expect(first).toMatch(/^1 +20\S+Z +developer +- +operatorSeen +- +DONE +1$/m);
  expect(await audit('verify')).toBe(
    `The audit log of default is whole: 1 rows.\nhead ${headOf(first)}\n` +
      'Note the head elsewhere; later: tidegate audit verify --head <number:hash>\n',
  );
  await run('collections', 'scan', 'visits', '--url', gateway.url);
  await run('collections', 'allow-deletions', 'visits', '--up-to', '7', '--url', gateway.url);
  await expect(run('collections', 'scan', 'patients', '--url', gateway.url)).rejects.toThrow('NOT_FOUND');
  const list = await audit('list');
  expect(list).toMatch(/^no +at +user +device +action +about +outcome +times$/m);
  expect(list).toMatch(/^2 +20\S+Z +developer +- +scanNow +visits +BEGUN +1$/m);
  expect(list).toMatch(/^5 +20\S+Z +developer +- +allowDeletions +visits up to 7 +DONE \(of 4\) +1$/m);
  expect(list).toMatch(/^7 +20\S+Z +developer +- +scanNow +patients +NOT_FOUND \(of 6\) +1$/m);
  expect(await audit('list', '--limit', '2')).not.toContain('allowDeletions');
  expect(await audit('list', '--after', '2', '--limit', '1')).toContain('There are more: --after 3');
  expect(JSON.parse(await audit('list', '--json'))).toMatchObject({ tenant: 'default', head: { no: 7 } });
});

test('attack 36: an epoch that is begun on the store itself is in the log of nobody', async () => {
  const said = await run('epoch', 'new', '--database').catch((thrown: unknown) => String(thrown));
  const from = /--from (\w+)/.exec(said)?.[1] ?? '';
  await run('epoch', 'new', '--database', '--yes', '--from', from);
  expect(await audit('list')).toMatch(new RegExp(`^8 +20\\S+Z +- +- +newEpoch +${from} +BEGUN +1$`, 'm'));
});

describe('attack 36: the log is proven whole, and', () => {
  test('the database itself refuses to change, delete or empty its rows', async () => {
    for (const sql of [
      "update audit set user_id = 'nurse' where no = 3",
      'delete from audit where no = 3',
      'truncate audit',
    ])
      await expect(database.query(sql)).rejects.toThrow('expected rows to stay as they are');
    expect(await audit('verify')).toContain('The audit log of default is whole: 9 rows.');
  });

  test.each([
    ['an edited row', "update audit set user_id = 'nurse' where no = 3", 'row 3 was changed'],
    ['a row that is gone', 'delete from audit where no = 3', 'row 3 is missing: row 4 is next'],
    [
      'an edited row with a hash of its own',
      "update audit set user_id = 'nurse' where no = 3; update audit a set hash = encode(sha256(convert_to(tidegate_audit_text(a), 'UTF8')), 'hex') where no = 3",
      'row 4 does not follow on row 3',
    ],
    ['a tail that is gone', 'delete from audit where no > 6', 'rows 7 to 9 are missing at the end'],
    [
      'a beginning that is gone, as if by age',
      'update audit_chain set anchor_no = 2, anchor_hash = (select hash from audit where no = 2); delete from audit where no <= 2',
      'rows up to 2 are missing, and no row says',
    ],
  ])('%s is told', async (_what, sql, fault) => {
    const thrown = await tampered(sql);
    expect(thrown.message).toContain(`the audit log of default was changed: ${fault}`);
    expect(thrown).toMatchObject({ exitCode: 8 });
    expect(await audit('verify')).toContain('is whole: 9 rows.');
  });

  test('a head that was noted tells of a tail that is gone with its head, and of a chain made anew', async () => {
    const head = headOf(await audit('verify'));
    expect(await audit('verify', '--head', head)).toContain('is whole');
    const other = head.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    await expect(audit('verify', '--head', other)).rejects.toThrow(/row 9 has the hash .*, expected/);
    const later = `10${head.slice(1)}`;
    await expect(audit('verify', '--head', later)).rejects.toThrow('rows 10 to 10 are missing at the end');
    await expect(audit('verify', '--head', '8')).rejects.toThrow('expected a number, ":" and 64 hex digits');
  });
});
