import type { Fields } from '../core/change.js';
import { valueText, type Collection } from '../core/collection.js';
import { isDeviceMadeId } from '../core/id.js';
import { keptFields } from '../core/keeping.js';
import type { ReferenceMap, LookedUp } from '../core/reference-map.js';
import { referenceFields, referenceName, referencesIn } from '../core/reference.js';
import type { IngestStore } from '../core/ingest-port.js';
import type { SourceCollection } from '../core/source-port.js';
import type { ObservedState } from '../core/observed-state.js';

/** What is held back because a record may be a device's own, or refer to one, whose key is not known yet (F9). */
export interface Holding {
  /** Looks references up, and tells how devices see them. */
  readonly mapping: LookedUp;
  /** Why an observation of a key that no record has is held; null: it is a new record. */
  ofUnknown(one: ObservedState): string | null;
  /** Why an observation is held because of what it refers to; null: it is not. */
  ofReferences(one: ObservedState): string | null;
}

/** Rechecks of another collection that are looked through for a key. */
const MOST_RECHECKS = 10_000;

/**
 * Reads which creates are open, and then what the references of these observations name. In this order: a create that was sent
 * before the observation was made is either still open then, or its key is found. So is the order to the observation itself, which
 * must be made before.
 *
 * @param unknown observations whose key no record has
 * @param changed observations that say something new
 */
export async function readHolding(
  ports: {
    readonly store: Pick<IngestStore, 'readCreates' | 'dueRechecks'>;
    readonly references: ReferenceMap;
  },
  tenant: string,
  { collection, facts }: Pick<SourceCollection, 'collection' | 'facts'>,
  unknown: readonly ObservedState[],
  changed: readonly ObservedState[],
): Promise<Holding> {
  const { store, references } = ports;
  const creates = unknown.length === 0 ? NONE : await store.readCreates(tenant, collection.name);
  const parents = parentsOf(collection, [...unknown, ...changed]).filter((name) => references.isKeyedBySource(name));
  const parentCreates = new Map<string, Creates>();
  for (const name of parents) parentCreates.set(name, await store.readCreates(tenant, name));
  const states = [...unknown, ...changed].map(({ observation }) => observation.fields);
  const mapping = await references.mappingFor(tenant, collection, states);
  const waiting = new Set<string>();
  for (const [name, { inFlight, parked }] of parentCreates) {
    if (inFlight || parked.length === 0 || mapping.unknown.size === 0) continue;
    const rechecks = await store.dueRechecks(tenant, name, Number.MAX_SAFE_INTEGER, MOST_RECHECKS);
    for (const { sourceKey } of rechecks) waiting.add(referenceName({ collection: name, target: sourceKey }));
  }
  const parked = creates.parked.map((fields) => JSON.parse(fields) as Fields);

  return {
    mapping,
    ofUnknown({ observation: { sourceKey, fields } }) {
      if (facts.createKey === 'device') {
        return creates.inFlight && isDeviceMadeId(sourceKey) ? 'a create is in flight' : null;
      }
      if (creates.inFlight) return 'a create is in flight';
      const shown = mapping.outgoing(fields) ?? fields;
      return parked.some((made) => shows(shown, keptFields(collection, sourceKey, made)))
        ? 'a parked create has made it, maybe'
        : null;
    },
    ofReferences({ observation: { fields } }) {
      const isHeld = referencesIn(collection, fields).some((reference) => {
        const name = referenceName(reference);
        if (!mapping.unknown.has(name)) return false;
        return waiting.has(name) || parentCreates.get(reference.collection)?.inFlight === true;
      });
      return isHeld ? 'it refers to what a create in flight may have made' : null;
    },
  };
}

type Creates = Awaited<ReturnType<IngestStore['readCreates']>>;

const NONE: Creates = { inFlight: false, parked: [] };

/** The collections that these observations refer to. */
function parentsOf(collection: Collection, states: readonly ObservedState[]): readonly string[] {
  if (states.length === 0 || referenceFields(collection).length === 0) return [];
  return [
    ...new Set(
      states.flatMap(({ observation }) => referencesIn(collection, observation.fields)).map((one) => one.collection),
    ),
  ];
}

/** Does a record show every field that a create sent? */
function shows(fields: Fields, made: Fields): boolean {
  return Object.keys(made).every((name) => valueText(made[name]) === valueText(fields[name]));
}
