import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Log } from '../src/core/ports.js';
import type { Store } from '../src/core/store-port.js';
import { systemClock } from '../src/server/clock.js';
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.js';
import { openStore } from '../src/store/open.js';

/** The tenant of these measurements. */
export const TENANT = 'default';

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (what, details) => console.error(what, details),
  error: (what, details) => console.error(what, details),
};

/** The store as the gateway opens it, on a Postgres of its own with fsync on, in this very process. */
export interface OwnStore {
  readonly store: Store;
  /** For bare `pg` beside it. */
  readonly url: string;
  /** Its server, whose CPU counts as ours. */
  readonly postgresPid: number;
  stop(): Promise<void>;
}

export async function openOwnStore(): Promise<OwnStore> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-bench-'));
  const postgres = await startEmbeddedPostgres({ folder, clock: systemClock, log: quietLog });
  const store = await openStore({ url: postgres.url, clock: systemClock, log: quietLog });
  await store.openTenant(TENANT);
  const pidFile = readFileSync(path.join(folder, 'postgres/data/postmaster.pid'), 'utf8');
  return {
    store,
    url: postgres.url,
    postgresPid: Number(pidFile.split('\n')[0]),
    async stop() {
      await store.close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
