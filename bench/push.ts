import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { cpuMs, cpuOfTreeMs, inParallel, median, percentile, report, timed } from './measure.js';
import { startGateway, startInstantSource, type RunningGateway } from './processes.js';
import { creations, fieldsOf, pushBatch } from './pushed-items.js';
import { pullToEnd, requestsTo, untilIngested, type Requests } from './requests.js';
import { benchPushAlone } from './push-alone.js';

const RECORDS = 20_000;
const BATCH = 100;
const BATCHES = 60;
const CONCURRENCY = 4;
const HINTS = 60;

/**
 * Pushes in batches of 100 to an instant source against calling that source directly at the same concurrency (goal: half its
 * rate); the gateway's own part without a source (goal: 5,000 changes/s); and settling commit to another device's hint (goal:
 * p50 10 ms).
 */
export async function benchPush(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url, { BENCH_SOURCE_CONCURRENCY: String(CONCURRENCY * BATCH) });
  const requests = requestsTo(gateway.url, 'bench', CONCURRENCY);
  await untilIngested(requests, RECORDS);
  await pullToEnd(requests);
  const direct = requestsTo(source.url, 'bench', CONCURRENCY * BATCH);

  const rounds: { ours: number; direct: number; cpu: number; postgres: number }[] = [];
  for (let round = 0; round < 4; round++) {
    const node = cpuMs(gateway.pid);
    const postgres = cpuOfTreeMs(gateway.postgresPid);
    const ours = await timed(() =>
      inParallel(BATCHES, CONCURRENCY, (batch) => pushBatch(requests, creations(BATCH, batch))),
    );
    const cpu = cpuMs(gateway.pid) - node;
    const database = cpuOfTreeMs(gateway.postgresPid) - postgres;
    const theirs = await timed(() =>
      inParallel(BATCHES * BATCH, CONCURRENCY * BATCH, async () => {
        await direct.post('/items', JSON.stringify({ ...fieldsOf(1), id: randomUUID() }));
      }),
    );
    const changes = BATCHES * BATCH;
    if (round > 0) {
      rounds.push({
        ours: (changes * 1000) / ours.ms,
        direct: (changes * 1000) / theirs.ms,
        cpu: (cpu * 1000) / changes,
        postgres: (database * 1000) / changes,
      });
    }
  }
  report({
    bench: 'push',
    batch: BATCH,
    concurrency: CONCURRENCY,
    perSecond: median(rounds.map((round) => round.ours)),
    nodeCpuMsPer1000: median(rounds.map((round) => round.cpu)),
    postgresCpuMsPer1000: median(rounds.map((round) => round.postgres)),
    directPerSecond: median(rounds.map((round) => round.direct)),
    shareOfDirect: median(rounds.map((round) => round.ours / round.direct)),
    goalShare: 0.5,
  });
  await benchHints(gateway, requests);
  await Promise.all([requests.close(), direct.close()]);
  await gateway.stop();
  await source.stop();
  await benchPushAlone();
}

/** From the push's own answer (its settling commit is just before it) to the hint on another device's socket. */
async function benchHints(gateway: RunningGateway, requests: Requests): Promise<void> {
  const listener = createClient({
    url: `${gateway.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { device: 'listener' },
  });
  const hints = listener.iterate({ query: 'subscription { hints { collections at } }' });
  const samples: number[] = [];
  let next = hints.next();
  // The subscription is up once a first push is heard.
  await pushBatch(requests, creations(1, 0));
  await next;
  for (let round = 0; round < HINTS; round++) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    next = hints.next();
    const heard = next.then(() => performance.now());
    await pushBatch(requests, creations(1, round));
    const answered = performance.now();
    samples.push(Math.max(0, (await heard) - answered));
  }
  report({
    bench: 'push to hint',
    rounds: samples.length,
    p50Ms: median(samples),
    p95Ms: percentile(samples, 0.95),
    goalP50Ms: 10,
  });
  await listener.dispose();
}
