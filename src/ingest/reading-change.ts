import type { CollectionProgress, IngestStore } from '../core/ingest-port.js';
import { changeOfReading, fieldChanges, type ReadingChange, type Shape } from '../core/reading.js';
import type { SourceCollection } from '../core/source-port.js';

/**
 * What changed in how a collection is read since all of it was read; the first reading is kept as it is. Before anything is
 * read, so that what is read is never ahead of what is kept.
 */
export async function noticeReading(
  store: Pick<IngestStore, 'noteReading'>,
  tenant: string,
  { collection, reading }: SourceCollection,
  progress: CollectionProgress,
): Promise<ReadingChange> {
  if (reading !== undefined && progress.shape === null) {
    const shape = JSON.stringify(reading.shape);
    const [readAs, provenAs] = [reading.mark('whole', null), reading.mark('set', null)];
    await store.noteReading(tenant, collection.name, { readAs, provenAs, shape });
  }
  return changeOfReading(reading, progress);
}

/**
 * All of the collection was read in the present way.
 *
 * @param isSettled nothing is missing that is not decided on: absences count against this set from now on (R14)
 */
export async function keepReading(
  store: Pick<IngestStore, 'noteReading'>,
  tenant: string,
  { collection, reading }: SourceCollection,
  progress: CollectionProgress,
  isSettled: boolean,
): Promise<void> {
  const { isAnew, isOtherSet } = changeOfReading(reading, progress);
  if (reading === undefined || !(isAnew || isOtherSet)) return;
  await store.noteReading(tenant, collection.name, {
    readAs: reading.mark('whole', progress.readAs),
    ...(isSettled ? { provenAs: reading.mark('set', progress.provenAs), shape: JSON.stringify(reading.shape) } : {}),
  });
}

/** What an architect is to know of a collection whose connector changed since the last start. */
export interface ReadingReport extends ReadingChange {
  /** What devices will see of each field that was removed, added or has another type. */
  readonly fields: ReturnType<typeof fieldChanges>;
}

/** @returns null if it is read as before, or for the first time. Changes nothing. */
export async function reportReading(
  store: Pick<IngestStore, 'readCollection'>,
  tenant: string,
  { collection, reading }: SourceCollection,
): Promise<ReadingReport | null> {
  const progress = await store.readCollection(tenant, collection.name);
  const change = changeOfReading(reading, progress);
  if (reading === undefined || progress.shape === null || !(change.isAnew || change.isOtherSet)) return null;
  return { ...change, fields: fieldChanges(JSON.parse(progress.shape) as Shape, reading.shape) };
}
