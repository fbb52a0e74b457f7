import type { Fields } from '../core/change.js';
import { movement, observedState } from '../core/observed-state.js';
import type { Mapping } from '../core/overlay.js';
import type { Clock, HashText, Log } from '../core/ports.js';
import type { RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { Observation, SourceCollection } from '../core/source-port.js';
import { readOnce, type Finding } from './source-copy.js';

/** A record as its source has it. */
type PresentObservation = Observation & { readonly fields: Fields };

interface CopyPorts {
  readonly store: RecordStore;
  readonly references: ReferenceMap;
  readonly hash: HashText;
  readonly log: Log;
}

/**
 * Brings the source's own copy of one record into the feed (specification part 4: a source that holds another version; an
 * answer without one). It is written only if the record is still as `view` says, and `view` was read before the request
 * was sent: an observation that a write through us has overtaken is dropped (R15). Safe to repeat.
 *
 * @returns `kept`: the store holds it now; `moved`: it does not, since the record moved meanwhile: read that again
 * @throws SyncError UNAVAILABLE
 */
export async function keepCopy(
  ports: CopyPorts,
  source: SourceCollection,
  tenant: string,
  view: RecordView,
  seen: PresentObservation,
): Promise<'kept' | 'moved' | 'failed'> {
  const { collection } = source;
  const { mapping, sure } = await ports.references.mappingOfSeen(tenant, collection, view, seen.fields);
  const write = writeOf(source, view, { ...seen, fields: sure }, ports.hash, mapping);
  if (write === null) return 'kept';
  const [outcome] = await ports.store.commit(tenant, [write]);
  if (outcome?.kind === 'written') return 'kept';
  if (outcome?.kind === 'stale') return 'moved';
  ports.log.warn('a fresh copy could not be kept', { collection: collection.name, id: view.id, outcome });
  return 'failed';
}

/** One read of a record at its source, within the time of a call; `unread`: it did not answer, or not properly. */
export async function readOrNot(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  source: SourceCollection,
  finding: Finding,
): Promise<Observation | 'absent' | 'unread'> {
  try {
    return await readOnce(clock, source, finding);
  } catch (thrown) {
    log.info('a record could not be read', { collection: source.collection.name, reason: String(thrown) });
    return 'unread';
  }
}

/** @returns null when the store knows exactly this */
function writeOf(
  { collection }: SourceCollection,
  view: RecordView,
  observation: PresentObservation,
  hash: HashText,
  mapping: Mapping,
): RecordWrite | null {
  const one = observedState(hash, collection, observation);
  if (one.hash !== view.hash || view.deleted) return movement(collection, view, one, mapping);
  const { sourceVersion } = observation;
  if (sourceVersion === view.sourceVersion) return null;
  return { collection: view.collection, id: view.id, expected: view, sourceVersion };
}
