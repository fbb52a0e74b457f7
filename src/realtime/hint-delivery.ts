import { SEQ_ZERO } from '../core/change.js';
import type { Announcer, FeedReader } from '../core/feed-port.js';
import type { HintOutcome, PhoneSender } from '../core/phone-hint-port.js';
import type { Fence, HintSettlement, HintWindows, PhoneStore, TakenHint } from '../core/phone-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import type { HintCounts } from './hint-counts.js';

/** Under which one gateway at a time marks and sends for a tenant. */
export const HINTS_LEASE = 'hints';
/** What no announcement told is found this much later (F27); so late windows are seen to end, too. */
const MARK_EVERY_MS = 5_000;
/** So old is what is marked: by then it is noted what the answer to a push told its author, and a phone that sleeps is in no hurry. */
const MARK_AFTER_MS = 1_500;
/** Marking takes at most this share of the time, however fast the feed moves: 10,000 phones whose scopes changed take 0.7 s on a busy machine. */
const MARK_SHARE = 0.1;
/** Who does not react is looked for this often. */
const LOOK_EVERY_MS = 60_000;
/** A gateway that does not have the lease asks for it this often. */
const ASK_EVERY_MS = 5_000;
/** As many as the sender keeps in the air for one batch. */
const BATCH = 100;
/** Side by side: one bad token holds its batch for seven seconds. */
const BATCHES = 4;
/** A person has to repair something first. */
const REFUSED_AFTER_MS = 900_000;

/** Brings hints to sleeping phones: marks who is due, sends, and keeps the books. Nothing of it is in a request or in a transaction of the feed. */
export interface HintDelivery {
  start(): void;
  /** What is being sent ends first. Safe to repeat. */
  stop(): Promise<void>;
}

/** When hints that bring no pull are more than bad luck. */
interface Escalation {
  readonly afterMs: number;
  readonly staleAfterMs: number;
  /** Is there a text that people are shown then, once? */
  readonly hasNotice: boolean;
}

/** Work under a lease, as `createLeasedWork` does it. */
interface Leased {
  run<T>(
    lease: string,
    controller: AbortController,
    work: (fence: Fence, signal: AbortSignal) => Promise<T>,
  ): Promise<T | null>;
}

