import type { Fields, RecordId } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { isDeviceMadeId } from '../core/id.js';
import { forgiving, visibleFields, type Mapping } from '../core/overlay.js';
import type { Acceptance, OpenIntent, RecordView } from '../core/record-port.js';
import {
  idsSeen,
  incomingBy,
  isNobodys,
  outgoingBy,
  referenceName,
  referencesIn,
  targetOfNobody,
  withReferences,
  type Reference,
} from '../core/reference.js';
import type { Pusher } from './decide-acceptance.js';
import { awaitedOf } from './parent.js';
import type { CheckedChange } from './pushed-change.js';
import type { ReferredRecords } from './referred-records.js';
import { sees } from './write-permission.js';

type Intended = NonNullable<Acceptance['intent']>;

/** What ties a pushed change to other records. */
export interface Links {
  /** The pushed fields as they are kept: a reference to a record that its session may not see is one to no record at all (R13). */
  readonly fields: Fields;
  /** Both ways between ids and keys, for this record and what it refers to. */
  readonly mapping: Mapping;
  /** The open change of another record that must be settled first (F18). */
  readonly waitsFor: OpenIntent | null;
  /** The records that it refers to, or does not any more: their deletion waits for it. Absent: none. */
  readonly refersTo?: NonNullable<Intended['refersTo']>;
}

/**
 * Looks at what a change refers to (R12, R13, F18). A reference that the record has already is not judged: a device may send all
 * fields back. An id that a device made and nobody knows may still come; any other that the session cannot see never will.
 *
 * @param referred the records that the change, and earlier open ones of its record, refer to
 */
export function linksOf(
  { collection, kind, fields }: CheckedChange,
  view: RecordView,
  referred: ReferredRecords,
  pusher: Pusher,
  collections: ReadonlyMap<string, Collection>,
): Links {
  const seen = visibleFields(view) ?? {};
  const earlier = view.intents.map((intent) => JSON.parse(intent.fields) as Fields);
  const present = new Set([seen, ...earlier].flatMap((state) => referencesIn(collection, state)).map(fieldAndTarget));
  const records = new Map<string, RecordView>();
  for (const reference of [fields, ...earlier].flatMap((state) => referencesIn(collection, state))) {
    const record = referred.find(reference);
    if (record !== undefined) records.set(referenceName(reference), record);
  }
  const waits: OpenIntent[] = [];
  const kept = withReferences(collection, fields, (reference) => {
    const record = records.get(referenceName(reference));
    if (record === undefined || present.has(fieldAndTarget(reference))) return reference.target;
    if (isVisible(record, pusher, collections)) {
      const isItself = record.collection === collection.name && record.id === view.id;
      const awaited = isItself ? null : awaitedOf(record);
      if (awaited !== null) waits.push(awaited);
      return reference.target;
    }
    const mayCome = isDeviceMadeId(reference.target) && isUnknown(record);
    // Without its record it is taken for a key, and the scopes are what its text gives; under `via` they may not be that record's.
    if (!isDeviceMadeId(reference.target) || (!mayCome && collection.via?.field === reference.field))
      records.delete(referenceName(reference));
    return mayCome ? reference.target : targetOfNobody(reference.target);
  });
  const refersTo = touchedReferences(collection, kind === 'DELETE' ? null : kept, seen, records);
  return {
    fields: kept,
    mapping: { outgoing: outgoingBy(collection, idsSeen(collection, view)), incoming: incomingBy(collection, records) },
    waitsFor: waits.sort((a, b) => b.intentNo - a.intentNo)[0] ?? null,
    ...(refersTo.length === 0 ? {} : { refersTo }),
  };
}

function touchedReferences(
  collection: Collection,
  after: Fields | null,
  before: Fields,
  records: ReadonlyMap<string, RecordView>,
): NonNullable<Intended['refersTo']> {
  const left = after === null ? before : Object.fromEntries(Object.entries(before).filter(([name]) => name in after));
  const named = [...referencesIn(collection, after ?? {}), ...referencesIn(collection, left)]
    .filter(({ target }) => !isNobodys(target))
    .map((reference) => {
      const id = records.get(referenceName(reference))?.id ?? (reference.target as RecordId);
      return [`${reference.collection} ${id}`, { collection: reference.collection, id }] as const;
    });
  return [...new Map(named).values()];
}

function isVisible(
  record: RecordView,
  { device, grant }: Pusher,
  collections: ReadonlyMap<string, Collection>,
): boolean {
  const collection = collections.get(record.collection);
  if (collection === undefined) return false;
  const isOwn = record.body === null && record.intents.some((intent) => intent.device.user === device.user);
  return isOwn || sees(grant, forgiving(collection), record);
}

/** Nothing was ever known of it, or its create was refused. */
function isUnknown({ body, intents }: RecordView): boolean {
  return body === null && intents.length === 0;
}

function fieldAndTarget({ field, target }: Reference): string {
  return `${field} ${target}`;
}
