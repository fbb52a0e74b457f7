import { cpuMs, cpuOfTreeMs, median, report, residentMb, timed } from './measure.js';
import { startGateway, startInstantSource, startReadyBytes } from './processes.js';
import { PULL_JSON, requestsTo, untilIngested, type PulledPage } from './requests.js';

const RECORDS = 100_000;

/**
 * Initial sync of 100,000 records by one client, pages of 1,000, each parsed: seconds against one raw GET of the same bytes
 * with JSON.parse in the same run. Goal: at most 3 x, CPU of gateway and Postgres together at most 1.5 s, flat memory.
 */
export async function benchInitialSync(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url);
  const requests = requestsTo(gateway.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  await source.stop();

  const pages: Buffer[] = [];
  let since: string | null = null;
  for (let more = true; more;) {
    const bytes = await requests.post(
      '/graphql',
      JSON.stringify({ query: PULL_JSON, variables: { since, limit: 1000 } }),
    );
    const { pull } = (JSON.parse(bytes.toString()) as { data: PulledPage }).data;
    pages.push(bytes);
    since = pull.checkpoint;
    more = pull.hasMore;
  }
  const size = pages.reduce((sum, page) => sum + page.length, 0);
  const limit = await startReadyBytes(size);
  const raw = requestsTo(limit.url, 'bench', 1);
  const parsed = pages.map((page) => page.toString());

  const rounds: { ours: number; raw: number; node: number; postgres: number; records: number }[] = [];
  const idleMb = residentMb(gateway.pid);
  let peakMb = idleMb;
  for (let round = 0; round < 6; round++) {
    const node = cpuMs(gateway.pid);
    const postgres = cpuOfTreeMs(gateway.postgresPid);
    let records = 0;
    const ours = await timed(async () => {
      let checkpoint: string | null = null;
      for (let more = true; more;) {
        const body: string = JSON.stringify({ query: PULL_JSON, variables: { since: checkpoint, limit: 1000 } });
        const bytes = await requests.post('/graphql', body);
        const { pull } = (JSON.parse(bytes.toString()) as { data: PulledPage }).data;
        records += pull.changes.length;
        checkpoint = pull.checkpoint;
        more = pull.hasMore;
      }
    });
    const cpu = { node: cpuMs(gateway.pid) - node, postgres: cpuOfTreeMs(gateway.postgresPid) - postgres };
    peakMb = Math.max(peakMb, residentMb(gateway.pid));
    const theirs = await timed(async () => {
      await raw.get('/');
      for (const page of parsed) JSON.parse(page);
    });
    if (round > 0) rounds.push({ ours: ours.ms, raw: theirs.ms, ...cpu, records });
  }
  report({
    bench: 'initial-sync',
    records: median(rounds.map((round) => round.records)),
    megabytes: size / 1e6,
    seconds: median(rounds.map((round) => round.ours)) / 1000,
    recordsPerSecond: median(rounds.map((round) => (round.records * 1000) / round.ours)),
    nodeCpuSeconds: median(rounds.map((round) => round.node)) / 1000,
    postgresCpuSeconds: median(rounds.map((round) => round.postgres)) / 1000,
    limitSeconds: median(rounds.map((round) => round.raw)) / 1000,
    ratio: median(rounds.map((round) => round.ours / round.raw)),
    goal: 3,
    idleMb,
    peakMb,
  });
  await raw.close();
  await limit.stop();
  await requests.close();
  await gateway.stop();
}
