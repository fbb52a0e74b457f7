import { CHECK_DOCUMENT, PULL_DOCUMENT, PUSH_DOCUMENT } from './documents.js';
import { requestReaction } from './error-reactions.js';
import { GatewayFault, type CheckAnswer, type Fate, type FaultCode, type Gateway, type PulledPage } from './gateway.js';
import type { ClientClock } from './client-clock.js';

/** As much of `fetch` as is needed, so that any of its implementations fits. */
export type Fetch = (
  url: string,
  request: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly signal: AbortSignal;
  },
) => Promise<{ readonly status: number; json(): Promise<unknown> }>;

/** Headers of a request, like `authorization`; asked for anew each time. */
export type Headers = () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

export interface HttpGatewayOptions {
  /** Of `/graphql`. */
  readonly url: string;
  readonly headers: Headers;
  /** Called once when the gateway says UNAUTHENTICATED; then the request is made again. Absent: it fails. */
  readonly signIn?: (() => Promise<void>) | undefined;
  readonly fetch: Fetch;
  readonly clock: ClientClock;
  /** After which time a request is given up, ms; it may have taken effect all the same. */
  readonly timeoutMs: number;
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly {
    readonly message?: string;
    readonly extensions?: { readonly code?: string; readonly retryAfterMs?: number };
  }[];
}

/** A gateway behind HTTP. */
export function createHttpGateway(options: HttpGatewayOptions): Gateway {
  const { url, headers, signIn, fetch, clock, timeoutMs } = options;

  async function ask<T>(device: string, query: string, variables: object): Promise<T> {
    try {
      return await request<T>(device, query, variables);
    } catch (thrown) {
      if (signIn === undefined || requestReaction((thrown as GatewayFault).code) !== 'signIn') throw thrown;
      await signIn();
      return request<T>(device, query, variables);
    }
  }

  async function request<T>(device: string, query: string, variables: object): Promise<T> {
    const given = new AbortController();
    const answered = new AbortController();
    clock.wait(timeoutMs, answered.signal).then(
      () => given.abort(),
      () => undefined,
    );
    try {
      const own = { 'content-type': 'application/json', 'tidegate-device': device };
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...(await headers()), ...own },
        body: JSON.stringify({ query, variables }),
        signal: given.signal,
      });
      const { status } = response;
      // What stands before the gateway says it in its own words, but with the same number.
      const answer = (await response.json().catch((thrown: unknown) => {
        throw BY_STATUS[status] === undefined ? thrown : unread(status);
      })) as Answer | null;
      return read<T>(status, answer);
    } catch (thrown) {
      throw GatewayFault.from(thrown, 'UNREACHABLE');
    } finally {
      answered.abort();
    }
  }

  return {
    pull: async ({ device, ...variables }) =>
      (await ask<{ readonly pull: PulledPage }>(device, PULL_DOCUMENT, variables)).pull,
    push: async (device, changes, sentAt, epoch) => {
      const { push } = await ask<{ readonly push: { readonly results: readonly Fate[] } }>(device, PUSH_DOCUMENT, {
        changes,
        sentAt,
        epoch,
      });
      return push.results;
    },
    check: async ({ device, ...variables }) =>
      (await ask<{ readonly check: CheckAnswer }>(device, CHECK_DOCUMENT, variables)).check,
  };
}

/** Less at once gets past a proxy that takes no bodies of this size, and new credentials past one that signs in. */
const BY_STATUS: Readonly<Record<number, FaultCode>> = { 401: 'UNAUTHENTICATED', 413: 'PAYLOAD_TOO_LARGE' };

function unread(status: number): GatewayFault {
  return new GatewayFault(BY_STATUS[status] ?? 'UNREACHABLE', `expected an answer of GraphQL, got HTTP ${status}`);
}

function read<T>(status: number, answer: Answer | null): T {
  const error = answer?.errors?.[0];
  if (error !== undefined) {
    const { code = 'INTERNAL', retryAfterMs } = error.extensions ?? {};
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    throw new GatewayFault(code as FaultCode, error.message ?? code, wait);
  }
  if (answer?.data) return answer.data as T;
  // A proxy's page, or a portal's of some hotel: nobody of ours has said anything.
  throw unread(status);
}
