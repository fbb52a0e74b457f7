import { GatewayFault } from './gateway.js';
import type { LocalStore } from './local-store.js';
import { isForUser, nameOf, type Edit, type OutboxEntry } from './outbox-entry.js';
import type { SyncEngine } from './sync-engine.js';

/** Edits that are not in effect yet, or never will be. */
export interface Outbox {
  /** In the order in which they were made. */
  list(): Promise<readonly OutboxEntry[]>;
  /** Those that were refused as CONFLICT, each with base, theirs and yours. */
  conflicts(): Promise<readonly OutboxEntry[]>;
  /**
   * Makes a refused or unanswered edit once more, as a new one from the record as it is now: "keep mine". An unanswered one may have
   * taken effect: it may then do so twice. @returns the new changeId
   * @throws GatewayFault NOT_FOUND - it is not there, or the gateway has still to settle it, or it follows a create that was refused
   */
  retry(changeId: string): Promise<string>;
  /** Lets go of an edit: "keep theirs". One that was sent may take effect all the same. @returns whether it was there */
  discard(changeId: string): Promise<boolean>;
}

export function createOutbox(parts: {
  readonly store: LocalStore;
  readonly engine: SyncEngine;
  readonly newId: () => string;
  readonly nowMs: () => number;
  readonly add: (make: () => Promise<Edit | null>, instead: string) => Promise<Edit | null>;
  readonly wake: () => void;
  /** Called when an entry is gone. */
  readonly discarded: () => Promise<void>;
}): Outbox {
  const { store, engine, newId, nowMs, add, wake, discarded } = parts;
  const discard = async (changeId: string): Promise<boolean> => {
    const entry = await engine.discard(changeId);
    await discarded();
    return entry !== null;
  };
  const list = async (): Promise<readonly OutboxEntry[]> => (await store.readSync()).entries;
  return {
    list,
    conflicts: async () => (await list()).filter((entry) => entry.status === 'CONFLICT'),
    async retry(changeId) {
      const again = newId();
      await add(async () => {
        const entries = await list();
        const entry = entries.find((one) => one.changeId === changeId);
        if (entry === undefined || !isForUser(entry)) {
          throw new GatewayFault('NOT_FOUND', `${changeId}: expected an edit that was refused or never answered`);
        }
        const { collection, id, kind, fields } = entry;
        const { records } = await store.readRecords(collection, id);
        const version = records[0]?.version ?? null;
        const isCreate = entry.isCreate && version === null;
        // Of a record that is gone: whether the edit wins is the gateway's to say.
        const baseVersion = version ?? (isCreate ? null : entry.baseVersion);
        const follows = entries.some((one) => one.isCreate && !isForUser(one) && nameOf(one) === nameOf(entry));
        if (baseVersion === null && !isCreate && !follows) {
          throw new GatewayFault('NOT_FOUND', `${collection} ${id}: expected the create of it to be made again first`);
        }
        const changedAt = new Date(nowMs()).toISOString();
        return { changeId: again, collection, id, kind, fields, isCreate, baseVersion, changedAt };
      }, changeId);
      wake();
      return again;
    },
    discard,
  };
}
