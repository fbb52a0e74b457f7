/** Does the source do what its connector declares? */
export type Verdict = 'ok' | 'contradicts' | 'cannotTell';

/** One declared fact that was tried. Names fields and counts, never a value. */
export interface FactFinding {
  /** The fact as it is declared, like `read.changes.inclusive`; of the source itself without a path, like `clock`. */
  readonly fact: string;
  readonly verdict: Verdict;
  readonly expected: string;
  readonly got: string;
  /** What follows from a contradiction; null: nothing more is to be said. */
  readonly means: string | null;
}

export function fits(fact: string, got: string): FactFinding {
  return { fact, verdict: 'ok', expected: got, got, means: null };
}
export function contradicts(fact: string, expected: string, got: string, means: string | null = null): FactFinding {
  return { fact, verdict: 'contradicts', expected, got, means };
}
export function cannotTell(fact: string, expected: string, got: string): FactFinding {
  return { fact, verdict: 'cannotTell', expected, got, means: null };
}
