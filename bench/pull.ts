import { cpuMs, cpuOfTreeMs, median, report, timed } from './measure.js';
import { startGateway, startInstantSource, startReadyBytes } from './processes.js';
import {
  PULL_JSON,
  PULL_PARTIAL,
  PULL_TYPED,
  requestsTo,
  untilIngested,
  type PulledPage,
  type Requests,
} from './requests.js';

const RECORDS = 20_000;
const PAGES = 100;

/**
 * One page of 1,000 records of 500 bytes: the gateway's Node CPU against a server that writes the same bytes ready-made.
 * Goal: generic and fully typed at most 3 x, half of the fields at most 12 x.
 */
export async function benchPull(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url);
  const requests = requestsTo(gateway.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  const checkpoints = await checkpointsOfFullPages(requests);
  for (const [form, query] of [
    ['generic', PULL_JSON],
    ['typed, all fields', PULL_TYPED],
    ['typed, half of the fields', PULL_PARTIAL],
  ] as const) {
    const bodies = checkpoints.map((since) => JSON.stringify({ query, variables: { since, limit: 1000 } }));
    const bodyOf = (page: number): string => bodies[page % bodies.length] as string;
    const bytes = (await requests.post('/graphql', bodyOf(0))).length;
    const limit = await startReadyBytes(bytes);
    const raw = requestsTo(limit.url, 'bench', 1);
    const rounds: { ours: number; limit: number; postgres: number; ms: number }[] = [];
    for (let round = 0; round < 7; round++) {
      const ours = await cpuPerPage(
        gateway.pid,
        (page) => requests.post('/graphql', bodyOf(page)),
        gateway.postgresPid,
      );
      const theirs = await cpuPerPage(limit.pid, (page) => raw.post('/', bodyOf(page)));
      // The first round warms both up.
      if (round > 0) rounds.push({ ours: ours.cpu, limit: theirs.cpu, postgres: ours.postgres, ms: ours.ms });
    }
    report({
      bench: 'pull',
      form,
      pageBytes: bytes,
      nodeCpuMs: median(rounds.map((round) => round.ours)),
      postgresCpuMs: median(rounds.map((round) => round.postgres)),
      wallMs: median(rounds.map((round) => round.ms)),
      limitCpuMs: median(rounds.map((round) => round.limit)),
      ratio: median(rounds.map((round) => round.ours / round.limit)),
      goal: form === 'typed, half of the fields' ? 12 : 3,
    });
    await raw.close();
    await limit.stop();
  }
  await requests.close();
  await gateway.stop();
  await source.stop();
}

/** Where a device stands before each page of an initial sync but the first and the last: it goes from one to the next. */
async function checkpointsOfFullPages(requests: Requests): Promise<readonly string[]> {
  const checkpoints: string[] = [];
  for (let since: string | null = null; ;) {
    const { pull }: PulledPage = await requests.graphql<PulledPage>(PULL_JSON, { since, limit: 1000 });
    if (!pull.hasMore) return checkpoints.slice(0, -1);
    since = pull.checkpoint;
    checkpoints.push(since);
  }
}

async function cpuPerPage(
  pid: number,
  get: (page: number) => Promise<Buffer>,
  postgresPid?: number,
): Promise<{ readonly cpu: number; readonly postgres: number; readonly ms: number }> {
  const before = cpuMs(pid);
  const postgres = postgresPid === undefined ? 0 : cpuOfTreeMs(postgresPid);
  const { ms } = await timed(async () => {
    for (let page = 0; page < PAGES; page++) await get(page);
  });
  return {
    cpu: (cpuMs(pid) - before) / PAGES,
    postgres: postgresPid === undefined ? 0 : (cpuOfTreeMs(postgresPid) - postgres) / PAGES,
    ms: ms / PAGES,
  };
}
