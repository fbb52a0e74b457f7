import type { HeldRecord, LocalStore, SyncState } from './local-store.js';
import type { OutboxEntry } from './outbox-entry.js';

/** What a memory store holds. */
export interface MemoryContents {
  state: SyncState | null;
  /** By collection, then by id. */
  readonly records: Map<string, Map<string, HeldRecord>>;
  /** By changeId, in the order in which they were made. */
  readonly entries: Map<string, OutboxEntry>;
}

/** A store that ends with its process: for tests, for pages that need not work offline, and for trying things out. */
export function createMemoryStore(contents: MemoryContents = emptyContents()): LocalStore {
  const { records, entries } = contents;

  function heldOf(collection: string): Map<string, HeldRecord> {
    let held = records.get(collection);
    if (held === undefined) records.set(collection, (held = new Map<string, HeldRecord>()));
    return held;
  }

  return {
    sharedAs: null,
    readState: async () => contents.state,
    readSync: async () => ({ state: contents.state, entries: [...entries.values()] }),
    async readRecords(collection, id) {
      const held = heldOf(collection);
      const own = [...entries.values()].filter((one) => one.collection === collection && (id ?? one.id) === one.id);
      if (id === undefined) return { records: [...held.values()], entries: own };
      const record = held.get(id);
      return { records: record === undefined ? [] : [record], entries: own };
    },
    async commit(writes, ifRevision) {
      if (ifRevision !== null && (contents.state?.revision ?? 0) !== ifRevision) return false;
      const known = writes.added?.find(({ changeId }) => entries.has(changeId) && writes.isWiped !== true);
      if (known !== undefined) throw new Error(`${known.changeId}: expected a new changeId`);
      const { isWiped = false, state, seen, sweepBelow } = writes;
      if (isWiped) {
        records.clear();
        entries.clear();
        contents.state = null;
      }
      if (state !== undefined) contents.state = state;
      for (const record of writes.records ?? []) heldOf(record.collection).set(record.id, record);
      for (const { collection, id } of seen?.names ?? []) {
        const record = heldOf(collection).get(id);
        if (record !== undefined && seen !== undefined)
          heldOf(collection).set(id, { ...record, generation: seen.generation });
      }
      for (const { collection, id } of writes.gone ?? []) heldOf(collection).delete(id);
      if (sweepBelow !== undefined) {
        for (const held of records.values())
          for (const record of held.values()) if (record.generation < sweepBelow) held.delete(record.id);
      }
      for (const entry of writes.added ?? []) entries.set(entry.changeId, entry);
      for (const entry of writes.changed ?? []) if (entries.has(entry.changeId)) entries.set(entry.changeId, entry);
      for (const changeId of writes.dropped ?? []) entries.delete(changeId);
      return true;
    },
    close: async () => undefined,
  };
}

/** Of a new store. */
export function emptyContents(): MemoryContents {
  return { state: null, records: new Map(), entries: new Map() };
}
