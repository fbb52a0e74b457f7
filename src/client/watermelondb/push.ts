import { deviceChance, uuidBy } from '../client-clock.js';
import type { SentChange } from '../gateway.js';
import type { GlueGateway, ToldFate } from '../glue-gateway.js';
import { isRefused } from '../outbox-entry.js';
import { VERSION_COLUMN, type RawRow, type TableColumns } from './columns.js';
import { readNotes, rowKey, writeNotes, type SentNote, type WatermelonDatabase } from './notes.js';

/** What WatermelonDB hands over to be pushed, by table. */
export type LocalChanges = Readonly<
  Record<
    string,
    { readonly created: readonly RawRow[]; readonly updated: readonly RawRow[]; readonly deleted: readonly string[] }
  >
>;

/** Rows that stay unsynced, by table. */
export type RejectedIds = Record<string, string[]>;

/** Changes of one push: far below `maxChangesPerPush` and `maxBodyBytes`. */
const PUSH_BATCH = 200;

interface Named {
  readonly table: string;
  readonly change: SentChange;
}

/**
 * WatermelonDB's `pushChanges`: each row's changed columns as a change of its own. A repeat after a lost answer, or after the app was
 * ended, goes out under the same change id. What is refused for good counts as synced and is corrected by the pull that follows; what
 * can succeed later stays unsynced.
 *
 * @throws GatewayFault - nothing counts as synced then
 */
export async function pushRows(
  parts: {
    readonly database: WatermelonDatabase;
    readonly gateway: GlueGateway;
    readonly columnsOf: ReadonlyMap<string, TableColumns>;
    readonly tellRefused: (table: string, id: string, fate: ToldFate) => void;
  },
  changes: LocalChanges,
): Promise<RejectedIds> {
  const { database, gateway, columnsOf, tellRefused } = parts;
  const notes = await readNotes(database);
  const sent: Record<string, SentNote> = {};
  const named: Named[] = [];

  function add(
    table: string,
    id: string,
    what: Pick<SentChange, 'kind' | 'baseVersion'> & Pick<SentChange, 'json'>,
  ): void {
    const key = rowKey(table, id);
    const body = JSON.stringify(what);
    const known = notes.sent[key];
    const isRepeat = known?.body === body;
    const note = isRepeat
      ? known
      : { changeId: uuidBy(deviceChance), body, changedAt: new Date().toISOString(), epoch: notes.epoch };
    sent[key] = note;
    const { changeId, changedAt, epoch } = note;
    const sentEpoch = epoch === null ? {} : { sentEpoch: epoch };
    named.push({ table, change: { ...what, changeId, collection: table, id, changedAt, ...sentEpoch } });
  }

  /** The adapter shows a deleted row once, and only its id from then on: the next try has it from the note of the first. */
  async function versionOfDeleted(table: string, id: string): Promise<string | null> {
    const row = await database.adapter.find(table as never, id);
    if (typeof row === 'object' && row !== null) return versionOf(row as RawRow);
    const body = notes.sent[rowKey(table, id)]?.body;
    return body === undefined ? null : (JSON.parse(body) as Pick<SentChange, 'baseVersion'>).baseVersion;
  }

  for (const [table, { created, updated, deleted }] of Object.entries(changes)) {
    const columns = columnsOf.get(table);
    if (columns === undefined) continue;
    for (const row of [...created, ...updated]) {
      const baseVersion = versionOf(row);
      const isCreate = row._status === 'created' && baseVersion === null;
      const json = columns.fieldsOf(row, isCreate ? 'filled' : (row._changed ?? '').split(','));
      if (Object.keys(json).length > 0) add(table, row.id, { kind: 'UPSERT', baseVersion, json });
    }
    for (const id of deleted) add(table, id, { kind: 'DELETE', baseVersion: await versionOfDeleted(table, id) });
  }
  await writeNotes(database, { ...notes, sent });

  const rejected: RejectedIds = {};
  const corrections = { ...notes.corrections };
  const open = { ...notes.open };
  for (let at = 0; at < named.length; at += PUSH_BATCH) {
    const batch = named.slice(at, at + PUSH_BATCH);
    const fates = await gateway.push(batch.map(({ change }) => change));
    fates.forEach((fate, index) => {
      const { table, change } = batch[index] as Named;
      const key = rowKey(table, change.id);
      if (!isRefused(fate)) {
        if (fate.status === 'ACCEPTED' || fate.status === 'PARKED') open[fate.changeId] = key;
      } else if (fate.error?.retryable === true) (rejected[table] ??= []).push(change.id);
      // What shall be gone is gone.
      else if (change.kind !== 'DELETE' || fate.error?.code !== 'NOT_FOUND') {
        corrections[key] = fate.change;
        tellRefused(table, change.id, fate);
      }
    });
  }
  await writeNotes(database, { ...notes, sent, corrections, open });
  return rejected;
}

/** What WatermelonDB has taken for synced is no repeat any more, whatever it says. */
export async function forgetSent(database: WatermelonDatabase, rejected: RejectedIds): Promise<void> {
  const notes = await readNotes(database);
  const kept = Object.entries(rejected).flatMap(([table, ids]) => ids.map((id) => rowKey(table, id)));
  const sent = Object.fromEntries(Object.entries(notes.sent).filter(([key]) => kept.includes(key)));
  await writeNotes(database, { ...notes, sent });
}

function versionOf(row: RawRow): string | null {
  const version = row[VERSION_COLUMN];
  return typeof version === 'string' && version !== '' ? version : null;
}
