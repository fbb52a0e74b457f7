import fc from '../support/properties.js';
import { runSchedule, SCHEDULE } from './schedule.js';

/** Schedules of this run: `SCHEDULES=20000` for a long one. */
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 300);

test(
  `R14, R15: after ${SCHEDULES} schedules no end was invented, no older state came back, and nothing is missing`,
  async () => {
    const holds = fc.asyncProperty(SCHEDULE, async (schedule) => {
      const { held, expected, rechecks } = await runSchedule(schedule);
      expect(held).toEqual(expected);
      expect(rechecks).toEqual([]);
    });
    await fc.assert(holds, { numRuns: SCHEDULES });
  },
  300_000 + SCHEDULES * 20,
);
