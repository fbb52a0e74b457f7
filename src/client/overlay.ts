import type { Fields } from '../core/change.js';
import type { HeldRecord, RecordsRead } from './local-store.js';
import { isForUser, type OutboxEntry } from './outbox-entry.js';

/** A record as the app shows it: what the source has, with the device's own edits laid over it. */
export interface LocalRecord<Shape = Fields> {
  readonly id: string;
  readonly fields: Shape;
  /** Of the state below the edits; null: the gateway does not have it yet. */
  readonly version: string | null;
  /** Something of it is not confirmed by its source: edits of this device, or others' that are open. */
  readonly isPending: boolean;
}

/** The fields as the app shows them; null: there is no such record, or it was deleted here. */
export function shownFields(held: HeldRecord | undefined, entries: readonly OutboxEntry[]): Fields | null {
  let fields = held?.fields ?? null;
  for (const entry of entries) {
    if (isForUser(entry) || entry.isCovered) continue;
    if (entry.fields === null) fields = null;
    else if (fields !== null || entry.isCreate) fields = { ...fields, ...entry.fields };
  }
  return fields;
}

/** Everything that the app shows of what was read. */
export function shownRecords({ records, entries }: RecordsRead): readonly LocalRecord[] {
  const edits = new Map<string, OutboxEntry[]>();
  for (const entry of entries) {
    const own = edits.get(entry.id);
    if (own === undefined) edits.set(entry.id, [entry]);
    else own.push(entry);
  }
  const shown: LocalRecord[] = [];
  const show = (id: string, held: HeldRecord | undefined, own: readonly OutboxEntry[]): void => {
    const fields = shownFields(held, own);
    if (fields === null) return;
    const isPending = held === undefined || held.isPending || own.some((one) => !isForUser(one));
    shown.push({ id, fields, version: held?.version ?? null, isPending });
  };
  for (const held of records) {
    show(held.id, held, edits.get(held.id) ?? []);
    edits.delete(held.id);
  }
  for (const [id, own] of edits) show(id, undefined, own);
  return shown;
}

/** Are two values equal, to any depth? */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length || Array.isArray(a) !== Array.isArray(b)) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSame(a[name as keyof typeof a], b[name as keyof typeof b]));
}
