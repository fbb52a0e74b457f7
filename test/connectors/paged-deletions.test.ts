import { scanPagingOf } from '../../src/connectors/paging.js';
import { runSchedule, SCHEDULE } from '../ingest/schedule.js';
import fc from '../support/properties.js';
import { PAGINGS, servePaged, TRICKS, type PagingName, type Trick } from './paged-visits.js';
import { startScripted } from './scripted-source.js';

/** Schedules of this run: `PAGED_SCHEDULES=5000` for a long one. */
const SCHEDULES = Number(process.env['PAGED_SCHEDULES'] ?? 200);

const names = Object.keys(PAGINGS) as PagingName[];
const TRICK = fc.oneof({ weight: 2, arbitrary: fc.constant<Trick>('well') }, fc.constantFrom(...TRICKS));
const PAGED = fc.record({
  schedule: SCHEDULE,
  name: fc.constantFrom(...names),
  readOne: fc.boolean(),
  total: fc.boolean(),
  cap: fc.constantFrom(1, 2, 20),
  tricks: fc.oneof(
    fc.array(TRICK, { maxLength: 40 }),
    // The same trouble at the same page of every reading.
    fc.array(TRICK, { minLength: 1, maxLength: 4 }).map((few) => Array.from({ length: 12 }, () => few).flat()),
  ),
});

/** No reader sees through a list in one answer that leaves one of its rows out each time. */
function isFair(name: PagingName, readOne: boolean, trick: Trick): boolean {
  return trick !== 'short' || readOne || name !== 'whole';
}

test(
  `R14, F7, F14: ${SCHEDULES} schedules over pages of every kind invent no end, and miss none once a scan is complete`,
  async () => {
    const holds = fc.asyncProperty(PAGED, async ({ schedule, name, readOne, total, cap, tricks }) => {
      const source = await startScripted();
      const scanPaging = scanPagingOf(PAGINGS[name]);
      const facts = { ...schedule.facts, changes: 'list', deletions: 'scan', readOne, scanPaging } as const;
      try {
        const fair = tricks.filter((trick) => isFair(name, readOne, trick));
        const { held, expected, rechecks } = await runSchedule({ ...schedule, facts }, (toy, isTroubled) =>
          servePaged(source, toy, name, {
            total,
            mostRows: () => (isTroubled() ? cap : 20),
            nextTrick: () => (isTroubled() ? fair.shift() : undefined) ?? 'well',
          }),
        );
        expect(held).toEqual(expected);
        expect(rechecks).toEqual([]);
      } finally {
        await source.close();
      }
    });
    await fc.assert(holds, { numRuns: SCHEDULES });
  },
  300_000 + SCHEDULES * 200,
);
