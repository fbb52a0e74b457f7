import type { RecordStore } from '../core/record-port.js';
import type { KnownStates, KnownVersions } from '../core/source-port.js';
import type { BatchContext, IngestPorts } from './ingest.js';

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

/** The same for scans, with pages that show nothing new. A record that is to be read again is to be shown: that may end its waiting. */
export function knownStates(
  { store, pages }: Pick<IngestPorts, 'store' | 'pages'>,
  tenant: string,
  collection: string,
  context: Pick<BatchContext, 'reading' | 'awaiting'>,
): KnownStates | undefined {
  const versions = knownVersions(store, tenant, collection, context);
  if (versions === undefined) return undefined;
  return {
    versions,
    async pages(digest) {
      const page = pages.find(collection, digest);
      if (page === null || page.keys.some((key) => context.awaiting.has(key))) return null;
      return (await store.readStates(tenant, collection, page.keys)) === page.states ? page.keys : null;
    },
  };
}
