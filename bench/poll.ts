import { cpuMs, cpuOfTreeMs, inParallel, median, percentile, report, timed } from './measure.js';
import { startGateway, startInstantSource, startReadyBytes } from './processes.js';
import { PULL_JSON, pullToEnd, requestsTo, untilIngested, type PulledPage, type Requests } from './requests.js';

const RECORDS = 100_000;
const CLIENTS = 32;
const POLLS = 20_000;
const DELTA_ROUNDS = 30;
const CHANGED = 100;

/**
 * "Nothing changed" pulls from 32 clients (goal: 3,000 per second, 0.4 ms CPU each) and the delta of 100 changed records
 * among 100,000 (goal: p50 10 ms).
 */
export async function benchPoll(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url);
  const requests = requestsTo(gateway.url, 'bench', CLIENTS);
  const sourceRequests = requestsTo(source.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  let { checkpoint } = await pullToEnd(requests);

  const nothing = JSON.stringify({ query: PULL_JSON, variables: { since: checkpoint, limit: 1000 } });
  const size = (await requests.post('/graphql', nothing)).length;
  const limit = await startReadyBytes(size);
  const raw = requestsTo(limit.url, 'bench', CLIENTS);
  const rounds: { rate: number; cpu: number; postgres: number; p95: number; limit: number }[] = [];
  for (let round = 0; round < 5; round++) {
    const node = cpuMs(gateway.pid);
    const postgres = cpuOfTreeMs(gateway.postgresPid);
    const samples: number[] = [];
    const ours = await timed(() =>
      inParallel(POLLS, CLIENTS, async () => {
        samples.push((await timed(() => requests.post('/graphql', nothing))).ms);
      }),
    );
    const cpu = (cpuMs(gateway.pid) - node) / POLLS;
    const theirs = await timed(() => inParallel(POLLS, CLIENTS, async () => void (await raw.post('/', nothing))));
    if (round > 0) {
      rounds.push({
        rate: (POLLS * 1000) / ours.ms,
        cpu,
        postgres: (cpuOfTreeMs(gateway.postgresPid) - postgres) / POLLS,
        p95: percentile(samples, 0.95),
        limit: (POLLS * 1000) / theirs.ms,
      });
    }
  }
  report({
    bench: 'poll',
    clients: CLIENTS,
    perSecond: median(rounds.map((round) => round.rate)),
    goal: 3000,
    nodeCpuMs: median(rounds.map((round) => round.cpu)),
    goalCpuMs: 0.4,
    postgresCpuMs: median(rounds.map((round) => round.postgres)),
    p95Ms: median(rounds.map((round) => round.p95)),
    limitPerSecond: median(rounds.map((round) => round.limit)),
    ratio: median(rounds.map((round) => round.limit / round.rate)),
  });

  const deltas: number[] = [];
  let bytes = 0;
  for (let round = 0; round < DELTA_ROUNDS; round++) {
    await sourceRequests.post(`/revise?count=${CHANGED}`, '');
    await untilChanged(requests, checkpoint);
    const body = JSON.stringify({ query: PULL_JSON, variables: { since: checkpoint, limit: 1000 } });
    const { ms, value } = await timed(() => requests.post('/graphql', body));
    bytes = value.length;
    const page = (JSON.parse(value.toString()) as { data: PulledPage }).data.pull;
    checkpoint = page.checkpoint;
    if (page.changes.length === CHANGED) deltas.push(ms);
  }
  report({
    bench: 'delta',
    of: RECORDS,
    changed: CHANGED,
    rounds: deltas.length,
    bytes,
    p50Ms: median(deltas),
    p95Ms: percentile(deltas, 0.95),
    goalP50Ms: 10,
  });
  await Promise.all([raw.close(), requests.close(), sourceRequests.close()]);
  await limit.stop();
  await gateway.stop();
  await source.stop();
}

/** Waits until all changed records are in the feed: the pull itself is what is timed, not the source's poll. */
async function untilChanged(requests: Requests, since: string): Promise<void> {
  for (;;) {
    const { pull } = await requests.graphql<PulledPage>(
      'query($since: Checkpoint) { pull(since: $since, limit: 1000) { changes { id version kind } checkpoint hasMore } }',
      { since },
    );
    if (pull.changes.length >= CHANGED) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
