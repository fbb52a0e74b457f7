import type { SourceKey } from '../core/change.js';
import type { Clock, Log } from '../core/ports.js';
import { durationMs } from './duration.js';
import { readKey, type KeyForms } from './key-form.js';
import { createProofCheck, proofHeadersOf, type WebhookHeaders } from './webhook-proof.js';
import type { WebhookFacts, WebhookName } from './webhook.js';

const WINDOW_MS = 500;
const PER_SECOND = 20;
/** Names of one webhook that are looked at; more are all collections of the source. */
const MOST_NAMES = 1_000;

/** What a webhook asks for: records of a collection, or (null) a poll of it. */
export interface WebhookAsk {
  readonly collection: string;
  readonly keys: readonly SourceKey[] | null;
}

/** What a webhook came to. `named` nothing: it is of no interest. */
export type WebhookVerdict =
  { readonly kind: 'forged' | 'stale' | 'repeated' } | { readonly kind: 'good'; readonly named: readonly WebhookAsk[] };

/** Judges the webhooks of one source. */
export interface WebhookReader {
  /** What is joined, ms. */
  readonly windowMs: number;
  readonly perSecond: number;
  /**
   * Never throws. What of the body is read says which collection and which record is to be looked at, and nothing else.
   *
   * @param body as it came, byte for byte
   */
  read(headers: WebhookHeaders, body: Buffer): WebhookVerdict;
}

/** @param collections all of the source */
export function createWebhookReader(
  source: string,
  facts: WebhookFacts,
  collections: readonly string[],
  keyForms: KeyForms,
  { clock, log }: { readonly clock: Pick<Clock, 'nowMs'>; readonly log: Log },
): WebhookReader {
  const { names } = facts;
  const check = createProofCheck(facts.proof, () => clock.nowMs());
  const secretHeaders = proofHeadersOf(facts.proof);
  const polls = (of: readonly string[]): readonly WebhookAsk[] => of.map((collection) => ({ collection, keys: null }));

  /** @throws what the connector's function throws, or an Error that says what it gave */
  function namesIn(headers: WebhookHeaders, body: Buffer, read: NamesFunction): readonly WebhookAsk[] {
    const shown = Object.fromEntries(Object.entries(headers).filter(([name]) => !secretHeaders.includes(name)));
    const given: unknown = read({ body: contentOf(headers['content-type'] ?? '', body), headers: shown });
    const list = Array.isArray(given) ? (given as readonly unknown[]) : given === undefined ? [] : [given];
    if (list.length > MOST_NAMES) throw new Error(`expected at most ${MOST_NAMES} names, got ${list.length}`);
    const asks = new Map<string, Set<SourceKey> | null>();
    for (const one of list) {
      const { collection, key } = isName(one) ? one : { collection: undefined };
      if (collection === undefined || !collections.includes(collection))
        throw new Error(`expected names of ${collections.join(', ')}, got ${described(one)}`);
      const sourceKey = key === undefined ? null : readKey(key, keyForms.get(collection));
      const before = asks.get(collection);
      if (sourceKey === null || before === null) asks.set(collection, null);
      else asks.set(collection, (before ?? new Set()).add(sourceKey));
    }
    return [...asks].map(([collection, keys]) => ({ collection, keys: keys === null ? null : [...keys] }));
  }

  function named(headers: WebhookHeaders, body: Buffer): readonly WebhookAsk[] {
    if (typeof names !== 'function') return polls(namedOf(facts, collections));
    try {
      return namesIn(headers, body, names);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message.slice(0, 200) : 'it threw something else than an Error';
      log.warn('webhook: what it names is not understood, all collections are polled', { source, why });
      return polls(collections);
    }
  }

  return {
    windowMs: facts.debounce === undefined ? WINDOW_MS : durationMs(facts.debounce),
    perSecond: facts.perSecond ?? PER_SECOND,
    read(headers, body) {
      const kind = check(headers, body);
      return kind === 'good' ? { kind, named: named(headers, body) } : { kind };
    },
  };
}

/** The collections that webhooks of a source may name. */
export function namedOf({ names }: WebhookFacts, collections: readonly string[]): readonly string[] {
  if (typeof names === 'string') return [names];
  return Array.isArray(names) ? (names as readonly string[]) : collections;
}

type NamesFunction = Extract<WebhookFacts['names'], (...given: never[]) => unknown>;

function isName(value: unknown): value is WebhookName {
  return typeof value === 'object' && value !== null && 'collection' in value && typeof value.collection === 'string';
}

function described(value: unknown): string {
  return isName(value) ? JSON.stringify(value.collection.slice(0, 60)) : `a ${typeof value}`;
}

function contentOf(type: string, body: Buffer): unknown {
  const text = body.toString('utf8');
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
