import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { WebSocket } from 'ws';
import type { RecordId, Seq, SourceKey } from '../src/core/change.js';
import { cpuMs, cpuOfTreeMs, inParallel, median, percentile, report, timed } from './measure.js';
import { openOwnStore, TENANT, type OwnStore } from './own-store.js';
import { startGateway, startInstantSource, type RunningGateway } from './processes.js';
import { creations, pushBatch } from './pushed-items.js';
import { PULL_JSON, pullToEnd, requestsTo, untilIngested, type Requests } from './requests.js';

const RECORDS = 2_000;
/** Processes, one figure after the other; at least two in the end. */
const NODES = (process.env['NODES'] ?? '1,2,4').split(',').map(Number);
/** Pulls that bring nothing, as most do. */
const PULLS = 2_000;
const PULLS_AT_ONCE = 32;
const BATCHES = 20;
const BATCH = 25;
const BATCHES_AT_ONCE = 8;
const ROUNDS = 2;
const HINTS = 40;
/** More than the window over which hints are joined. */
const PAUSE_MS = 150;
const GOAL_P50_MS = 15;

/**
 * One, two and four gateways on one Postgres: pulls and pushes a second and what they cost; and from a commit of one process to a socket of
 * another (goal: p50 15 ms), beside a bare NOTIFY to a bare LISTEN and the socket of the very process.
 */
export async function benchNodes(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const own = await openOwnStore();
  const gateways: RunningGateway[] = [];
  for (const count of NODES) {
    while (gateways.length < count) {
      gateways.push(await startGateway(source.url, { DATABASE_URL: own.url, BENCH_SOURCE_CONCURRENCY: '200' }));
    }
    await benchThroughput(gateways, own);
  }
  await benchLatency(own, gateways);
  for (const gateway of gateways) await gateway.stop();
  await own.stop();
  await source.stop();
}

async function benchThroughput(gateways: readonly RunningGateway[], own: OwnStore): Promise<void> {
  const nodes = gateways.map(({ url }, n) => requestsTo(url, `bench-${n}`, PULLS_AT_ONCE));
  const nodeOf = (n: number): Requests => nodes[n % nodes.length] as Requests;
  await untilIngested(nodeOf(0), RECORDS);
  const pulls = await measure(gateways, own, PULLS, async () => {
    const { checkpoint: since } = await pullToEnd(nodeOf(0));
    return () =>
      inParallel(PULLS, PULLS_AT_ONCE, async (n) => void (await nodeOf(n).graphql(PULL_JSON, { since, limit: 1_000 })));
  });
  const pushes = await measure(gateways, own, BATCHES * BATCH, () =>
    Promise.resolve(() => inParallel(BATCHES, BATCHES_AT_ONCE, (n) => pushBatch(nodeOf(n), creations(BATCH, n)))),
  );
  report({ bench: 'nodes: throughput', processes: gateways.length, pulls, pushedChanges: pushes });
  await Promise.all(nodes.map((node) => node.close()));
}

/** Rate and CPU of all gateways together, and of Postgres; the first round warms up. */
async function measure(
  gateways: readonly RunningGateway[],
  own: OwnStore,
  count: number,
  prepare: () => Promise<() => Promise<void>>,
) {
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const work = await prepare();
    const used = (): number => gateways.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    const before = { node: used(), postgres: cpuOfTreeMs(own.postgresPid) };
    const { ms } = await timed(work);
    const [node, postgres] = [used() - before.node, cpuOfTreeMs(own.postgresPid) - before.postgres];
    if (round > 0) rounds.push({ rate: (count * 1_000) / ms, node: node / count, postgres: postgres / count });
  }
  return {
    perSecond: median(rounds.map(({ rate }) => rate)),
    nodeCpuMs: median(rounds.map(({ node }) => node)),
    postgresCpuMs: median(rounds.map(({ postgres }) => postgres)),
  };
}

