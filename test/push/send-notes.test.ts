import type { RecordId, Seq } from '../../src/core/change.js';
import type { SendNote } from '../../src/core/outbox-port.js';
import { createSendNotes, type Deadline } from '../../src/push/send-notes.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';

function noteOf(intentNo: number, deadlineMs = 1_000): SendNote {
  const expected = { seq: 1 as Seq, mark: 1 };
  return {
    intentNo,
    fence: 1,
    collection: 'visits',
    id: 'v1' as RecordId,
    expected,
    payload: '{}',
    guard: null,
    deadlineMs,
  };
}

/** `events.getMaxListeners` does not know the test environment's signals. */
function mostListeners(signal: AbortSignal): unknown {
  const symbol = Object.getOwnPropertySymbols(signal).find(
    (one) => one.description === 'events.maxEventTargetListeners',
  );
  return (signal as unknown as Record<symbol, unknown>)[symbol as symbol];
}

async function deadlineBy(clock: ManualClock, lastsMs: number): Promise<Deadline> {
  const note = createSendNotes({ noteSent: async (_tenant, notes) => notes.map(() => 'sent' as const) }, clock);
  const noted = await note('clinic', noteOf(1, lastsMs));
  if (noted.kind !== 'sent') throw new Error('expected a note that is written');
  return noted.deadline;
}

test('notes that wait together are one round trip, with one deadline that takes as many listeners as there are calls', async () => {
  const trips: number[] = [];
  const note = createSendNotes(
    {
      async noteSent(_tenant, notes) {
        trips.push(notes.length);
        return notes.map(({ intentNo }) => (intentNo === 7 ? 'stale' : 'sent'));
      },
    },
    createManualClock(),
  );
  const noted = await Promise.all(Array.from({ length: 50 }, (_none, intentNo) => note('clinic', noteOf(intentNo))));
  expect(trips).toEqual([50]);
  expect(noted[7]).toEqual({ kind: 'stale' });
  const deadlines = new Set(noted.flatMap((one) => (one.kind === 'sent' ? [one.deadline] : [])));
  expect(deadlines.size).toBe(1);
  const [deadline] = deadlines;
  // Node would print a warning of a leak for each batch of more than ten calls.
  expect(mostListeners(deadline?.signal as AbortSignal)).toBe(0);
  for (let call = 0; call < 49; call++) deadline?.leave();
  expect(deadline?.leftMs()).toBe(1_000);
});

describe('F13: the two hands of a clock that disagree', () => {
  /** The one that never goes back moves with time; the other one is set. */
  function clockSetBy(setMs: () => number): ManualClock {
    const clock = createManualClock();
    return { ...clock, nowMs: () => clock.nowMs() + setMs() };
  }

  test('leave no time for a call of which either says that it is over', async () => {
    let setMs = 0;
    const asleep = await deadlineBy(
      clockSetBy(() => setMs),
      1_000,
    );
    expect(asleep.leftMs()).toBe(1_000);
    setMs = 1_000;
    expect(asleep.leftMs()).toBe(0);
    const clock = clockSetBy(() => -60_000);
    const setBack = await deadlineBy(clock, 1_000);
    clock.advance(1_000);
    expect(setBack.leftMs()).toBe(0);
  });

  test('do not shorten what is waited for after it: a clock that was set forward counts as little as one that was set back', async () => {
    let setMs = 0;
    const clock = clockSetBy(() => setMs);
    const deadline = await deadlineBy(clock, 1_000);
    clock.advance(3_000);
    for (setMs of [60_000, -60_000]) expect(deadline.overForMs()).toBe(2_000);
  });
});
