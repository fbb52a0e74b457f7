import { isUndone, type ClassifySettings, type Meaning } from './answer-meaning.js';
import type { Credentials } from './credentials.js';
import type { CallPurpose } from './fault.js';
import { readAll, retryAfterMs, type openHttp } from './http-client.js';
import { parseBody, type RestAnswer } from './rest-answer.js';
import type { SessionAnswer } from './sign-in.js';
import type { SourceDeps } from './transport.js';

/** One request with our credentials, and its answer with the body parsed as JSON. @throws CallFault */
export type JsonExchange = (
  purpose: CallPurpose,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | null,
  signal: AbortSignal,
) => Promise<RestAnswer>;

/** What a kit that speaks JSON has of its own. */
export interface JsonKit<Settings> {
  /** Sent with a request of this body; credentials and the call's own headers win over them. */
  readonly headersOf: (body: string | null) => Readonly<Record<string, string>>;
  readonly classify: (answer: RestAnswer, purpose: CallPurpose, settings: Settings) => Meaning;
  /** An answer as one that may say that a session is over. */
  readonly seen: (answer: RestAnswer) => SessionAnswer;
}

/**
 * How these kits ask: a session that is over is renewed and the call made once more, where its answer says that nothing was done.
 */
export function createJsonExchange<Settings extends ClassifySettings & { readonly credentials: Credentials }>(
  http: ReturnType<typeof openHttp>,
  settings: Settings,
  deps: Pick<SourceDeps, 'clock'>,
  { headersOf, classify, seen }: JsonKit<Settings>,
): JsonExchange {
  return (purpose, method, path, headers, body, signal) => {
    const own = headersOf(body);
    return settings.credentials.send(
      (credentials) =>
        http.exchange(
          { method, path, headers: { ...own, ...credentials, ...headers }, body },
          signal,
          async (head, chunks) => ({
            head,
            ...parseBody(head, await readAll(chunks)),
            retryAfterMs: retryAfterMs(head, deps.clock.nowMs()),
          }),
        ),
      { seen, isUndone: (answer) => isUndone(classify(answer, purpose, settings)) },
      signal,
    );
  };
}
