import type { Clock, Log } from '../core/ports.js';

/** How far a source's clock is from ours: told and measured, and nothing is decided by it. */
export interface ClockSkew {
  /** An answer just came that was dated so by the source, to the second. */
  note(serverTimeMs: number): void;
  /** Source's clock minus ours, the median of the last answers, ms; null before the first. */
  skewMs(): number | null;
}

/** Answers that the median is taken of: one that was long on its way says little. */
const SAMPLES = 15;
/** So many must agree before the clock is said to have jumped. */
const SAMPLES_OF_JUMP = 5;
/** Dates count whole seconds, and answers take their time. */
const JUMP_MS = 5_000;

export function watchClockSkew(
  source: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): ClockSkew {
  let samples: readonly number[] = [];
  let settledMs: number | null = null;
  return {
    note(serverTimeMs) {
      samples = [...samples, serverTimeMs - clock.nowMs()].slice(-SAMPLES);
      if (samples.length < SAMPLES_OF_JUMP) return;
      const latestMs = medianOf(samples.slice(-SAMPLES_OF_JUMP));
      if (settledMs !== null && Math.abs(latestMs - settledMs) > JUMP_MS)
        log.warn('the clock of a source, or ours, jumped', { source, wasAheadMs: settledMs, isAheadMs: latestMs });
      if (settledMs === null || Math.abs(latestMs - settledMs) > JUMP_MS) {
        settledMs = latestMs;
        samples = samples.slice(-SAMPLES_OF_JUMP);
      }
    },
    skewMs: () => (samples.length === 0 ? null : medianOf(samples)),
  };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
