import { createSource } from '../src/connectors/define.js';
import { createPoller } from '../src/ingest/poller.js';
import { systemClock } from '../src/server/clock.js';
import { hashText } from '../src/server/telemetry.js';
import { upsertsPerSecond } from './bare-postgres.js';
import { items } from './items-connector.js';
import { cpuOfTreeMs, ownCpuMs, report, timed } from './measure.js';
import { openOwnStore, quietLog, TENANT } from './own-store.js';
import { startInstantSource } from './processes.js';
import { requestsTo } from './requests.js';

const RECORDS = 100_000;
const CHANGED = 20_000;
const BATCH = 1_000;

/**
 * From a source into the feed, over HTTP and with fsync on, in this process: the first load, a poll that finds 20,000 changed
 * records (goal: 5,000 per second; limit: bare `pg` upserting the same records), and a scan of 100,000 unchanged ones (goal: 2 s
 * of gateway CPU).
 */
export async function benchIngest(): Promise<void> {
  const instant = await startInstantSource(RECORDS);
  const direct = requestsTo(instant.url, 'bench', 1);
  const own = await openOwnStore();
  const deps = { clock: systemClock, chance: Math.random, log: quietLog };
  const source = createSource(items({ baseUrl: instant.url }), deps);
  let scanEveryMs = Number.MAX_SAFE_INTEGER;
  const [collection] = source.collections.map((one) => ({
    ...one,
    get facts() {
      return { ...one.facts, scanEveryMs };
    },
  }));
  if (collection === undefined) throw new Error('expected one collection');
  const poller = createPoller(
    { store: own.store, hash: hashText, ...deps },
    { tenant: TENANT, holder: 'bench', sources: [collection] },
  );
  const bare = await upsertsPerSecond(own.url, CHANGED, BATCH, 1);

  const measured = async (work: () => Promise<unknown>): Promise<Cost> => {
    const before = { node: ownCpuMs(), postgres: cpuOfTreeMs(own.postgresPid) };
    const { ms } = await timed(work);
    return { ms, cpuMs: ownCpuMs() - before.node, postgresMs: cpuOfTreeMs(own.postgresPid) - before.postgres };
  };
  const first = await measured(() => poller.round('items'));
  await direct.post(`/revise?count=${CHANGED}`, '');
  const changed = await measured(() => poller.round('items'));
  const { head } = await own.store.readHead(TENANT);
  if (head < RECORDS + CHANGED) throw new Error(`expected ${RECORDS + CHANGED} changes in the feed, got ${head}`);
  scanEveryMs = 0;
  const unchanged = await measured(() => poller.round('items'));
  const after = await own.store.readHead(TENANT);
  if (after.head !== head)
    throw new Error(`expected no change by a scan of unchanged records, got ${after.head - head}`);

  report({
    bench: 'ingest: first load',
    records: RECORDS,
    perSecond: (RECORDS * 1000) / first.ms,
    nodeCpuSeconds: first.cpuMs / 1000,
    postgresCpuSeconds: first.postgresMs / 1000,
    barePgPerSecond: bare,
    ratio: bare / ((RECORDS * 1000) / first.ms),
  });
  report({
    bench: 'ingest: changed records',
    records: CHANGED,
    perSecond: (CHANGED * 1000) / changed.ms,
    goalPerSecond: 5000,
    nodeCpuSeconds: changed.cpuMs / 1000,
    postgresCpuSeconds: changed.postgresMs / 1000,
    barePgPerSecond: bare,
    ratio: bare / ((CHANGED * 1000) / changed.ms),
  });
  report({
    bench: 'ingest: unchanged scan',
    records: RECORDS,
    seconds: unchanged.ms / 1000,
    nodeCpuSeconds: unchanged.cpuMs / 1000,
    goalCpuSeconds: 2,
  });
  await poller.stop();
  await source.close();
  await own.stop();
  await direct.close();
  await instant.stop();
}

interface Cost {
  readonly ms: number;
  /** Of this process. */
  readonly cpuMs: number;
  readonly postgresMs: number;
}
