import type { Fields } from '../core/change.js';
import type { HeldRecord, LocalStore, StoreWrites, SyncState } from './local-store.js';
import type { OutboxEntry } from './outbox-entry.js';
import { createTurns } from './turns.js';

/** What a statement takes. */
export type SqliteValue = string | number | null;

/**
 * A SQLite database of the shape of expo-sqlite's. Whatever else an app has (op-sqlite, better-sqlite3, sql.js) takes some ten
 * lines to look like it.
 */
export interface SqliteDriver {
  /** Statements without parameters, separated by semicolons. */
  execAsync(sql: string): Promise<unknown>;
  /** One statement that writes. @param values in the place of its question marks, in order */
  runAsync(sql: string, values: SqliteValue[]): Promise<unknown>;
  /** All rows of one statement that reads, each an object by column name. */
  getAllAsync(sql: string, values: SqliteValue[]): Promise<unknown[]>;
  /** Closes the connection; nothing follows. */
  closeAsync(): Promise<void>;
}

/** Fields and entries are JSON text: their shape is the collection's, and no statement looks into them. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tidegate_state (only_one INTEGER PRIMARY KEY CHECK (only_one = 0), state TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS tidegate_record (
    collection TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, is_pending INTEGER NOT NULL,
    generation INTEGER NOT NULL, fields TEXT NOT NULL,
    PRIMARY KEY (collection, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tidegate_outbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT, change_id TEXT NOT NULL UNIQUE, collection TEXT NOT NULL, id TEXT NOT NULL,
    entry TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS tidegate_outbox_record ON tidegate_outbox (collection, id);`;
/** Rows of one statement: with six values each below the 999 that the oldest SQLite takes. */
const ROWS_AT_ONCE = 150;

const READ_STATE = 'SELECT state FROM tidegate_state';
const PUT_STATE = 'INSERT OR REPLACE INTO tidegate_state (only_one, state) VALUES (0, ?)';
const RECORD_COLUMNS = 'collection, id, version, is_pending, generation, fields';
const PUT_RECORDS = `INSERT OR REPLACE INTO tidegate_record (${RECORD_COLUMNS}) VALUES `;
const READ_RECORDS = `SELECT ${RECORD_COLUMNS} FROM tidegate_record WHERE collection = ?`;
const READ_OUTBOX = 'SELECT entry FROM tidegate_outbox';
const SEE_RECORD = 'UPDATE tidegate_record SET generation = ? WHERE collection = ? AND id = ?';
const DELETE_RECORD = 'DELETE FROM tidegate_record WHERE collection = ? AND id = ?';
const SWEEP_RECORDS = 'DELETE FROM tidegate_record WHERE generation < ?';
const ADD_ENTRY = 'INSERT INTO tidegate_outbox (change_id, collection, id, entry) VALUES (?, ?, ?, ?)';
const CHANGE_ENTRY = 'UPDATE tidegate_outbox SET entry = ? WHERE change_id = ?';
const DROP_ENTRY = 'DELETE FROM tidegate_outbox WHERE change_id = ?';
const WIPE = 'DELETE FROM tidegate_state; DELETE FROM tidegate_record; DELETE FROM tidegate_outbox;';

interface RecordRow {
  readonly collection: string;
  readonly id: string;
  readonly version: string;
  readonly is_pending: number;
  readonly generation: number;
  readonly fields: string;
}

/**
 * A store in SQLite: for React Native and Node. Its tables begin with `tidegate_`, so that it may live in the app's own database; then
 * nothing else may begin a transaction on the same connection.
 *
 * @throws whatever the driver throws
 */
export async function openSqliteStore(driver: SqliteDriver): Promise<LocalStore> {
  await driver.execAsync(SCHEMA);
  /** One at a time: a connection has one transaction, and what is read in another's midst was never so. */
  const alone = createTurns();

  async function readState(): Promise<SyncState | null> {
    const [row] = (await driver.getAllAsync(READ_STATE, [])) as { readonly state: string }[];
    return row === undefined ? null : (JSON.parse(row.state) as SyncState);
  }

  async function readEntries(where: string, values: SqliteValue[]): Promise<OutboxEntry[]> {
    const rows = (await driver.getAllAsync(`${READ_OUTBOX} ${where} ORDER BY no`, values)) as {
      readonly entry: string;
    }[];
    return rows.map(({ entry }) => JSON.parse(entry) as OutboxEntry);
  }

  return {
    sharedAs: null,
    readState: () => alone(readState),
    readSync: () => alone(async () => ({ state: await readState(), entries: await readEntries('', []) })),
    readRecords: (collection, id) =>
      alone(async () => {
        const one = id === undefined ? '' : 'AND id = ?';
        const values = id === undefined ? [collection] : [collection, id];
        const rows = (await driver.getAllAsync(`${READ_RECORDS} ${one}`, values)) as RecordRow[];
        return { records: rows.map(heldOf), entries: await readEntries(`WHERE collection = ? ${one}`, values) };
      }),
    commit: (writes, ifRevision) =>
      alone(async () => {
        // Immediate: another connection that writes is waited for here, and not in the midst.
        await driver.execAsync('BEGIN IMMEDIATE');
        try {
          const isMoved = ifRevision !== null && ((await readState())?.revision ?? 0) !== ifRevision;
          if (!isMoved) await put(driver, writes);
          await driver.execAsync('COMMIT');
          return !isMoved;
        } catch (thrown) {
          await driver.execAsync('ROLLBACK').catch(() => undefined);
          throw thrown;
        }
      }),
    close: () => alone(() => driver.closeAsync()),
  };
}

async function put(driver: SqliteDriver, writes: StoreWrites): Promise<void> {
  if (writes.isWiped === true) await driver.execAsync(WIPE);
  if (writes.state !== undefined) await driver.runAsync(PUT_STATE, [JSON.stringify(writes.state)]);
  const { records = [], seen, sweepBelow } = writes;
  for (let at = 0; at < records.length; at += ROWS_AT_ONCE) {
    const rows = records.slice(at, at + ROWS_AT_ONCE);
    await driver.runAsync(PUT_RECORDS + rows.map(() => '(?,?,?,?,?,?)').join(), rows.flatMap(rowOf));
  }
  for (const { collection, id } of seen?.names ?? [])
    await driver.runAsync(SEE_RECORD, [seen?.generation ?? 0, collection, id]);
  for (const { collection, id } of writes.gone ?? []) await driver.runAsync(DELETE_RECORD, [collection, id]);
  if (sweepBelow !== undefined) await driver.runAsync(SWEEP_RECORDS, [sweepBelow]);
  for (const entry of writes.added ?? []) {
    const { changeId, collection, id } = entry;
    await driver.runAsync(ADD_ENTRY, [changeId, collection, id, JSON.stringify(entry)]);
  }
  for (const entry of writes.changed ?? [])
    await driver.runAsync(CHANGE_ENTRY, [JSON.stringify(entry), entry.changeId]);
  for (const changeId of writes.dropped ?? []) await driver.runAsync(DROP_ENTRY, [changeId]);
}

function rowOf({ collection, id, version, isPending, generation, fields }: HeldRecord): SqliteValue[] {
  return [collection, id, version, isPending ? 1 : 0, generation, JSON.stringify(fields)];
}

function heldOf({ collection, id, version, is_pending, generation, fields }: RecordRow): HeldRecord {
  const held = { collection, id, version, generation, isPending: is_pending === 1 };
  return { ...held, fields: JSON.parse(fields) as Fields };
}
