import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { openDatabase, type Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { parse, PROJECT_FOLDER, readSources, visit } from '../support/source-tree.js';
import { scopesOf, type SqlScope, type TableMention } from '../support/sql-scopes.js';

/** Tables of the database itself, and why a tenant has no part in them. */
const OF_NO_TENANT: Readonly<Record<string, string>> = {
  _prisma_migrations: 'the state of the tables',
  signing_key: 'one key signs every checkpoint, and each names its tenant and user',
};

/** Statements that are meant for every tenant at once, by how they begin. */
const OF_EVERY_TENANT: Readonly<Record<string, string>> = {
  'select id, epoch, head from tenant': 'the announcer compares heads, which tell nothing of records',
  'select id, epoch, epoch_no, head, pg_identity,': 'whether the database was restored is seen for all of it',
  'update lease set until = clock_timestamp(0) where until > clock_timestamp':
    'at the start of a gateway that is alone all leases are of the dead',
  'update intent set lease_until = clock_timestamp(0) where state = ': 'the same',
};

/**
 * Numbers of the database, unique over all tenants: a row that was found by one which another row of ours holds is ours. One that comes
 * from outside is never enough.
 */
const NUMBERS = 'record_no|intent_no|alias_of|ctid|waits_for';

let postgres: TestPostgres;
let database: Database;
let tables: ReadonlySet<string>;
let functions: readonly (readonly [name: string, text: string])[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = await openDatabase(await postgres.freshDatabase());
  await migrate(database);
  const { rows } = await database.query<{ name: string }>(
    "select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'tenant'",
  );
  tables = new Set([...rows.map(({ name }) => name), 'tenant']);
  const made = await database.query<{ name: string; text: string }>(
    "select proname as name, prosrc as text from pg_proc where proname like 'tidegate%' order by 1",
  );
  functions = made.rows.map(({ name, text }) => [name, text]);
});

afterAll(async () => {
  await database.end();
  await postgres.stop();
});

/** Statements of the program, by the file that holds them; what is put into a text counts as a value from outside. */
function statements(): readonly (readonly [file: string, text: string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [file, text] of readSources(['src/store'])) {
    visit(parse(file, text), (node) => {
      if (ts.isStringLiteralLike(node)) found.push([file, node.text]);
      if (!ts.isTemplateExpression(node)) return;
      found.push([file, node.head.text + node.templateSpans.map((span) => `$0${span.literal.text}`).join('')]);
    });
  }
  return found.filter(([, text]) => /\b(select|insert|update|delete)\b/i.test(text));
}

function breachesOf(where: string, text: string): readonly string[] {
  return scopesOf(text, tables).flatMap((scope) =>
    scope.mentions
      .filter((mention) => !isWithinTenant(scope, mention) && !isOfEveryTenant(scope))
      .map(({ table }) => `${where}: ${table}: ${scope.text.slice(0, 300)}`),
  );
}

function isOfEveryTenant({ text }: SqlScope): boolean {
  return Object.keys(OF_EVERY_TENANT).some((beginning) => text.startsWith(beginning));
}

function isWithinTenant(scope: SqlScope, { table, alias }: TableMention): boolean {
  const { text, inner, mentions } = scope;
  const columns = new RegExp(`into ${table}(?: as)?(?: [a-z])? \\((\\d+)\\)`).exec(text)?.[1];
  if (columns !== undefined) return /\b(tenant|id)\b/.test(inner[Number(columns)] ?? '');
  // Without a name before it a column may be of either of two tables.
  const names = [alias ?? table, ...(mentions.length === 1 ? [''] : [])];
  return names.some((name) => {
    const column = name === '' ? '(?<![.\\w])' : `\\b${name}\\.`;
    const key = table === 'tenant' ? 'id' : 'tenant';
    return new RegExp(`${column}${key} (=|in) `).test(text) || isFoundByNumber(scope, column);
  });
}

/** By a number that stands in another row: not by a value from outside, `$1` and `p_…`, nor by one that was taken out of such a value. */
function isFoundByNumber({ text, inner }: SqlScope, column: string): boolean {
  if (/ using \(\d+\)/.test(text) && inner.includes('record_no')) return true;
  const said = new RegExp(`${column}(?:${NUMBERS}) (?:=|in) (\\$|p_|\\((\\d+)\\))?`, 'g');
  return [...text.matchAll(said)].some(([, other, place]) =>
    place === undefined ? other === undefined : (inner[Number(place)] ?? '').trim().startsWith('select'),
  );
}

describe('tenants in the store', () => {
  test('every table is kept by tenant, but for what is of the database', async () => {
    const { rows } = await database.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public' order by 1",
    );
    const others = rows.map(({ name }) => name).filter((name) => !tables.has(name));
    expect(others).toEqual(Object.keys(OF_NO_TENANT));
  });

  test('every name that is unique is unique within its tenant', async () => {
    const { rows } = await database.query<{ name: string; columns: string }>(
      `select c.relname as name, string_agg(a.attname, ' ') as columns
       from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
       where i.indisunique and c.relnamespace = 'public'::regnamespace group by c.relname, i.indexrelid`,
    );
    const ofAll = rows.filter(({ columns }) => !/\b(tenant|record_no|intent_no)\b/.test(columns));
    const named = ofAll.map(({ name }) => name).filter((name) => !(name in OF_NO_TENANT));
    expect(named).toEqual(['tenant']);
  });

  test('every statement of the program names the tenant of each table that it touches', () => {
    const all = statements();
    expect(all.length).toBeGreaterThan(60);
    expect(all.flatMap(([file, text]) => breachesOf(file, text))).toEqual([]);
  });

  test('so does every statement of the functions in the database', () => {
    expect(functions.length).toBeGreaterThan(8);
    expect(functions.flatMap(([name, text]) => breachesOf(name, text))).toEqual([]);
  });

  test('every exception is still needed', () => {
    const all = statements().flatMap(([, text]) => scopesOf(text, tables));
    const needed = (beginning: string): boolean => all.some(({ text }) => text.startsWith(beginning));
    expect(Object.keys(OF_EVERY_TENANT).filter((beginning) => !needed(beginning))).toEqual([]);
  });

  test('so does every question of devices that goes by Prisma', () => {
    const text = readFileSync(path.join(PROJECT_FOLDER, 'src/store/devices.ts'), 'utf8');
    const conditions = [...text.matchAll(/where: \{(.*)/g)].map(([, condition]) => condition ?? '');
    expect(conditions.length).toBeGreaterThan(2);
    expect(conditions.filter((one) => !/tenant: |keyOf\(|tenant_userId_device: /.test(one))).toEqual([]);
  });

  test.each([
    ['a statement without a tenant', 'select body from record where collection = $1'],
    ['one that takes a number from outside', 'update intent set state = $2 where intent_no = $1'],
    [
      'one that takes it out of a value from outside',
      'update intent set seq = 1 where intent_no = (p_all ->> 1)::bigint',
    ],
    ['a sub-query', 'select 1 from record where tenant = $1 and exists (select 1 from intent where collection = $2)'],
    ['one of two tables', 'select 1 from record r join intent t on t.collection = r.collection where r.tenant = $1'],
    [
      'a condition that may be of the other table',
      'select 1 from record r join intent t on r.tenant = $1 where tenant = $1',
    ],
    ['an insert', 'insert into scope (collection, scope) values ($1, $2)'],
    ['a tenant that is only shown', 'select tenant from device where token = $1'],
  ])('%s is found', (_what, text) => {
    expect(breachesOf('planted', text)).toHaveLength(1);
  });
});
