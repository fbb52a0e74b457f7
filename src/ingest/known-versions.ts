import type { RecordStore } from '../core/record-port.js';
import type { KnownVersions } from '../core/source-port.js';
import type { BatchContext } from './ingest.js';

/**
 * The versions of what is known of a collection, to be asked under. Absent while it is read anew: then every record is to be shown, since the
 * same one may come out otherwise.
 */
export function knownVersions(
  store: Pick<RecordStore, 'readHashes'>,
  tenant: string,
  collection: string,
  { reading }: Pick<BatchContext, 'reading'>,
): KnownVersions | undefined {
  if (reading?.isAnew === true || reading?.isOtherSet === true) return undefined;
  return async (keys) => {
    const marks = keys.length === 0 ? new Map() : await store.readHashes(tenant, collection, keys);
    return new Map(
      [...marks].flatMap(([key, { deleted, sourceVersion }]) =>
        deleted || sourceVersion === null ? [] : [[key, sourceVersion]],
      ),
    );
  };
}
