import { gzipSync } from 'node:zlib';
import { bundleClient } from '../support/client-bundle.js';

const MOST_BYTES = 10 * 1_024;

function gzipped(entry: string, ...kept: string[]): number {
  return gzipSync(bundleClient(entry, kept).code, { level: 9 }).length;
}

test('the client takes an app at most 10 KB gzipped, with either store and without the line of hints', () => {
  const client = bundleClient('src/client/sync-client.ts', ['createSyncClient']);
  expect(client.files.filter((file) => /hints|-store\.ts|documents/.test(file))).toEqual([
    'src/client/documents.ts',
    'src/client/opened-store.ts',
  ]);
  const core = gzipSync(client.code, { level: 9 }).length;
  const stores = {
    memory: gzipped('src/client/memory-store.ts', 'createMemoryStore'),
    indexedDb: gzipped('src/client/indexeddb-store.ts', 'openIndexedDbStore'),
    sqlite: gzipped('src/client/sqlite-store.ts', 'openSqliteStore'),
  };
  if (process.env['TRACE'] !== undefined)
    console.log({ core, ...stores, hints: gzipped('src/client/hints.ts', 'webSocketHints') });
  expect(core).toBeGreaterThan(4_000);
  for (const [store, bytes] of Object.entries(stores))
    expect([store, core + bytes <= MOST_BYTES]).toEqual([store, true]);
});

test('what is measured runs', async () => {
  const { code } = bundleClient('src/client/sync-client.ts', ['createSyncClient']);
  const { createSyncClient } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    readonly createSyncClient: unknown;
  };
  expect(typeof createSyncClient).toBe('function');
});
