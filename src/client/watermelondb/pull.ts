import type { KeepingGateway } from '../accepted-changes.js';
import type { PulledChange } from '../gateway.js';
import type { ToldPage } from '../glue-gateway.js';
import { isRefused } from '../outbox-entry.js';
import { VERSION_COLUMN, type RawRow, type TableColumns } from './columns.js';
import { columnsAsText, namedBy, readNotes, rowKey, writeNotes, type WatermelonDatabase } from './notes.js';
import type { LocalChanges } from './named-edits.js';
import type { ToldEdit } from './push.js';

/** What WatermelonDB takes from a pull. */
export interface PulledRows {
  readonly changes: Readonly<Record<string, { created: RawRow[]; updated: RawRow[]; deleted: string[] }>>;
  readonly timestamp: number;
  readonly experimentalStrategy?: 'replacement';
}

/**
 * WatermelonDB's `pullChanges`: one page, or after a reset all pages at once, since WatermelonDB replaces what it has by one answer. A
 * migration of the schema begins one: rows that are here have no values of new columns, and none comes of itself. WatermelonDB's
 * number for a place is a count; the checkpoint that belongs to it is noted before the answer is given, beside the one before, so that
 * a crash between the two leaves either place with its own checkpoint. Safe to repeat.
 *
 * @returns `hasMore`: sync again, there are more pages
 */
export async function pullRows(
  parts: {
    readonly database: WatermelonDatabase;
    readonly gateway: KeepingGateway;
    readonly tables: readonly string[];
    readonly columns: Promise<ReadonlyMap<string, TableColumns>>;
    readonly tell: (table: string, id: string, told: ToldEdit) => void;
    /** Rows with edits that are not pushed yet. */
    readonly readUnsent: () => Promise<LocalChanges>;
  },
  lastPulledAt: number | null,
): Promise<{ readonly rows: PulledRows; readonly hasMore: boolean }> {
  const { database, gateway, tables, columns, tell, readUnsent } = parts;
  const notes = await readNotes(database);
  const place = lastPulledAt ?? 0;
  const before = notes.places[place];
  const heldColumns = columnsAsText(database, tables);
  const beginsAnew = before !== undefined && before?.columns !== heldColumns;
  const since = beginsAnew ? null : (before?.checkpoint ?? null);

  const pages: ToldPage[] = [];
  let isReset = beginsAnew;
  let last: ToldPage;
  do {
    last = await gateway.pull(pages.at(-1)?.checkpoint ?? since);
    // What came before it is not of this sync.
    if (last.reset) pages.length = 0;
    isReset ||= last.reset;
    pages.push(last);
  } while (isReset && last.hasMore);
  const columnsOf = await columns;

  const told = new Map<string, PulledChange | null>(Object.entries(notes.corrections));
  for (const { changes } of pages) for (const change of changes) told.set(rowKey(change.collection, change.id), change);

  const changes = Object.fromEntries(
    [...columnsOf.keys()].map((table) => [
      table,
      { created: [] as RawRow[], updated: [] as RawRow[], deleted: [] as string[] },
    ]),
  );
  const isUnsent = await unsentKeys();
  for (const [key, change] of told) {
    const [table, id] = namedBy(key);
    if (change?.json) changes[table]?.updated.push((columnsOf.get(table) as TableColumns).rowOf(change));
    // A body that could not be read now (F29): the row stays as it is. A row with an unsent edit leaves with the answer to that.
    else if (change?.kind !== 'UPSERT' && !isUnsent.has(key)) changes[table]?.deleted.push(id);
    else if (isReset) await keep(table, id);
  }
  if (isReset) for (const key of isUnsent) if (!told.has(key)) await keep(...namedBy(key));

  const receipts = pages.flatMap((page) => page.receipts);
  const accepted = await gateway.acceptedOf(receipts);
  for (const receipt of receipts) {
    const change = accepted.get(receipt.changeId);
    if (change !== undefined && isRefused(receipt)) tell(change.collection, change.id, receipt);
  }
  await gateway.settle(receipts);
  const reached = { checkpoint: last.checkpoint, columns: heldColumns };
  const places = { ...(before === undefined ? {} : { [place]: before }), [place + 1]: reached };
  await writeNotes(database, { ...notes, places, epoch: last.epoch, owner: last.checkpoint });
  const strategy = isReset ? { experimentalStrategy: 'replacement' as const } : {};
  return { rows: { changes, timestamp: place + 1, ...strategy }, hasMore: last.hasMore };

  async function unsentKeys(): Promise<ReadonlySet<string>> {
    const hasTombstones = [...told.values()].some((change) => change?.kind !== 'UPSERT');
    if (!hasTombstones && !isReset) return new Set();
    const unsent = Object.entries(await readUnsent());
    return new Set(
      unsent.flatMap(([table, { created, updated }]) => [...created, ...updated].map(({ id }) => rowKey(table, id))),
    );
  }

  /** Named with what it has, a row is not replaced by nothing. */
  async function keep(table: string, id: string): Promise<void> {
    const row = await database
      .get(table as never)
      .find(id)
      .catch(() => null);
    if (row === null) return;
    const { _status, _changed, ...cells } = row._raw as RawRow;
    changes[table]?.updated.push(cells);
  }
}

/** The corrections of earlier pushes are in the rows now. */
export async function forgetCorrections(database: WatermelonDatabase): Promise<void> {
  const notes = await readNotes(database);
  if (Object.keys(notes.corrections).length > 0) await writeNotes(database, { ...notes, corrections: {} });
}

/** WatermelonDB merges by column, where unsent edits win; but these stay edits of the version that they were made from. */
export function resolveRow(_table: string, local: RawRow, _remote: RawRow, resolved: RawRow): RawRow {
  const madeFrom = local[VERSION_COLUMN];
  const isUnsent = local._status !== 'synced' && typeof madeFrom === 'string' && madeFrom !== '';
  return isUnsent ? { ...resolved, [VERSION_COLUMN]: madeFrom } : resolved;
}
