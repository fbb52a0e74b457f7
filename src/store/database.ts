import pg from 'pg';
import { StartupError, SyncError } from '../core/errors.js';
import { applicationName } from './postmaster.js';

/** Oldest server whose behaviour is tested. */
const OLDEST_SERVER = 140_000;
/** Connections of one gateway: pages and commits are short, more would only queue inside Postgres. */
export const DEFAULT_POOL_SIZE = 16;
/** Of these so many stay open while nobody needs them: whoever finds none waits for a new one, 40 to 80 ms, even if another is free sooner. */
const KEPT_OPEN = 8;

/** Limits of every connection, ms: a stuck statement must not hold a tenant's feed (research: seq in commit order). */
const LIMITS = {
  /** Longest wait for the tenant's lock. */
  lock_timeout: 4_000,
  statement_timeout: 20_000,
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** What every session of ours has, whatever the server's defaults are. */
export const SESSION_SETTINGS = {
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

/** How a URL leads to its server. */
export interface Way {
  /** Where the URL was set, for people. */
  readonly variable?: string;
  /**
   * Through a pooler, which gives each transaction to any of its sessions: what a session is asked for when it begins, or keeps from one
   * statement to the next, is not ours. Its settings are those that the user has by default (`giveSessionSettings`), its statements have no names.
   */
  readonly isPooled?: boolean;
  /** Looks at each new connection before it serves; one at which it throws does not. */
  readonly admit?: (connection: Connection) => Promise<void>;
}

/**
 * Opens the pool and proves that the server can be used.
 *
 * @throws StartupError store - unreachable, refused, too old, not durable, or behind a pooler that nobody spoke of: in one sentence, without
 *   the password
 */
export async function openDatabase(
  url: string,
  poolSize: number = DEFAULT_POOL_SIZE,
  { variable = 'DATABASE_URL', isPooled = false, admit = () => Promise.resolve() }: Way = {},
): Promise<Database> {
  const where = describeUrl(url, variable);
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    min: Math.min(KEPT_OPEN, poolSize),
    // A pooler's sessions keep the name of whom they last served: who is alive shows by its line to the others (`endDeadLeases`).
    application_name: isPooled ? `pooled ${applicationName()}` : applicationName(),
    connectionTimeoutMillis: 10_000,
    ...(isPooled ? {} : { options: startupOptions() }),
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
  pool.on('connect', (connection) => {
    // The same of one that is in use: its query fails, and between two queries nobody else would listen.
    connection.on('error', () => undefined);
    if (isPooled) leaveNamesOut(connection);
  });
  try {
    await prove(pool, isPooled);
    return pool;
  } catch (cause) {
    await pool.end();
    throw new StartupError('store', `${variable}: ${where}: ${explain(cause)}`, { cause });
  }
}

function startupOptions(): string {
  return Object.entries(SESSION_SETTINGS)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

async function prove(pool: Database, isPooled: boolean): Promise<void> {
  const connection = await pool.connect();
  try {
    const { rows } = await connection.query<{ version: string; pid: number; settings: Record<string, string> }>(
      `select current_setting('server_version_num') as version, pg_backend_pid() as pid,
         (select json_object_agg(name, setting) from pg_settings where name = any($1)) as settings`,
      [Object.keys(SESSION_SETTINGS)],
    );
    const { version = '', pid, settings = {} } = rows[0] ?? {};
    if (Number(version) < OLDEST_SERVER) throw new Error('expected Postgres 14 or newer');
    // A pooler speaks for sessions of its own, and tells numbers of its own.
    const { processID } = connection as unknown as { readonly processID: number };
    if (!isPooled && processID !== pid) throw new Error(POOLED);
    // F5: what is accepted must survive the server. Something in between may swallow what a session asks for.
    for (const [name, wanted] of Object.entries(SESSION_SETTINGS)) {
      const got = settings[name] ?? 'nothing';
      if (got === String(wanted) || (name === 'synchronous_commit' && got === 'remote_apply')) continue;
      throw new Error(`expected ${name} ${wanted}, got ${got}${isPooled ? STALE : ''}`);
    }
  } finally {
    connection.release();
  }
}

const POOLED =
  'a connection pooler answers; give the address of the server itself, too (directDatabaseUrl, TIDEGATE_DIRECT_DATABASE_URL)';
const STALE =
  '; the pooler has sessions from before the first start: have it make new ones (RECONNECT in the console of PgBouncer)';

/** A statement that was prepared in one session of a pooler is unknown in the next. */
function leaveNamesOut(connection: Connection): void {
  const query = connection.query.bind(connection) as (...args: readonly unknown[]) => unknown;
  const nameless = (statement: unknown, ...rest: readonly unknown[]): unknown =>
    query(isNamed(statement) ? { ...statement, name: undefined } : statement, ...rest);
  connection.query = nameless as Connection['query'];
}

/** Queries of our own make (`copyRows`) pass as they are: they have no names. */
function isNamed(statement: unknown): statement is object {
  return typeof statement === 'object' && statement !== null && 'name' in statement && !('submit' in statement);
}

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

/**
 * Work on one connection of its own, for transactions: what it leaves open is rolled back.
 *
 * @throws SyncError UNAVAILABLE, INTERNAL
 */
export async function onConnection<T>(database: Database, work: (connection: Connection) => Promise<T>): Promise<T> {
  let connection: Connection | undefined;
  let broken: Error | undefined;
  try {
    connection = await database.connect();
    return await work(connection);
  } catch (cause) {
    await connection?.query('rollback').catch((thrown: unknown) => (broken = thrown as Error));
    throw storeFault(cause);
  } finally {
    connection?.release(broken);
  }
}

/** Where a database is, without user and password. @throws StartupError config - not a URL */
export function describeUrl(url: string, variable = 'DATABASE_URL'): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}:${port === '' ? '5432' : port}${pathname}`;
  } catch {
    throw new StartupError('config', `${variable}: expected postgresql://user:password@host:port/database`);
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
  if (/startup parameter|command-line options/.test(message)) return POOLED;
  return EXPLAINED[code ?? ''] ?? message;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new SyncError('INTERNAL', `expected a whole number below 2^53 from the store, got ${text}`);
  return value;
}
