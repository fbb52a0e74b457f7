import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { drawPlan, type Plan } from './plan.js';
import { run } from './run.js';
import { openSimulatedStore } from './simulated-postgres.js';

/** Seeds of this run: `PG_SEEDS=200` for a long one. */
const SEEDS = Number(process.env['PG_SEEDS'] ?? 10);
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const STEPS = 25;

let server: TestPostgres;

beforeAll(async () => {
  server = await startTestPostgres();
});

afterAll(() => server.stop());

function shortPlan(seed: number): Plan {
  const plan = drawPlan(seed);
  const steps = plan.steps.filter((step) => step.do !== 'backup' && step.do !== 'restore').slice(0, STEPS);
  return { ...plan, steps };
}

test(
  `R1-R16: on Postgres, after ${SEEDS} schedules of the oracle replicas equal sources and each change counts once`,
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const store = await openSimulatedStore(server);
      const { breach } = await run(shortPlan(seed), { storeOf: (sim) => store.on(sim) });
      await store.close();
      expect([seed, breach]).toEqual([seed, null]);
    }
  },
  120_000 + SEEDS * 30_000,
);
