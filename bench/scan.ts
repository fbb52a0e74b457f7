import { median, ownCpuMs, report } from './measure.js';
import { openOwnIngest } from './own-ingest.js';
import type { Requests } from './requests.js';

const RECORDS = 100_000;
const PAGE = 1_000;
const ROUNDS = 5;
const WARM_UP = 1;
const GOAL_RATIO = 2;

/**
 * A scan of 100,000 records over REST with nothing changed, in this process: CPU of the gateway beside that of downloading and
 * parsing the same pages, turn by turn (goal: twice as much).
 */
export async function benchScan(): Promise<void> {
  const ingest = await openOwnIngest(RECORDS);
  await ingest.round();
  ingest.scanEachRound();
  const head = await ingest.head();
  const ours: number[] = [];
  const postgres: number[] = [];
  const limits: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const scan = await ingest.round();
    const limit = await downloadCpuMs(ingest.direct);
    if (round < WARM_UP) continue;
    ours.push(scan.cpuMs);
    postgres.push(scan.postgresMs);
    limits.push(limit);
  }
  const changed = (await ingest.head()) - head;
  if (changed !== 0) throw new Error(`expected no change by scans of unchanged records, got ${changed}`);
  report({
    bench: 'scan: nothing changed',
    records: RECORDS,
    rounds: ROUNDS,
    nodeCpuMs: median(ours),
    bestNodeCpuMs: Math.min(...ours),
    postgresCpuMs: median(postgres),
    limitCpuMs: median(limits),
    bestLimitCpuMs: Math.min(...limits),
    ratio: median(ours) / median(limits),
    bestRatio: Math.min(...ours) / Math.min(...limits),
    goalRatio: GOAL_RATIO,
  });
  await ingest.stop();
}

async function downloadCpuMs(direct: Requests): Promise<number> {
  const before = ownCpuMs();
  let rows = 0;
  for (let page = 1; rows < RECORDS; page++) {
    const bytes = await direct.get(`/items?page=${page}&size=${PAGE}`);
    rows += (JSON.parse(bytes.toString('utf8')) as { readonly items: readonly unknown[] }).items.length;
  }
  return ownCpuMs() - before;
}
