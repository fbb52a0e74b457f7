import { randomUUID } from 'node:crypto';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getMessaging } from 'firebase-admin/messaging';
import type { HintOutcome, PhoneHint, PhoneSender } from '../core/phone-hint-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import { createFcmAgent } from './fcm-agent.js';
import { createFcmAlarms } from './fcm-alarms.js';
import { answerOf, faultOf, type FcmAnswer } from './fcm-answers.js';
import { createFcmBreaker } from './fcm-breaker.js';
import { credentialOf, type FcmAccount } from './fcm-account.js';
import { fcmMessage, isShown, type Notices } from './fcm-message.js';
import { watchRetryAfter } from './retry-after.js';

/** Messages under way at once. */
const MAX_BATCH = 100;
/**
 * Longest wait for the answer to one hint. The SDK itself repeats what FCM answers with 503 for 7 s (measured); of a service that says nothing
 * it would wait for 82 s. What is given up may still arrive: a second hint is harmless.
 */
const PATIENCE_MS = 15_000;
/** Waits are longer by up to this part, so that thousands of devices do not come back at one moment. */
const SPREAD = 0.2;

/** Outcomes of answers in which FCM may say when to come again. */
const ASKING: ReadonlySet<string> = new Set(['quota', 'unavailable']);

export interface FcmOptions {
  readonly account: FcmAccount;
  /** An origin that stands for FCM and for Google's tokens; null: they themselves. */
  readonly endpoint: URL | null;
  readonly notices: Notices;
}

/**
 * Hands hints to Firebase Cloud Messaging. Each is a call of its own (`send`): a `sendEach` waits for its slowest token, and runs over the SDK's
 * HTTP/2 sessions. When FCM takes nothing, hints are `later` at once, and one at a time goes out to see.
 */
export function createFcmSender(
  { account, endpoint, notices }: FcmOptions,
  { clock, chance, log }: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): PhoneSender {
  const agent = createFcmAgent(endpoint);
  const app = initializeApp(
    { projectId: account.projectId, credential: credentialOf(account, agent), httpAgent: agent },
    randomUUID(),
  );
  const messaging = getMessaging(app);
  const retryAfter = watchRetryAfter(agent, () => clock.nowMs());
  const alarms = createFcmAlarms(log, clock);
  const breaker = createFcmBreaker(clock, {
    opened: (forMs) => log.error('FCM takes no hints: they wait', { forMs }),
    closed: () => log.info('FCM takes hints again'),
  });
  /** Forms of message that were taken: platform, and whether it shows something. */
  const taken = new Set<string>();
  const closing = new AbortController();

  const later = (reason: Extract<HintOutcome, { kind: 'later' }>['reason'], afterMs: number): HintOutcome => ({
    kind: 'later',
    reason,
    afterMs: Math.ceil(afterMs * (1 + SPREAD * chance())),
  });
  const stopped: HintOutcome = { kind: 'later', reason: 'stopped', afterMs: 0 };

  async function sendOne(hint: PhoneHint, patience: Patience): Promise<HintOutcome> {
    const form = `${hint.platform} ${isShown(hint, notices) ? 'shown' : 'silent'}`;
    try {
      await Promise.race([messaging.send(fcmMessage(hint, notices, clock.nowMs())), patience.over]);
    } catch (thrown) {
      if (thrown !== STOPPED)
        return settle(answerOf(thrown, { formTaken: taken.has(form), anyTaken: taken.size > 0 }), thrown, hint);
      breaker.left();
      return later('unreachable', 0);
    }
    taken.add(form);
    breaker.heard();
    return { kind: 'sent' };
  }

  function settle({ outcome, isAlarm, isOutage }: FcmAnswer, thrown: unknown, hint: PhoneHint): HintOutcome {
    if (isAlarm) alarms.raise(faultOf(thrown), hint.platform);
    const askedMs =
      outcome.kind === 'later' ? ((ASKING.has(outcome.reason) ? retryAfter.ms() : null) ?? outcome.afterMs) : 0;
    if (isOutage) breaker.failed(askedMs);
    else breaker.heard();
    return outcome.kind === 'later' ? later(outcome.reason, askedMs) : outcome;
  }

  async function sendTogether(
    hints: readonly PhoneHint[],
    stops: readonly AbortSignal[],
  ): Promise<readonly HintOutcome[]> {
    const patience = createPatience(clock, stops);
    try {
      return await Promise.all(hints.map((hint) => sendOne(hint, patience)));
    } finally {
      patience.end();
    }
  }

  async function sendBatch(
    hints: readonly PhoneHint[],
    stops: readonly AbortSignal[],
  ): Promise<readonly HintOutcome[]> {
    if (stops.some(({ aborted }) => aborted)) return hints.map(() => stopped);
    const way = breaker.enter();
    if (way === 'free') return sendTogether(hints, stops);
    if (way !== 'probe') return hints.map(() => later('breaker', way.afterMs));
    const probed = await sendTogether(hints.slice(0, 1), stops);
    return hints.length === 1 ? probed : [...probed, ...(await sendBatch(hints.slice(1), stops))];
  }

  return {
    async send(hints, signal) {
      const stops = signal === undefined ? [closing.signal] : [closing.signal, signal];
      const outcomes: HintOutcome[] = [];
      for (let at = 0; at < hints.length; at += MAX_BATCH)
        outcomes.push(...(await sendBatch(hints.slice(at, at + MAX_BATCH), stops)));
      return outcomes;
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      retryAfter.close();
      await deleteApp(app);
      agent.destroy();
    },
  };
}

/** What a wait ends with that somebody stopped. */
const STOPPED = new Error('stopped');

/** How long some hints are waited for together. */
interface Patience {
  /** Rejects when it is over, or with STOPPED. */
  readonly over: Promise<never>;
  end(): void;
}

function createPatience(clock: Clock, stops: readonly AbortSignal[]): Patience {
  const ended = new AbortController();
  const stop = (): void => ended.abort(STOPPED);
  // Not AbortSignal.any, which on Node 20 keeps every signal it ever joined.
  for (const signal of stops) signal.addEventListener('abort', stop, { once: true });
  const over = clock.wait(PATIENCE_MS, ended.signal).then(() => {
    throw Object.assign(new Error(`no answer within ${PATIENCE_MS} ms`), { code: 'app/network-timeout' });
  });
  over.catch(() => undefined);
  return {
    over,
    end() {
      for (const signal of stops) signal.removeEventListener('abort', stop);
      ended.abort(STOPPED);
    },
  };
}
