import { SyncError } from '../core/errors.js';
import type { CollectionProgress, IngestStore, QuarantinedRecord } from '../core/ingest-port.js';
import type { OperatorStore } from '../core/operator-port.js';
import type { Collection } from '../core/collection.js';

/** What operators see of ingest, and what they decide where the gateway must not: whether so many records are really gone (R14). */
export interface Oversight {
  /** Where ingest stands in each collection, in configured order. @throws SyncError UNAVAILABLE */
  list(tenant: string): Promise<readonly CollectionOversight[]>;
  /** Records of a collection that do not fit, by key: at most 1,000. @throws SyncError NOT_FOUND - no such collection; UNAVAILABLE */
  quarantine(tenant: string, collection: string): Promise<readonly QuarantinedRecord[]>;
  /**
   * The collection is read whole as soon as its source allows. Safe to repeat.
   *
   * @throws SyncError NOT_FOUND - no such collection; UNAVAILABLE
   */
  scan(tenant: string, collection: string): Promise<CollectionOversight>;
  /**
   * So many records are really gone: for an hour so many deletions in an hour are no reason to hold them, and the collection is read
   * whole now. What is gone by then is still confirmed record by record. More than that stays held. Safe to repeat.
   *
   * @param upTo 1 to 1,000,000,000
   * @throws SyncError NOT_FOUND - no such collection; BAD_REQUEST - the number; UNAVAILABLE
   */
  allowDeletions(tenant: string, collection: string, upTo: number): Promise<CollectionOversight>;
}

export interface CollectionOversight extends CollectionProgress {
  readonly collection: string;
  readonly source: string;
  /** Records that are set aside because they do not fit. */
  readonly quarantined: number;
}

/** What an operator allows counts for so long, ms: as long as the window of the limit. */
const ALLOWED_FOR_MS = 3_600_000;
const MOST_ALLOWED = 1_000_000_000;

/** @param pollNow wakes the loop of a collection where this node has it; elsewhere its next round begins with the scan */
export function createOversight(
  store: Pick<IngestStore, 'readCollection' | 'readQuarantine' | 'countQuarantined'> & Pick<OperatorStore, 'askScan'>,
  collections: readonly Collection[],
  pollNow: (collection: string) => void,
): Oversight {
  async function read(tenant: string, asked: readonly Collection[]): Promise<readonly CollectionOversight[]> {
    const quarantined = await store.countQuarantined(tenant);
    return Promise.all(
      asked.map(async ({ name, source }) => ({
        ...(await store.readCollection(tenant, name)),
        ...{ collection: name, source, quarantined: quarantined.get(name) ?? 0 },
      })),
    );
  }

  function named(name: string): Collection {
    const collection = collections.find((one) => one.name === name);
    if (collection !== undefined) return collection;
    const names = collections.map((one) => one.name).join(', ');
    throw new SyncError('NOT_FOUND', `collection: expected one of ${names}, got ${JSON.stringify(name.slice(0, 60))}`);
  }

  async function ask(
    tenant: string,
    name: string,
    allow: Parameters<OperatorStore['askScan']>[2],
  ): Promise<CollectionOversight> {
    const collection = named(name);
    await store.askScan(tenant, name, allow);
    pollNow(name);
    const [oversight] = await read(tenant, [collection]);
    return oversight as CollectionOversight;
  }

  return {
    list: (tenant) => read(tenant, collections),
    quarantine: async (tenant, collection) => store.readQuarantine(tenant, named(collection).name),
    scan: (tenant, collection) => ask(tenant, collection, null),
    async allowDeletions(tenant, collection, upTo) {
      if (!Number.isSafeInteger(upTo) || upTo < 1 || upTo > MOST_ALLOWED)
        throw new SyncError('BAD_REQUEST', `upTo: expected 1 to ${MOST_ALLOWED} deletions, got ${upTo}`);
      return ask(tenant, collection, { deletions: upTo, forMs: ALLOWED_FOR_MS });
    },
  };
}
