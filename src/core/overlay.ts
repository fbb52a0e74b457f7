import type { Fields } from './change.js';
import { parseBody, renderBody, type Collection } from './collection.js';
import type { NextState, OpenIntent, RecordView } from './record-port.js';
import { isNobodys, withReferences, type Reference } from './reference.js';
import { checkScopes } from './scope.js';
import { writerOf, type DeviceKey } from './session.js';
import { viaOf, viaOfPending } from './via.js';

/** The source layer of a record, as it is or is to be. */
export type SourceLayer = Pick<NextState, 'sourceKey' | 'deleted' | 'body' | 'sourceVersion' | 'hash' | 'throughUs'>;

/** What the overlay needs of an open intent. */
export type Laid = Pick<OpenIntent, 'kind' | 'fields' | 'seq' | 'device'>;

/** Fields of the source layer as devices see them: references as ids. Null: just as they are. */
export type Outgoing = (fields: Fields) => Fields | null;

/** Fields with references as source keys, and which of them have none yet. */
export interface Incoming {
  readonly fields: Fields;
  /** Fields whose reference names a record that its source does not have yet. */
  readonly unmapped: readonly string[];
  /** The record that gives it its scopes (`via`), where it is known. */
  readonly parent?: RecordView;
}

/** Both ways between ids and keys, for the references of one record (R12). */
export interface Mapping {
  readonly outgoing: Outgoing;
  readonly incoming: (fields: Fields) => Incoming;
}

/** For collections without references, and where every id is its key. */
export const asTheyAre: Mapping = { outgoing: () => null, incoming: (fields) => ({ fields, unmapped: [] }) };

/**
 * A record's next state: the source layer, and what devices see of it while intents are open (specification part 3). Intents
 * whose overlay is taken (`seq`) are laid over the source layer in the order in which they were accepted; an open DELETE only
 * marks the record (F8); a collection that shows confirmed states only shows none of them. Scopes are those of the source's
 * state, since access follows the system of record; of a record that the source does not have yet, those of the overlay; under `via`
 * they are those of the record that either names, which the store knows. A
 * create that is not open any more and never was confirmed leaves a tombstone.
 *
 * @param intents the record's open intents after the write
 * @throws SyncError VALIDATION - the scope rule gave something that is no scope
 */
export function nextState(
  collection: Collection,
  layer: SourceLayer,
  intents: readonly Laid[],
  mapping: Mapping = asTheyAre,
): NextState {
  const shown = shownOf(collection, intents);
  if (layer.body === null) return pendingCreate(collection, layer, shown, mapping);
  if (layer.deleted) return { ...layer, vis: null, pending: false, scopes: [] };
  const fields = parseBody(layer.body);
  const out = mapping.outgoing(fields);
  const edits = shown.filter((intent) => intent.kind === 'UPSERT');
  const text =
    out === null && edits.length === 0
      ? layer.body
      : renderBody(collection, overlaid(collection, out ?? fields, edits));
  return {
    ...layer,
    vis: text === layer.body ? null : text,
    pending: shown.length > 0,
    scopes: checkScopes(collection.name, collection.scopesOf(fields)),
    via: viaOf(collection, fields),
  };
}

/**
 * Scopes of a record that its source does not have yet, computed on source keys. Those that depend on a reference without a key
 * are nobody's: until it has one the record is in the hidden scope of its author's device (F21).
 *
 * @throws SyncError VALIDATION - the scope rule gave something that is no scope
 */
export function scopesOfPending(
  collection: Collection,
  { fields, unmapped }: Incoming,
  author: DeviceKey,
): readonly string[] {
  const scopes = checkScopes(collection.name, collection.scopesOf(fields));
  if (unmapped.length === 0) return scopes;
  const without = Object.fromEntries(unmapped.map((name) => [name, elsewhere(fields[name])]));
  const others = new Set(collection.scopesOf({ ...fields, ...without }));
  const certain = scopes.filter((scope) => others.has(scope));
  return certain.length === scopes.length ? scopes : [...certain, hiddenScope(author)];
}

/** The scope that only one device's sessions have. */
export function hiddenScope(device: DeviceKey): string {
  return writerOf(device);
}

/** The fields that devices see of a record, references as ids; null when they see none. */
export function visibleFields(record: { readonly body: string | null; readonly vis: string | null }): Fields | null {
  const text = record.vis ?? record.body;
  return text === null ? null : parseBody(text);
}

/** The collection with a scope rule that never fails: a record that its own rule cannot read is seen by nobody. */
export function forgiving(collection: Collection): Collection {
  return {
    ...collection,
    scopesOf(fields) {
      try {
        return checkScopes(collection.name, collection.scopesOf(fields));
      } catch {
        return [];
      }
    },
  };
}

/** The source layer of a record as it stands, for writes that leave it as it is. */
export function layerOf(record: Omit<SourceLayer, 'throughUs'>): SourceLayer {
  const { sourceKey, deleted, body, sourceVersion, hash } = record;
  return { sourceKey, deleted, body, sourceVersion, hash, throughUs: false };
}

/** A reference to no record at all: what a scope rule makes of it tells whether it looks at the reference. */
function elsewhere(value: Fields[string] | undefined): Fields[string] {
  return Array.isArray(value) ? value.map(() => '?') : '?';
}

function shownOf(collection: Collection, intents: readonly Laid[]): readonly Laid[] {
  return collection.visibility === 'confirmed' ? [] : intents.filter((intent) => intent.seq !== null);
}

function pendingCreate(
  collection: Collection,
  layer: SourceLayer,
  shown: readonly Laid[],
  mapping: Mapping,
): NextState {
  const edits = shown.filter((intent) => intent.kind === 'UPSERT');
  const [create] = edits;
  if (create === undefined) return { ...layer, deleted: true, vis: null, pending: false, scopes: [] };
  const vis = renderBody(collection, overlaid(collection, {}, edits));
  const kept = Object.assign({}, ...edits.map((edit) => JSON.parse(edit.fields) as Fields)) as Fields;
  const incoming = mapping.incoming(parseBody(renderBody(collection, kept)));
  const via = viaOfPending(collection, incoming);
  const scopes = collection.via === undefined ? scopesOfPending(collection, incoming, create.device) : [];
  return { ...layer, deleted: false, vis, pending: true, scopes, via };
}

/** A reference that names no record for its author is shown to nobody: what it covers is. */
function overlaid(collection: Collection, fields: Fields, edits: readonly Laid[]): Fields {
  const shown = ({ target }: Reference): string | null => (isNobodys(target) ? null : target);
  const laid = edits.map((edit) => withReferences(collection, JSON.parse(edit.fields) as Fields, shown));
  return Object.assign({}, fields, ...laid) as Fields;
}
