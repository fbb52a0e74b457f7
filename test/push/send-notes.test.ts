import type { RecordId, Seq } from '../../src/core/change.js';
import type { SendNote } from '../../src/core/outbox-port.js';
import { createSendNotes } from '../../src/push/send-notes.js';
import { createManualClock } from '../support/manual-clock.js';

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
