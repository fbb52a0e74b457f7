import { createCallQueue, type CallQueue, type Urgency } from '../../src/connectors/call-queue.js';
import { callRate } from '../../src/connectors/call-rate.js';
import type { CallBudget } from '../../src/core/call-budget-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createCallBudget } from '../support/memory-store/call-budget.js';
import fc from '../support/properties.js';

const NEVER = new AbortController().signal;

let clock: ManualClock;
beforeEach(() => {
  clock = createManualClock();
});

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Calls that end when they are told to, and the order in which they were begun. */
function createCalls() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    make(queue: CallQueue, urgency: Urgency, name: string, signal = NEVER): Promise<unknown> {
      const call = (): Promise<void> => {
        begun.push(name);
        return new Promise((resolve) => ends.set(name, resolve));
      };
      return queue.run(urgency, call, signal).catch((thrown: unknown) => (thrown as Error).message);
    },
    end: (name: string): void => ends.get(name)?.(),
  };
}

describe('calls that wait', () => {
  test('are made by what they are for: writes, single records, polls, scans', async () => {
    const queue = createCallQueue('clinic', { concurrent: 1, perSecond: null }, clock);
    const calls = createCalls();
    void calls.make(queue, 'scan', 'first');
    for (const urgency of ['scan', 'poll', 'record', 'write'] as const) void calls.make(queue, urgency, urgency);
    for (const ended of ['first', 'write', 'record', 'poll']) {
      await turns();
      calls.end(ended);
    }
    await turns();
    expect(calls.begun).toEqual(['first', 'write', 'record', 'poll', 'scan']);
  });

  test('are made at last, however many more urgent ones keep coming', async () => {
    const queue = createCallQueue('clinic', { concurrent: 1, perSecond: null }, clock);
    const calls = createCalls();
    void calls.make(queue, 'write', 'w0');
    void calls.make(queue, 'scan', 'scan');
    for (let at = 1; at < 20; at++) {
      void calls.make(queue, 'write', `w${at}`);
      await turns();
      calls.end(calls.begun.at(-1) as string);
    }
    await turns();
    expect(calls.begun.indexOf('scan')).toBe(7);
  });

  test('leave when their time is over, and take no place and no turn', async () => {
    const queue = createCallQueue('clinic', { concurrent: 1, perSecond: null }, clock);
    const calls = createCalls();
    const impatient = new AbortController();
    void calls.make(queue, 'write', 'first');
    const gone = calls.make(queue, 'write', 'gone', impatient.signal);
    void calls.make(queue, 'write', 'last');
    await turns();
    impatient.abort(new Error('no time'));
    expect(await gone).toBe('no time');
    calls.end('first');
    await turns();
    expect(calls.begun).toEqual(['first', 'last']);
  });

  test('are ten thousand at most', async () => {
    const queue = createCallQueue('clinic', { concurrent: 1, perSecond: null }, clock);
    const calls = createCalls();
    for (let at = 0; at <= 10_000; at++) void calls.make(queue, 'scan', `${at}`);
    expect(await calls.make(queue, 'write', 'one too many')).toBe('too many calls wait');
  });
});

