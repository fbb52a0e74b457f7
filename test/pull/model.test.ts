import { createPull } from '../../src/pull/pull.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { runSchedule } from './model/schedule.js';
import { runViaSchedule } from './model/via-schedule.js';

/** Schedules of this run: `SCHEDULES=20000` for the whole set, `SEED=17 SCHEDULES=1` for one. */
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 2_000);
/** Each of these takes twice as long. */
const VIA_SCHEDULES = Number(process.env['SCHEDULES'] ?? 1_000);

test(
  `R1-R4: after ${SCHEDULES} schedules of changing scopes, limits, lists, lost replies, purges and restores every device holds what it may see`,
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
      const clock = createManualClock();
      const memory = createMemoryStore({ clock, chance: seededChance(seed) });
      await runSchedule(
        { store: memory, memory, createPull, nowMs: () => clock.nowMs(), tick: () => clock.advance(1_000) },
        seed,
      );
    }
  },
  60_000 + SCHEDULES * 100,
);

test(
  `R4: after ${VIA_SCHEDULES} schedules of parents that move among scopes and children among parents no device has what hangs on what it lost`,
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + VIA_SCHEDULES; seed++) {
      const clock = createManualClock();
      const store = createMemoryStore({ clock, chance: seededChance(seed) });
      await runViaSchedule({ store, createPull, nowMs: () => clock.nowMs(), tick: () => clock.advance(1_000) }, seed);
    }
  },
  60_000 + VIA_SCHEDULES * 100,
);
