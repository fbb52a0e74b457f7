import { bulkhead } from 'cockatiel';
import type { Chance, Clock, Log } from '../core/ports.js';
import { createBreaker } from './breaker.js';
import { CallFault, LONGEST_PAUSE_MS } from './fault.js';
import type { Maintenance } from './maintenance.js';

/** The limits of one source. Every call passes them. */
export interface GuardLimits {
  /** Calls at once. */
  readonly concurrent: number;
  /** Calls per second, over all collections; null: no limit. */
  readonly perSecond: number | null;
  /** Longest life of one call, waiting for its turn included, ms. */
  readonly timeoutMs: number;
}

/** What stands between us and a source: turn, rate, deadline, breaker, and for reads another try. */
export interface Guard {
  /** Longest life of one call, ms. */
  readonly timeoutMs: number;
  /**
   * Repeats a read that met a passing fault.
   *
   * @param isRepeatable false: a read whose answer may be given once only is repeated only if it certainly never reached the source
   * @throws CallFault
   */
  read<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, isRepeatable?: boolean): Promise<T>;
  /**
   * Makes a write once and never again (R11).
   *
   * @param withinMs what is left of the write's time, at most the limit of one call
   * @throws CallFault, `notSent` if it certainly had no effect
   */
  write<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, withinMs?: number): Promise<T>;
  /** True while calls would fail at once: the breaker is open, the source asked us to wait, or maintenance is under way. */
  isDown(): boolean;
  /** How long the maintenance that is under way still lasts, ms; 0: there is none. */
  maintenanceLeftMs(): number;
  /** The source did not answer, and a read is to find out whether it does again: writes are not made before. */
  isProbeDue(): boolean;
  /** Something came from the source. */
  heard(): void;
}

/** Tries of one read; writes have one. */
const READ_TRIES = 3;
const RETRY_MS = 200;
/** A read waits out a pause that is not longer than this; otherwise it fails at once and the poller waits. */
const PATIENCE_MS = 1_000;
const LONGEST_QUEUE = 10_000;
const NO_ANSWER = 'it has not answered lately, so no call was made';

export function createGuard(
  source: string,
  limits: GuardLimits,
  maintenance: Maintenance,
  deps: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): Guard {
  const { clock, chance, log } = deps;
  let pausedUntilMs = 0;
  let lastFault = 'no answer';
  const breaker = createBreaker(clock, limits.timeoutMs, {
    opened(silentMs) {
      const reason = silentMs === null ? lastFault : `not a byte came for ${silentMs} ms`;
      log.warn('source does not answer: calls fail at once until it does', { source, reason });
    },
    closed: () => log.info('source answers again', { source }),
  });
  // One slot is never taken by reads, so that a long scan does not hold up the writes.
  const readers = bulkhead(Math.max(1, limits.concurrent - 1), LONGEST_QUEUE);
  const callers = bulkhead(limits.concurrent, LONGEST_QUEUE);
  const turn = limits.perSecond === null ? null : createTurns(limits.perSecond, clock);

  const maintenanceLeftMs = (): number => maintenance.leftMs(clock.nowMs());

  /** Whatever the source would answer now is no sign of its health. */
  function checkMaintenance(): void {
    const leftMs = maintenanceLeftMs();
    if (leftMs === 0) return;
    const until = new Date(clock.nowMs() + leftMs).toISOString();
    throw new CallFault('notSent', `it is being maintained until ${until}`, {
      retryAfterMs: leftMs,
      sourceIsSick: false,
    });
  }

  async function once<T>(
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    purpose: 'read' | 'write',
    withinMs: number,
  ): Promise<T> {
    checkMaintenance();
    const pauseMs = pausedUntilMs - clock.monotonicMs();
    if (pauseMs > 0) {
      throw new CallFault('notSent', 'it asked for a pause', { retryAfterMs: Math.ceil(pauseMs), sourceIsSick: false });
    }
    if (breaker.isOpen()) throw new CallFault('notSent', NO_ANSWER, { sourceIsSick: false });
    let begun = false;
    const deadline = withDeadline(clock, signal, withinMs, () => !begun);
    const inTurn = async (): Promise<T> => {
      if (turn !== null) await turn(deadline.signal);
      deadline.signal.throwIfAborted();
      checkMaintenance();
      const passage = breaker.enter(purpose);
      if (passage === null) throw new CallFault('notSent', NO_ANSWER, { sourceIsSick: false });
      begun = true;
      try {
        const answer = await call(deadline.signal);
        passage.succeeded();
        return answer;
      } catch (thrown) {
        const fault = asFault(thrown, true, deadline.signal, withinMs);
        lastFault = fault.message;
        if (maintenanceLeftMs() > 0) passage.left();
        else if (fault.sourceIsSick) passage.failed();
        else if (fault instanceof Overdue || fault.kind === 'notSent') passage.left();
        else passage.succeeded();
        throw fault;
      }
    };
    try {
      const queued = purpose === 'read' ? readers.execute(() => callers.execute(inTurn)) : callers.execute(inTurn);
      return await Promise.race([queued, deadline.passedInQueue]);
    } catch (thrown) {
      const fault = asFault(thrown, begun, deadline.signal, withinMs);
      if (begun && fault.retryAfterMs !== null) {
        pausedUntilMs = clock.monotonicMs() + Math.min(fault.retryAfterMs, LONGEST_PAUSE_MS);
      }
      throw fault;
    } finally {
      deadline.clear();
    }
  }

  return {
    timeoutMs: limits.timeoutMs,
    async read(call, signal, isRepeatable = true) {
      for (let tried = 1; ; tried++) {
        try {
          return await once(call, signal, 'read', limits.timeoutMs);
        } catch (thrown) {
          const fault = thrown as CallFault;
          const waitMs = isRepeatable || fault.kind === 'notSent' ? waitBefore(fault, tried, chance) : null;
          if (waitMs === null || signal.aborted) throw thrown;
          // A caller that goes away meanwhile gets the fault that it would have waited out.
          await clock.wait(waitMs, signal).catch(() => {
            throw thrown;
          });
        }
      }
    },
    write: (call, signal, withinMs = limits.timeoutMs) => once(call, signal, 'write', withinMs),
    isDown: () => breaker.isOpen() || pausedUntilMs > clock.monotonicMs() || maintenanceLeftMs() > 0,
    maintenanceLeftMs,
    isProbeDue: () => breaker.isProbeDue(),
    heard: () => breaker.heard(),
  };
}

