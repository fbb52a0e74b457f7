import pg from 'pg';
import type { TestPostgres } from '../support/postgres.js';

/** The database of a gateway, which can be put back to what it was. */
export interface RoundStore {
  readonly url: string;
  query(sql: string): Promise<void>;
  /** Makes a backup. Nobody may be connected: the gateway is not there. */
  backUp(): Promise<void>;
  /** Puts the backup in its place. Nobody may be connected. */
  restore(): Promise<void>;
}

export async function openRoundStore(postgres: TestPostgres): Promise<RoundStore> {
  const url = await postgres.freshDatabase();
  const name = url.slice(url.lastIndexOf('/') + 1);
  const backup = `${name}_backup`;

  async function run(at: string, ...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: at });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }
  const administer = (...statements: readonly string[]): Promise<void> =>
    run(url.replace(/[^/]+$/, 'postgres'), ...statements);
  // A server notices only after a moment that a process which was killed is not connected any more.
  const replace = (target: string, by: string): Promise<void> =>
    administer(
      `drop database if exists ${target} with (force)`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${by}'`,
      `create database ${target} template ${by}`,
    );

  return {
    url,
    query: (sql) => run(url, sql),
    backUp: () => replace(backup, name),
    restore: () => replace(name, backup),
  };
}
