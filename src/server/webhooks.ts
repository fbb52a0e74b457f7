import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import type { WebhookAsk, WebhookReader } from '../connectors/webhook-reader.js';

/** Webhooks of one source whose bodies may be under way at once: so many megabytes. */
const MOST_AT_ONCE = 16;
/** A body takes longer than this only if somebody means it to. */
export const SLOWEST_BODY_MS = 10_000;
/** After a rest so many seconds' worth of webhooks are taken at once. */
const BURST_SECONDS = 5;
/** What a sender that came too fast waits for. */
const RETRY_AFTER_MS = 1_000;

/**
 * What became of a webhook: `accepted` asked for something, `ignored` was of no interest to its connector, `repeated` came before,
 * `stale` was signed too long ago, `forged` has no good proof, `limited` came too fast, `unread` was too large or broke off.
 */
export type WebhookOutcome = 'accepted' | 'ignored' | 'repeated' | 'stale' | 'forged' | 'limited' | 'unread';

/** One webhook that was let in; its place is taken until it is left. */
export interface WebhookVisit {
  /**
   * Judges it and asks for what it names; the answer waits for neither.
   *
   * @throws SyncError UNAUTHENTICATED - it does not say why
   */
  receive(headers: Readonly<Record<string, string>>, body: Buffer): void;
  /** Safe to repeat. */
  leave(): void;
}

/** The webhooks of all sources of this process. */
export interface Webhooks {
  /**
   * Before anything of the body is read.
   *
   * @param breakOff ends a request whose body does not come
   * @throws SyncError NOT_FOUND - no source of this name takes webhooks; RATE_LIMITED
   */
  enter(source: string, breakOff: () => void): WebhookVisit;
  /** How many there were since the start, by source and outcome. */
  counts(): readonly { readonly source: string; readonly outcome: WebhookOutcome; readonly count: number }[];
}

interface Door {
  readonly reader: WebhookReader;
  readonly counts: Map<WebhookOutcome, number>;
  tokens: number;
  filledAtMs: number;
  inside: number;
}

/** @param ask must not throw */
export function createWebhooks(
  ports: { readonly clock: Clock; readonly log: Log },
  sources: readonly { readonly name: string; readonly webhook: WebhookReader | null }[],
  ask: (asked: WebhookAsk) => void,
): Webhooks {
  const { clock, log } = ports;
  const doors = new Map(
    sources.flatMap(({ name, webhook }) =>
      webhook === null ? [] : [[name, openDoor(webhook, clock.monotonicMs())] as const],
    ),
  );

  return {
    enter(source, breakOff) {
      const door = doors.get(source);
      if (door === undefined) {
        const got = JSON.stringify(source.slice(0, 100));
        throw new SyncError('NOT_FOUND', `expected the name of a source that sends webhooks, got ${got}`);
      }
      if (!takeToken(door, clock.monotonicMs()) || door.inside >= MOST_AT_ONCE) {
        count(door, 'limited');
        throw new SyncError('RATE_LIMITED', 'webhooks: expected fewer of them at once', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      door.inside += 1;
      const left = new AbortController();
      let outcome: WebhookOutcome = 'unread';
      void clock.wait(SLOWEST_BODY_MS, left.signal).then(breakOff, () => undefined);
      return {
        receive(headers, body) {
          const verdict = door.reader.read(headers, body);
          outcome = verdict.kind !== 'good' ? verdict.kind : verdict.named.length > 0 ? 'accepted' : 'ignored';
          log.debug('webhook', { source, outcome });
          if (verdict.kind === 'good') verdict.named.forEach(ask);
          else if (verdict.kind !== 'repeated')
            throw new SyncError('UNAUTHENTICATED', 'webhook: expected the proof that its source is known by');
        },
        leave() {
          if (left.signal.aborted) return;
          left.abort(new Error('the webhook is answered'));
          door.inside -= 1;
          count(door, outcome);
        },
      };
    },
    counts: () =>
      [...doors].flatMap(([source, { counts }]) => [...counts].map(([outcome, n]) => ({ source, outcome, count: n }))),
  };
}

function openDoor(reader: WebhookReader, nowMs: number): Door {
  return { reader, counts: new Map(), tokens: mostTokens(reader), filledAtMs: nowMs, inside: 0 };
}

function mostTokens({ perSecond }: WebhookReader): number {
  return Math.max(1, perSecond * BURST_SECONDS);
}

function takeToken(door: Door, nowMs: number): boolean {
  const grown = ((nowMs - door.filledAtMs) / 1_000) * door.reader.perSecond;
  door.tokens = Math.min(mostTokens(door.reader), door.tokens + grown);
  door.filledAtMs = nowMs;
  if (door.tokens < 1) return false;
  door.tokens -= 1;
  return true;
}

function count({ counts }: Door, outcome: WebhookOutcome): void {
  counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
}
