import type { SourceDeps } from '../../../src/connectors/transport.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { seededChance } from '../../support/seeded-chance.js';

/** Pauses before a read is tried again are shorter than this, deadlines of calls are longer. */
const PAUSE_MS = 1_500;

/** What a gateway hands to a source, with a clock of which pauses are over at once, and deadlines come when a test says so. */
export function eagerDeps(nowMs = Date.now()): SourceDeps & { readonly clock: ManualClock } {
  const silent = (): void => undefined;
  const clock = createManualClock(nowMs);
  return {
    clock: { ...clock, wait: (ms, signal) => (ms <= PAUSE_MS ? Promise.resolve() : clock.wait(ms, signal)) },
    chance: seededChance(1),
    log: { debug: silent, info: silent, warn: silent, error: silent },
  };
}
