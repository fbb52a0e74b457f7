import { request } from 'undici';
import { median, percentile, report, timed } from './measure.js';
import { GUARDED_CONFIG, startFlooder, startGateway, startInstantSource, startReadyBytes } from './processes.js';

const RECORDS = 1_000;
const FLOOD_PER_SECOND = 1_000;
/** Of the other user: less than her own limit. */
const PER_SECOND = 40;
const SECONDS = 6;
const ROUNDS = 4;
const GOAL_RATIO = 2;
/** As long as the gateway's 429. */
const REFUSAL_BYTES = 200;

/**
 * What one user notices while another one floods with 1,000 requests a second: her pulls of 100 records, p50 and p99, beside those of the same run
 * without the flood, in turns (goal: p99 at most twice); and beside those while the same flood goes to a bare server of another process, which says
 * the same to everybody: what the flood costs whoever shares its cores.
 */
export async function benchFlood(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const gateway = await startGateway(source.url, { TIDEGATE_CONFIG: GUARDED_CONFIG });
  const bare = await startReadyBytes(REFUSAL_BYTES);
  const ask = async (query: string): Promise<string> => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer nurse-of-the-benchmark-7' };
    const answer = await request(`${gateway.url}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query }),
    });
    if (answer.statusCode !== 200) throw new Error(`expected 200, got ${answer.statusCode}`);
    return await answer.body.text();
  };
  const samplesOf = async (): Promise<readonly number[]> => {
    const samples: number[] = [];
    const begunAt = performance.now();
    for (let sent = 0; sent < SECONDS * PER_SECOND; sent++) {
      const restMs = begunAt + (sent * 1_000) / PER_SECOND - performance.now();
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
      samples.push((await timed(() => ask('{ pull(limit: 100) { changes { id json } checkpoint } }'))).ms);
    }
    return samples;
  };
  // Until the first ingest is through, and everything is warm.
  while (!(await ask('{ collections { state } }')).includes('READY'))
    await new Promise((resolve) => setTimeout(resolve, 100));
  await samplesOf();

  const quiet: (readonly number[])[] = [];
  const elsewhere: (readonly number[])[] = [];
  const flooded: (readonly number[])[] = [];
  const answers: { readonly sent: number; readonly statuses: Readonly<Record<string, number>> }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    quiet.push(await samplesOf());
    const other = await startFlooder(bare.url, FLOOD_PER_SECOND);
    elsewhere.push(await samplesOf());
    await other.stop();
    const flooder = await startFlooder(gateway.url, FLOOD_PER_SECOND);
    flooded.push(await samplesOf());
    answers.push((await (await request(flooder.url)).body.json()) as (typeof answers)[number]);
    await flooder.stop();
  }
  const p99 = (rounds: readonly (readonly number[])[]): number => median(rounds.map((one) => percentile(one, 0.99)));
  report({
    bench: 'flood',
    floodPerSecond: FLOOD_PER_SECOND,
    sent: answers.map(({ sent }) => sent),
    answers: answers.map(({ statuses }) => statuses),
    quietP50Ms: median(quiet.map(median)),
    quietP99Ms: p99(quiet),
    elsewhereP50Ms: median(elsewhere.map(median)),
    elsewhereP99Ms: p99(elsewhere),
    floodedP50Ms: median(flooded.map(median)),
    floodedP99Ms: p99(flooded),
    ratios: quiet.map((one, at) => percentile(flooded[at] ?? [], 0.99) / percentile(one, 0.99)),
    ratio: p99(flooded) / p99(quiet),
    ratioToElsewhere: p99(flooded) / p99(elsewhere),
    goal: GOAL_RATIO,
  });
  await gateway.stop();
  await bare.stop();
  await source.stop();
}
