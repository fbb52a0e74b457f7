import type { ChangeError } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import type { PulledChange } from './gateway.js';

/** What became of a pushed change: its result, or later its receipt. */
export interface ToldFate {
  readonly changeId: string;
  readonly status: PushStatus;
  readonly error: ChangeError | null;
  /** The record as it now stands; null when this device may not see it. */
  readonly change: PulledChange | null;
}

/** One answer of pull. */
export interface ToldPage {
  readonly changes: readonly PulledChange[];
  readonly receipts: readonly ToldFate[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
  readonly epoch: string;
}

const FATE = `changeId status error { code message field retryable }
  change { collection id version kind pending json unavailable { code } }`;

/** The operations that the glue for other libraries sends, word for word: for a gateway that executes listed documents only. */
export const GLUE_DOCUMENTS = {
  pull: `query Pull($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending json unavailable { code } }
    receipts { ${FATE} }
    checkpoint hasMore reset epoch
  }
}`,
  push: `mutation Push($changes: [ChangeInput!]!, $sentAt: DateTime) {
  push(changes: $changes, sentAt: $sentAt) { results { ${FATE} } epoch }
}`,
  hints: `subscription Hints($collections: [String!]) { hints(collections: $collections) { at } }`,
  fields: `query Fields { collections { name fields { name type list writable } } }`,
} as const;

const TIMEOUT_MS = 30_000;

/** Where a gateway is, and who asks. */
export interface GatewayAddress {
  /** Its GraphQL endpoint, like https://sync.example.com/graphql. */
  readonly url: string;
  /** Names this installation of the app: made once, kept with its data. */
  readonly device: string;
  /** Sent with each request; asked each time, so that a renewed token is taken at once. */
  readonly headers?: Headers | (() => Headers | Promise<Headers>);
  /** The platform's by default. */
  readonly fetch?: typeof fetch;
  /** After which time a request is given up, ms; it may have taken effect all the same. Absent: 30,000. */
  readonly timeoutMs?: number;
  /** This device was silent for too long: makes and keeps a new id for it (F11). Absent: the error is reported again and again. */
  readonly onEvicted?: () => string | Promise<string>;
}

type Headers = Readonly<Record<string, string>>;

/** A GraphQL answer. */
export interface GatewayAnswer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

/** Asks a gateway, and reacts to the faults of a whole request that need no app. */
export interface GatewayExchange {
  /**
   * Sends one of `GLUE_DOCUMENTS`. A checkpoint that the gateway cannot read begins anew (`reset: true`), an evicted device goes on under
   * its new id, and a push of nothing is answered here. Safe to repeat.
   *
   * @throws what fetch and JSON.parse throw: nobody answered, or something that is no gateway
   */
  ask(query: string, variables: Readonly<Record<string, unknown>>): Promise<GatewayAnswer>;
  /** Who asks, as WebSockets are told. */
  credentials(): Promise<Headers>;
}

/** A whole request failed. */
export class GatewayFault extends Error {
  override readonly name = 'GatewayFault';
  constructor(
    /** One of the protocol's error codes; `UNAVAILABLE` for an answer without one. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function openExchange(address: GatewayAddress): GatewayExchange {
  const { url, headers = {}, fetch: send = fetch, timeoutMs = TIMEOUT_MS, onEvicted } = address;
  let { device } = address;

  async function credentials(): Promise<Headers> {
    return { ...(typeof headers === 'function' ? await headers() : headers), 'tidegate-device': device };
  }

  async function post(query: string, variables: Readonly<Record<string, unknown>>): Promise<GatewayAnswer> {
    const given = new AbortController();
    // One that hangs would keep all that wait behind it.
    const timer = setTimeout(() => given.abort(new Error(`expected an answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const answer = await send(url, {
        method: 'POST',
        headers: { ...(await credentials()), 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
        signal: given.signal,
      });
      return (await answer.json()) as GatewayAnswer;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    credentials,
    async ask(query, variables) {
      if (Array.isArray(variables['changes']) && variables['changes'].length === 0)
        return { data: { push: { results: [] } } };
      const answer = await post(query, variables);
      const code = answer.errors?.[0]?.extensions?.code;
      if (code === 'BAD_CHECKPOINT') {
        const anew = await post(query, { ...variables, since: null });
        const page = (anew.data as { readonly pull?: ToldPage } | undefined)?.pull;
        return page === undefined ? anew : { data: { pull: { ...page, reset: true } } };
      }
      if (code !== 'DEVICE_EVICTED' || onEvicted === undefined) return answer;
      device = await onEvicted();
      return post(query, variables);
    },
  };
}

/** @throws GatewayFault - the answer has an error */
export function dataOf<Data>(answer: GatewayAnswer): Data {
  const [error] = answer.errors ?? [];
  if (error !== undefined) throw new GatewayFault(error.extensions?.code ?? 'UNAVAILABLE', error.message);
  return answer.data as Data;
}

/** Did this change come to its end without being applied? */
export function isRefused({ status }: Pick<ToldFate, 'status'>): boolean {
  return status === 'REJECTED' || status === 'CONFLICT';
}

/** Equal as JSON values, whatever the order of their keys; absent is null. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => sameValue(one?.[name], other?.[name]));
}
