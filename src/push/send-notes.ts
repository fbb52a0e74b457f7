import { setMaxListeners } from 'node:events';
import type { Clock } from '../core/ports.js';
import type { SendNote } from '../core/outbox-port.js';
import type { RecordStore } from '../core/record-port.js';
import { timePassed, type TimePassed } from '../core/time-passed.js';
import { gather } from './gather.js';

/** The time that a call may take: one for all calls that were noted together. */
export interface Deadline {
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
  /** Resolves a little later, for a call that does not end by itself. */
  readonly over: Promise<void>;
  /** What is left of it, or less, ms; not more than 0: no request may leave any more (F13). */
  leftMs(): number;
  /** How long it has been over, or longer, ms; negative: it is not. What waits for the end of a late request goes by this. */
  overForMs(): number;
  /** One call has ended. */
  leave(): void;
}

/** A note that was written (R11), or why it was not. A `sent` one begins its deadline: leave it when the call has ended. */
export type Noted =
  { readonly kind: 'sent'; readonly deadline: Deadline } | { readonly kind: 'stale' } | { readonly kind: 'lost' };

/** Most notes of one round trip. */
const MOST_NOTES = 200;
/** A call that was told to end and does not is given up after this long: its lease lasts longer. */
const GRACE_MS = 2_000;

/** Writes the durable notes before calls; notes of a tenant that wait together share one round trip and one deadline. */
export function createSendNotes(
  store: Pick<RecordStore, 'noteSent'>,
  clock: Clock,
): (tenant: string, note: SendNote) => Promise<Noted> {
  const byTenant = new Map<string, (note: SendNote) => Promise<Noted>>();

  async function noteAll(tenant: string, notes: readonly SendNote[]): Promise<readonly Noted[]> {
    // Counted from before the store was asked: never later than the deadline that the store keeps (F13, F28).
    const passed = timePassed(clock);
    const outcomes = await store.noteSent(tenant, notes);
    const deadlines = new Map<number, { readonly deadline: Deadline; join(): void }>();
    return outcomes.map((kind, at) => {
      if (kind !== 'sent') return { kind };
      const { deadlineMs } = notes[at] as SendNote;
      const shared = deadlines.get(deadlineMs) ?? createDeadline(clock, passed, deadlineMs);
      deadlines.set(deadlineMs, shared);
      shared.join();
      return { kind, deadline: shared.deadline };
    });
  }

  return (tenant, note) => {
    const known = byTenant.get(tenant);
    if (known !== undefined) return known(note);
    const notes = gather<SendNote, Noted>((items) => noteAll(tenant, items), MOST_NOTES);
    byTenant.set(tenant, notes);
    return notes(note);
  };
}

function createDeadline(
  clock: Clock,
  passed: TimePassed,
  lastsMs: number,
): { readonly deadline: Deadline; join(): void } {
  const leftMs = (): number => lastsMs - passed.atMostMs();
  const time = new AbortController();
  const everyoneLeft = new AbortController();
  // Each call of the batch listens; past ten Node takes it for a leak and says so on the console.
  setMaxListeners(0, time.signal);
  let members = 0;
  const over = clock.wait(Math.max(0, leftMs()), everyoneLeft.signal).then(async () => {
    time.abort(new Error('the time of the call is over'));
    await clock.wait(GRACE_MS, everyoneLeft.signal);
  });
  over.catch(() => undefined);
  const deadline: Deadline = {
    signal: time.signal,
    over,
    leftMs,
    overForMs: () => passed.atLeastMs() - lastsMs,
    leave() {
      members -= 1;
      if (members === 0) everyoneLeft.abort(new Error('every call has ended'));
    },
  };
  return { deadline, join: () => void (members += 1) };
}
