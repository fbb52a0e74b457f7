import { seededChance } from '../support/seeded-chance.js';
import { until } from '../support/until.js';
import { CAPABILITIES } from './capabilities.js';
import { createChangeLog, type ChangeLog } from './change-log.js';
import { POINT_NAMES, type PointName } from './crash-points.js';
import { nameOf, sampledRounds, wholeMatrix } from './rounds.js';
import { startSweepWorld, type SweepWorld } from './sweep-world.js';
import { armedFor, createSweep, type Sweep } from './sweep.js';
import { isSettled, judge, unsettledRecords, type Verdict } from './verdict.js';

/** The same rounds at each run; others by the environment: the whole matrix, and any number of kills under load. */
const SEED = Number(process.env['SEED'] ?? 17);
const NAMED = process.env['MATRIX'] === 'all' ? wholeMatrix() : sampledRounds(Number(process.env['NAMED'] ?? 46), SEED);
const UNDER_LOAD = Number(process.env['ROUNDS'] ?? 8);
const MOST_SEEDS = 1_500;
/** After the last kill: leases run out, late calls too, then what is in doubt is found out. */
const SETTLED_WITHIN_MS = 150_000;
/** Without the loading of modules, on a machine that does much else. */
const READY_WITHIN_MS = 60_000;

/** A round is tried so often to come to its point. */
const MOST_TRIES = 2;
/** Visits for rounds that are tried again. */
const SPARE_SEEDS = 60;

const reached = new Map<PointName, number>();
let world: SweepWorld;
let log: ChangeLog;
let sweep: Sweep;
let verdict: Verdict;
let begunAt: number;
/** Numbers of repeated rounds, above those of all others. */
let repeats = NAMED.length + UNDER_LOAD;

beforeAll(async () => {
  world = await startSweepWorld(Math.min(MOST_SEEDS, 2 * NAMED.length + 10 * UNDER_LOAD + SPARE_SEEDS));
  log = createChangeLog(world.device);
  sweep = createSweep(world, log, seededChance(SEED));
  begunAt = performance.now();
  const [first] = NAMED;
  if (first === undefined) return;
  world.gateway.signal('SIGKILL');
  await world.gateway.ended;
  await world.start(armedFor(first, 0));
});

afterAll(async () => {
  await world.stop();
});

describe(`a gateway that is killed with -9 (seed ${SEED})`, () => {
  test.each(NAMED.map((round, at) => [nameOf(round), at] as const))(
    'R3, R10: %s: is ready again, and the device repeats what was not answered',
    async (_name, at) => {
      const round = NAMED[at] as (typeof NAMED)[number];
      const next = NAMED[at + 1];
      let isReached = false;
      // What earlier rounds left may come first and meet what was meant for this one's call: then it is tried again. And a change may
      // be found out before it comes to its point, as a created record by its look-up: that every point is reached by some round is
      // looked at in the end.
      for (let tries = 1, number = at; tries <= MOST_TRIES && !isReached; tries++) {
        const again = (repeats += 1);
        isReached = await sweep.runNamed(round, number, (isDone) => {
          if (!isDone && tries < MOST_TRIES) return armedFor(round, again);
          return next === undefined ? null : armedFor(next, at + 1);
        });
        number = again;
      }
      if (isReached) reached.set(round.point, (reached.get(round.point) ?? 0) + 1);
      expect(world.startsMs.at(-1)).toBeLessThan(READY_WITHIN_MS);
    },
  );

  test(
    `R3, R10: ${UNDER_LOAD} times at any moment, under load and bad connections: is ready again`,
    async () => {
      for (let round = 0; round < UNDER_LOAD; round++) {
        await sweep.runUnderLoad(NAMED.length + round, null);
        expect(world.startsMs.at(-1)).toBeLessThan(READY_WITHIN_MS);
      }
    },
    60_000 + UNDER_LOAD * 30_000,
  );

  test('R10: every accepted change has its fate; what waits, waits for a parked one', async () => {
    await until(
      'every change is settled',
      async () => {
        await world.device.pull();
        if (isSettled(log)) return true;
        await log.push(log.unanswered());
        return false;
      },
      SETTLED_WITHIN_MS,
    ).catch(() => undefined);
    verdict = judge(log, world.journal());
    process.stdout.write(`${JSON.stringify(summary())}\n`);
    expect(verdict.lost).toEqual([]);
  }, 200_000);

  test('R11: the sources took none twice, by effect and by idempotency key', () => {
    expect(verdict.twice).toEqual([]);
  });

  test('R7, R9: refused is what a rule refuses, and a repeat gets the stored answer', () => {
    expect(verdict.wrong).toEqual([]);
  });

  test('R11: parked is only what nobody can find out, with a reason for an operator', () => {
    expect(verdict.parkedWrongly).toEqual([]);
  });

  test.each(CAPABILITIES)('R1: the device holds what the source %s holds', async (capability) => {
    const unsettled = unsettledRecords(log, capability);
    const settled = (notes: readonly (readonly [id: string, note: unknown])[]): readonly unknown[] =>
      notes.flatMap(([id, note]) => (unsettled.has(id) ? [] : [note])).toSorted();
    const held = (): readonly unknown[] => {
      const records = [...world.device.records].filter(([name]) => name.startsWith(`${capability} `));
      return settled(records.map(([name, { json }]) => [name.slice(capability.length + 1), json['note']]));
    };
    const truth = settled([...(await world.holdings(capability))]);
    await until('both are equal', async () => {
      await world.device.pull();
      return JSON.stringify(held()) === JSON.stringify(truth);
    }).catch(() => undefined);
    expect(held()).toEqual(truth);
  });

  test('every crash point is reached', () => {
    if (NAMED.length >= POINT_NAMES.length) expect(POINT_NAMES.filter((point) => !reached.has(point))).toEqual([]);
  });
});

/** One line of figures. */
function summary(): Readonly<Record<string, unknown>> {
  const starts = world.startsMs.toSorted((a, b) => a - b);
  const { lost, twice, wrong, parkedWrongly, parked } = verdict;
  return {
    rounds: NAMED.length + UNDER_LOAD,
    named: NAMED.length,
    kills: { ...Object.fromEntries(reached), 'under load': UNDER_LOAD },
    changes: log.changes.size,
    lost: lost.length,
    twice: twice.length,
    wrong: wrong.length,
    parked: parked.length,
    parkedWrongly: parkedWrongly.length,
    seconds: Math.round((performance.now() - begunAt) / 1000),
    readyMs: { p50: Math.round(starts[starts.length >> 1] ?? 0), longest: Math.round(starts.at(-1) ?? 0) },
  };
}
