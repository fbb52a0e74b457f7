import * as checkpoints from '../../src/core/checkpoint.js';
import type { createPull } from '../../src/pull/pull.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { MUTANTS, mutantReader, type Mutant } from './model/mutants.js';
import { Divergence, runSchedule } from './model/schedule.js';

/** Where the search begins for what shows itself once in thousands of schedules: shortly before a seed that catches it. */
const FIRST_SEEDS: Readonly<Record<string, number>> = {
  'a row that left is answered with the newer state of its record': 4_900,
};
/** Schedules until a mutant must be caught. */
const MOST_SCHEDULES = 10_000;
const UNMUTATED_SCHEDULES = 200;

/** What Jest's types do not know yet. */
interface ModuleMocks {
  unstable_mockModule(path: string, make: () => object): void;
}

/** A pull whose checkpoint machine is the mutant's: product code has no place for faults. */
async function pullWith(mutant: Mutant): Promise<typeof createPull> {
  const { jest } = import.meta;
  jest.resetModules();
  const mocks = jest as unknown as ModuleMocks;
  mocks.unstable_mockModule('../../src/core/checkpoint.js', () => ({
    ...checkpoints,
    ...mutant.checkpoints?.(checkpoints),
  }));
  const { createPull } = await import('../../src/pull/pull.js');
  return createPull;
}

async function caughtAt(mutant: Mutant, first: number, most = MOST_SCHEDULES): Promise<Divergence | null> {
  const createPull = await pullWith(mutant);
  for (let seed = first; seed < first + most; seed++) {
    const clock = createManualClock();
    const memory = createMemoryStore({ clock, chance: seededChance(seed) });
    const store = { ...memory, ...mutant.store?.(memory) };
    const ground = { store, memory, createPull, nowMs: () => clock.nowMs(), tick: () => clock.advance(1_000) };
    try {
      await runSchedule({ ...ground, reader: (schedule) => mutantReader(store, mutant, schedule) }, seed);
    } catch (thrown) {
      if (thrown instanceof Divergence) return thrown;
      throw thrown;
    }
  }
  return null;
}

test.each(Object.entries(MUTANTS))('the model test sees it when %s', async (name, mutant) => {
  const caught = await caughtAt(mutant, FIRST_SEEDS[name] ?? 1);
  expect(caught).not.toBeNull();
  if (process.env['TRACE'] !== undefined) console.log(name, caught?.message.split('\n')[0]);
});

test('the same set-up without a mutant is not caught', async () => {
  expect((await caughtAt({}, 1, UNMUTATED_SCHEDULES))?.message).toBeUndefined();
});
