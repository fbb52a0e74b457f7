import type { Fields, RecordId, Seq, SourceKey } from './change.js';
import { changedFields, hashBody, parseBody, renderBody, valueText, type Collection } from './collection.js';
import { EVERY_FIELD } from './conflict.js';
import type { Restated } from './ingest-port.js';
import { nextState, type Mapping, type SourceLayer } from './overlay.js';
import type { HashText } from './ports.js';
import type { RecordMark, RecordView, RecordWrite } from './record-port.js';
import { checkScopes } from './scope.js';
import { SOURCE_WRITER } from './session.js';
import type { Observation } from './source-port.js';
import { viaOf } from './via.js';

/** An observation of a living record, with the text and the hash by which states are compared. */
export interface ObservedState {
  readonly observation: Observation & { readonly fields: Fields };
  readonly body: string;
  readonly hash: string;
}

export function observedState(
  hash: HashText,
  collection: Collection,
  observation: ObservedState['observation'],
): ObservedState {
  const body = renderBody(collection, observation.fields);
  return { observation, body, hash: hashBody(collection, hash, body) };
}

/**
 * The write that brings a new record into the feed.
 *
 * @param begun what an accepted create has made of the record already; null: nothing is known under this id
 */
export function appearance(
  collection: Collection,
  one: ObservedState,
  { id, begun }: { readonly id: RecordId; readonly begun: RecordView | null },
  mapping: Mapping,
): RecordWrite {
  return {
    collection: collection.name,
    id,
    expected: begun ?? { seq: 0 as Seq, mark: 0 },
    next: nextState(collection, layerOf(one), begun?.intents ?? [], mapping),
    stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
  };
}

/** The write that brings a known record to its observed state; one that was gone comes back under its id (F20). */
export function movement(collection: Collection, view: RecordView, one: ObservedState, mapping: Mapping): RecordWrite {
  const before = view.deleted || view.body === null ? null : parseBody(view.body);
  const fields = before === null ? [EVERY_FIELD] : changedFields(collection, before, one.observation.fields);
  return {
    collection: collection.name,
    id: view.id,
    expected: view,
    next: nextState(collection, layerOf(one), view.intents, mapping),
    stamps: [{ fields, writer: SOURCE_WRITER, at: null }],
  };
}

/**
 * Is a record in the scopes of this state?
 *
 * @param marks of known records
 * @param scopes in which records are; null: these are not looked at
 */
export function hasScopes(
  collection: Collection,
  { observation }: ObservedState,
  marks: ReadonlyMap<SourceKey, Pick<RecordMark, 'via'>>,
  scopes: ReadonlyMap<SourceKey, readonly string[]> | null,
): boolean {
  if ((marks.get(observation.sourceKey)?.via ?? null) !== viaOf(collection, observation.fields)) return false;
  if (scopes === null || collection.via !== undefined) return true;
  const now = checkScopes(collection.name, collection.scopesOf(observation.fields));
  const before = scopes.get(observation.sourceKey) ?? [];
  return now.length === before.length && now.every((scope, at) => scope === before[at]);
}

/**
 * The known state in another text, where only that differs: fields in another order, one that is new and null, one that went and was
 * null. Null: the states differ, or an overlay is laid over the record.
 */
export function restatement(
  collection: Collection,
  view: RecordView,
  one: ObservedState,
  mapping: Mapping,
): Restated | null {
  if (view.deleted || view.body === null || view.intents.length > 0) return null;
  const before = parseBody(view.body);
  const after = one.observation.fields;
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  if ([...names].some((name) => valueText(before[name]) !== valueText(after[name]))) return null;
  const { vis } = nextState(collection, layerOf(one), [], mapping);
  return { id: view.id, expected: { seq: view.seq, mark: view.mark }, body: one.body, hash: one.hash, vis };
}

function layerOf({ observation, body, hash }: ObservedState): SourceLayer {
  const { sourceKey, sourceVersion } = observation;
  return { sourceKey, deleted: false, body, sourceVersion, hash, throughUs: false };
}