describe('turns that gateways share', () => {
  /** When each call of several gateways went. */
  async function goTogether(
    limits: { readonly perSecond: number; readonly concurrent: number },
    calls: readonly number[],
    { stepMs, callMs }: { readonly stepMs: number; readonly callMs: number },
  ): Promise<readonly number[]> {
    const budget = createCallBudget(clock);
    const went: number[] = [];
    const total = calls.reduce((sum, one) => sum + one, 0);
    const call = async (): Promise<void> => {
      went.push(clock.monotonicMs());
      if (callMs > 0) await clock.wait(callMs, NEVER);
    };
    for (const count of calls) {
      const queue = createCallQueue('clinic', limits, clock, budget);
      for (let at = 0; at < count; at++) {
        void queue.run('write', call, NEVER);
      }
    }
    for (let steps = 0; went.length < total && steps < 100_000; steps++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(stepMs);
    }
    return went;
  }

  test('together never make more calls in a second than the source takes, and all are made', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0.5, 1, 3, 10, 40, 120),
        fc.constantFrom(2, 50),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
        fc.record({ stepMs: fc.integer({ min: 1, max: 90 }), callMs: fc.constantFrom(0, 9) }),
        async (perSecond, concurrent, drawn, pace) => {
          clock = createManualClock();
          // Enough for the limit to be met.
          const calls = drawn.map((count) => (perSecond > 100 ? count * 6 : count));
          const went = await goTogether({ perSecond, concurrent }, calls, pace);
          expect(went).toHaveLength(calls.reduce((sum, one) => sum + one, 0));
          const { most, windowMs } = callRate(perSecond);
          went.forEach((at, n) => {
            if (n >= most) expect(at - (went[n - most] as number)).toBeGreaterThanOrEqual(windowMs);
          });
        },
      ),
      { numRuns: 60 },
    ));

  test('are asked for together, not one by one as they come', async () => {
    const shared = createCallBudget(clock);
    let asked = 0;
    const budget: CallBudget = { takeTurns: (...values) => ((asked += 1), shared.takeTurns(...values)) };
    const queue = createCallQueue('clinic', { concurrent: 100, perSecond: 100 }, clock, budget);
    let made = 0;
    for (let at = 0; at < 1_000; at++) void queue.run('write', () => Promise.resolve(void (made += 1)), NEVER);
    for (let ms = 0; ms < 10_000; ms++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1);
    }
    expect(made).toBeGreaterThan(900);
    expect(asked).toBeLessThan(420);
  });

  /**
   * Calls that take so long, two at a time: how many were made in a second, how often turns were asked for, how many were taken, and
   * how much later than it was taken a turn was used.
   */
  async function callInPairs(callMs: number) {
    const shared = createCallBudget(clock);
    const count = { made: 0, asked: 0, taken: 0, latestMs: 0, windowMs: 0 };
    let takenMs = 0;
    const budget: CallBudget = {
      async takeTurns(...values) {
        const granted = await shared.takeTurns(...values);
        takenMs = clock.monotonicMs();
        count.windowMs = values[1].windowMs;
        count.asked += 1;
        count.taken += granted.taken;
        return granted;
      },
    };
    const queue = createCallQueue('clinic', { concurrent: 2, perSecond: 400 }, clock, budget);
    const call = async (): Promise<void> => {
      count.latestMs = Math.max(count.latestMs, clock.monotonicMs() - takenMs);
      await clock.wait(callMs, NEVER);
      count.made += 1;
    };
    for (let at = 0; at < 1_000; at++) void queue.run('write', call, NEVER);
    for (let ms = 0; ms < 1_000; ms++) {
      await turns();
      clock.advance(1);
    }
    return count;
  }

  test('are taken ahead where calls are quick: the store is not asked before each of them', async () => {
    const { made, asked } = await callInPairs(4);
    expect(made).toBeGreaterThan(350);
    expect(asked).toBeLessThan(60);
  });

  test('that are used later than they were taken keep others away for as long', async () => {
    const { latestMs, windowMs } = await callInPairs(4);
    expect(latestMs).toBeGreaterThan(10);
    expect(windowMs - callRate(400).windowMs).toBeGreaterThanOrEqual(latestMs);
  });

  test('are left where the store took longer to give them than they last, and asked for again with more time', async () => {
    const shared = createCallBudget(clock);
    const given: { readonly atMs: number; readonly forMs: number }[] = [];
    const budget: CallBudget = {
      async takeTurns(source, rate, atMost) {
        given.push({ atMs: clock.monotonicMs(), forMs: rate.windowMs - callRate(10).windowMs });
        const granted = await shared.takeTurns(source, rate, atMost);
        await clock.wait(given.length === 2 ? 1_000 : 200, NEVER);
        return granted;
      },
    };
    const queue = createCallQueue('clinic', { concurrent: 2, perSecond: 10 }, clock, budget);
    const usedMs: number[] = [];
    for (let at = 0; at < 20; at++)
      void queue.run('write', () => Promise.resolve(void usedMs.push(clock.monotonicMs())), NEVER);
    for (let ms = 0; ms < 9_000; ms += 10) {
      await turns();
      clock.advance(10);
    }
    expect(usedMs.length).toBeGreaterThan(10);
    for (const atMs of usedMs) {
      const turn = given.findLast((one) => one.atMs < atMs);
      expect(atMs - (turn?.atMs ?? 0)).toBeLessThanOrEqual(turn?.forMs ?? 0);
    }
  });

  test('are not taken in vain where calls are slow', async () => {
    const { made, taken } = await callInPairs(100);
    expect(made).toBeGreaterThan(17);
    expect(taken).toBeLessThan(25);
  });

  test('cannot be taken while the store does not answer: nothing is called, and whoever waits is told', async () => {
    let isAway = true;
    const shared = createCallBudget(clock);
    const budget: CallBudget = {
      takeTurns: (...values) => (isAway ? Promise.reject(new Error('away')) : shared.takeTurns(...values)),
    };
    const queue = createCallQueue('clinic', { concurrent: 4, perSecond: 100 }, clock, budget);
    const calls = createCalls();
    const told = ['1', '2'].map((name) => calls.make(queue, 'poll', name));
    expect(await Promise.all(told)).toEqual(Array(2).fill('the store that counts its calls does not answer'));
    isAway = false;
    void calls.make(queue, 'poll', '3');
    await turns();
    expect(calls.begun).toEqual(['3']);
  });
});
