import type { SyncError } from '../../src/core/errors.js';
import { createRequestRate, type RequestRate } from '../../src/server/request-rate.js';
import { createManualClock } from '../support/manual-clock.js';
import fc from '../support/properties.js';

const NURSE = { tenant: 'clinic', user: 'nurse' };

/** How long it says to wait, ms; 0: it let the request through. */
function waitOf(rate: RequestRate, who = NURSE): number {
  try {
    rate.take(who);
    return 0;
  } catch (thrown) {
    const { code, retryAfterMs = NaN } = thrown as SyncError;
    expect(code).toBe('RATE_LIMITED');
    return retryAfterMs;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the rate of a user', () => {
  test('attack 27: for all floods lets no more through than the burst and what its seconds allow, and a wait as told is enough', () => {
    const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        (perSecond, burst, waits) => {
          const clock = createManualClock();
          const rate = createRequestRate({ perSecond, burst }, clock);
          let taken = 0;
          let lastWaitMs = 0;
          for (const ms of waits) {
            clock.advance(ms);
            lastWaitMs = waitOf(rate);
            if (lastWaitMs === 0) taken += 1;
            expect(taken).toBeLessThanOrEqual(burst + (clock.monotonicMs() / 1_000) * perSecond + 1e-6);
          }
          clock.advance(lastWaitMs + 0.001);
          if (lastWaitMs > 0) expect(waitOf(rate)).toBe(0);
        },
      ),
    );
  });

  test('attack 27: for all floods of others, who stays below the rate and the burst is never refused', () => {
    const steps = fc.array(fc.record({ ms: fc.nat({ max: 100 }), flood: fc.nat({ max: 20 }), asks: fc.boolean() }), {
      minLength: 1,
      maxLength: 100,
      size: 'max',
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        (perSecond, burst, taken) => {
          const clock = createManualClock();
          const rate = createRequestRate({ perSecond, burst }, clock);
          let owed = 0;
          for (const { ms, flood, asks } of taken) {
            clock.advance(ms);
            owed = Math.max(0, owed - (ms / 1_000) * perSecond);
            for (let sent = 0; sent < flood; sent++) waitOf(rate, { tenant: 'clinic', user: `flooder-${sent % 3}` });
            if (!asks || owed + 1 > burst - 1e-6) continue;
            owed += 1;
            expect(waitOf(rate)).toBe(0);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('attack 27: lets eight requests work at once and the others wait in order, up to the burst', async () => {
    const clock = createManualClock();
    const rate = createRequestRate({ perSecond: 50, burst: 3 }, clock);
    const leaves = await Promise.all(Array.from({ length: 8 }, () => rate.enter(NURSE)));
    const entered: number[] = [];
    const waiting = [1, 2, 3].map((one) => rate.enter(NURSE).then((leave) => (entered.push(one), leave)));
    await expect(rate.enter(NURSE)).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_000 });
    await rate.enter({ tenant: 'clinic', user: 'doctor' });
    expect(entered).toEqual([]);
    leaves[0]?.();
    leaves[0]?.();
    (await waiting[0])?.();
    await settled();
    expect(entered).toEqual([1]);
    clock.advance(10);
    await waiting[1];
    expect(entered).toEqual([1, 2]);
    for (const leave of leaves) leave();
    await settled();
    clock.advance(10);
    await waiting[2];
    expect(entered).toEqual([1, 2, 3]);
  });

  test('attack 27: for all bursts and however quickly they are worked off, those that had to wait begin evenly, and all of them in time', async () => {
    const bursts = fc.array(fc.record({ requests: fc.integer({ min: 1, max: 30 }), restMs: fc.nat({ max: 2_000 }) }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          { perSecond: 1, begunPerSecond: 100 },
          { perSecond: 50, begunPerSecond: 100 },
          { perSecond: 200, begunPerSecond: 400 },
        ),
        fc.constantFrom(0.3, 1, 2.5, 6),
        bursts,
        async ({ perSecond, begunPerSecond }, gapsAtOnce, taken) => {
          const stepMs = (gapsAtOnce * 1_000) / begunPerSecond;
          const clock = createManualClock();
          const rate = createRequestRate({ perSecond, burst: 100 }, clock);
          // Like a push that waits for its source.
          await rate.enter(NURSE);
          for (const { requests, restMs } of taken) {
            clock.advance(restMs);
            let begun = 0;
            for (let sent = 0; sent < requests; sent++) {
              void rate.enter(NURSE).then(async (leave) => {
                begun += 1;
                await settled();
                leave();
              });
            }
            // A request that begins makes room for the next one, which may be due by now.
            const untilBegun = async (): Promise<void> => {
              for (let before = -1; before !== begun; await settled()) {
                before = begun;
                await settled();
              }
            };
            const cameMs = clock.monotonicMs();
            const dueBy = (): number => ((clock.monotonicMs() - cameMs) / 1_000) * begunPerSecond;
            for (await untilBegun(); dueBy() < requests; await untilBegun()) {
              expect(begun).toBeLessThanOrEqual(8 + dueBy() + 1e-6);
              clock.advance(stepMs);
            }
            expect(begun).toBe(requests);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('is another one in another tenant, and whatever the names hold', () => {
    const rate = createRequestRate({ perSecond: 1, burst: 1 }, createManualClock());
    expect(waitOf(rate)).toBe(0);
    expect(waitOf(rate)).toBe(1_000);
    expect(waitOf(rate, { tenant: 'ward', user: 'nurse' })).toBe(0);
    expect(waitOf(rate, { tenant: 'clinic","nurse', user: '' })).toBe(0);
  });

  test('is remembered of ten thousand users: whoever floods is not forgotten for others', () => {
    const rate = createRequestRate({ perSecond: 1, burst: 1 }, createManualClock());
    const idle = { tenant: 'clinic', user: 'idle' };
    expect(waitOf(rate, idle)).toBe(0);
    for (let other = 0; other < 20_000; other++) {
      if (other % 5_000 === 0) waitOf(rate);
      rate.take({ tenant: 'clinic', user: `user-${other}` });
    }
    expect(waitOf(rate)).toBeGreaterThan(0);
    expect(waitOf(rate, idle)).toBe(0);
  });
});
