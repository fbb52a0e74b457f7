import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { Log } from '../../src/core/ports.js';
import { systemClock } from '../../src/server/clock.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A real Postgres of a test file's own, in a folder of its own (0.9 s). */
export interface TestPostgres {
  /** A new, empty database. */
  freshDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Without fsync: what these tests show does not depend on the disk. The tests of durability start their own.
 *
 * @param settings of the server, further ones
 */
export async function startTestPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-test-'));
  const server = await startEmbeddedPostgres({
    folder,
    clock: systemClock,
    log: silentLog,
    settings: { fsync: 'off', full_page_writes: 'off', ...settings },
  });
  let databases = 0;
  return {
    async freshDatabase() {
      const name = `test_${++databases}`;
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return server.url.replace(/\/postgres$/, `/${name}`);
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
