import 'fake-indexeddb/auto';
import { openIndexedDbStore } from '../../src/client/indexeddb-store.js';
import { createMemoryStore, emptyContents, type MemoryContents } from '../../src/client/memory-store.js';
import { openSqliteStore } from '../../src/client/sqlite-store.js';
import { localStoreContract } from '../contract/local-store.contract.js';
import { openSqlJs } from '../support/sqlite-driver.js';

describe('a store in memory', () => {
  const kept = new Map<string, MemoryContents>();
  localStoreContract(async (name) => {
    const contents = kept.get(name) ?? emptyContents();
    kept.set(name, contents);
    return createMemoryStore(contents);
  });
});

describe('a store in IndexedDB', () => {
  localStoreContract((name) => openIndexedDbStore(name));
});

describe('a store in SQLite', () => {
  const kept = new Map<string, Uint8Array>();
  localStoreContract(async (name) =>
    openSqliteStore(await openSqlJs(kept.get(name), (bytes) => kept.set(name, bytes))),
  );
});
