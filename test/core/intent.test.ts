import {
  INTENT_MACHINE,
  nextIntentState,
  OPEN_STATES,
  type IntentEvent,
  type NextIntentState,
  type OpenState,
} from '../../src/core/intent.js';

const EVENTS = Object.keys(INTENT_MACHINE.PENDING) as readonly IntentEvent[];
const PAIRS = OPEN_STATES.flatMap((state) => EVENTS.map((event) => [state, event] as const));

/** What devices and operators may rely on, written down a second time: from each state all that can be next. */
const MAY_BECOME: Readonly<Record<OpenState, readonly NextIntentState[]>> = {
  PENDING: ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED', 'SETTLED'],
  SENT: ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED', 'SETTLED'],
  IN_DOUBT: ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED', 'SETTLED'],
  PARKED: ['PENDING', 'PARKED', 'SETTLED'],
};

describe('the intent machine', () => {
  test.each(PAIRS)('R11: %s and "%s" lead to a next state, or are impossible for a reason', (state, event) => {
    const next = INTENT_MACHINE[state][event];
    if (typeof next === 'string') {
      expect(MAY_BECOME[state]).toContain(next);
      expect(nextIntentState(state, event)).toBe(next);
    } else {
      expect(next.impossible).toMatch(/^[a-z][a-z ,]{10,}/);
      expect(() => nextIntentState(state, event)).toThrow(next.impossible);
    }
  });

  test('R11: what is in doubt is PENDING again only when it is proven that it had no effect', () => {
    const toPending = EVENTS.filter((event) => INTENT_MACHINE.IN_DOUBT[event] === 'PENDING');
    expect(toPending).toEqual(['foundNotApplied']);
  });

  test('R11: a call that may have taken effect leaves its change in doubt, and nothing else does but a restore', () => {
    const inDoubt = EVENTS.filter((event) => INTENT_MACHINE.SENT[event] === 'IN_DOUBT');
    expect(inDoubt).toEqual(['unknown', 'leaseLost', 'epochChanged']);
    expect(EVENTS.filter((event) => INTENT_MACHINE.PENDING[event] === 'IN_DOUBT')).toEqual(['epochChanged']);
  });

  test('R11: what is parked is moved by operators only', () => {
    const moved = EVENTS.filter((event) => {
      const next = INTENT_MACHINE.PARKED[event];
      return typeof next === 'string' && next !== 'PARKED';
    });
    expect(moved).toEqual(['operatorRetry', 'operatorReject', 'operatorSettle']);
  });

  test('every state can be reached from PENDING, and each of them can end', () => {
    const reached = new Set<NextIntentState>(['PENDING']);
    for (const state of reached) {
      if (state === 'SETTLED') continue;
      for (const next of Object.values(INTENT_MACHINE[state])) if (typeof next === 'string') reached.add(next);
    }
    expect([...reached].sort()).toEqual(['IN_DOUBT', 'PARKED', 'PENDING', 'SENT', 'SETTLED']);
    for (const state of OPEN_STATES) expect(Object.values(INTENT_MACHINE[state])).toContain('SETTLED');
  });
});
