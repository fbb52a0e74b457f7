import path from 'node:path';
import { kindOf, minimise } from './minimise.js';
import { drawPlan, type Plan } from './plan.js';
import { keepRegression, readRegressions } from './regressions.js';
import { run } from './run.js';
import { runSeeds, type SeedOutcome } from './seed-runs.js';

// `npm run test:oracle`: kept plans first, then SEEDS seeds from SEED on, on every core. A failing one is told with its trace, made
// smaller and kept in test/regressions/. With SEED alone that one seed is run and its trace is told.
const folder = path.join(process.cwd(), 'test/regressions');
const first = Number(process.env['SEED'] ?? 1);
/** `DEVICE=sdk`: devices are what the client makes them. */
const isSdk = process.env['DEVICE'] === 'sdk';
const isSingle = process.env['SEEDS'] === undefined && process.env['SEED'] !== undefined;
const count = Number(process.env['SEEDS'] ?? 1_000);
/** A failing run is worth reading, ten of them are not. */
const MOST_TOLD = 10;
const TELL_EVERY = 10_000;

async function tell(plan: Plan, breach: string): Promise<void> {
  const kind = kindOf(breach);
  const smallest = await minimise(plan, async (smaller) => {
    const outcome = await run(smaller, { isSdk });
    return outcome.breach !== null && kindOf(outcome.breach) === kind;
  });
  const { world, breach: told } = await run(smallest, { isTraced: true, isSdk });
  const file = keepRegression(folder, { breach: told ?? breach, plan: smallest });
  console.log(`  ${world.trace?.join('\n  ')}\n  kept as test/regressions/${file}: ${told ?? breach}`);
}

async function replayKept(): Promise<number> {
  let failed = 0;
  for (const { name, plan } of readRegressions(folder)) {
    const { breach } = await run(plan, { isSdk });
    if (breach === null) continue;
    failed += 1;
    console.log(`test/regressions/${name}: ${breach}`);
  }
  return failed;
}

async function runMany(): Promise<SeedOutcome[]> {
  const failed: SeedOutcome[] = [];
  let ended = 0;
  await runSeeds(first, count, (outcome) => {
    ended += 1;
    if (outcome.breach !== null) {
      failed.push(outcome);
      console.log(`seed ${outcome.seed}: ${outcome.breach}`);
    }
    if (ended % TELL_EVERY === 0 && ended < count) console.log(`${ended} seeds, ${failed.length} failed`);
  });
  return failed;
}

async function runOne(): Promise<SeedOutcome[]> {
  const { breach, world } = await run(drawPlan(first), { isTraced: true, isSdk });
  console.log(world.trace?.join('\n'));
  if (breach !== null) console.log(`seed ${first}: ${breach}`);
  return breach === null ? [] : [{ seed: first, breach }];
}

const stale = await replayKept();
const begunMs = performance.now();
const failed = isSingle ? await runOne() : await runMany();
const seconds = (performance.now() - begunMs) / 1_000;
for (const { seed, breach } of failed.slice(0, MOST_TOLD)) await tell(drawPlan(seed), breach ?? '');
const seeds = isSingle ? 1 : count;
console.log(`${seeds} seeds from ${first}, ${failed.length} failed, ${(seeds / seconds).toFixed(1)} seeds/s`);
process.exitCode = failed.length + stale === 0 ? 0 : 1;
