import { upsertsPerSecond } from './bare-postgres.js';
import { report } from './measure.js';
import { openOwnIngest } from './own-ingest.js';

const RECORDS = 100_000;
const CHANGED = 20_000;
const BATCH = 1_000;

/**
 * From a source into the feed, over HTTP and with fsync on, in this process: the first load, and a poll that finds 20,000 changed
 * records (goal: 5,000 per second; limit: bare `pg` upserting the same records).
 */
export async function benchIngest(): Promise<void> {
  const ingest = await openOwnIngest(RECORDS);
  const bare = await upsertsPerSecond(ingest.own.url, CHANGED, BATCH, 1);
  const first = await ingest.round();
  await ingest.direct.post(`/revise?count=${CHANGED}`, '');
  const changed = await ingest.round();
  const head = await ingest.head();
  if (head < RECORDS + CHANGED) throw new Error(`expected ${RECORDS + CHANGED} changes in the feed, got ${head}`);

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
  await ingest.stop();
}
