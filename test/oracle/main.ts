import path from 'node:path';
import { kindOf, minimise } from './minimise.js';
import { drawPlan, type Plan } from './plan.js';
import { keepRegression, readRegressions } from './regressions.js';
import { run } from './run.js';

// `npm run test:oracle`: kept plans first, then SEEDS seeds from SEED on. A failing one is told with its trace, made smaller and
// kept in test/regressions/. With SEED alone that one seed is run and its trace is told.
const folder = path.join(process.cwd(), 'test/regressions');
const first = Number(process.env['SEED'] ?? 1);
const isSingle = process.env['SEEDS'] === undefined && process.env['SEED'] !== undefined;
const count = isSingle ? 1 : Number(process.env['SEEDS'] ?? 1_000);
/** A failing run is worth reading, ten of them are not. */
const MOST_TOLD = 10;
let failed = 0;

async function tell(plan: Plan, name: string, breach: string): Promise<void> {
  failed += 1;
  console.log(`${name}: ${breach}`);
  if (failed > MOST_TOLD) return;
  const kind = kindOf(breach);
  const smallest = await minimise(plan, async (smaller) => {
    const outcome = await run(smaller);
    return outcome.breach !== null && kindOf(outcome.breach) === kind;
  });
  const { world, breach: told } = await run(smallest, { isTraced: true });
  const file = keepRegression(folder, { breach: told ?? breach, plan: smallest });
  console.log(`  ${world.trace?.join('\n  ')}\n  kept as test/regressions/${file}: ${told ?? breach}`);
}

for (const { name, plan } of readRegressions(folder)) {
  const { breach } = await run(plan);
  if (breach === null) continue;
  failed += 1;
  console.log(`test/regressions/${name}: ${breach}`);
}
const begunMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const plan = drawPlan(seed);
  const { breach, world } = await run(plan, { isTraced: isSingle });
  if (isSingle) console.log(world.trace?.join('\n'));
  if (breach !== null) await tell(plan, `seed ${seed}`, breach);
  if (count > 10_000 && (seed - first + 1) % 10_000 === 0) console.log(`${seed - first + 1} seeds, ${failed} failed`);
}
const seconds = (performance.now() - begunMs) / 1_000;
console.log(`${count} seeds from ${first}, ${failed} failed, ${(count / seconds).toFixed(1)} seeds/s`);
process.exitCode = failed === 0 ? 0 : 1;
