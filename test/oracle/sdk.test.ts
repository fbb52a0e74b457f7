import path from 'node:path';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { drawPlan } from './plan.js';
import { readRegressions } from './regressions.js';
import { run } from './run.js';
import { SDK_MUTATIONS } from './sdk-mutations.js';

/** Seeds of this run: `DEVICE=sdk SEEDS=20000 npm run test:oracle` for a long one. */
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const SEEDS = Number(process.env['SDK_SEEDS'] ?? 60);
/** Seeds until a planted fault must be caught, from where the search begins: shortly before a seed that catches it. */
const MOST_SEEDS = 60;

test('R5, R10, F5, F25: with devices that the client makes replicas equal sources, too, and each change counts once', async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { breach } = await run(drawPlan(seed), { isSdk: true });
    const name = `DEVICE=sdk SEED=${seed} npm run test:oracle`;
    expect([name, breach]).toEqual([name, null]);
  }
});

test('R10, F10: every plan that failed once holds with them, too', async () => {
  for (const { name, plan } of readRegressions(path.join(PROJECT_FOLDER, 'test/regressions')))
    expect([name, (await run(plan, { isSdk: true })).breach]).toEqual([name, null]);
});

test('the same seed is the same run of the client, to the last turn', async () => {
  const traced = () => run(drawPlan(3), { isTraced: true, isSdk: true });
  const [once, again] = [await traced(), await traced()];
  expect(again.world.trace).toEqual(once.world.trace);
});

test.each(Object.entries(SDK_MUTATIONS))('the oracle sees it when %s', async (name, { from, sdk }) => {
  let caught: string | null = null;
  for (let seed = from; seed < from + MOST_SEEDS && caught === null; seed++) {
    const { breach } = await run(drawPlan(seed), { isSdk: true, mutation: { sdk } });
    if (breach !== null) caught = `seed ${seed}: ${breach.split('\n')[0]}`;
  }
  if (process.env['TRACE'] !== undefined) console.log(name, caught);
  expect(caught).not.toBeNull();
});
