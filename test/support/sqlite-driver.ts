import initSqlJs, { type Database, type SqlJsStatic } from 'sql.js';
import type { SqliteDriver } from '../../src/client/sqlite-store.js';

let loaded: Promise<SqlJsStatic> | undefined;

/** SQLite of WebAssembly with the shape of expo-sqlite's. Closing gives the bytes back. @param bytes of a database */
export async function openSqlJs(
  bytes?: Uint8Array,
  kept: (bytes: Uint8Array) => void = () => undefined,
): Promise<SqliteDriver> {
  const { Database: Made } = await (loaded ??= initSqlJs());
  const database: Database = new Made(bytes);
  return {
    execAsync: async (sql) => void database.run(sql),
    runAsync: async (sql, values) => void database.run(sql, values),
    async getAllAsync(sql, values) {
      const statement = database.prepare(sql, values);
      const rows: unknown[] = [];
      while (statement.step()) rows.push(statement.getAsObject());
      statement.free();
      return rows;
    },
    async closeAsync() {
      kept(database.export());
      database.close();
    },
  };
}
