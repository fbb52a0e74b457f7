import type { Fields, RecordId, SourceKey } from './change.js';
import { parseBody, type Collection } from './collection.js';
import type { IngestStore } from './ingest-port.js';
import { asTheyAre, type Mapping } from './overlay.js';
import type { RecordStore, RecordView } from './record-port.js';
import {
  idsSeen,
  incomingBy,
  outgoingBy,
  referenceFields,
  referenceName,
  referencesIn,
  type IdsByKey,
  type Reference,
  type ReferredTo,
} from './reference.js';
import type { SourceCollection } from './source-port.js';

/** The one map between ids and source keys (R12, specification part 7), read as it is needed. Every method throws UNAVAILABLE. */
export interface ReferenceMap {
  /**
   * For a new state of a record. What the record itself tells of its references is not looked up, nor is anything for collections
   * without references, or whose references all go where an id is always its key.
   *
   * @param after the fields that the source layer is to have; null: those that it has
   */
  mappingOf(tenant: string, collection: Collection, view: RecordView, after: Fields | null): Promise<Mapping>;
  /**
   * As `mappingOf`, for a state that its source has shown. A reference that names nobody while a create is open that may have made whom
   * it names is left as it was (F9): it comes with a later observation, which is another state then.
   *
   * @param seen read before this is asked
   */
  mappingOfSeen(
    tenant: string,
    collection: Collection,
    view: RecordView,
    seen: Fields,
  ): Promise<{ readonly mapping: Mapping; readonly sure: Fields }>;
  /** For states of a collection's records as a source shows them: every reference is looked up. */
  mappingFor(tenant: string, collection: Collection, states: readonly Fields[]): Promise<LookedUp>;
  /** The records that references name by id. One that was never there is an absent view. */
  referredTo(tenant: string, references: readonly Reference[]): Promise<ReferredTo>;
  /** Does any collection refer to this one? */
  isReferredTo(collection: string): boolean;
  /** Do devices create records of this collection whose keys their source gives? Until they are known a key may be anybody's (F9). */
  isKeyedBySource(collection: string): boolean;
}

/** A mapping, and the keys that no record has, by `referenceName`; keys that need no look-up are not among them. */
export interface LookedUp extends Mapping {
  readonly unknown: ReadonlySet<string>;
}

export type ReferenceStore = Pick<RecordStore, 'readHashes' | 'readRecords'> & Pick<IngestStore, 'readCreates'>;