/** Commits of this process's own store are heard by sockets of a gateway; pushes to a gateway by its own sockets and another's. */
async function benchLatency(own: OwnStore, [near, far]: readonly RunningGateway[]): Promise<void> {
  if (near === undefined || far === undefined) throw new Error('expected two gateways');
  const [nearSocket, farSocket] = [listen(near.url), listen(far.url)];
  const requests = requestsTo(near.url, 'writer', 1);
  let committedAt = 0;
  own.store.onAdvance(() => (committedAt = performance.now()));
  await untilHeard(own, [nearSocket, farSocket]);
  const [across, further]: [number[], number[]] = [[], []];
  for (let round = 0; round < HINTS; round++) {
    await rest();
    const hints = [nearSocket.next(), farSocket.next()];
    await commit(own);
    const begun = committedAt;
    across.push(...(await Promise.all(hints)).map((at) => at - begun));
    await rest();
    const [here, there] = [nearSocket.next(), farSocket.next()];
    await pushBatch(requests, creations(1, round));
    const [hereAt, thereAt] = await Promise.all([here, there]);
    further.push(thereAt - hereAt);
  }
  const bare = await bareNotifications(own.url);
  report({
    bench: 'nodes: commit of one process to a socket of another',
    p50Ms: median(across),
    p99Ms: percentile(across, 0.99),
    goalP50Ms: GOAL_P50_MS,
    bareNotifyP50Ms: median(bare),
    bareNotifyP99Ms: percentile(bare, 0.99),
    ratio: median(across) / median(bare),
    laterThanOwnSocketP50Ms: median(further),
    laterThanOwnSocketP99Ms: percentile(further, 0.99),
  });
  nearSocket.end();
  farSocket.end();
  await requests.close();
}

/** The subscriptions are up once they hear of a commit; which one that is cannot be known. */
async function untilHeard(own: OwnStore, sockets: readonly Listener[]): Promise<void> {
  let isHeard = false;
  const heard = Promise.all(sockets.map((socket) => socket.next())).then(() => (isHeard = true));
  while (!isHeard) {
    await commit(own);
    await rest();
  }
  await heard;
}

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

interface Listener {
  /** When the next one comes: those before it count for nothing. */
  next(): Promise<number>;
  end(): void;
}

function listen(url: string): Listener {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { device: 'listener' },
  });
  let arrived: (atMs: number) => void = () => undefined;
  const end = client.subscribe(
    { query: 'subscription { hints { collections at } }' },
    {
      next: () => arrived(performance.now()),
      error: (thrown) => console.error(thrown),
      complete: () => undefined,
    },
  );
  return {
    next: () => new Promise((resolve) => (arrived = resolve)),
    end() {
      end();
      void client.dispose();
    },
  };
}

async function commit({ store }: OwnStore): Promise<void> {
  const id = randomUUID() as RecordId;
  const body = '{"name":"Committed elsewhere","status":"OPEN"}';
  const next = {
    sourceKey: id as string as SourceKey,
    deleted: false,
    body,
    vis: null,
    pending: false,
    sourceVersion: null,
    hash: body,
    scopes: ['all'],
    throughUs: false,
  };
  await store.commit(TENANT, [{ collection: 'items', id, expected: { seq: 0 as Seq, mark: 0 }, next }]);
}

/** What the server alone takes: from NOTIFY being sent to another connection's hearing it. */
async function bareNotifications(url: string): Promise<readonly number[]> {
  const [telling, hearing] = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
  await Promise.all([telling.connect(), hearing.connect()]);
  await hearing.query('listen bare');
  const samples: number[] = [];
  for (let round = 0; round < HINTS; round++) {
    await rest();
    const heard = new Promise<number>((resolve) => hearing.once('notification', () => resolve(performance.now())));
    const begun = performance.now();
    await telling.query("select pg_notify('bare', 'x')");
    samples.push((await heard) - begun);
  }
  await Promise.all([telling.end(), hearing.end()]);
  return samples;
}
