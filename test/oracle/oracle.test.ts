import path from 'node:path';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { drawPlan } from './plan.js';
import { readRegressions } from './regressions.js';
import { run } from './run.js';

/** Seeds of this run: `SEEDS=20000` for a long one, `SEED=17 SEEDS=1` for one. */
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const SEEDS = Number(process.env['SEEDS'] ?? 1_000);
const PORTION = 100;

const traced = (seed: number) => run(drawPlan(seed), { isTraced: true });

const kept = readRegressions(path.join(PROJECT_FOLDER, 'test/regressions'));

test('R1-R16: every plan that failed once holds', async () => {
  for (const { name, plan } of kept) expect([name, (await run(plan)).breach]).toEqual([name, null]);
});

test('the same seed is the same run, to the last turn', async () => {
  for (const seed of [3, 8]) {
    const [once, again] = [await traced(seed), await traced(seed)];
    expect(again.world.trace).toEqual(once.world.trace);
    expect(once.world.trace?.length).toBeGreaterThan(50);
  }
});

describe('R1-R16: whatever is lost, late, doubled, killed and edited, in the end replicas equal sources and each change counts once', () => {
  const portions = Array.from({ length: Math.ceil(SEEDS / PORTION) }, (_one, at) => FIRST_SEED + at * PORTION);
  test.each(portions)('in the 100 seeds from %i', async (from) => {
    for (let seed = from; seed < Math.min(from + PORTION, FIRST_SEED + SEEDS); seed++) {
      const { breach } = await run(drawPlan(seed));
      expect([`SEED=${seed} npm run test:oracle`, breach]).toEqual([`SEED=${seed} npm run test:oracle`, null]);
    }
  });
});
