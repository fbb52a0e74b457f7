import { Histogram, Registry } from 'prom-client';

/** Up to the default window of 100 ms, and what a slow client makes of it. */
const BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5];

/** How long hints take from the commit that they tell of until they have left over their sockets. */
export interface HintMeasures {
  readonly registry: Registry;
  /** One was sent. */
  readonly sent: (sinceMs: number) => void;
}

/** @param nowMs the clock by which the hub says when a commit was */
export function createHintMeasures(nowMs: () => number): HintMeasures {
  const registry = new Registry();
  const delay = new Histogram({
    name: 'tidegate_hint_delay_seconds',
    help: 'From a commit, as this process heard of it, until its hint has left over a socket; the window that joins hints included.',
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  return { registry, sent: (sinceMs) => delay.observe((nowMs() - sinceMs) / 1_000) };
}
