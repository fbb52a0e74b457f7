import type { RecordId, Seq, SourceKey } from '../src/core/change.js';
import { EVERY_FIELD } from '../src/core/conflict.js';
import type { Store } from '../src/core/store-port.js';
import { SOURCE_WRITER } from '../src/core/session.js';
import { startGateway } from '../src/server/app.js';
import { environment, loadConfig } from '../src/server/config.js';
import { hashText } from '../src/server/telemetry.js';
import { serveFanOut } from './fan-out.js';
import { quietLog, TENANT } from './own-store.js';

/** `node hint-gateway.js`: the product, configured as for `tidegate start`, in a process that commits when it is told to. */
let opened: Store | null = null;
let committedNs = 0n;
const config = await loadConfig(environment(), process.cwd());
const gateway = await startGateway(config, {
  log: quietLog,
  decorate: {
    store(store) {
      // Before the hub listens: what is heard here has just been committed.
      store.onAdvance(() => void (committedNs = process.hrtime.bigint()));
      return (opened = store);
    },
  },
});
const store = opened as unknown as Store;

const ITEM = { collection: 'items', id: 'committed' as RecordId };
let revision = 0;

async function commit(): Promise<bigint> {
  const [view] = await store.readRecords(TENANT, [ITEM]);
  const body = JSON.stringify({ name: 'Item', status: 'OPEN', count: ++revision });
  const next = {
    sourceKey: ITEM.id as string as SourceKey,
    deleted: false,
    body,
    vis: null,
    pending: false,
    sourceVersion: null,
    hash: hashText(body),
    throughUs: false,
    scopes: ['shared'],
  };
  const stamps = [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }];
  await store.commit(TENANT, [{ ...ITEM, expected: view ?? { seq: 0 as Seq, mark: 0 }, next, stamps }]);
  return committedNs;
}

serveFanOut({ url: `${gateway.url.replace('http', 'ws')}/graphql`, sendToAll: commit, stop: () => gateway.stop() });
