import type { Epoch } from '../core/change.js';
import type { FeedReader } from '../core/feed-port.js';
import type { Clock } from '../core/ports.js';
import type { CollectionProgress, IngestStore } from '../core/ingest-port.js';

/** Once every collection is ready this is believed for so long; nothing but a new epoch makes one unready again. */
const BELIEVED_MS = 1_000;

/** How far a tenant's collections are. */
export interface Readiness {
  /** Collections whose first ingest, or first scan of the epoch, is not complete, and the epoch in which that was read. */
  priming(tenant: string): Promise<{ readonly epoch: Epoch; readonly priming: ReadonlySet<string> }>;
  /** Progress by collection name, read now. */
  progress(tenant: string): Promise<ReadonlyMap<string, CollectionProgress>>;
}

/** Keeps pulls from asking for what practically never changes: six look-ups a page would be half of its cost. */
export function createReadiness(ports: {
  readonly store: Pick<FeedReader, 'readHead'> & Pick<IngestStore, 'readCollection'>;
  readonly clock: Clock;
  readonly collections: readonly string[];
}): Readiness {
  const { store, clock, collections } = ports;
  const allReady = new Map<string, { readonly epoch: Epoch; readonly atMs: number }>();

  async function progress(tenant: string): Promise<ReadonlyMap<string, CollectionProgress>> {
    return new Map(
      await Promise.all(collections.map(async (name) => [name, await store.readCollection(tenant, name)] as const)),
    );
  }

  return {
    progress,
    async priming(tenant) {
      const known = allReady.get(tenant);
      if (known !== undefined && clock.monotonicMs() - known.atMs < BELIEVED_MS) {
        return { epoch: known.epoch, priming: new Set() };
      }
      const atMs = clock.monotonicMs();
      // The epoch first: a state read after it may be of a later one, which is then not believed for this one.
      const { epoch } = await store.readHead(tenant);
      const states = await progress(tenant);
      const priming = new Set([...states].filter(([, one]) => isPriming(one)).map(([name]) => name));
      if (priming.size === 0) allReady.set(tenant, { epoch, atMs });
      else allReady.delete(tenant);
      return { epoch, priming };
    },
  };
}

/** After a restore the feed is older than its source, and than what devices hold, until it was looked through once more (F5). */
function isPriming({ state, scannedAtMs }: CollectionProgress): boolean {
  return state === 'PRIMING' || scannedAtMs === null;
}
