import type { PulledChange } from '../gateway.js';

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

/** A change that was sent, until WatermelonDB took it for synced. */
export interface SentNote {
  readonly changeId: string;
  /** What it says, as text: the same again is a repeat (F22). */
  readonly body: string;
  readonly changedAt: string;
  readonly epoch: string | null;
}

/** What the glue keeps beside WatermelonDB's own notes, in the database's local storage. */
export interface Notes {
  /** Checkpoints by the numbers that WatermelonDB has for them; of its last two. */
  readonly places: Readonly<Record<string, string>>;
  readonly epoch: string | null;
  /** By `table id`. */
  readonly sent: Readonly<Record<string, SentNote>>;
  /** Refused edits whose rows still show them: the record as it stands, or null where there is none. By `table id`. */
  readonly corrections: Readonly<Record<string, PulledChange | null>>;
  /** Accepted changes that wait for their receipts, `table id` by change id. */
  readonly open: Readonly<Record<string, string>>;
}

const KEY = 'tidegate';
const NONE: Notes = { places: {}, epoch: null, sent: {}, corrections: {}, open: {} };

export async function readNotes({ adapter }: WatermelonDatabase): Promise<Notes> {
  const text = await adapter.getLocal(KEY);
  return text === null || text === undefined ? NONE : (JSON.parse(text) as Notes);
}

/** Durable when it resolves. Nobody else writes them: one sync runs at a time. */
export async function writeNotes(database: WatermelonDatabase, notes: Notes): Promise<void> {
  await database.adapter.setLocal(KEY, JSON.stringify(notes));
}

export function rowKey(table: string, id: string): string {
  return `${table} ${id}`;
}

/** @returns table and id */
export function namedBy(key: string): readonly [string, string] {
  const at = key.indexOf(' ');
  return [key.slice(0, at), key.slice(at + 1)];
}
