import {
  parseVersion,
  type Epoch,
  type Fields,
  type JsonValue,
  type PushKind,
  type RecordId,
  type Seq,
} from '../core/change.js';
import { fieldOf, valueText, type Collection } from '../core/collection.js';
import { SyncError, type ChangeError } from '../core/errors.js';
import { fitValue } from '../core/field.js';
import { MAX_ID_LENGTH } from '../core/id.js';
import type { PushStatus } from '../core/intent.js';

/** A change as its device sent it: what it says is not checked yet. `fields` is null for DELETE. */
export interface PushedChange {
  readonly changeId: string;
  readonly collection: string;
  readonly id: string;
  readonly kind: PushKind;
  readonly baseVersion: string | null;
  readonly changedAt: string;
  readonly fields: Readonly<Record<string, unknown>> | null;
  readonly sentEpoch: string | null;
}

/** One pushed change's own result (R8). A REJECTED one whose error is retryable is not stored: send it again. */
export interface PushResult {
  readonly changeId: string;
  readonly status: PushStatus;
  readonly error: ChangeError | null;
  readonly blockedBy: string | null;
  readonly collection: string;
  readonly id: string;
}

/** A pushed change that can be remembered: its names are sound, although what it wants may not be. */
export interface NamedChange {
  readonly changeId: string;
  readonly collection: Collection;
  readonly id: RecordId;
}

/** A pushed change of which all is right that can be seen without its record. */
export interface CheckedChange extends NamedChange {
  readonly kind: PushKind;
  readonly base: { readonly epoch: Epoch; readonly seq: Seq } | null;
  /** By the device's clock, ms since 1970. */
  readonly changedAtMs: number;
  /** Canonical encodings; empty for DELETE. */
  readonly fields: Fields;
  readonly sentEpoch: string | null;
  /** `id` is that of the record which the pushed id turned out to be (F9). */
  readonly isAlias?: true;
}

/** Longest change id, in characters. */
export const MAX_CHANGE_ID_LENGTH = 128;
const CHANGE_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** What percent-encoded parts joined by ":" are made of: no other id was ever given to a record. */
const RECORD_ID = /^[A-Za-z0-9._:~!*'()%-]+$/;

/**
 * The names of a change: without sound ones nothing can be remembered of it, so that a repeat is answered by the same check.
 *
 * @throws SyncError VALIDATION - names the part that is wrong
 */
export function nameChange(change: PushedChange, collections: ReadonlyMap<string, Collection>): NamedChange {
  const { changeId, id } = change;
  if (!CHANGE_ID.test(changeId)) {
    throw wrong(
      'changeId',
      `1 to ${MAX_CHANGE_ID_LENGTH} characters of A-Z, a-z, 0-9, ".", "_", ":" and "-"`,
      changeId,
    );
  }
  const collection = collections.get(change.collection);
  if (collection === undefined) throw wrong('collection', 'the name of a collection', change.collection);
  if (id.length > MAX_ID_LENGTH || !RECORD_ID.test(id)) {
    throw wrong('id', `the id of a record: 1 to ${MAX_ID_LENGTH} characters of a percent-encoded text`, id);
  }
  return { changeId, collection, id: id as RecordId };
}

/**
 * The text whose hash tells a repeat from another change under the same id (R7). `sentEpoch` is not part of it: repeats
 * after a restore carry it.
 *
 * @throws SyncError VALIDATION - the fields are no JSON or too deep
 */
export function bodyText(change: PushedChange): string {
  const { collection, id, kind, baseVersion, changedAt, fields } = change;
  try {
    return JSON.stringify([collection, id, kind, baseVersion, changedAt, valueText(fields as JsonValue)]);
  } catch (cause) {
    throw new SyncError('VALIDATION', 'json: expected a JSON object of a sane depth', { field: 'json', cause });
  }
}

/**
 * Checks what can be seen without the record (R13): only declared, writable fields in their declared types.
 *
 * @throws SyncError VALIDATION - with the field, what was expected and what came
 */
export function checkChange(change: PushedChange, named: NamedChange): CheckedChange {
  const { collection } = named;
  if (change.kind !== 'UPSERT' && change.kind !== 'DELETE') throw wrong('kind', 'UPSERT or DELETE', change.kind);
  const changedAt = fitValue(CHANGED_AT, change.changedAt);
  if (!changedAt.ok || changedAt.value === null) {
    throw wrong('changedAt', 'a date and time with zone, like 2026-01-31T12:00:00.000Z', change.changedAt);
  }
  const base = change.baseVersion === null ? null : parseVersion(change.baseVersion);
  if (base === null && change.baseVersion !== null) {
    throw wrong('baseVersion', 'a version that pull gave out', change.baseVersion);
  }
  return {
    ...named,
    kind: change.kind,
    base,
    changedAtMs: Date.parse(changedAt.value as string),
    fields: change.kind === 'DELETE' ? withoutFields(change) : checkFields(collection, change.fields ?? {}),
    sentEpoch: change.sentEpoch,
  };
}

const CHANGED_AT = { name: 'changedAt', type: 'dateTime', list: false, required: true, writable: true } as const;

function withoutFields(change: PushedChange): Fields {
  if (change.fields === null || Object.keys(change.fields).length === 0) return {};
  throw wrong('json', 'no fields with a DELETE', `${Object.keys(change.fields).length} fields`);
}

function checkFields(collection: Collection, pushed: Readonly<Record<string, unknown>>): Fields {
  const fields: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(pushed)) {
    const field = fieldOf(collection, name);
    if (field === undefined) {
      const known = collection.fields.map((one) => one.name).join(', ');
      throw wrong(shown(name), `a field of ${collection.name} (${known})`, name);
    }
    if (!field.writable) throw wrong(name, `a field that devices may write; ${collection.name}.${name} is not`, name);
    const fit = fitValue(field, value);
    if (!fit.ok) {
      const { expected, got } = fit.misfit;
      throw new SyncError('VALIDATION', `${collection.name}.${name}: expected ${expected}, got ${got}`, {
        field: name,
      });
    }
    if (field.required && fit.value === null) throw wrong(name, 'a value, the field is required', 'null');
    fields[name] = fit.value;
  }
  return fields;
}

/** A VALIDATION error about one part of a change. */
export function wrong(field: string, expected: string, got: string): SyncError {
  return new SyncError('VALIDATION', `${field}: expected ${expected}, got ${JSON.stringify(shown(got))}`, { field });
}

/** Foreign text in messages: short. */
function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…`.toWellFormed() : text.toWellFormed();
}
