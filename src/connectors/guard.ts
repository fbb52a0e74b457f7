import type { CallBudget } from '../core/call-budget-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import { countdown } from '../core/time-passed.js';
import { createBreaker } from './breaker.js';
import { giveTime } from './call-time.js';
import { createCallQueue, NoTurn, type ReadUrgency, type Urgency } from './call-queue.js';
import { giveTurn, TurnOver, type CallTurn } from './call-turn.js';
import { CallFault, LONGEST_PAUSE_MS, type CallName } from './fault.js';
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

/** What stands between us and a source: place, turn, deadline, breaker, and for reads another try. */
export interface Guard {
  /** Longest life of one call, ms. */
  readonly timeoutMs: number;
  /**
   * Repeats a read that met a passing fault.
   *
   * @param urgency what it is for; where calls wait, the more urgent ones go first
   * @param isRepeatable false: a read whose answer may be given once only is repeated only if it certainly never reached the source
   * @throws CallFault
   */
  read<T>(
    urgency: ReadUrgency,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    isRepeatable?: boolean,
  ): Promise<T>;
  /**
   * Makes a write once and never again (R11).
   *
   * @param leftMs what is left of the write's time, at most the limit of one call; no request of it leaves when that is nothing (F13)
   * @throws CallFault, `notSent` if it certainly had no effect
   */
  write<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, leftMs?: () => number): Promise<T>;
  /**
   * Another turn for a call that is under way, and makes one request more.
   *
   * @throws CallFault notSent - none came in time
   */
  turn(signal: AbortSignal): Promise<void>;
  /** True while calls would fail at once: the breaker is open, the source asked us to wait, or maintenance is under way. */
  isDown(): boolean;
  /** How long the maintenance that is under way still lasts, ms; 0: there is none. */
  maintenanceLeftMs(): number;
  /** The source did not answer, and a read is to find out whether it does again: writes are not made before. */
  isProbeDue(): boolean;
  /** Something came from the source. */
  heard(): void;
  /** The same guard, whose log lines name the collection and the call for which it is asked. */
  of(made: GuardedCall): Guard;
}

/** What a call is, as errors name it. */
export interface GuardedCall {
  /** `source.collection`. */
  readonly collection: string;
  readonly call: CallName;
}

/** Tries of one read; writes have one. */
const READ_TRIES = 3;
const RETRY_MS = 200;
/** A read waits out a pause that is not longer than this; otherwise it fails at once and the poller waits. */
const PATIENCE_MS = 1_000;
const NO_ANSWER = 'it has not answered lately, so no call was made';

export function createGuard(
  source: string,
  limits: GuardLimits,
  maintenance: Maintenance,
  deps: { readonly clock: Clock; readonly chance: Chance; readonly log: Log; readonly budget?: CallBudget },
): Guard {
  const { clock, chance, log } = deps;
  let pausedUntilMs = 0;
  /** The last one that failed, and those that wait for an answer, in the order in which they were begun. */
  let failed: Failed = { made: null, reason: 'no answer' };
  const underWay = new Set<{ readonly made: GuardedCall | null }>();
  const breaker = createBreaker(clock, limits.timeoutMs, {
    opened(silentMs) {
      const [longest = failed] = underWay;
      const { made, reason } =
        silentMs === null ? failed : { ...longest, reason: `not a byte came for ${silentMs} ms` };
      log.warn('source does not answer: calls fail at once until it does', { source, ...made, reason });
    },
    closed: () => log.info('source answers again', { source }),
  });
  const queue = createCallQueue(source, limits, clock, deps.budget);

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
    made: GuardedCall | null,
    urgency: Urgency,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    leftMs: () => number,
  ): Promise<T> {
    const withinMs = leftMs();
    checkMaintenance();
    const pauseMs = pausedUntilMs - clock.monotonicMs();
    if (pauseMs > 0) {
      throw new CallFault('notSent', 'it asked for a pause', { retryAfterMs: Math.ceil(pauseMs), sourceIsSick: false });
    }
    if (breaker.isOpen()) throw new CallFault('notSent', NO_ANSWER, { sourceIsSick: false });
    let begun = false;
    const deadline = withDeadline(clock, signal, withinMs);
    giveTime(deadline.signal, leftMs);
    const inTurn = async (turn: CallTurn | null): Promise<T> => {
      deadline.signal.throwIfAborted();
      if (turn !== null) giveTurn(deadline.signal, turn);
      checkMaintenance();
      const passage = breaker.enter(urgency === 'write' ? 'write' : 'read');
      if (passage === null) throw new CallFault('notSent', NO_ANSWER, { sourceIsSick: false });
      begun = true;
      const waiting = { made };
      underWay.add(waiting);
      try {
        const answer = await call(deadline.signal);
        passage.succeeded();
        return answer;
      } catch (thrown) {
        // The queue waits for another turn.
        if (thrown instanceof TurnOver) begun = false;
        const fault = asFault(thrown, begun, deadline.signal, withinMs);
        failed = { made, reason: fault.message };
        if (maintenanceLeftMs() > 0) passage.left();
        else if (fault.sourceIsSick) passage.failed();
        else if (fault instanceof Overdue || fault.kind === 'notSent') passage.left();
        else passage.succeeded();
        throw fault;
      } finally {
        underWay.delete(waiting);
      }
    };
    try {
      return await queue.run(urgency, inTurn, deadline.signal);
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

  const guardFor = (made: GuardedCall | null): Guard => ({
    timeoutMs: limits.timeoutMs,
    async read(urgency, call, signal, isRepeatable = true) {
      for (let tried = 1; ; tried++) {
        try {
          return await once(made, urgency, call, signal, countdown(clock, limits.timeoutMs));
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
    write: (call, signal, leftMs = countdown(clock, limits.timeoutMs)) => once(made, 'write', call, signal, leftMs),
    async turn(signal) {
      try {
        const turn = await queue.turn(signal);
        if (turn !== null) giveTurn(signal, turn);
      } catch (cause) {
        const why = cause instanceof NoTurn ? cause.message : 'no turn came in time for another request';
        throw new CallFault('notSent', why, { cause, sourceIsSick: false });
      }
    },
    isDown: () => breaker.isOpen() || pausedUntilMs > clock.monotonicMs() || maintenanceLeftMs() > 0,
    maintenanceLeftMs,
    isProbeDue: () => breaker.isProbeDue(),
    heard: () => breaker.heard(),
    of: guardFor,
  });
  return guardFor(null);
}

interface Failed {
  readonly made: GuardedCall | null;
  readonly reason: string;
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
  if (thrown instanceof NoTurn) return new CallFault('notSent', thrown.message, { cause: thrown, sourceIsSick: false });
  return new CallFault('badAnswer', 'its answer cannot be read', { cause: thrown, sourceIsSick: false });
}

class TimeUp extends Error {}

interface Deadline {
  readonly signal: AbortSignal;
  clear(): void;
}

/** Not AbortSignal.any: on Node 20 signals joined to a long-lived one are kept as long as that lives. */
function withDeadline(clock: Clock, outer: AbortSignal, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const timer = new AbortController();
  const stop = (): void => controller.abort(outer.reason);
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  clock.wait(timeoutMs, timer.signal).then(
    () => controller.abort(new TimeUp('time is up')),
    () => undefined,
  );
  return {
    signal: controller.signal,
    clear() {
      timer.abort();
      outer.removeEventListener('abort', stop);
    },
  };
}
