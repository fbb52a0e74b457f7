import { StartupError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { describeUrl, openDatabase, SESSION_SETTINGS, type Connection, type Database } from './database.js';
import { migrate } from './migrate.js';

const DIRECT = 'TIDEGATE_DIRECT_DATABASE_URL';

/**
 * The database, with every migration applied.
 *
 * @param options.directUrl where `url` leads to a pooler: the same database without it, for what needs a session. Migrations lock, and the
 *   defaults of the user are set, since a pooler does not hand on what a connection asks for
 * @throws StartupError store - in one sentence
 */
export async function openMigratedDatabase(options: {
  readonly url: string;
  readonly directUrl: string | undefined;
  readonly poolSize: number | undefined;
  readonly admit: (connection: Connection) => Promise<void>;
  readonly log: Log;
}): Promise<Database> {
  const { url, directUrl, poolSize, admit, log } = options;
  if (directUrl === undefined) {
    const database = await openDatabase(url, poolSize, { admit });
    await tellMigrations(database, log);
    return database;
  }
  const direct = await openDatabase(directUrl, 1, { variable: DIRECT });
  try {
    await giveSessionSettings(direct);
    await tellMigrations(direct, log);
    const database = await openDatabase(url, poolSize, { isPooled: true, admit });
    if (!(await isSeenBy(direct, database))) {
      await database.end();
      throw new StartupError(
        'store',
        `${DIRECT}: ${describeUrl(directUrl, DIRECT)}: expected the database and user that DATABASE_URL leads to, got another`,
      );
    }
    return database;
  } finally {
    await direct.end();
  }
}

async function tellMigrations(database: Database, log: Log): Promise<void> {
  const applied = await migrate(database);
  if (applied.length > 0) log.info('migrations applied', { applied });
}

/** Sessions of this user in this database begin with our settings from now on. Safe to repeat, and on several nodes at once. */
async function giveSessionSettings(direct: Database): Promise<void> {
  const settings = Object.entries(SESSION_SETTINGS).map(([name, value]) => `'${name}=${value}'`);
  await direct.query(`
    do $$
    declare setting text;
    begin
      perform pg_advisory_xact_lock(hashtext('tidegate session settings'));
      foreach setting in array array[${settings.join(', ')}] loop
        if not exists (
          select 1 from pg_db_role_setting s
          where s.setrole = (select oid from pg_roles where rolname = current_user)
            and s.setdatabase = (select oid from pg_database where datname = current_database())
            and setting = any (s.setconfig)
        ) then
          execute format('alter role %I in database %I set %s to %L', current_user, current_database(),
            split_part(setting, '=', 1), split_part(setting, '=', 2));
        end if;
      end loop;
    end $$`);
}

/** Does a session of `seeing` see one of `seen` beside it, of the same user in the same database? */
async function isSeenBy(seen: Database, seeing: Database): Promise<boolean> {
  const connection = await seen.connect();
  try {
    const { rows: own } = await connection.query<{ pid: number; begun: string }>(
      'select pid, backend_start::text as begun from pg_stat_activity where pid = pg_backend_pid()',
    );
    const { rows } = await seeing.query(
      `select 1 from pg_stat_activity
       where pid = $1 and backend_start::text = $2 and datname = current_database() and usename = current_user`,
      [own[0]?.pid, own[0]?.begun],
    );
    return rows.length > 0;
  } finally {
    connection.release();
  }
}
