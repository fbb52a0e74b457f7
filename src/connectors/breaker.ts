import type { Clock } from '../core/ports.js';

/** Faults in a row, over all calls of the source, that open the breaker. A refused read makes three tries within a second. */
const FAULTS_TO_OPEN = 3;
/**
 * Calls wait, and for this long not one byte has come: the breaker opens. A source that died is noticed within 5 s although each
 * call waits twice as long for its answer, if something is asked of it in the first second.
 */
const SILENCE_MS = 4_000;
/** A source is not silent before half again as long as it took for its slowest answer lately … */
const PATIENCE_FACTOR = 1.5;
/** … and certainly is when this part of a call's time has passed. */
const LONGEST_SILENCE_PART = 0.9;
/** "Lately": the slowest answer is forgotten after one to two of these. */
const MEMORY_MS = 600_000;
/** An open breaker lets one read through after 1 s, then after 2, 4 … up to 10 s. */
const FIRST_PROBE_MS = 1_000;
const LAST_PROBE_MS = 10_000;

/** Keeps calls from a source that does not answer, and tries now and then whether it does. */
export interface Breaker {
  /** True while calls would fail at once. */
  isOpen(): boolean;
  /** The breaker is open, and the next read is to find out whether the source is back. */
  isProbeDue(): boolean;
  /**
   * Takes leave to make one call; null while the breaker is open. Only a read may try the source: a write that it swallows would
   * be in doubt.
   */
  enter(purpose: 'read' | 'write'): Passage | null;
  /** Something came from the source: it lives, however slow it is. */
  heard(): void;
}

/** One call under way. It ends in exactly one of these. */
export interface Passage {
  /** The source answered, whatever it said: the breaker closes. */
  succeeded(): void;
  /** The source is in trouble. */
  failed(): void;
  /** The call itself says nothing about the source, like one that its caller gave up. */
  left(): void;
}

/**
 * A breaker on the clock that never goes back: a wall clock that is set must not hold calls back for hours.
 *
 * @param callTimeoutMs longest life of one call
 * @param told is called when it opens, and when it closes again
 */
export function createBreaker(
  clock: Clock,
  callTimeoutMs: number,
  told: { readonly opened: (silentMs: number | null) => void; readonly closed: () => void },
): Breaker {
  const slowest = createSlowest(clock);
  let faults = 0;
  let underWay = 0;
  let heardMs = -Infinity;
  /** Since when calls have been made and nothing was heard; null: nothing is waited for. */
  let quietSinceMs: number | null = null;
  let probes = 0;
  let probe: Passage | null = null;
  let openUntilMs: number | null = null;

  function openFrom(ms: number): void {
    openUntilMs = ms + Math.min(LAST_PROBE_MS, FIRST_PROBE_MS * 2 ** probes);
    probes += 1;
  }

  /** Silence needs no timer: it is looked for whenever somebody asks. */
  function listen(): void {
    if (openUntilMs !== null || quietSinceMs === null) return;
    const patienceMs = Math.min(slowest.ms() * PATIENCE_FACTOR, callTimeoutMs * LONGEST_SILENCE_PART);
    const silentMs = Math.max(SILENCE_MS, patienceMs);
    if (clock.monotonicMs() < quietSinceMs + silentMs) return;
    openFrom(quietSinceMs + silentMs);
    told.opened(silentMs);
  }

  function close(): void {
    faults = 0;
    probes = 0;
    probe = null;
    if (openUntilMs === null) return;
    openUntilMs = null;
    told.closed();
  }

  function isOpen(): boolean {
    listen();
    return openUntilMs !== null && (probe !== null || clock.monotonicMs() < openUntilMs);
  }

  function begin(): Passage {
    const begunMs = clock.monotonicMs();
    const wasHeard = (): boolean => heardMs >= begunMs;
    const end = (): void => {
      listen();
      underWay -= 1;
    };
    underWay += 1;
    quietSinceMs ??= begunMs;
    const passage: Passage = {
      succeeded() {
        end();
        slowest.note(clock.monotonicMs() - begunMs);
        quietSinceMs = underWay > 0 ? clock.monotonicMs() : null;
        close();
      },
      failed() {
        end();
        if (underWay === 0 && wasHeard()) quietSinceMs = null;
        faults += 1;
        if (openUntilMs === null) {
          if (faults < FAULTS_TO_OPEN) return;
          openFrom(clock.monotonicMs());
          told.opened(null);
        } else if (probe === passage) {
          // Calls that were under way when it opened say nothing new; the one that tries does.
          openFrom(clock.monotonicMs());
          probe = null;
        }
      },
      left() {
        end();
        if (underWay === 0 && (wasHeard() || faults === 0)) quietSinceMs = null;
        if (wasHeard()) close();
        else if (probe === passage) probe = null;
      },
    };
    return passage;
  }

  return {
    isOpen,
    isProbeDue: () => !isOpen() && openUntilMs !== null,
    enter(purpose) {
      if (isOpen() || (openUntilMs !== null && purpose === 'write')) return null;
      const passage = begin();
      if (openUntilMs !== null) probe = passage;
      return passage;
    },
    heard() {
      listen();
      heardMs = clock.monotonicMs();
      quietSinceMs = underWay > 0 ? heardMs : null;
    },
  };
}

/** The longest answer of the last ten to twenty minutes. */
function createSlowest(clock: Clock): { note(ms: number): void; ms(): number } {
  let nowMs = 0;
  let beforeMs = 0;
  let begunMs = clock.monotonicMs();

  function turn(): void {
    const passedMs = clock.monotonicMs() - begunMs;
    if (passedMs < MEMORY_MS) return;
    beforeMs = passedMs < 2 * MEMORY_MS ? nowMs : 0;
    nowMs = 0;
    begunMs = clock.monotonicMs();
  }

  return {
    note(ms) {
      turn();
      nowMs = Math.max(nowMs, ms);
    },
    ms() {
      turn();
      return Math.max(nowMs, beforeMs);
    },
  };
}
