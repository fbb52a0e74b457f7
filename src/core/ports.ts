/** Time comes in through this port, so that tests set it. */
export interface Clock {
  /** Milliseconds since 1970, as the wall shows them. */
  nowMs(): number;
  /** Milliseconds that never go back: for deadlines and durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason at once when it aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Chance comes in through this port: 0 <= n < 1. */
export type Chance = () => number;

/** A hash for comparing texts: equal texts have equal hashes, different ones practically never. Lower-case hex. */
export type HashText = (text: string) => string;

/** One line per thing that happened: ids and counts, never payloads or secrets. */
export interface Log {
  debug(what: string, details?: Readonly<Record<string, unknown>>): void;
  info(what: string, details?: Readonly<Record<string, unknown>>): void;
  warn(what: string, details?: Readonly<Record<string, unknown>>): void;
  error(what: string, details?: Readonly<Record<string, unknown>>): void;
}
