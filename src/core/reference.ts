import type { Fields, JsonValue, RecordId, SourceKey } from './change.js';
import type { Collection } from './collection.js';
import type { FieldDefinition } from './field.js';
import { idOfSourceKey, isDeviceMadeId } from './id.js';
import type { Incoming, Mapping, Outgoing } from './overlay.js';
import type { RecordView } from './record-port.js';

/** One reference of a record: the field that holds it, and what it names: an id as devices have it, a key as sources do. */
export interface Reference {
  readonly field: string;
  readonly collection: string;
  readonly target: string;
}

/** Which ids the records of some keys have, by `referenceName`. A key that is missing has the id that its text gives (F20). */
export type IdsByKey = ReadonlyMap<string, RecordId>;

/** The records that references name by id, by `referenceName`; an alias gives the record that it is (F9). */
export type ReferredTo = ReadonlyMap<string, RecordView>;

/** No id has it: what stands before it names nothing. */
const NOBODY = '?';

/** A reference as it is kept that names no record for whoever pushed it: it cannot be seen, and will not come (R13). */
export function targetOfNobody(target: string): string {
  return `${target}${NOBODY}`;
}

export function isNobodys(target: string): boolean {
  return target.endsWith(NOBODY);
}

/** The id that a kept reference was pushed with. */
export function pushedTarget(target: string): string {
  return isNobodys(target) ? target.slice(0, -NOBODY.length) : target;
}

/** One text per record that can be referred to; collection names have no blank. */
export function referenceName({ collection, target }: Pick<Reference, 'collection' | 'target'>): string {
  return `${collection} ${target}`;
}

/** The reference fields of a collection, with the collections that they point into. */
export function referenceFields(
  collection: Pick<Collection, 'fields'>,
): readonly (FieldDefinition & { readonly references: string })[] {
  return collection.fields.filter(
    (field): field is FieldDefinition & { readonly references: string } =>
      field.type === 'reference' && field.references !== undefined,
  );
}

/** Every reference that is in these fields, those of lists in their order. */
export function referencesIn(collection: Pick<Collection, 'fields'>, fields: Fields): readonly Reference[] {
  return referenceFields(collection).flatMap(({ name, references }) =>
    targetsOf(fields[name]).map((target) => ({ field: name, collection: references, target })),
  );
}

/**
 * The fields with each reference put in another way; what becomes null leaves its list, or its field away. The very same
 * object when nothing changes.
 */
export function withReferences(
  collection: Pick<Collection, 'fields'>,
  fields: Fields,
  replace: (reference: Reference) => string | null,
): Fields {
  let replaced: Record<string, JsonValue> | null = null;
  for (const { name, references, list } of referenceFields(collection)) {
    const before = targetsOf(fields[name]);
    const after = before.map((target) => replace({ field: name, collection: references, target }));
    if (after.every((target, at) => target === before[at])) continue;
    replaced ??= { ...fields };
    const kept = after.filter((target) => target !== null);
    if (list) replaced[name] = kept;
    else if (kept[0] !== undefined) replaced[name] = kept[0];
    else delete replaced[name];
  }
  return replaced ?? fields;
}

/** References of the source layer as ids: by the map, else as the key's text gives it. */
export function outgoingBy(collection: Pick<Collection, 'fields'>, ids: IdsByKey): Outgoing {
  return (fields) => {
    const out = withReferences(
      collection,
      fields,
      (reference) => ids.get(referenceName(reference)) ?? idOfSourceKey(reference.target as SourceKey),
    );
    return out === fields ? null : out;
  };
}

/**
 * References of devices as source keys. What is not among the records is taken for a key; a reference to a record that its source
 * does not have yet stays an id, and its field is unmapped (F21).
 */
export function incomingBy(collection: Pick<Collection, 'fields' | 'via'>, records: ReferredTo): Mapping['incoming'] {
  return (fields): Incoming => {
    const unmapped = new Set<string>();
    const mapped = withReferences(collection, fields, (reference) => {
      const record = records.get(referenceName(reference));
      const key = record === undefined ? null : keyOf(record);
      if (key === null && record !== undefined && isDeviceMadeId(reference.target)) unmapped.add(reference.field);
      return key ?? reference.target;
    });
    const parent = parentIn(collection, fields, records);
    return { fields: mapped, unmapped: [...unmapped], ...(parent === undefined ? {} : { parent }) };
  };
}

/** The record that gives one of these fields its scopes. */
function parentIn({ via }: Pick<Collection, 'via'>, fields: Fields, records: ReferredTo): RecordView | undefined {
  const target = via === undefined ? undefined : fields[via.field];
  if (via === undefined || typeof target !== 'string') return undefined;
  return records.get(referenceName({ collection: via.collection, target }));
}

/** Can a change not go without this reference? Of a list it is one of many. */
export function isNeeded(collection: Pick<Collection, 'fields' | 'via'>, field: string): boolean {
  const declared = referenceFields(collection).find(({ name }) => name === field);
  return declared !== undefined && !declared.list && (declared.required || collection.via?.field === field);
}

/** The key under which the source has a record; null: it does not have it, or not any more. */
export function keyOf({ sourceKey, deleted }: Pick<RecordView, 'sourceKey' | 'deleted'>): SourceKey | null {
  return deleted ? null : sourceKey;
}

/**
 * What a record itself tells of the ids behind its references: as its devices see them now. Fields that an overlay covers tell
 * nothing.
 */
export function idsSeen(
  collection: Pick<Collection, 'fields'>,
  { body, vis, deleted, intents }: Pick<RecordView, 'body' | 'vis' | 'deleted' | 'intents'>,
): IdsByKey {
  // A deleted record keeps its last keys only.
  if (body === null || deleted) return new Map();
  const shown = intents.filter((intent) => intent.seq !== null);
  const covered = new Set(shown.flatMap((intent) => Object.keys(JSON.parse(intent.fields) as Fields)));
  const keys = JSON.parse(body) as Fields;
  const ids = vis === null ? keys : (JSON.parse(vis) as Fields);
  const seen = new Map<string, RecordId>();
  for (const { name, references } of referenceFields(collection)) {
    if (covered.has(name)) continue;
    const targets = targetsOf(ids[name]);
    targetsOf(keys[name]).forEach((key, at) => {
      seen.set(referenceName({ collection: references, target: key }), (targets[at] ?? key) as RecordId);
    });
  }
  return seen;
}

function targetsOf(value: JsonValue | undefined): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter((item) => typeof item === 'string') : [];
}
