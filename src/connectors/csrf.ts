import { z } from 'zod';
import { orAbort } from './abortable.js';
import { CallFault } from './fault.js';
import type { HttpHead } from './http-client.js';
import type { Secrets } from './secrets.js';
import { misfitsOf } from './sign-in-check.js';
import { isToken } from './sign-in.js';

/** Where a source gives the token without which it takes no write. */
export interface CsrfOptions {
  /** What is read for it, behind the source's address. Default: that address itself. */
  readonly path?: string;
}

/** A token, and the cookies of the session that it belongs to. */
export interface CsrfToken {
  readonly token: string;
  /** Each as `name=value`. */
  readonly cookies: readonly string[];
}

/** Keeps the token of a source for all of its writes. */
export interface CsrfKeeper {
  /**
   * Makes a write with the token; when the source says that it wants another one, such is got and the write is made once more: it was
   * not done (R11).
   *
   * @param make may be called twice
   * @param isRefused does this answer say that the token was not taken?
   * @throws CallFault notSent - there is no token to be had, or a new one is refused as well; and what `make` throws
   */
  send<Answer>(
    make: (token: CsrfToken) => Promise<Answer>,
    isRefused: (answer: Answer) => boolean,
    signal: AbortSignal,
  ): Promise<Answer>;
}

const TOKEN_HEADER = 'x-csrf-token';
/** What a read says that wants a token. */
export const FETCH_TOKEN = { [TOKEN_HEADER]: 'Fetch' } as const;

/** `csrf` of a kit as the path that is read; null: the source wants no token. */
export function csrfPathOf(csrf: true | CsrfOptions | undefined): string | null {
  return csrf === undefined ? null : csrf === true ? '/' : (csrf.path ?? '/');
}

const OPTIONS = z.union(
  [
    z.literal(true),
    z.strictObject({ path: z.string().startsWith('/', 'expected a path that begins with "/"').optional() }),
  ],
  'expected true or { path }, a path that begins with "/"',
);

/** What is wrong with `csrf` of a kit, as ".csrf: expected …, got …". */
export function misfitsOfCsrf(csrf: unknown): readonly string[] {
  return misfitsOf(OPTIONS.optional(), csrf).map((misfit) => `.csrf${misfit}`);
}

/** Does the answer to a write say that its token is missing, wrong or over? SAP Gateway says so by 403 and this header. */
export function asksForToken({ status, headers }: HttpHead): boolean {
  return status === 403 && /^required$/i.test(headers.get(TOKEN_HEADER)?.trim() ?? '');
}

/** The headers of a write: the session's cookies win over others of the same name. */
export function withToken(
  headers: Readonly<Record<string, string>>,
  { token, cookies }: CsrfToken,
): Readonly<Record<string, string>> {
  const all = [...(headers['cookie']?.split(/;\s*/) ?? []), ...cookies];
  const byName = new Map(all.map((pair) => [pair.slice(0, pair.indexOf('=')), pair]));
  return {
    ...headers,
    [TOKEN_HEADER]: token,
    ...(byName.size === 0 ? {} : { cookie: [...byName.values()].join('; ') }),
  };
}

/**
 * @param turn waits for another turn of the source's limit
 * @param read reads the path that gives tokens, and says with which head and cookies
 */
export function createCsrfKeeper(
  path: string,
  secrets: Secrets,
  turn: (signal: AbortSignal) => Promise<void>,
  read: (signal: AbortSignal) => Promise<{ readonly head: HttpHead; readonly cookies: readonly string[] }>,
): CsrfKeeper {
  let held: CsrfToken | null = null;
  let asking: Promise<CsrfToken> | null = null;

  async function askOnce(signal: AbortSignal): Promise<CsrfToken> {
    let answer: Awaited<ReturnType<typeof read>>;
    try {
      await turn(signal);
      answer = await read(signal);
    } catch (thrown) {
      throw notSent(thrown instanceof CallFault ? thrown.message : 'no answer in time', thrown);
    }
    const { head, cookies } = answer;
    const token = head.headers.get(TOKEN_HEADER);
    if (head.status >= 400) throw notSent(`it says ${head.status}`);
    if (!isToken(token) || /^(required|fetch)$/i.test(token))
      throw notSent(`expected the header ${TOKEN_HEADER} in its answer, got none that can be sent`);
    secrets.add([token, ...cookies]);
    held = { token, cookies };
    return held;
  }

  /** One at a time, whoever waits for it. */
  function ask(signal: AbortSignal): Promise<CsrfToken> {
    asking ??= askOnce(signal).finally(() => (asking = null));
    return orAbort(asking, signal, () => notSent('no answer yet'));
  }

  /** The write that waits for the token was not made. */
  function notSent(what: string, cause?: unknown): CallFault {
    const fault = cause instanceof CallFault ? cause : null;
    return new CallFault('notSent', `no CSRF token by GET ${path}: ${what}`, {
      cause,
      retryAfterMs: fault?.retryAfterMs ?? null,
      sourceIsSick: fault?.sourceIsSick ?? false,
    });
  }

  return {
    async send(make, isRefused, signal) {
      const token = held ?? (await ask(signal));
      const answer = await make(token);
      if (!isRefused(answer)) return answer;
      // Another write may have got a new one meanwhile.
      if (held === token) held = null;
      const next = held ?? (await ask(signal));
      await turn(signal);
      const second = await make(next);
      if (isRefused(second))
        throw new CallFault('notSent', 'it refuses our CSRF token, and a new one too', { sourceIsSick: false });
      return second;
    },
  };
}
