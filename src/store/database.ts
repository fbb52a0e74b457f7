import pg from 'pg';
import { StartupError, SyncError } from '../core/errors.js';
import { applicationName } from './postmaster.js';

/** Oldest server whose behaviour is tested. */
const OLDEST_SERVER = 140_000;
/** Connections of one gateway: pages and commits are short, more would only queue inside Postgres. */
export const DEFAULT_POOL_SIZE = 16;

/** Limits of every connection, ms: a stuck statement must not hold a tenant's feed (research: seq in commit order). */
const LIMITS = {
  /** Longest wait for the tenant's lock. */
  lock_timeout: 4_000,
  statement_timeout: 20_000,
  idle_in_transaction_session_timeout: 10_000,
} as const;

const SETTINGS = {
  ...LIMITS,
  synchronous_commit: 'on',
  jit: 'off',
  /** Every statement has its index; a plan made while a table is small, and kept while it grows, must not read all of it. */
  enable_seqscan: 'off',
} as const;

/** What runs statements: a pool or one connection of it. */
export type Database = pg.Pool;
export type Connection = pg.PoolClient;

/** int8 as numbers: seqs and counters stay below 2^53; a larger one is a fault and must not pass in silence. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format): unknown =>
    Number(oid) === INT8 && format !== 'binary' ? safeInteger : (pg.types.getTypeParser(oid, format) as unknown),
};
const INT8 = Number(pg.types.builtins.INT8);

/**
 * Opens the pool and proves that the server can be used.
 *
 * @param admit looks at each new connection before it serves; one at which it throws does not
 * @throws StartupError store - unreachable, refused, too old, or not durable: in one sentence, without the password
 */
export async function openDatabase(
  url: string,
  poolSize: number = DEFAULT_POOL_SIZE,
  admit: (connection: Connection) => Promise<void> = () => Promise.resolve(),
): Promise<Database> {
  const where = describeUrl(url);
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: applicationName(),
    connectionTimeoutMillis: 10_000,
    options: Object.entries(SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: TYPES,
    verify: (connection, done) => {
      admit(connection).then(
        () => done(),
        (cause: unknown) => done(cause as Error),
      );
    },
  });
  // A connection that breaks while idle: the pool drops it, the next statement takes another.
  pool.on('error', () => undefined);
  // The same of one that is in use: its query fails, and between two queries nobody else would listen.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  try {
    const { rows } = await pool.query<{ version: string; durability: string }>(
      "select current_setting('server_version_num') as version, current_setting('synchronous_commit') as durability",
    );
    const { version = '', durability = '' } = rows[0] ?? {};
    if (Number(version) < OLDEST_SERVER) throw new Error('expected Postgres 14 or newer');
    // F5: what is accepted must survive the server. A pooler in between may swallow the settings of a connection.
    if (!DURABLE.has(durability)) throw new Error(`expected synchronous_commit on, got ${durability}`);
    return pool;
  } catch (cause) {
    await pool.end();
    throw new StartupError('store', `DATABASE_URL: ${where}: ${explain(cause)}`, { cause });
  }
}

const DURABLE: ReadonlySet<string> = new Set(['on', 'remote_apply']);

/** Names of the faults that a statement can meet when the database is away or overloaded. */
const UNAVAILABLE = /^(08|53|57|55P03|40)/;

/** Translates what a statement threw: the database's absence is UNAVAILABLE (try again), the rest INTERNAL. */
export function storeFault(cause: unknown): SyncError {
  const { code } = cause as { code?: string };
  const away = code === undefined || UNAVAILABLE.test(code) || /^E[A-Z]+$/.test(code);
  return SyncError.from(
    cause,
    away ? 'UNAVAILABLE' : 'INTERNAL',
    away ? 'the store does not answer' : 'fault in the store',
  );
}

/**
 * The rows of one statement. With a name its plan is kept on each connection; without one it is planned for each call.
 *
 * @throws SyncError UNAVAILABLE, INTERNAL
 */
export async function queryRows<Row extends object>(
  database: Database,
  statement: { readonly name?: string; readonly text: string; readonly values: unknown[] },
): Promise<readonly Row[]> {
  try {
    return (await database.query<Row>(statement)).rows;
  } catch (cause) {
    throw storeFault(cause);
  }
}

/** Where a database is, without user and password. @throws StartupError config - not a URL */
export function describeUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}:${port === '' ? '5432' : port}${pathname}`;
  } catch {
    throw new StartupError('config', 'DATABASE_URL: expected postgresql://user:password@host:port/database');
  }
}

const EXPLAINED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  ETIMEDOUT: 'no answer',
  '28P01': 'wrong user or password',
  '28000': 'this user may not connect',
  '3D000': 'no such database',
};

function explain(cause: unknown): string {
  const { code, message } = cause as { code?: string; message: string };
  return EXPLAINED[code ?? ''] ?? message;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new SyncError('INTERNAL', `expected a whole number below 2^53 from the store, got ${text}`);
  return value;
}
