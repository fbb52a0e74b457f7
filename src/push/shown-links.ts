import type { Collection } from '../core/collection.js';
import type { Mapping } from '../core/overlay.js';
import type { RecordView } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { Applied } from './settle.js';

/**
 * What a source took, and whom its references name: of a record that it shows, those references only of which that is known by now (F9).
 *
 * @throws SyncError UNAVAILABLE
 */
export async function withLinks(
  references: ReferenceMap,
  tenant: string,
  collection: Collection,
  view: RecordView,
  applied: Applied,
): Promise<{ readonly applied: Applied; readonly mapping: Mapping }> {
  const { observation, write } = applied;
  if (observation === null || observation.fields === null) {
    return { applied, mapping: await references.mappingOf(tenant, collection, view, write.fields) };
  }
  const { mapping, sure } = await references.mappingOfSeen(tenant, collection, view, observation.fields);
  return { applied: { ...applied, observation: { ...observation, fields: sure } }, mapping };
}
