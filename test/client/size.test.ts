import { gzipSync } from 'node:zlib';
import { bundleClient } from '../support/client-bundle.js';

const MOST_BYTES = 10 * 1_024;

const CLIENT = ['src/client/sync-client.ts', 'createSyncClient'] as const;
const STORES = {
  memory: ['src/client/memory-store.ts', 'createMemoryStore'],
  indexedDb: ['src/client/indexeddb-store.ts', 'openIndexedDbStore'],
  sqlite: ['src/client/sqlite-store.ts', 'openSqliteStore'],
} as const;
const HINTS = ['src/client/hints.ts', 'webSocketHints'] as const;

/** As an app gets them: one file, in which what several modules need is once. */
function gzipped(...parts: readonly (readonly [file: string, name: string])[]): number {
  const bundle = bundleClient(
    parts.map(([file]) => file),
    parts.map(([, name]) => name),
  );
  return gzipSync(bundle.code, { level: 9 }).length;
}

test('the client takes an app at most 10 KB gzipped, with either store and without the line of hints', () => {
  expect(
    bundleClient([CLIENT[0]], [CLIENT[1]]).files.filter((file) => /hints|-store\.ts|documents/.test(file)),
  ).toEqual(['src/client/documents.ts', 'src/client/opened-store.ts']);
  const sizes = Object.entries(STORES).map(([name, store]) => [name, gzipped(CLIENT, store)] as const);
  if (process.env['TRACE'] !== undefined)
    console.log({ core: gzipped(CLIENT), ...Object.fromEntries(sizes), hints: gzipped(HINTS) });
  for (const [store, bytes] of sizes) expect([store, bytes > 4_000, bytes <= MOST_BYTES]).toEqual([store, true, true]);
});

test('what is measured runs', async () => {
  const { code } = bundleClient([CLIENT[0]], [CLIENT[1]]);
  const { createSyncClient } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    readonly createSyncClient: unknown;
  };
  expect(typeof createSyncClient).toBe('function');
});
