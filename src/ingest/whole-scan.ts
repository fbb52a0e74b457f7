import type { SourceKey } from '../core/change.js';
import type { CollectionProgress } from '../core/ingest-port.js';
import type { ReadingChange } from '../core/reading.js';
import type { SourceCollection } from '../core/source-port.js';
import type { BatchContext, IngestPorts } from './ingest.js';
import { openQuarantine } from './quarantine.js';
import { keepReading } from './reading-change.js';
import { scanCollection } from './scan.js';
import type { ToldGone } from './told-gone.js';

/**
 * A scan, and what follows from its end. Safe to repeat.
 *
 * @returns nothing that was missing is left to be decided on
 * @throws SyncError SOURCE_UNAVAILABLE - the scan was not complete; VALIDATION - too much of what it read does not fit
 * @throws FenceLost - another node took over
 */
export async function scanWhole(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  progress: CollectionProgress,
  context: BatchContext,
  signal: AbortSignal,
): Promise<{ readonly isSettled: boolean }> {
  const { store, log } = ports;
  const { name } = source.collection;
  const { isSettled, ...result } = await scanCollection(ports, tenant, source, context, signal);
  await keepReading(store, tenant, source, progress, isSettled);
  if (progress.scanAskedAtMs !== null) await store.noteScanned(tenant, name, progress.scanAskedAtMs);
  if (result.changed + result.deleted + result.kept.count > 0)
    log.info('scan complete', { collection: name, ...result });
  return { isSettled };
}

/**
 * May polls go on beside a scan? Where one of them sees a record that changed since it asked, only a read by key tells which of the two
 * is right (R15). A scan that is to make up for another reading is waited for.
 */
export function goesBeside({ changes, readOne }: SourceCollection['facts'], reading: ReadingChange): boolean {
  return changes !== 'list' && readOne && !reading.isAnew && !reading.isOtherSet;
}

/** Polls take keys off the recheck list: what is put there while the scan lasts may be newer than what it shows. */
const NOTHING_AWAITED: ReadonlySet<SourceKey> = new Set();

/**
 * A scan of its own, while the collection is polled under the same lease.
 *
 * @param toldGone of the rounds beside it
 * @throws as `scanWhole`
 */
export async function scanBeside(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  fence: BatchContext['fence'],
  toldGone: ToldGone,
  signal: AbortSignal,
): Promise<void> {
  const { name } = source.collection;
  const progress = await ports.store.readCollection(tenant, name);
  const quarantine = await openQuarantine(ports, tenant, source.collection);
  const context = { fence, awaiting: NOTHING_AWAITED, quarantine, toldGone };
  await scanWhole(ports, tenant, source, progress, context, signal);
}
