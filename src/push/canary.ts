import type { SourceKey } from '../core/change.js';
import { fieldsShown, type Observation, type SourceCollection } from '../core/source-port.js';
import type { DeliveryTools } from './delivery-tools.js';
import { readOrNot } from './fresh-copy.js';
import type { Finding } from './source-copy.js';

/** What a read says of a record. */
export type Sighting =
  | Observation
  /** It is not there, and a record that is known to be alive is (F7). */
  | 'absent'
  /** It is not there, but no other record of the collection is known that could confirm it. */
  | 'unconfirmed'
  /** The source does not answer, or not as itself. */
  | 'unread';

/** Records asked for as a canary before the source's "not there" counts for nothing. */
const CANARIES = 3;

/**
 * Reads a record in its lane, and believes that it is not there only if behind that answer a record of the same collection still
 * answers with its own key, and the record is absent once more (F7): an application that is being redeployed says 404 to
 * everything.
 *
 * @throws SyncError UNAVAILABLE - the store
 */
export async function sightRecord(
  tools: Pick<DeliveryTools, 'store' | 'clock' | 'log'>,
  source: SourceCollection,
  tenant: string,
  finding: Finding,
): Promise<Sighting> {
  const key = 'key' in finding ? finding.key : null;
  return await sight(tools, source, tenant, key, () => readOrNot(tools, source, finding));
}

/**
 * What there is of a record that is gone as far as is known here, behind an answer that may be older than its end.
 *
 * @returns null when it is gone
 * @throws SyncError UNAVAILABLE - the store
 */
export async function sightGone(
  tools: Pick<DeliveryTools, 'store' | 'clock' | 'log'>,
  source: SourceCollection,
  tenant: string,
  key: SourceKey,
): Promise<Observation | null | 'unread'> {
  const shown = await sightRecord(tools, source, tenant, { key });
  if (shown === 'absent' || shown === 'unconfirmed') return null;
  return shown === 'unread' || fieldsShown(shown) !== null ? shown : null;
}

/**
 * The same for any look that may find nothing.
 *
 * @param key of the record that is looked for, which is no canary; null: it is not known
 * @throws SyncError UNAVAILABLE - the store
 */
export async function sight<T>(
  tools: Pick<DeliveryTools, 'store' | 'clock' | 'log'>,
  source: SourceCollection,
  tenant: string,
  key: SourceKey | null,
  look: () => Promise<T | 'absent' | 'unread'>,
): Promise<T | Exclude<Sighting, Observation>> {
  const first = await look();
  if (first !== 'absent') return first;
  const canaries = source.facts.readOne ? await knownOthers(tools, source, tenant, key) : [];
  if (canaries.length === 0) return 'unconfirmed';
  for (const canary of canaries) {
    const alive = await readOrNot(tools, source, { key: canary });
    if (alive === 'unread') return 'unread';
    if (alive === 'absent' || alive.fields === null || alive.sourceKey !== canary) continue;
    // Once more: an outage that ended between the two would have made both answers.
    return await look();
  }
  return 'unread';
}

async function knownOthers(
  { store }: Pick<DeliveryTools, 'store'>,
  { collection }: SourceCollection,
  tenant: string,
  key: SourceKey | null,
): Promise<readonly SourceKey[]> {
  const { head } = await store.readHead(tenant);
  const known = await store.knownKeys(tenant, collection.name, head, null, CANARIES + 1);
  return known.filter((other) => other !== key).slice(0, CANARIES);
}
