import { deviceChance, uuidBy } from '../client-clock.js';
import type { SentChange } from '../gateway.js';
import { VERSION_COLUMN, type RawRow, type TableColumns } from './columns.js';
import { rowKey, type Notes, type Said, type SentNote, type WatermelonDatabase } from './notes.js';
import { partUnanswered, type Parted } from './unanswered.js';

/** What WatermelonDB hands over to be pushed, by table. */
export type LocalChanges = Readonly<
  Record<
    string,
    { readonly created: readonly RawRow[]; readonly updated: readonly RawRow[]; readonly deleted: readonly string[] }
  >
>;

/** A row's edit, as a change of the protocol. */
export interface NamedEdit {
  /** `table id` */
  readonly key: string;
  readonly table: string;
  readonly change: SentChange;
}

export interface NamedEdits {
  /** To be sent. */
  readonly edits: readonly NamedEdit[];
  /** A note of each row that has an edit. */
  readonly sent: Record<string, SentNote>;
  /** Not to be sent again: the user is to be told. */
  readonly unanswered: readonly { readonly key: string; readonly changeId: string; readonly isCreate: boolean }[];
}

/** Names what is to be pushed: a repeat has the name that it had, anything else a new one (F22). */
export async function nameEdits(
  parts: {
    readonly database: WatermelonDatabase;
    readonly columnsOf: ReadonlyMap<string, TableColumns>;
    readonly notes: Notes;
    readonly device: string;
  },
  changes: LocalChanges,
): Promise<NamedEdits> {
  const { database, columnsOf, notes, device } = parts;
  const edits: NamedEdit[] = [];
  const sent: Record<string, SentNote> = {};
  const unanswered: NamedEdits['unanswered'][number][] = [];

  function add(table: string, id: string, said: Said): void {
    const key = rowKey(table, id);
    const known = notes.sent[key];
    const parted = partUnanswered(said, known, device);
    const { rest, news } = parted;
    if (news !== null) unanswered.push({ key, changeId: news, isCreate: said.baseVersion === null });
    const body = JSON.stringify(rest ?? said);
    const note = known?.body === body && news === null ? known : newNote(body, parted);
    sent[key] = note;
    if (rest === null) return;
    const { changeId, changedAt, epoch } = note;
    const sentEpoch = epoch === null ? {} : { sentEpoch: epoch };
    edits.push({ key, table, change: { ...rest, changeId, collection: table, id, changedAt, ...sentEpoch } });
  }

  function newNote(body: string, { unanswered: gone, earlier }: Parted): SentNote {
    return {
      changeId: uuidBy(deviceChance),
      body,
      changedAt: new Date().toISOString(),
      epoch: notes.epoch,
      ...(gone === undefined ? {} : { unanswered: gone }),
      ...(earlier === undefined ? {} : { earlier }),
    };
  }

  /** The adapter shows a deleted row once, and only its id from then on: the next try has it from the note of the first. */
  async function versionOfDeleted(table: string, id: string): Promise<string | null> {
    const row = await database.adapter.find(table as never, id);
    if (typeof row === 'object' && row !== null) return versionOf(row as RawRow);
    const body = notes.sent[rowKey(table, id)]?.body;
    return body === undefined ? null : (JSON.parse(body) as Said).baseVersion;
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
  return { edits, sent, unanswered };
}

function versionOf(row: RawRow): string | null {
  const version = row[VERSION_COLUMN];
  return typeof version === 'string' && version !== '' ? version : null;
}
