import { hash } from 'node:crypto';
import { isUndone, type ClassifySettings, type Meaning } from './answer-meaning.js';
import type { Credentials } from './credentials.js';
import { asksForToken, createCsrfKeeper, FETCH_TOKEN, withToken, type CsrfToken } from './csrf.js';
import { isRead, type CallPurpose } from './fault.js';
import { readAll, retryAfterMs, type openHttp } from './http-client.js';
import { parseBody, type RestAnswer } from './rest-answer.js';
import type { RestBase } from './rest-request.js';
import { cookiesOf } from './session-login.js';
import type { SessionAnswer } from './sign-in.js';
import type { OpenContext, SourceDeps } from './transport.js';

/** One request with our credentials, and its answer with the body parsed as JSON. @throws CallFault */
export type JsonExchange = (
  purpose: CallPurpose,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | null,
  signal: AbortSignal,
) => Promise<RestAnswer>;

/** What kits that speak JSON have in common. */
export interface JsonSettings extends ClassifySettings, Pick<OpenContext, 'headers' | 'heard' | 'secrets' | 'turn'> {
  readonly credentials: Credentials;
  /** What is read for the token without which the source takes no write; null: it wants none. */
  readonly csrfPath: string | null;
}

/** What such a kit has of its own. */
export interface JsonKit<Settings> {
  /** Sent with a request of this body; credentials and the call's own headers win over them. */
  readonly headersOf: (body: string | null) => Readonly<Record<string, string>>;
  readonly classify: (answer: RestAnswer, purpose: CallPurpose, settings: Settings) => Meaning;
  /** An answer as one that may say that a session is over. */
  readonly seen: (answer: RestAnswer) => SessionAnswer;
}

/**
 * How these kits ask: a session that is over is renewed and the call made once more, where its answer says that nothing was done, and
 * so is a token for writes.
 */
export function createJsonExchange<Settings extends JsonSettings>(
  http: ReturnType<typeof openHttp>,
  { prefix }: RestBase,
  settings: Settings,
  deps: Pick<SourceDeps, 'clock'>,
  { headersOf, classify, seen }: JsonKit<Settings>,
): JsonExchange {
  const { csrfPath, secrets, turn } = settings;
  const csrf =
    csrfPath === null
      ? null
      : createCsrfKeeper(csrfPath, secrets, turn, async (signal) => {
          const answer = await once('one', 'GET', `${prefix}${csrfPath}`, FETCH_TOKEN, null, signal, null);
          return { head: answer.head, cookies: cookiesOf(answer) };
        });

  /** A write that was refused for want of a token was refused for nothing else. */
  function wantsToken(answer: RestAnswer, purpose: CallPurpose): boolean {
    return csrf !== null && asksForToken(answer.head) && isUndone(classify(answer, purpose, settings));
  }

  function once(
    purpose: CallPurpose,
    method: Parameters<JsonExchange>[1],
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | null,
    signal: AbortSignal,
    token: CsrfToken | null,
  ): Promise<RestAnswer> {
    const own = headersOf(body);
    return settings.credentials.send(
      (credentials) => {
        const all = { ...own, ...credentials, ...headers };
        return http.exchange(
          { method, path, headers: token === null ? all : withToken(all, token), body },
          signal,
          async (head, chunks) => {
            const bytes = await readAll(chunks);
            return {
              head,
              ...parseBody(head, bytes),
              retryAfterMs: retryAfterMs(head, deps.clock.nowMs()),
              ...(purpose === 'list' ? { digest: hash('sha256', bytes, 'base64') } : {}),
            };
          },
        );
      },
      {
        seen,
        isUndone: (answer) => !wantsToken(answer, purpose) && isUndone(classify(answer, purpose, settings)),
      },
      signal,
    );
  }

  return (purpose, method, path, headers, body, signal) => {
    if (csrf === null || isRead(purpose)) return once(purpose, method, path, headers, body, signal, null);
    return csrf.send(
      (token) => once(purpose, method, path, headers, body, signal, token),
      (answer) => wantsToken(answer, purpose),
      signal,
    );
  };
}
