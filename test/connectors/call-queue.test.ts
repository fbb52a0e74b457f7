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
  async function goTogether(perSecond: number, calls: readonly number[], stepMs: number): Promise<readonly number[]> {
    const budget = createCallBudget(clock);
    const went: number[] = [];
    const total = calls.reduce((sum, one) => sum + one, 0);
    for (const count of calls) {
      const queue = createCallQueue('clinic', { concurrent: 50, perSecond }, clock, budget);
      for (let at = 0; at < count; at++) {
        void queue.run('write', () => Promise.resolve(void went.push(clock.monotonicMs())), NEVER);
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
        fc.constantFrom(0.5, 1, 3, 10, 40),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 90 }),
        async (perSecond, calls, stepMs) => {
          clock = createManualClock();
          const went = await goTogether(perSecond, calls, stepMs);
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