/** How long to wait before a read is tried again; null: not again. A timeout is not repeated: it has cost enough. */
function waitBefore(fault: CallFault, tried: number, chance: Chance): number | null {
  if (tried >= READ_TRIES || fault.kind === 'badAnswer' || fault instanceof Overdue) return null;
  if (fault.retryAfterMs !== null) return fault.retryAfterMs <= PATIENCE_MS ? fault.retryAfterMs + 1 : null;
  return fault.sourceIsSick ? RETRY_MS * 2 ** (tried - 1) * (1 + chance() / 2) : null;
}

/** The call's time was over, or the caller went away. */
class Overdue extends CallFault {}

function asFault(thrown: unknown, begun: boolean, signal: AbortSignal, timeoutMs: number): CallFault {
  if (thrown instanceof Overdue) return thrown;
  if (signal.aborted) {
    const byTime = signal.reason instanceof TimeUp;
    const kind = thrown instanceof CallFault ? thrown.kind : begun ? 'unknown' : 'notSent';
    const what = byTime ? `no answer within ${timeoutMs} ms` : 'the caller gave up';
    return new Overdue(kind, begun ? what : `${what}: the call was never made`, {
      cause: thrown,
      sourceIsSick: byTime && begun,
    });
  }
  if (thrown instanceof CallFault) return thrown;
  return new CallFault(begun ? 'badAnswer' : 'notSent', begun ? 'its answer cannot be read' : 'too many calls wait', {
    cause: thrown,
    sourceIsSick: false,
  });
}

class TimeUp extends Error {}

interface Deadline {
  readonly signal: AbortSignal;
  /** Rejects when the time is over while the call still waits for its turn; a call that has begun ends by itself. */
  readonly passedInQueue: Promise<never>;
  clear(): void;
}

/** Not AbortSignal.any: on Node 20 signals joined to a long-lived one are kept as long as that lives. */
function withDeadline(clock: Clock, outer: AbortSignal, timeoutMs: number, isQueued: () => boolean): Deadline {
  const controller = new AbortController();
  const timer = new AbortController();
  const { signal } = controller;
  const stop = (): void => controller.abort(outer.reason);
  const passedInQueue = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => (isQueued() ? reject(signal.reason as Error) : undefined), { once: true });
  });
  passedInQueue.catch(() => undefined);
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  clock.wait(timeoutMs, timer.signal).then(
    () => controller.abort(new TimeUp('time is up')),
    () => undefined,
  );
  return {
    signal,
    passedInQueue,
    clear() {
      timer.abort();
      outer.removeEventListener('abort', stop);
    },
  };
}

/** Calls that go a second apart may arrive closer to each other by so much. */
const ARRIVAL_MS = 20;

/**
 * Resolves when it is the caller's turn: in no second do more calls go than the source allows, also not the first ones after a rest, as a
 * bucket would let them. A turn is taken only when it has come, so that callers who give up while they wait cost nothing.
 */
function createTurns(perSecond: number, clock: Clock): (signal: AbortSignal) => Promise<void> {
  const most = Math.max(1, Math.floor(perSecond));
  const windowMs = (most * 1_000) / perSecond + ARRIVAL_MS;
  /** When the last turns were taken; the oldest stands at `oldest`. */
  const taken = Array<number>(most).fill(-Infinity);
  let oldest = 0;
  return async (signal) => {
    for (;;) {
      const now = clock.monotonicMs();
      const leftMs = (taken[oldest] ?? -Infinity) + windowMs - now;
      if (leftMs <= 0) break;
      await clock.wait(leftMs, signal);
    }
    taken[oldest] = clock.monotonicMs();
    oldest = (oldest + 1) % most;
  };
}