export function createHintDelivery(
  ports: {
    readonly store: Pick<PhoneStore, 'markDue' | 'takeDue' | 'settleHints' | 'findSilent'> &
      Pick<Announcer, 'onAdvance'> &
      Pick<FeedReader, 'readHead'> & { releaseLease(tenant: string, name: string, holder: string): Promise<void> };
    readonly sender: Pick<PhoneSender, 'send'>;
    readonly leased: Leased;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
    /** Null: nobody measures. */
    readonly counts: HintCounts | null;
  },
  options: {
    readonly tenant: string;
    readonly holder: string;
    readonly collections: readonly string[];
    readonly windows: HintWindows;
    readonly escalation: Escalation;
  },
): HintDelivery {
  const { store, sender, leased, clock, chance, log, counts } = ports;
  const { tenant, holder, collections, windows, escalation } = options;
  const stopping = new AbortController();
  const advanced = createBell(clock);
  const marked = createBell(clock);
  let running: Promise<void> | null = null;
  let unsubscribe = (): void => undefined;

  async function marking(fence: Fence, signal: AbortSignal): Promise<void> {
    let lookAtMs = clock.monotonicMs();
    // The very first time a cursor begins at the head: before anything is waited for.
    await store.markDue(tenant, fence, { collections, upTo: SEQ_ZERO });
    while (!signal.aborted) {
      const { head: upTo } = await store.readHead(tenant);
      await clock.wait(MARK_AFTER_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      const beganMs = clock.monotonicMs();
      const count = await store.markDue(tenant, fence, { collections, upTo });
      if (count === null) return;
      const tookMs = clock.monotonicMs() - beganMs;
      if (beganMs >= lookAtMs) {
        lookAtMs = beganMs + LOOK_EVERY_MS;
        await lookForSilent();
      }
      if (count > 0) marked.ring();
      await advanced.rest(MARK_EVERY_MS);
      await clock.wait(tookMs / MARK_SHARE, signal).catch(() => undefined);
    }
  }

  async function lookForSilent(): Promise<void> {
    const { afterMs: escalateAfterMs, staleAfterMs, hasNotice } = escalation;
    const found = await store.findSilent(tenant, { escalateAfterMs, staleAfterMs, hasNotice });
    if (found.escalated > 0) log.warn('hints: phones do not pull after hints', { phones: found.escalated });
    if (found.stale > 0) log.warn('hints: phones are stale, they are hinted rarely', { phones: found.stale });
    counts?.escalated(found.escalated);
  }

  async function sending(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await allEnded(Array.from({ length: BATCHES }, () => workOff(signal)));
      await marked.rest(MARK_EVERY_MS);
    }
  }

  async function workOff(signal: AbortSignal): Promise<void> {
    for (let hasMore = true; hasMore && !signal.aborted;) {
      const batch = await store.takeDue(tenant, { windows, limit: BATCH });
      hasMore = batch.hasMore;
      if (batch.taken.length === 0) continue;
      const restMs = restAfter(await send(batch.taken, signal));
      if (hasMore && restMs > 0) await clock.wait(restMs, signal).catch(() => undefined);
    }
  }

  async function send(taken: readonly TakenHint[], signal: AbortSignal): Promise<readonly HintOutcome[]> {
    const hints = taken.map(({ device, platform, token, collections: names, dueAtMs, isNotice }) => ({
      device,
      platform,
      token,
      collections: names,
      atMs: dueAtMs,
      isNotice,
    }));
    const outcomes = await sender.send(hints, signal);
    const settlements = taken.flatMap((hint, at) => {
      const outcome = outcomes[at];
      if (outcome === undefined) return [];
      counts?.settled(hint.platform, outcome);
      return [settlementOf(hint, outcome)];
    });
    await store.settleHints(tenant, settlements);
    return outcomes;
  }

  function settlementOf(
    { device, claim, takenAtMs, dueSeq, isNotice }: TakenHint,
    outcome: HintOutcome,
  ): HintSettlement {
    const taken = { device, claim, takenAtMs, dueSeq, isNotice };
    if (outcome.kind === 'sent' || outcome.kind === 'gone') return { ...taken, kind: outcome.kind };
    const afterMs = outcome.kind === 'later' ? outcome.afterMs : REFUSED_AFTER_MS;
    // Spread, or a push service that comes back is met by everybody at once.
    const spreadMs = afterMs * (1 + chance() / 2);
    const isUnclear = outcome.kind === 'later' && MAY_HAVE_BEEN_SENT.has(outcome.reason);
    return { ...taken, kind: isUnclear ? 'unclear' : 'unsent', afterMs: spreadMs };
  }

  /** Both ends when one does: with a failure, or without the lease. */
  async function work(fence: Fence, controller: AbortController): Promise<void> {
    const { signal } = controller;
    signal.addEventListener('abort', () => [advanced, marked].forEach((bell) => bell.ring()), { once: true });
    const both = [marking(fence, signal), sending(signal)].map((part) =>
      part.finally(() => controller.abort(new Error('the other part ended'))),
    );
    await allEnded(both);
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      const controller = new AbortController();
      const end = (): void => controller.abort(stopping.signal.reason);
      stopping.signal.addEventListener('abort', end, { once: true });
      await leased
        .run(HINTS_LEASE, controller, (fence) => work(fence, controller))
        .catch((cause: unknown) => {
          if (!stopping.signal.aborted)
            log.warn('hints: not sent to phones now, trying again', { cause: String(cause) });
        });
      stopping.signal.removeEventListener('abort', end);
      await clock.wait(ASK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
    await store.releaseLease(tenant, HINTS_LEASE, holder).catch(() => undefined);
  }

  return {
    start() {
      unsubscribe = store.onAdvance((advance) => {
        if (advance.tenant === tenant) advanced.ring();
      });
      running ??= loop();
    },
    async stop() {
      unsubscribe();
      stopping.abort(new Error('the gateway stops'));
      await running;
    },
  };
}

/** Also when one fails: nothing goes on behind whoever waits. @throws what the first one threw that failed */
async function allEnded(works: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

/**
 * While the push service takes nothing, those behind a batch stay as they are: taking and settling all that is due for nothing, 10,000 phones in a
 * few seconds at each look of the breaker, costs pushes and pulls.
 *
 * @returns ms; 0: the next ones may go
 */
function restAfter(outcomes: readonly HintOutcome[]): number {
  const waits = outcomes.flatMap((one) => (one.kind === 'later' && one.reason === 'breaker' ? [one.afterMs] : []));
  return waits.length === 0 ? 0 : Math.min(...waits);
}

/** An answer did not come, or did not say: the next hint waits for the window's end. */
const MAY_HAVE_BEEN_SENT: ReadonlySet<string> = new Set(['unreachable', 'broken', 'unknown']);

/** Rung while nobody rests, it is heard by whoever rests next. */
interface Bell {
  ring(): void;
  /** Until it is rung, or for so long. */
  rest(ms: number): Promise<void>;
}

function createBell(clock: Clock): Bell {
  let isRung = false;
  let sleeper: AbortController | null = null;
  return {
    ring() {
      isRung = true;
      sleeper?.abort(new Error('rung'));
    },
    async rest(ms) {
      sleeper = new AbortController();
      if (!isRung) await clock.wait(ms, sleeper.signal).catch(() => undefined);
      isRung = false;
    },
  };
}