/** @param sources every collection of the gateway, whichever its source */
export function createReferenceMap(
  store: ReferenceStore,
  sources: readonly Pick<SourceCollection, 'collection' | 'facts'>[],
): ReferenceMap {
  const mapped = new Set(sources.filter(hasOtherIds).map(({ collection }) => collection.name));
  const keyedBySource = new Set(sources.filter(givesKeys).map(({ collection }) => collection.name));
  const parents = new Set(
    sources.flatMap(({ collection }) => referenceFields(collection).map((one) => one.references)),
  );

  async function idsOf(
    tenant: string,
    collection: Collection,
    states: readonly Fields[],
    known: IdsByKey,
  ): Promise<IdsByKey> {
    const missing = new Map<string, Set<SourceKey>>();
    for (const reference of states.flatMap((fields) => referencesIn(collection, fields))) {
      if (!mapped.has(reference.collection) || known.has(referenceName(reference))) continue;
      const keys = missing.get(reference.collection) ?? new Set();
      missing.set(reference.collection, keys.add(reference.target as SourceKey));
    }
    const ids = new Map(known);
    const found = [...missing].map(async ([name, keys]) => {
      for (const [key, { id }] of await store.readHashes(tenant, name, [...keys])) {
        ids.set(referenceName({ collection: name, target: key }), id);
      }
    });
    await Promise.all(found);
    return ids;
  }

  async function readNamed(
    tenant: string,
    names: readonly Pick<Reference, 'collection' | 'target'>[],
  ): Promise<ReferredTo> {
    const wanted = names.map(({ collection, target }) => ({ collection, id: target as RecordId }));
    const views = await store.readRecords(tenant, wanted);
    return new Map(names.map((name, at) => [referenceName(name), views[at] as RecordView]));
  }

  async function referredTo(tenant: string, references: readonly Reference[]): Promise<ReferredTo> {
    const asked = new Map(references.map((one) => [referenceName(one), one]));
    if (asked.size === 0) return new Map();
    const found = await readNamed(tenant, [...asked.values()]);
    const aliases = [...found].flatMap(([name, { collection, aliasOf }]) =>
      aliasOf === null ? [] : [{ name, holder: { collection, target: aliasOf } }],
    );
    if (aliases.length === 0) return found;
    const holders = await readNamed(
      tenant,
      aliases.map(({ holder }) => holder),
    );
    const resolved = aliases.map(
      ({ name, holder }) => [name, holders.get(referenceName(holder)) as RecordView] as const,
    );
    return new Map([...found, ...resolved]);
  }

  async function mappingOf(
    tenant: string,
    collection: Collection,
    view: RecordView,
    after: Fields | null,
  ): Promise<{ readonly mapping: Mapping; readonly ids: IdsByKey }> {
    if (referenceFields(collection).length === 0) return { mapping: asTheyAre, ids: new Map() };
    const before = view.body === null ? null : parseBody(view.body);
    const states = [before, after].filter((state) => state !== null);
    // Only of a record that its source does not have yet are the scopes made of what devices pushed.
    const pushed = states.length > 0 ? [] : view.intents.map((intent) => JSON.parse(intent.fields) as Fields);
    const references = pushed.flatMap((fields) => referencesIn(collection, fields));
    const [ids, records] = await Promise.all([
      idsOf(tenant, collection, states, idsSeen(collection, view)),
      referredTo(tenant, references),
    ]);
    return { mapping: { outgoing: outgoingBy(collection, ids), incoming: incomingBy(collection, records) }, ids };
  }

  /** Of these collections, those that have an open create whose key nobody knows. */
  async function withOpenCreates(tenant: string, collections: readonly string[]): Promise<ReadonlySet<string>> {
    const open = new Set<string>();
    for (const name of new Set(collections)) {
      const { inFlight, parked } = await store.readCreates(tenant, name);
      if (inFlight || parked.length > 0) open.add(name);
    }
    return open;
  }

  return {
    referredTo,
    isReferredTo: (collection) => parents.has(collection),
    isKeyedBySource: (collection) => keyedBySource.has(collection),
    mappingOf: async (tenant, collection, view, after) => (await mappingOf(tenant, collection, view, after)).mapping,
    async mappingOfSeen(tenant, collection, view, seen) {
      // What the record itself tells already is sure, and costs no look at what is open: most answers show nothing else.
      const told = idsSeen(collection, view);
      const named = referencesIn(collection, seen).filter(
        (one) => keyedBySource.has(one.collection) && !told.has(referenceName(one)),
      );
      // In this order: a create that was sent before the state was seen is either still open, or its key is found.
      const open = await withOpenCreates(
        tenant,
        named.map((one) => one.collection),
      );
      const { mapping, ids } = await mappingOf(tenant, collection, view, seen);
      const isUnsure = (one: Reference): boolean => open.has(one.collection) && !ids.has(referenceName(one));
      const unsure = new Set(named.filter(isUnsure).map((one) => one.field));
      if (unsure.size === 0) return { mapping, sure: seen };
      const before: Fields = view.body === null || view.deleted ? {} : parseBody(view.body);
      const left = [...unsure].map((name) => [name, before[name] ?? null] as const);
      return { mapping, sure: { ...seen, ...Object.fromEntries(left) } };
    },
    async mappingFor(tenant, collection, states) {
      if (referenceFields(collection).length === 0) return { ...asTheyAre, unknown: new Set() };
      const ids = await idsOf(tenant, collection, states, new Map());
      const names = states.flatMap((fields) => referencesIn(collection, fields));
      const unknown = names.filter((one) => mapped.has(one.collection) && !ids.has(referenceName(one)));
      return {
        outgoing: outgoingBy(collection, ids),
        incoming: asTheyAre.incoming,
        unknown: new Set(unknown.map(referenceName)),
      };
    },
  };
}

function givesKeys({ collection, facts }: Pick<SourceCollection, 'collection' | 'facts'>): boolean {
  return collection.writes.create && facts.createKey === 'source';
}

/** May a record of this collection have an id that is not its key? */
function hasOtherIds(source: Pick<SourceCollection, 'collection' | 'facts'>): boolean {
  return givesKeys(source) || source.facts.keysReused !== false;
}
