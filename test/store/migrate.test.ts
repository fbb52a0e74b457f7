import {
  cpSync,
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDatabase, type Database } from '../../src/store/database.js';
import { migrate, migrationsFolder } from '../../src/store/migrate.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { columnsOfDatabase, columnsOfSchema } from './schema-equality.js';

/** All there are, in their order. */
const MIGRATIONS = readdirSync(migrationsFolder()).filter((name) => /^\d{4}_/.test(name));

let postgres: TestPostgres;
const databases: Database[] = [];
const folders: string[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
});

afterAll(async () => {
  await Promise.all(databases.map((database) => database.end()));
  await postgres.stop();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function freshDatabase(): Promise<Database> {
  const database = await openDatabase(await postgres.freshDatabase());
  databases.push(database);
  return database;
}

function copyOfMigrations(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-migrations-'));
  folders.push(folder);
  cpSync(migrationsFolder(), folder, { recursive: true });
  return folder;
}

test('missing migrations are applied once, with the checksums that Prisma keeps', async () => {
  const database = await freshDatabase();
  expect(await migrate(database)).toEqual(MIGRATIONS);
  expect(await migrate(database)).toEqual([]);
  const { rows } = await database.query(
    'select migration_name, checksum, applied_steps_count, finished_at is not null as done from _prisma_migrations order by 1',
  );
  const rowOf = (name: string): object => {
    const bytes = readFileSync(path.join(migrationsFolder(), name, 'migration.sql'));
    const checksum = createHash('sha256').update(bytes).digest('hex');
    return { migration_name: name, checksum, applied_steps_count: 1, done: true };
  };
  expect(rows).toEqual(MIGRATIONS.map(rowOf));
});

test('two nodes that start at once apply each migration once', async () => {
  const database = await freshDatabase();
  const applied = await Promise.all([migrate(database), migrate(database), migrate(database)]);
  expect(applied.flat()).toEqual(MIGRATIONS);
});

test('a migration that was changed after it was applied is refused', async () => {
  const database = await freshDatabase();
  const folder = copyOfMigrations();
  await migrate(database, folder);
  appendFileSync(path.join(folder, '0001_init/migration.sql'), '\n-- a later thought\n');
  await expect(migrate(database, folder)).rejects.toThrow(/0001_init was changed after it was applied/);
});

test('a database of a newer program is refused', async () => {
  const database = await freshDatabase();
  const folder = copyOfMigrations();
  mkdirSync(path.join(folder, '9999_later'));
  writeFileSync(path.join(folder, '9999_later/migration.sql'), 'create table later (id int)');
  expect(await migrate(database, folder)).toEqual([...MIGRATIONS, '9999_later']);
  await expect(migrate(database)).rejects.toThrow(/9999_later, which this version does not know/);
});

test('a migration that fails leaves nothing behind and says why', async () => {
  const database = await freshDatabase();
  const folder = copyOfMigrations();
  mkdirSync(path.join(folder, '9999_bad'));
  writeFileSync(path.join(folder, '9999_bad/migration.sql'), 'create table half (id int); select nonsense');
  await expect(migrate(database, folder)).rejects.toThrow(/9999_bad cannot be applied: column "nonsense"/);
  const { rows } = await database.query("select to_regclass('half') as half");
  expect(rows).toEqual([{ half: null }]);
});

test("schema.prisma and the migrations say the same of every table's columns and keys", async () => {
  const database = await freshDatabase();
  await migrate(database);
  expect(columnsOfSchema(readFileSync('prisma/schema.prisma', 'utf8'))).toEqual(await columnsOfDatabase(database));
});
