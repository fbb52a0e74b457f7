import type { Clock } from '../core/ports.js';
import { CallFault } from './fault.js';
import type { ReadUrgency } from './call-queue.js';
import type { Guard } from './guard.js';

/** A result that the source is still working on: it gave a ticket instead. */
export class PendingResult<T> {
  constructor(
    /** Time before it is asked for again, ms. */
    readonly everyMs: number,
    /** Longest time until it is there, from the ticket on, ms. */
    readonly withinMs: number,
    /** Asks for it. Safe to repeat. @throws CallFault */
    readonly ask: (signal: AbortSignal) => Promise<T | PendingResult<T>>,
  ) {}

  /** The same, each of whose answers goes through `way`. */
  through(way: (answer: Promise<T | PendingResult<T>>) => Promise<T | PendingResult<T>>): PendingResult<T> {
    return new PendingResult<T>(this.everyMs, this.withinMs, (signal) => way(this.ask(signal)));
  }
}

/**
 * The end of a write that was answered with a ticket: it is asked for until it is told, in the time that the write has left. Whatever hinders
 * that leaves the write in doubt: it was begun.
 *
 * @throws CallFault unknown - nobody knows its end
 */
export async function writtenResult<T>(
  { guard, deps }: { readonly guard: Guard; readonly deps: { readonly clock: Clock } },
  first: PendingResult<T>,
  leftMs: () => number,
  signal: AbortSignal,
): Promise<T> {
  const { clock } = deps;
  const endsAtMs = clock.monotonicMs() + Math.min(first.withinMs, leftMs());
  try {
    for (let pending = first; ;) {
      const restMs = endsAtMs - clock.monotonicMs();
      if (restMs <= 0) throw new CallFault('unknown', 'its job did not end in time', { sourceIsSick: false });
      if (pending.everyMs > 0) await clock.wait(Math.min(pending.everyMs, restMs), signal);
      const answer = await guard.read('record', pending.ask, signal);
      if (!(answer instanceof PendingResult)) return answer;
      pending = answer;
    }
  } catch (thrown) {
    const why = thrown instanceof CallFault ? thrown.message : 'nobody waited for its end';
    throw new CallFault('unknown', `it was begun, and its end is not known: ${why}`, {
      cause: thrown,
      sourceIsSick: false,
    });
  }
}

/**
 * Makes a read, and waits for its result where the source gives a ticket. Each question is a call of its own, with its turn, its
 * deadline and its tries; nothing is held while we wait.
 *
 * @param urgency of the call, and of each question for its result
 * @param isRepeatable may the first call be made again when its answer was lost?
 * @throws CallFault - badAnswer: there was no result in time
 */
export async function readResult<T>(
  { guard, deps }: { readonly guard: Guard; readonly deps: { readonly clock: Clock } },
  urgency: ReadUrgency,
  call: (signal: AbortSignal) => Promise<T | PendingResult<T>>,
  signal: AbortSignal,
  isRepeatable = true,
): Promise<T> {
  const { clock } = deps;
  const first = await guard.read(urgency, call, signal, isRepeatable);
  if (!(first instanceof PendingResult)) return first;
  const endsAtMs = clock.monotonicMs() + first.withinMs;
  for (let pending = first; ;) {
    const leftMs = endsAtMs - clock.monotonicMs();
    if (leftMs <= 0) {
      throw new CallFault('badAnswer', `no result within ${first.withinMs} ms of its ticket`, { sourceIsSick: false });
    }
    await clock.wait(Math.min(pending.everyMs, leftMs), signal).catch((cause: unknown) => {
      throw new CallFault('notSent', 'the caller gave up before the result came', { cause, sourceIsSick: false });
    });
    const answer = await guard.read(urgency, pending.ask, signal);
    if (!(answer instanceof PendingResult)) return answer;
    pending = answer;
  }
}
