import { GatewayFault } from './gateway.js';
import type { LocalStore } from './local-store.js';
import { isForUser, type Edit, type OutboxEntry } from './outbox-entry.js';
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
   * @throws GatewayFault NOT_FOUND - it is not there, or the gateway has still to settle it
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
  readonly add: (edit: Edit) => Promise<void>;
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
      const entry = (await list()).find((one) => one.changeId === changeId);
      if (entry === undefined || !isForUser(entry)) {
        throw new GatewayFault('NOT_FOUND', `${changeId}: expected an edit that was refused or never answered`);
      }
      const { collection, id, kind, fields } = entry;
      const { records } = await store.readRecords(collection, id);
      const version = records[0]?.version ?? null;
      const isCreate = kind === 'UPSERT' && version === null && entry.isCreate;
      const again = { changeId: newId(), collection, id, kind, fields, isCreate, baseVersion: version };
      // The new one first: whatever happens in between, the edit is not lost.
      await add({ ...again, changedAt: new Date(nowMs()).toISOString() });
      await discard(changeId);
      wake();
      return again.changeId;
    },
    discard,
  };
}
