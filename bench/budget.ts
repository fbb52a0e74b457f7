import { randomUUID } from 'node:crypto';
import type { Calls } from './instant-source.js';
import { item } from './items.js';
import { report } from './measure.js';
import { openOwnStore } from './own-store.js';
import { startGateway, startInstantSource } from './processes.js';
import { requestsTo, untilIngested, type Requests } from './requests.js';

const GATEWAYS = 3;
/** Few, so that the source itself never makes calls wait: those would be counted late, and together. */
const RECORDS = 2_000;
/** What the connector declares: no more than this in any second, from all gateways together. */
const PER_SECOND = Number(process.env['BUDGET_PER_SECOND'] ?? 100);
const LOAD_MS = 1_000 * Number(process.env['BUDGET_SECONDS'] ?? 30);
const PER_PUSH = 20;
/** Pushes under way at each gateway. */
const CONCURRENCY = 4;

const PUSH = `mutation Push($changes: [ChangeInput!]!) { push(changes: $changes) { results { status error { code } } } }`;

/**
 * Three gateways on one Postgres in front of one source that allows 100 calls in a second, with more writes than that, polls every 200
 * ms and scans every 2 s: how many calls the source counts in its fullest second (goal: never more than it allows), and how much of
 * what it allows is used.
 */
export async function benchBudget(): Promise<void> {
  const source = await startInstantSource(RECORDS);
  const own = await openOwnStore();
  const settings = {
    DATABASE_URL: own.url,
    BENCH_SOURCE_PER_SECOND: String(PER_SECOND),
    BENCH_SCAN_EVERY: '2s',
  };
  const gateways = [];
  // One after the other: the first one makes the tables.
  for (let n = 0; n < GATEWAYS; n++) gateways.push(await startGateway(source.url, settings));
  const clients = gateways.map(({ url }, n) => requestsTo(url, `bench-${n}`, CONCURRENCY));
  const office = requestsTo(source.url, 'bench', 1);
  await untilIngested(clients[0] as Requests, RECORDS);

  const endsAt = performance.now() + LOAD_MS;
  await office.get('/calls');
  const pushing = clients.flatMap((client) => Array.from({ length: CONCURRENCY }, () => pushUntil(client, endsAt)));
  const pushed = (await Promise.all(pushing)).reduce((sum, one) => sum + one, 0);
  const { of, mostPerSecond, ms } = JSON.parse((await office.get('/calls')).toString()) as Calls;
  const calls = Object.values(of).reduce((sum, one) => sum + one, 0);
  report({
    bench: 'budget: three gateways, one source',
    gateways: GATEWAYS,
    seconds: ms / 1_000,
    pushed,
    calls,
    ...of,
    allowedPerSecond: PER_SECOND,
    mostPerSecond,
    usedShare: (calls * 1_000) / (ms * PER_SECOND),
  });
  await Promise.all([...clients, office].map((one) => one.close()));
  for (const gateway of gateways) await gateway.stop();
  await own.stop();
  await source.stop();
}

/** Creates of new records, one push after the other. @returns how many were accepted */
async function pushUntil(requests: Requests, endsAt: number): Promise<number> {
  let accepted = 0;
  while (performance.now() < endsAt) {
    const { id: _known, updatedAt: _source, ...record } = item(accepted);
    const changes = Array.from({ length: PER_PUSH }, () => ({
      changeId: randomUUID(),
      collection: 'items',
      id: randomUUID(),
      kind: 'UPSERT',
      baseVersion: null,
      changedAt: new Date().toISOString(),
      record: { items: record },
    }));
    const { push } = await requests.graphql<{ push: { results: readonly { readonly status: string }[] } }>(PUSH, {
      changes,
    });
    accepted += push.results.filter(({ status }) => status === 'ACCEPTED' || status === 'APPLIED').length;
  }
  return accepted;
}
