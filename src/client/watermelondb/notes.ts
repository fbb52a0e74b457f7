import type { AcceptedChange, AcceptedStore } from '../accepted-changes.js';
import type { PulledChange, SentChange } from '../gateway.js';

/** What is used of a WatermelonDB adapter and its database. */
export interface WatermelonDatabase {
  readonly adapter: {
    getLocal(key: string): Promise<string | null | undefined>;
    setLocal(key: string, value: string): Promise<void>;
    /** A row, also of a deleted record; its id alone where the adapter has shown it already. */
    find(table: never, id: string): Promise<unknown>;
  };
  get(table: never): { find(id: string): Promise<{ readonly _raw: object }> };
  readonly schema: {
    readonly tables: Readonly<
      Record<string, { readonly columns: Readonly<Record<string, { readonly type: string }>> }>
    >;
  };
}

/** What an edit says. */
export type Said = Pick<SentChange, 'kind' | 'baseVersion' | 'json'>;

/** A change of a row, until WatermelonDB took the row for synced. */
export interface SentNote {
  readonly changeId: string;
  /** What it says, as text: the same again is a repeat (F22). */
  readonly body: string;
  readonly changedAt: string;
  readonly epoch: string | null;
  /** The device under which it was sent, or may have been: kept before it leaves. Absent: it never left. */
  readonly device?: string | undefined;
  /** What was sent of this row before, under this device id. */
  readonly earlier?: EarlierSent;
  /** What was sent of this row under device ids that are no more: it is not sent again (F11). */
  readonly unanswered?: Said;
}

/** What was sent of a row without an answer, and is a part of what the row says now. */
export interface EarlierSent {
  /** Of the last one. */
  readonly changeId: string;
  readonly device: string;
  readonly said: Said;
}

/** Where a database stood behind a pull. */
export interface PlaceNote {
  readonly checkpoint: string;
  /** Those that it had, as `columnsAsText` says them: rows that came before have no values of others. */
  readonly columns: string;
}

/** What the glue keeps beside WatermelonDB's own notes, in the database's local storage. */
export interface Notes {
  /** By the numbers that WatermelonDB has for them; of its last two. Null: everything is to come again from the beginning. */
  readonly places: Readonly<Record<string, PlaceNote | null>>;
  readonly epoch: string | null;
  /** The last checkpoint: tells whose the records and edits are (F24). */
  readonly owner?: string;
  /** By `table id`. */
  readonly sent: Readonly<Record<string, SentNote>>;
  /** Refused edits whose rows still show them: the record as it stands, or null where there is none. By `table id`. */
  readonly corrections: Readonly<Record<string, PulledChange | null>>;
  /** The device whose rights were taken away for ever: it is told again, and asks nobody any more. */
  readonly revoked?: string;
}

const KEY = 'tidegate';
const ACCEPTED_KEY = 'tidegate accepted';
const NONE: Notes = { places: {}, epoch: null, sent: {}, corrections: {} };

export async function readNotes({ adapter }: WatermelonDatabase): Promise<Notes> {
  const text = await adapter.getLocal(KEY);
  return text === null || text === undefined ? NONE : (JSON.parse(text) as Notes);
}

/** Durable when it resolves. Nobody else writes them: one sync runs at a time. */
export async function writeNotes(database: WatermelonDatabase, notes: Notes): Promise<void> {
  await database.adapter.setLocal(KEY, JSON.stringify(notes));
}

/** Accepted changes, in an item of their own: a push writes them before it writes its notes. */
export function acceptedStore({ adapter }: WatermelonDatabase): AcceptedStore {
  return {
    async read() {
      const text = await adapter.getLocal(ACCEPTED_KEY);
      return text === null || text === undefined ? [] : (JSON.parse(text) as readonly AcceptedChange[]);
    },
    write: (accepted) => adapter.setLocal(ACCEPTED_KEY, JSON.stringify(accepted)),
  };
}

export function rowKey(table: string, id: string): string {
  return `${table} ${id}`;
}

/** The columns of synced tables, as a text that is another after a migration. */
export function columnsAsText({ schema }: WatermelonDatabase, tables: readonly string[]): string {
  return JSON.stringify(
    tables.map((table) => [table, ...Object.keys(schema.tables[table]?.columns ?? {}).sort()]).sort(),
  );
}

/** @returns table and id */
export function namedBy(key: string): readonly [string, string] {
  const at = key.indexOf(' ');
  return [key.slice(0, at), key.slice(at + 1)];
}
