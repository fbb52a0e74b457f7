import type { CallBudget } from '../core/call-budget-port.js';
import type { Clock } from '../core/ports.js';
import { callRate, createOwnTurns } from './call-rate.js';
import { TurnOver, type CallTurn } from './call-turn.js';

/** What a call is for. Calls that wait are begun in this order: writes, then single records, then polls, then scans. */
export type Urgency = 'write' | 'record' | 'poll' | 'scan';
/** `turn`: of a call that is under way, and has its place. */
type Kind = Urgency | 'turn';
/** Of a read. */
export type ReadUrgency = Exclude<Urgency, 'write'>;
const KINDS: readonly Kind[] = ['turn', 'write', 'record', 'poll', 'scan'];

/** The places and the turns of one source: which of the calls that wait is made next, and when. */
export interface CallQueue {
  /**
   * Makes a call when it has a place and a turn, and again with another turn where it could not be sent within its own.
   *
   * @throws the signal's reason when it is over before; whatever the call throws; NoTurn
   */
  run<T>(urgency: Urgency, call: (turn: CallTurn | null) => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * Waits for another turn of a call that is under way, for one request more.
   *
   * @throws the signal's reason when it is over before; NoTurn
   */
  turn(signal: AbortSignal): Promise<CallTurn | null>;
}

/** The call was not made: too many wait, or nobody can say whether it may be. */
export class NoTurn extends Error {}

const LONGEST_QUEUE = 10_000;
/** Every so many calls the one that has waited longest is made, whatever it is for: nothing waits for ever. */
const OLDEST_EVERY = 8;
/** Where turns are shared they are asked for together, and not one by one as they come. */
const ASK_AGAIN_MS = 25;
/** A shared turn that was not used for so long is left: by then it may be another's second. */
const TURN_LASTS_MS = 50;
/** From taking a turn to sending the request. Half of the time that `ARRIVAL_MS` keeps free. */
const SENT_WITHIN_MS = 25;

interface Waiting {
  readonly kind: Kind;
  readonly order: number;
  readonly begin: (turn: CallTurn | null) => void;
  readonly fail: (cause: Error) => void;
}

/** A call that may be made. */
interface Entered {
  readonly turn: CallTurn | null;
  readonly leave: () => void;
}

/**
 * One place is never taken by reads, so that a long scan does not hold up the writes.
 *
 * @param limits.perSecond null: no limit
 * @param budget turns that other processes take from, too; absent: the source is this process's alone
 */
export function createCallQueue(
  source: string,
  limits: { readonly concurrent: number; readonly perSecond: number | null },
  clock: Clock,
  budget?: CallBudget,
): CallQueue {
  const places = { write: limits.concurrent, read: Math.max(1, limits.concurrent - 1) };
  const rate = limits.perSecond === null ? null : callRate(limits.perSecond);
  const own = rate === null ? null : createOwnTurns(rate, clock);
  const waiting = new Map<Kind, Set<Waiting>>(KINDS.map((kind) => [kind, new Set()]));
  const underWay = { write: 0, read: 0, turn: 0 };
  const ahead = rate === null ? 0 : Math.floor((rate.most * TURN_LASTS_MS) / rate.windowMs);
  const shared = { turns: 0, untilMs: -Infinity, isAsked: false, slowestMs: 0 };
  let pause: AbortController | null = null;
  let orders = 0;
  let begun = 0;

  const isFree = (kind: Kind): boolean => {
    const all = underWay.write + underWay.read;
    return kind === 'turn' || (all < limits.concurrent && (kind === 'write' || underWay.read < places.read));
  };
  const waits = (): number => KINDS.reduce((sum, kind) => sum + (waiting.get(kind)?.size ?? 0), 0);

  /** The call that is to be made next; of those for the same purpose the first one. */
  function next(): Waiting | null {
    const isForOldest = begun % OLDEST_EVERY === OLDEST_EVERY - 1;
    let found: Waiting | null = null;
    for (const kind of KINDS) {
      const [first] = waiting.get(kind) ?? [];
      if (first === undefined || !isFree(kind)) continue;
      if (!isForOldest) return first;
      if (found === null || first.order < found.order) found = first;
    }
    return found;
  }

  /** Begins what may be begun, and sees to it that the rest is looked at again. */
  function go(): void {
    for (let one = next(); one !== null; one = next()) {
      const leftMs = own?.leftMs() ?? 0;
      if (leftMs > 0) return goAfter(leftMs);
      if (rate !== null && budget !== undefined) {
        if (shared.turns === 0 || clock.monotonicMs() > shared.untilMs) return void ask(budget);
        shared.turns -= 1;
      }
      own?.take();
      begun += 1;
      waiting.get(one.kind)?.delete(one);
      one.begin(turn());
    }
  }

  /** The turn that was taken just now. */
  function turn(): CallTurn | null {
    if (rate === null) return null;
    const ownMs = clock.monotonicMs() + SENT_WITHIN_MS;
    const untilMs = budget === undefined ? ownMs : Math.min(shared.untilMs, ownMs);
    return { isOver: () => clock.monotonicMs() > untilMs };
  }

  function goAfter(ms: number): void {
    if (pause !== null) return;
    const resting = (pause = new AbortController());
    const ended = (): void => {
      if (pause === resting) pause = null;
    };
    clock.wait(ms, resting.signal).then(() => {
      ended();
      go();
    }, ended);
  }

  /**
   * How many turns to take together: those that can be used at once, or as many as were used of late. One question for each call would
   * make the store's round trip the source's rate.
   */
  function atOnce(most: number): number {
    const free = limits.concurrent - underWay.write - underWay.read;
    const ofLate = Math.min(ahead, own?.takenWithin(TURN_LASTS_MS) ?? 0);
    return Math.max(1, Math.min(Math.max(free, ofLate), waits(), most));
  }

  async function ask(from: CallBudget): Promise<void> {
    if (shared.isAsked || rate === null || pause !== null) return;
    shared.isAsked = true;
    const askedMs = clock.monotonicMs();
    // A turn that may be used later than it is taken keeps others away for longer: its way from the store counts, too.
    const lastsMs = Math.max(ahead > 1 ? TURN_LASTS_MS : 0, 2 * shared.slowestMs);
    try {
      const kept = { ...rate, windowMs: rate.windowMs + lastsMs };
      const { taken, waitMs } = await from.takeTurns(source, kept, atOnce(rate.most));
      shared.isAsked = false;
      shared.turns = taken;
      const tookMs = clock.monotonicMs() - askedMs;
      // Remembered for a while, by a tenth less each time.
      shared.slowestMs = Math.max(tookMs, 0.9 * shared.slowestMs);
      // Where it took longer than that, they are lost, and more time is asked for.
      shared.untilMs = askedMs + lastsMs;
      if (taken > 0) go();
      else if (waits() > 0) goAfter(Math.max(ASK_AGAIN_MS, waitMs));
    } catch (cause) {
      shared.isAsked = false;
      const fault = new NoTurn('the store that counts its calls does not answer', { cause });
      for (const calls of waiting.values()) for (const one of [...calls]) one.fail(fault);
    }
  }

  /** Resolves with the turn, and the way to give the place back. */
  function enter(kind: Kind, signal: AbortSignal): Promise<Entered> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      if (waits() >= LONGEST_QUEUE) return reject(new NoTurn('too many calls wait'));
      const place = kind === 'write' || kind === 'turn' ? kind : 'read';
      const calls = waiting.get(kind) as Set<Waiting>;
      const giveUp = (): void => one.fail(signal.reason as Error);
      const one: Waiting = {
        kind,
        order: (orders += 1),
        begin(turn) {
          signal.removeEventListener('abort', giveUp);
          underWay[place] += 1;
          resolve({
            turn,
            leave() {
              underWay[place] -= 1;
              go();
            },
          });
        },
        fail(cause) {
          signal.removeEventListener('abort', giveUp);
          calls.delete(one);
          if (waits() === 0) pause?.abort(new Error('nobody waits any more'));
          reject(cause);
        },
      };
      calls.add(one);
      signal.addEventListener('abort', giveUp, { once: true });
      go();
    });
  }

  return {
    async run(urgency, call, signal) {
      for (;;) {
        const { turn, leave } = await enter(urgency, signal);
        try {
          return await call(turn);
        } catch (thrown) {
          if (!(thrown instanceof TurnOver)) throw thrown;
        } finally {
          leave();
        }
      }
    },
    async turn(signal) {
      const { turn, leave } = await enter('turn', signal);
      leave();
      return turn;
    },
  };
}
