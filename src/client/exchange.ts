import type { ClientClock } from './client-clock.js';
import { requestReaction } from './error-reactions.js';
import { GatewayFault, type FaultCode } from './gateway.js';

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

export interface ExchangeOptions {
  /** Of `/graphql`. */
  readonly url: string;
  readonly headers: Headers;
  /** Called once when the gateway says UNAUTHENTICATED; then the request is made again. Absent: it fails. */
  readonly signIn?: (() => Promise<void>) | undefined;
  readonly fetch: Fetch;
  readonly clock: Pick<ClientClock, 'wait'>;
  /** After which time a request is given up, ms; it may have taken effect all the same. */
  readonly timeoutMs: number;
}

/**
 * One request and the `data` of its answer. Of every client here, so that each meets a gateway's faults, a proxy's and a hotel's alike.
 *
 * @throws GatewayFault - also where nobody answered
 */
export type Exchange = <Data>(device: string, query: string, variables: object) => Promise<Data>;

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly {
    readonly message?: string;
    readonly extensions?: { readonly code?: string; readonly retryAfterMs?: number };
  }[];
}

/** Requests of a gateway over HTTP. */
export function createExchange(options: ExchangeOptions): Exchange {
  const { url, headers, signIn, fetch, clock, timeoutMs } = options;

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

  return async (device, query, variables) => {
    try {
      return await request(device, query, variables);
    } catch (thrown) {
      if (signIn === undefined || requestReaction((thrown as GatewayFault).code) !== 'signIn') throw thrown;
      await signIn();
      return request(device, query, variables);
    }
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
