import type { Clock } from './ports.js';

/** How long it has been. The hands of a clock may disagree: then neither alone is to be believed (F13). */
export interface TimePassed {
  /**
   * So long or less, ms: for what must not begin too late. By the hand that moved more: of a machine that was put to sleep the one that
   * never goes back stood still.
   */
  atMostMs(): number;
  /** So long or longer, ms: for what must not be believed too early. The time of day may have been set forward, and does not count. */
  atLeastMs(): number;
}

type Hands = Pick<Clock, 'nowMs' | 'monotonicMs'>;

/** Counts from now on. */
export function timePassed(clock: Hands): TimePassed {
  const begun = { monotonicMs: clock.monotonicMs(), nowMs: clock.nowMs() };
  const atLeastMs = (): number => clock.monotonicMs() - begun.monotonicMs;
  return { atLeastMs, atMostMs: () => Math.max(atLeastMs(), clock.nowMs() - begun.nowMs) };
}

/** What is left of so long from now on, ms; not more than 0: what must not begin too late must not begin any more. */
export function countdown(clock: Hands, lastsMs: number): () => number {
  const passed = timePassed(clock);
  return () => lastsMs - passed.atMostMs();
}
