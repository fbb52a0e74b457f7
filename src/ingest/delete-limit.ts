import type { Clock, Log } from '../core/ports.js';
import type { ReadingChange } from '../core/reading.js';
import type { IngestStore } from '../core/ingest-port.js';

/** Past this many deletions within the hour … */
export const MASS_DELETE_RECORDS = 20;
/** … that are also more than this share of the records that were there, a collection's deletions are held (R14). */
export const MASS_DELETE_SHARE = 0.05;
const WINDOW_MS = 3_600_000;

/**
 * Would so many deletions more pass the limit of the collection's last hour? Every path asks before it deletes, and they all
 * count together (R14). Past the limit an operator is told, who may allow more for a while. What is missing from another set than the
 * one that is known, as other credentials, another address or filter may show, is never deleted without that.
 */
export async function isPastDeleteLimit(
  ports: {
    readonly store: Pick<IngestStore, 'countDeletions' | 'noteHeldDeletions' | 'readCollection'>;
    readonly clock: Clock;
    readonly log: Log;
  },
  tenant: string,
  collection: string,
  more: number,
  reading?: ReadingChange,
): Promise<boolean> {
  const { deletions, live } = await ports.store.countDeletions(tenant, collection, ports.clock.nowMs() - WINDOW_MS);
  const total = deletions + more;
  const isOtherSet = reading?.isOtherSet === true;
  const isLikely = total <= MASS_DELETE_RECORDS || total <= MASS_DELETE_SHARE * (live + deletions);
  if (isLikely && !isOtherSet) return false;
  const { allowedDeletions } = await ports.store.readCollection(tenant, collection);
  if (total <= allowedDeletions) return false;
  await ports.store.noteHeldDeletions(tenant, collection, more);
  const details = { collection, gone: more, deletions, allowed: allowedDeletions };
  ports.log.error(
    isOtherSet
      ? 'deletions are held: the collection is read in another way than what is known of it was'
      : 'deletions are held: more records are gone than is likely',
    details,
  );
  return true;
}
