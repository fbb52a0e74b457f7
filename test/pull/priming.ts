import type { FeedReader } from '../../src/core/feed-port.js';
import type { Priming } from '../../src/pull/pull.js';

/** A gateway whose first ingest of these collections is not complete, and that of all others is. */
export function priming(
  store: Pick<FeedReader, 'readHead'>,
  ...collections: readonly string[]
): (tenant: string) => Promise<Priming> {
  return async (tenant) => ({ epoch: (await store.readHead(tenant)).epoch, priming: new Set(collections) });
}
