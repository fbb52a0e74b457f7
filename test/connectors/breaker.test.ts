import { setMaxListeners } from 'node:events';
import { CallFault } from '../../src/connectors/fault.js';
import { createGuard, type Guard } from '../../src/connectors/guard.js';
import { compileMaintenance } from '../../src/connectors/maintenance.js';
import type { Log } from '../../src/core/ports.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { seededChance } from '../support/seeded-chance.js';

const NOW = Date.UTC(2026, 0, 5, 8);
const NEVER = new AbortController().signal;
// Many calls at once listen to it.
setMaxListeners(0, NEVER);
const STEP_MS = 50;
/** The promise: a source that went dead is noticed within this long. */
const NOTICED_WITHIN_MS = 5_000;

let clock: ManualClock;
let logged: string[];
beforeEach(() => {
  clock = createManualClock(NOW);
  logged = [];
});

/** A guard with the default numbers: four calls at once, ten seconds each. */
function openGuard(timeoutMs = 10_000): Guard {
  const note = (what: string, details?: object): void => void logged.push(`${what} ${JSON.stringify(details ?? {})}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const limits = { concurrent: 4, perSecond: null, timeoutMs };
  return createGuard('clinic', limits, compileMaintenance([]), { clock, chance: seededChance(1), log });
}

/** How a source meets a call; `guard` hears of what comes from it. */
type Manner = (guard: Guard, signal: AbortSignal) => Promise<string>;

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

const answersAfter =
  (ms: number): Manner =>
  async (guard, signal) => {
    await clock.wait(ms, signal);
    guard.heard();
    return 'answer';
  };

const DEAD: Readonly<Record<string, Manner>> = {
  'takes calls and never answers': (_guard, signal) => hang(signal),
  'lets connections time out': async (_guard, signal) => {
    await clock.wait(3_000, signal);
    throw new CallFault('notSent', 'no connection (UND_ERR_CONNECT_TIMEOUT)');
  },
  'refuses connections': () => Promise.reject(new CallFault('notSent', 'no connection (ECONNREFUSED)')),
  'answers 500': async (guard, signal) => {
    await clock.wait(20, signal);
    guard.heard();
    throw new CallFault('unknown', 'it says 500');
  },
  'breaks off': async (_guard, signal) => {
    await clock.wait(20, signal);
    throw new CallFault('unknown', 'the connection broke off');
  },
  'sends a head and then nothing': async (guard, signal) => {
    await clock.wait(20, signal);
    guard.heard();
    return await hang(signal);
  },
};

/** Everything that does not wait for the clock is done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves time on in steps until something is so. @returns how long that took, ms; null: it did not come to it */
async function timeUntil(isSo: () => boolean, longestMs: number, inStep: () => void = () => undefined) {
  for (let passedMs = 0; passedMs <= longestMs; passedMs += STEP_MS) {
    inStep();
    await settled();
    if (isSo()) return passedMs;
    clock.advance(STEP_MS);
  }
  return null;
}

/** One after the other, as a poller reads: the next begins `restMs` after the end of the last. */
function callInTurn(guard: Guard, manner: () => Manner, purpose: 'read' | 'write', restMs: number): () => void {
  let underWay = false;
  let nextMs = -Infinity;
  return () => {
    if (underWay || clock.monotonicMs() < nextMs) return;
    underWay = true;
    const end = (): void => {
      underWay = false;
      nextMs = clock.monotonicMs() + restMs;
    };
    const call = (signal: AbortSignal): Promise<string> => manner()(guard, signal);
    void (purpose === 'write' ? guard.write(call, NEVER) : guard.read('record', call, NEVER)).then(end, end);
  };
}

describe('a source that dies', () => {
  const traffic: readonly (readonly [string, (guard: Guard, manner: () => Manner) => () => void])[] = [
    ['one reader', (guard, manner) => callInTurn(guard, manner, 'read', 500)],
    ['one writer', (guard, manner) => callInTurn(guard, manner, 'write', 500)],
    [
      'three readers and four writers',
      (guard, manner) => {
        const all = ['read', 'read', 'read', 'write', 'write', 'write', 'write'] as const;
        const calls = all.map((purpose) => callInTurn(guard, manner, purpose, 100));
        return () => calls.forEach((call) => call());
      },
    ],
  ];
  const cases = Object.entries(DEAD).flatMap(([how, manner]) =>
    traffic.map(([who, start]) => ({ how, who, manner, start })),
  );

  test.each(cases)('and $how is down within five seconds under $who', async ({ manner, start }) => {
    const guard = openGuard();
    let now: Manner = answersAfter(80);
    const call = start(guard, () => now);
    expect(await timeUntil(() => guard.isDown(), 20_000, call)).toBeNull();
    now = manner;
    const noticedMs = await timeUntil(() => guard.isDown(), 30_000, call);
    expect(noticedMs).not.toBeNull();
    expect(noticedMs).toBeLessThanOrEqual(NOTICED_WITHIN_MS);
    expect(logged.filter((line) => line.startsWith('source does not answer'))).toHaveLength(1);
  });

  test('R11: fails calls at once until a read is answered, which brings it back', async () => {
    const guard = openGuard();
    let now = DEAD['takes calls and never answers'] as Manner;
    const read = callInTurn(guard, () => now, 'read', 500);
    await timeUntil(() => guard.isDown(), 10_000, read);
    await expect(guard.write(async () => 'made', NEVER)).rejects.toMatchObject({ kind: 'notSent' });
    now = answersAfter(80);
    const backMs = await timeUntil(() => !guard.isDown() && !guard.isProbeDue(), 30_000, read);
    expect(backMs).toBeLessThanOrEqual(11_000);
    expect(logged.at(-1)).toContain('source answers again');
    expect(await guard.write(async () => 'made', NEVER)).toBe('made');
  });

  test('R11: is never tried by a write: one that it swallows would be in doubt', async () => {
    const guard = openGuard();
    await timeUntil(
      () => guard.isDown(),
      10_000,
      callInTurn(guard, () => (_guard, signal) => hang(signal), 'read', 500),
    );
    let made = 0;
    const write = callInTurn(
      guard,
      () => async () => {
        made += 1;
        return 'made';
      },
      'write',
      100,
    );
    clock.advance(60_000);
    expect(guard.isProbeDue()).toBe(true);
    await timeUntil(() => made > 0, 5_000, write);
    expect(made).toBe(0);
  });

  test('a call from before the breaker opened does not end the trial that is under way', async () => {
    const guard = openGuard();
    const early = guard.write((signal) => hang(signal), NEVER).catch(() => 'late');
    await settled();
    clock.advance(5_000);
    const trial = guard.read('record', (signal) => hang(signal), NEVER).catch(() => 'late');
    await settled();
    clock.advance(5_000);
    expect(await early).toBe('late');
    expect(guard.isDown()).toBe(true);
    clock.advance(5_000);
    expect(await trial).toBe('late');
    // The trial failed: the next one waits twice as long as the first.
    clock.advance(1_999);
    expect(guard.isDown()).toBe(true);
    clock.advance(1);
    expect(guard.isDown()).toBe(false);
  });
});

test('a source that is silent is told with the call that waits longest for it', async () => {
  const guard = openGuard();
  const waiting = ['read.one', 'read.list'] as const;
  const reads = waiting.map(async (call) => {
    const named = guard.of({ collection: 'clinic.visits', call });
    await named.read('record', (signal) => hang(signal), NEVER).catch(() => undefined);
  });
  await settled();
  clock.advance(4_000);
  expect(guard.isDown()).toBe(true);
  expect(logged).toEqual([
    expect.stringContaining('"collection":"clinic.visits","call":"read.one","reason":"not a byte'),
  ]);
  clock.advance(10_000);
  await Promise.all(reads);
});

describe('a source that is slow', () => {
  test('is not cut off while anything comes from it', async () => {
    const guard = openGuard();
    const long = guard.read(
      'record',
      async (signal) => {
        for (let piece = 0; piece < 9; piece++) {
          await clock.wait(1_000, signal);
          guard.heard();
        }
        return 'whole';
      },
      NEVER,
    );
    expect(await timeUntil(() => guard.isDown(), 8_900)).toBeNull();
    await timeUntil(() => false, 200);
    expect(await long).toBe('whole');
  });

  test('is not cut off by one slow call beside quick ones', async () => {
    const guard = openGuard();
    const report = guard.read('record', (signal) => answersAfter(9_000)(guard, signal), NEVER);
    const quick = callInTurn(guard, () => answersAfter(50), 'read', 2_000);
    expect(await timeUntil(() => guard.isDown(), 9_200, quick)).toBeNull();
    expect(await report).toBe('answer');
  });

  test('is known to be slow after its first answer, which is not broken off', async () => {
    const guard = openGuard();
    const read = callInTurn(guard, () => answersAfter(6_000), 'read', 1_000);
    const first = await timeUntil(() => guard.isDown(), 5_000, read);
    expect(first).toBe(4_000);
    expect(await timeUntil(() => !guard.isDown() && !guard.isProbeDue(), 3_000, read)).toBe(2_000);
    expect(await timeUntil(() => guard.isDown(), 60_000, read)).toBeNull();
  });

  test('is forgotten to be slow after twenty minutes', async () => {
    const guard = openGuard();
    await timeUntil(
      () => false,
      7_000,
      callInTurn(guard, () => answersAfter(6_000), 'read', 60_000),
    );
    clock.advance(20 * 60_000);
    const silent = callInTurn(guard, () => (_guard, signal) => hang(signal), 'read', 500);
    expect(await timeUntil(() => guard.isDown(), 10_000, silent)).toBe(4_000);
  });
});

test('a caller that gives up soon says nothing about the source', async () => {
  const guard = openGuard();
  const leaver = new AbortController();
  const read = guard.read('record', (signal) => hang(signal), leaver.signal).catch(() => 'left');
  await settled();
  clock.advance(1_000);
  leaver.abort();
  expect(await read).toBe('left');
  clock.advance(60_000);
  expect(guard.isDown()).toBe(false);
  expect(guard.isProbeDue()).toBe(false);
  expect(logged).toEqual([]);
});
