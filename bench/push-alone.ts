import { randomUUID } from 'node:crypto';
import { createSource } from '../src/connectors/define.js';
import type { SourceCollection, SourceWriteOutcome } from '../src/core/source-port.js';
import { createPush } from '../src/push/push.js';
import { systemClock } from '../src/server/clock.js';
import { hashText } from '../src/server/telemetry.js';
import { upsertsPerSecond } from './bare-postgres.js';
import { items } from './items-connector.js';
import { cpuOfTreeMs, inParallel, median, ownCpuMs, report, timed } from './measure.js';
import { openOwnStore, quietLog, TENANT } from './own-store.js';

const BATCH = 100;
const BATCHES = 100;
const CONCURRENCY = 8;
const ROUNDS = 5;

/**
 * The gateway's own part of a push: accept, intents, note, settle, in this process and with fsync on, in front of a source that is
 * a function which returns at once. Goal: 5,000 changes per second. Limit: bare `pg` upserting as many records in the same batches
 * and at the same concurrency.
 */
export async function benchPushAlone(): Promise<void> {
  const own = await openOwnStore();
  const deps = { clock: systemClock, chance: Math.random, log: quietLog };
  const source = createSource(items({ baseUrl: 'http://127.0.0.1:1', concurrent: CONCURRENCY * BATCH }), deps);
  const push = createPush(
    { store: own.store, hash: hashText, ...deps },
    { tenant: TENANT, sources: source.collections.map(atOnce), holder: 'bench', patienceMs: 10_000 },
  );
  push.start();
  const bare = await upsertsPerSecond(own.url, BATCHES * BATCH, BATCH, CONCURRENCY);
  const rounds: { rate: number; cpu: number; postgres: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = { node: ownCpuMs(), postgres: cpuOfTreeMs(own.postgresPid) };
    const { ms } = await timed(() =>
      inParallel(BATCHES, CONCURRENCY, async (batch) => {
        const session = { tenant: TENANT, user: 'bench', device: `phone-${batch}`, grant: { kind: 'every' } as const };
        const results = await push.push(session, Array.from({ length: BATCH }, creation), null);
        const failed = results.find((result) => result.status !== 'APPLIED');
        if (failed !== undefined) throw new Error(`expected APPLIED, got ${JSON.stringify(failed)}`);
      }),
    );
    const changes = BATCHES * BATCH;
    const cpu = ((ownCpuMs() - before.node) * 1000) / changes;
    const postgres = ((cpuOfTreeMs(own.postgresPid) - before.postgres) * 1000) / changes;
    // The first round warms up.
    if (round > 0) rounds.push({ rate: (changes * 1000) / ms, cpu, postgres });
  }
  report({
    bench: "push: the gateway's own part",
    batch: BATCH,
    concurrency: CONCURRENCY,
    perSecond: median(rounds.map((round) => round.rate)),
    goalPerSecond: 5000,
    nodeCpuMsPer1000: median(rounds.map((round) => round.cpu)),
    postgresCpuMsPer1000: median(rounds.map((round) => round.postgres)),
    barePgPerSecond: bare,
    ratio: median(rounds.map((round) => bare / round.rate)),
  });
  await push.stop();
  await source.close();
  await own.stop();
}

function creation(): Parameters<ReturnType<typeof createPush>['push']>[1][number] {
  return {
    changeId: randomUUID(),
    collection: 'items',
    id: randomUUID(),
    kind: 'UPSERT',
    baseVersion: null,
    changedAt: new Date().toISOString(),
    sentEpoch: null,
    fields: {
      name: 'Pushed customer',
      street: 'Quay Street',
      city: 'Porto',
      status: 'OPEN',
      amount: '12.50',
      count: 3,
    },
  };
}

/** The collection as declared, with a source that takes every write at once. */
function atOnce(one: SourceCollection): SourceCollection {
  return {
    ...one,
    write: async ({ sourceKey, fields }): Promise<SourceWriteOutcome> => {
      if (sourceKey === null) throw new Error("expected the device's id as key");
      const whole = Object.fromEntries(one.collection.fields.map(({ name }) => [name, fields[name] ?? null]));
      return { kind: 'applied', observation: { sourceKey, fields: whole, sourceVersion: null } };
    },
  };
}
