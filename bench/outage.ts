import { randomUUID } from 'node:crypto';
import { inParallel, median, percentile, report, timed } from './measure.js';
import type { Ledger } from './outage-source.js';
import { killGateway, startGateway, startOutageSource, type RunningGateway } from './processes.js';
import { requestsTo, untilIngested, type Requests } from './requests.js';

/** As long as the goal says is 600; shorter ones differ in how long the open breaker waits between its looks, up to 10 s. */
const OUTAGE_MS = 1_000 * Number(process.env['OUTAGE_SECONDS'] ?? 60);
const CHANGES = Number(process.env['OUTAGE_CHANGES'] ?? 10_000);
/** Changes of one record, in order. */
const PER_RECORD = 5;
const CONCURRENCY = 4;
/** What the connector declares; more than this the gateway may not ask of the source. */
const PER_SECOND = 400;
const BREAKER_OPENS_WITHIN_MS = 5_000;
/** The changes are made in this part of the outage; the rest is for the kill. */
const PUSHING_PART = 0.8;

const PUSH = `mutation Push($changes: [ChangeInput!]!) {
  push(changes: $changes) { results { changeId status error { code message } } }
}`;
const RECEIPTS = `query Receipts($since: Checkpoint) {
  pull(since: $since, limit: 1000) { receipts { changeId status } checkpoint hasMore }
}`;

/**
 * A source that is away while 10,000 changes are pushed: what a push takes meanwhile (goal: less than 50 ms more), how soon the
 * gateway is ready again after kill -9 with all of them open (goal: 3 s), and how they reach the source when it is back: without
 * a hand, in order, and no faster than it allows.
 */
export async function benchOutage(): Promise<void> {
  const source = await startOutageSource();
  const settings = { BENCH_SOURCE_PER_SECOND: String(PER_SECOND) };
  const gateway = await startGateway(source.url, settings);
  let requests = requestsTo(gateway.url, 'bench', CONCURRENCY);
  const office = requestsTo(source.url, 'bench', 1);
  await untilIngested(requests, 0);

  const up: number[] = [];
  await inParallel(200, 1, async () => void up.push((await push(requests, randomUUID(), 0)).ms));

  await office.post(`/away?ms=${OUTAGE_MS}`, '');
  const awayAt = performance.now();
  const opened = await untilOpen(requests);
  const records = Array.from({ length: CHANGES / PER_RECORD }, () => randomUUID());
  const everyMs = Math.max(0, OUTAGE_MS * PUSHING_PART - (performance.now() - awayAt)) / CHANGES;
  const open: number[] = [];
  const begunAt = performance.now();
  // One record's changes follow each other; different records' are made at once.
  for (let count = 0; count < PER_RECORD; count++) {
    await inParallel(records.length, CONCURRENCY, async (at) => {
      await until(begunAt + (count * records.length + at) * everyMs);
      open.push((await push(requests, records[at] as string, count)).ms);
    });
  }
  const pushedMs = performance.now() - begunAt;

  await requests.close();
  await killGateway(gateway);
  const again = await timed(() => startGateway(source.url, settings, gateway.folder));
  requests = requestsTo(again.value.url, 'bench', CONCURRENCY);
  // Else some of them were not pushed while the source was away, or not all were open at the kill.
  if (performance.now() - awayAt > OUTAGE_MS) {
    throw new Error(`expected ${CHANGES} changes and a start within ${OUTAGE_MS} ms: set OUTAGE_SECONDS higher`);
  }

  await until(awayAt + OUTAGE_MS);
  const backAt = performance.now();
  const ledger = await untilDrained(office, up.length + opened.pushes + CHANGES);
  const drainedMs = performance.now() - backAt;
  const receipts = await pullReceipts(requests);
  report({
    bench: 'outage',
    outageSeconds: OUTAGE_MS / 1_000,
    accepted: CHANGES,
    upP50Ms: median(up),
    upP99Ms: percentile(up, 0.99),
    breakerOpenAfterMs: opened.ms,
    goalBreakerMs: BREAKER_OPENS_WITHIN_MS,
    openP50Ms: median(open),
    openP99Ms: percentile(open, 0.99),
    goalOpenMs: 50,
    pushesPerSecond: (CHANGES * 1_000) / pushedMs,
    readyAfterKillMs: again.ms,
    goalReadyMs: 3_000,
    drainedMs,
    firstWriteAfterMs: ledger.firstAtMs - (performance.timeOrigin + backAt),
    drainPerSecond: ((CHANGES + opened.pushes) * 1_000) / (ledger.lastAtMs - ledger.firstAtMs),
    allowedPerSecond: PER_SECOND,
    mostPerSecond: ledger.mostPerSecond,
    outOfTurn: ledger.outOfTurn,
    missingOrTwice: ledger.writes - (up.length + opened.pushes + CHANGES),
    receipts,
  });
  await Promise.all([requests.close(), office.close()]);
  await (again.value satisfies RunningGateway).stop();
  await source.stop();
}

async function push(
  requests: Requests,
  id: string,
  count: number,
): Promise<{ readonly ms: number; readonly status: string }> {
  const change = {
    changeId: `outage-${id}-${count}`,
    collection: 'items',
    id,
    kind: 'UPSERT',
    changedAt: new Date().toISOString(),
    json: { name: `Pushed in the outage, ${count}`, status: 'OPEN', count },
  };
  const { ms, value } = await timed(() =>
    requests.graphql<{ push: { results: readonly { status: string; error: unknown }[] } }>(PUSH, { changes: [change] }),
  );
  const [result] = value.push.results;
  if (result?.status !== 'ACCEPTED' && result?.status !== 'APPLIED')
    throw new Error(`expected ACCEPTED or APPLIED, got ${JSON.stringify(result)}`);
  return { ms, status: result.status };
}

/** Pushes until one is answered without waiting for the source. */
async function untilOpen(requests: Requests): Promise<{ readonly ms: number; readonly pushes: number }> {
  const begunAt = performance.now();
  for (let pushes = 1; ; pushes++) {
    const { ms, status } = await push(requests, randomUUID(), 0);
    if (status === 'ACCEPTED' && ms < 50) return { ms: performance.now() - begunAt, pushes };
  }
}

async function until(atMs: number): Promise<void> {
  const restMs = atMs - performance.now();
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
}

/** Waits until the source took so many writes, or no more come. */
async function untilDrained(office: Requests, writes: number): Promise<Ledger> {
  let last: Ledger | null = null;
  for (let idleSince = performance.now(); ;) {
    const ledger = await office
      .get('/ledger')
      .then((bytes) => JSON.parse(bytes.toString()) as Ledger)
      .catch(() => null);
    if (ledger !== null) {
      if (ledger.writes >= writes) return ledger;
      if (ledger.writes !== last?.writes) idleSince = performance.now();
      last = ledger;
    }
    if (performance.now() - idleSince > 120_000)
      throw new Error(`expected ${writes} writes, got ${JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Receipts of the device by their last status. */
async function pullReceipts(requests: Requests): Promise<Readonly<Record<string, number>>> {
  const byChange = new Map<string, string>();
  let since: string | null = null;
  for (;;) {
    const answer: {
      pull: { receipts: readonly { changeId: string; status: string }[]; checkpoint: string; hasMore: boolean };
    } = await requests.graphql(RECEIPTS, { since });
    for (const { changeId, status } of answer.pull.receipts) byChange.set(changeId, status);
    since = answer.pull.checkpoint;
    if (!answer.pull.hasMore) break;
  }
  const counts: Record<string, number> = {};
  for (const status of byChange.values()) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
