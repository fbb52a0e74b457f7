import { createPull } from '../../src/pull/pull.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import type { Store } from '../../src/core/store-port.js';
import { runSchedule } from '../pull/model/schedule.js';
import { runViaSchedule } from '../pull/model/via-schedule.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

/** Schedules of this run: `SCHEDULES=500` for the whole set, `SEED=17 SCHEDULES=1` for one. */
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 50);

let server: TestPostgres;
let store: Store;

beforeAll(async () => {
  server = await startTestPostgres();
  store = await openStore({ url: await server.freshDatabase(), clock: systemClock, log: silentLog });
});

afterAll(async () => {
  await store.close();
  await server.stop();
});

test(
  `R1-R4: on Postgres, after ${SCHEDULES} schedules every device holds what it may see`,
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
      // Time is the database's own and passes by itself.
      await runSchedule({ store, memory: null, createPull, nowMs: () => Date.now(), tick: () => undefined }, seed);
    }
  },
  60_000 + SCHEDULES * 2_000,
);

test(
  `R4: on Postgres, after ${SCHEDULES} schedules no device has what hangs on what it lost`,
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++)
      await runViaSchedule({ store, createPull, nowMs: () => Date.now(), tick: () => undefined }, seed);
  },
  60_000 + SCHEDULES * 2_000,
);
