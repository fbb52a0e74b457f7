import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartupError } from '../core/errors.js';
import type { Connection, Database } from './database.js';

/** The advisory lock that Prisma's own migrate takes. */
const MIGRATE_LOCK = 72_707_369;

const MIGRATIONS_TABLE = `
  create table if not exists _prisma_migrations (
    id varchar(36) primary key not null,
    checksum varchar(64) not null,
    finished_at timestamptz,
    migration_name varchar(255) not null,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz not null default now(),
    applied_steps_count integer not null default 0
  )`;

interface Migration {
  readonly name: string;
  readonly sql: string;
  /** Lower-case hex SHA-256 of the file's bytes, as Prisma keeps it. */
  readonly checksum: string;
}

interface Applied {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/** The folder of our migrations, in a clone as in an installed package. */
export function migrationsFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'prisma/migrations'))) folder = path.dirname(folder);
  return path.join(folder, 'prisma/migrations');
}

/**
 * Applies what is missing of `prisma/migrations`, one transaction each, as `prisma migrate deploy` would: same lock, table
 * and checksums, so that either can follow the other. Safe to repeat and to run on several nodes at once.
 *
 * @returns the names of the migrations that were applied now
 * @throws StartupError store - a migration was changed after it was applied, failed half-way, or is unknown to this program
 */
export async function migrate(database: Database, folder: string = migrationsFolder()): Promise<readonly string[]> {
  const migrations = readMigrations(folder);
  const connection = await database.connect();
  try {
    await connection.query('set statement_timeout = 0; set lock_timeout = 0');
    await connection.query('select pg_advisory_lock($1)', [MIGRATE_LOCK]);
    await connection.query(MIGRATIONS_TABLE);
    const missing = compare(migrations, await readApplied(connection));
    for (const migration of missing) await apply(connection, migration);
    return missing.map((migration) => migration.name);
  } finally {
    // Closed rather than given back: the lock and the settings go with it.
    connection.release(true);
  }
}

function readMigrations(folder: string): readonly Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const bytes = readFileSync(path.join(folder, name, 'migration.sql'));
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
    });
}

async function readApplied(connection: Connection): Promise<readonly Applied[]> {
  const { rows } = await connection.query<Applied>(
    'select migration_name, checksum, finished_at from _prisma_migrations where rolled_back_at is null',
  );
  return rows;
}

function compare(migrations: readonly Migration[], applied: readonly Applied[]): readonly Migration[] {
  for (const row of applied) {
    const migration = migrations.find((candidate) => candidate.name === row.migration_name);
    if (row.finished_at === null) {
      throw new StartupError(
        'store',
        `migration ${row.migration_name} failed half-way earlier: restore the database or resolve it with Prisma's migrate`,
      );
    }
    if (migration === undefined) {
      throw new StartupError(
        'store',
        `the database has migration ${row.migration_name}, which this version does not know: run a newer Tidegate`,
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new StartupError(
        'store',
        `migration ${row.migration_name} was changed after it was applied: expected checksum ${row.checksum}, got ${migration.checksum}`,
      );
    }
  }
  const known = new Set(applied.map((row) => row.migration_name));
  return migrations.filter((migration) => !known.has(migration.name));
}

async function apply(connection: Connection, migration: Migration): Promise<void> {
  try {
    await connection.query('begin');
    await connection.query(migration.sql);
    await connection.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       values ($1, $2, now(), $3, 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await connection.query('commit');
  } catch (cause) {
    await connection.query('rollback').catch(() => undefined);
    const { message } = cause as Error;
    throw new StartupError('store', `migration ${migration.name} cannot be applied: ${message}`, { cause });
  }
}
