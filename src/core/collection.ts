import type { Fields, JsonValue } from './change.js';
import { fitValue, type FieldDefinition } from './field.js';
import type { Via } from './via.js';
import type { WriteRules } from './write-rule.js';
import { KEPT, type Keeping, type Storage } from './keeping.js';
import type { HashText } from './ports.js';

/** How a conflict is settled; `ask` hands it back to the device, with everything that the device pushed on top of it (F19). */
export const POLICIES = ['sourceWins', 'deviceWins', 'newestWins', 'mergeFields', 'ask'] as const;
export type Policy = (typeof POLICIES)[number];

/** The policy of a collection that declares none: it never overwrites a field that the device has not seen. */
export const DEFAULT_POLICY: Policy = 'mergeFields';

/**
 * What a collection is to the core: its names, its fields and its rules. Made from a connector's definition at start and
 * immutable afterwards.
 */
export interface Collection {
  /** The key in `collections` and `RecordInput`, like `visits`. */
  readonly name: string;
  /** The GraphQL type, like `Visit`. */
  readonly type: string;
  /** The source that serves it. */
  readonly source: string;
  readonly fields: readonly FieldDefinition[];
  readonly policy: Policy;
  /**
   * May devices see accepted changes before the source has confirmed them? `pending`: laid over the record and marked.
   * Absent: `pending`.
   */
  readonly visibility?: 'pending' | 'confirmed';
  /**
   * What becomes of an edit that meets a record which is gone at its source: `deleteWins` refuses it as a CONFLICT, `editWins` makes the
   * record again from its last known state with the edit laid over it. Absent: `deleteWins`.
   */
  readonly deletedRecord?: 'deleteWins' | 'editWins';
  /** What devices may do with its records. */
  readonly writes: { readonly create: boolean; readonly update: boolean; readonly delete: boolean };
  /** Who may do that, and change which field. Absent: whoever sees the record. */
  readonly rules?: WriteRules;
  /** `metadataOnly`: no field value of it rests in the gateway (F29). Absent: `snapshot`. */
  readonly storage?: Storage;
  /** What stands for field values wherever its records are kept. Absent: the values themselves. */
  readonly keeping?: Keeping;
  /** Takes the place of the plain hash of ready texts, which would let values of sealed fields be tried (F32). Absent: the plain one. */
  readonly keyedHash?: HashText;
  /** The reference whose record gives this collection's records their scopes; `scopesOf` gives none then. Absent: `scopesOf` does. */
  readonly via?: Via;
  /** Scope names of a record: a pure function of its own fields, as known to the source. */
  readonly scopesOf: (fields: Fields) => readonly string[];
}

export function fieldOf(collection: Collection, name: string): FieldDefinition | undefined {
  return collection.fields.find((field) => field.name === name);
}

/**
 * The ready text of a record: a JSON object with every declared field in declared order, absent ones null. Two states are
 * equal exactly when their texts are; pull sends these bytes as they are. Objects inside json fields are sorted by key.
 */
export function renderBody(collection: Collection, fields: Fields): string {
  let text = '{';
  let comma = '';
  for (const field of collection.fields) {
    const value = fields[field.name];
    const json =
      value === undefined || value === null ? 'null' : JSON.stringify(field.type === 'json' ? sorted(value) : value);
    text += `${comma}"${field.name}":${json}`;
    comma = ',';
  }
  const known = fields[KEPT];
  return known === undefined || collection.keeping === undefined
    ? `${text}}`
    : `${text}${comma}"${KEPT}":${JSON.stringify(known)}}`;
}

/** The hash of a ready text, by which equal states are known without reading them (R17). */
export function hashBody({ keyedHash }: Collection, hash: HashText, body: string): string {
  return (keyedHash ?? hash)(body);
}

/** Reads a ready text back. */
export function parseBody(body: string): Fields {
  return JSON.parse(body) as Fields;
}

/** Names of the fields in which two states differ, in declared order; `null` is a record that is not there. */
export function changedFields(collection: Collection, before: Fields | null, after: Fields | null): readonly string[] {
  return collection.fields
    .map((field) => field.name)
    .filter((name) => valueText(before?.[name]) !== valueText(after?.[name]));
}

/** A canonical text of one value, for comparing. */
export function valueText(value: JsonValue | undefined): string {
  return value === undefined || value === null ? 'null' : JSON.stringify(sorted(value));
}

/** What a source delivered as fields, or why it does not fit: the source or its mapping is not as declared. */
export type ObservedFit =
  | { readonly ok: true; readonly fields: Fields }
  | { readonly ok: false; readonly field: string; readonly reason: string };

/** Fits what a source delivered to the declared fields: every declared field, canonical encodings, unknown fields dropped. */
export function fitObserved(collection: Collection, observed: Readonly<Record<string, unknown>>): ObservedFit {
  const fields: Record<string, JsonValue> = {};
  for (const field of collection.fields) {
    const fit = fitValue(field, observed[field.name]);
    if (!fit.ok) {
      const { expected, gotKind } = fit.misfit;
      return { ok: false, field: field.name, reason: `expected ${expected} from the source, got ${gotKind}` };
    }
    fields[field.name] = fit.value;
  }
  return { ok: true, fields };
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value as Readonly<Record<string, JsonValue>>);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}
