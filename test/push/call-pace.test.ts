import { createCallPace } from '../../src/push/call-pace.js';
import { createManualClock } from '../support/manual-clock.js';

/** How long a call counts as lately, at least; at most twice as long. */
const LATELY_MS = 2_500;

describe('the pace of a source', () => {
  test('is nothing before a call has ended', () => {
    expect(createCallPace(createManualClock()).lately()).toBe(0);
  });

  test('counts the calls that ended lately, and forgets them', () => {
    const clock = createManualClock();
    const pace = createCallPace(clock);
    for (let call = 0; call < 3; call++) pace.ended();
    expect(pace.lately()).toBe(3);
    clock.advance(LATELY_MS);
    pace.ended();
    expect(pace.lately()).toBe(4);
    clock.advance(LATELY_MS);
    expect(pace.lately()).toBe(1);
    clock.advance(LATELY_MS);
    expect(pace.lately()).toBe(0);
  });

  test('forgets all of them over a longer rest', () => {
    const clock = createManualClock();
    const pace = createCallPace(clock);
    pace.ended();
    clock.advance(2 * LATELY_MS);
    expect(pace.lately()).toBe(0);
    pace.ended();
    expect(pace.lately()).toBe(1);
  });

  test('does not drift: a part of the time that has begun is not begun again', () => {
    const clock = createManualClock();
    const pace = createCallPace(clock);
    clock.advance(1.9 * LATELY_MS);
    pace.ended();
    clock.advance(1.1 * LATELY_MS);
    expect(pace.lately()).toBe(0);
  });
});
