import { onConnection, type Database } from './database.js';

/** Runs one statement of a transaction. @returns its rows */
export type Run = <Row extends object>(text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

/** A transaction for work that is rare and may touch many rows: the limits of the hot path are not for it. @throws SyncError UNAVAILABLE, INTERNAL */
export function inLongTransaction<T>(database: Database, work: (run: Run) => Promise<T>): Promise<T> {
  return onConnection(database, async (connection) => {
    await connection.query('begin');
    await connection.query('set local statement_timeout = 0');
    const value = await work(async (text, values) => (await connection.query(text, [...values])).rows as never);
    await connection.query('commit');
    return value;
  });
}

/** The same under a tenant's lock: until it ends nobody commits anything of that tenant. @throws SyncError UNAVAILABLE, INTERNAL */
export function inTransaction<T>(database: Database, tenant: string, work: (run: Run) => Promise<T>): Promise<T> {
  return inLongTransaction(database, async (run) => {
    await run('select 1 from tenant where id = $1 for update', [tenant]);
    return work(run);
  });
}
