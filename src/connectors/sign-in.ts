import { openHttp, readAll, retryAfterMs, type HttpClient, type HttpLimits } from './http-client.js';
import { parseBody, saidIn, type RestAnswer } from './rest-answer.js';

/** What a sign-in brought. */
export interface Grant {
  /** Go with every call, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** What of it must not be told. */
  readonly secrets: readonly string[];
  /** How long it is good for, ms; null: until the source refuses it. */
  readonly lifeMs: number | null;
}

/** A source's answer, as far as it may say that a session is over. */
export interface SessionAnswer {
  /** HTTP status. */
  readonly status: number;
  /** Parsed JSON, or a SOAP fault's detail (without a fault: the answer) as nested texts; null: none, or a page. */
  readonly body: unknown;
  /** What the source says about it, as far as one can tell. */
  readonly message: string;
  /** The code of a SOAP fault without its prefix; null: it is none. */
  readonly code: string | null;
  /** By lower-case name, like `location` or `content-type`. */
  readonly headers: ReadonlyMap<string, string>;
}

/** One way to sign in. */
export interface SignIn {
  /** Where, without what may be a password: for messages. */
  readonly endpoint: string;
  /** Asks once. @throws SignInFault, or CallFault when no answer came */
  ask(signal: AbortSignal): Promise<Grant>;
  /** Statuses by which the source says that it does not know us (any more), and has done nothing. */
  readonly overOn: readonly number[];
  /** Other answers that say the same. */
  readonly isOver: (answer: SessionAnswer) => boolean;
  close(): Promise<void>;
}

/** A sign-in was answered, but not with what makes calls possible. */
export class SignInFault extends Error {
  /** Our credentials or our request are refused: asking again soon changes nothing, and may lock an account. */
  readonly isLasting: boolean;
  readonly retryAfterMs: number | null;

  constructor(message: string, options: { readonly isLasting?: boolean; readonly retryAfterMs?: number | null } = {}) {
    super(message);
    this.name = 'SignInFault';
    this.isLasting = options.isLasting ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** Answers of a sign-in are small; a larger one is none. */
const MAX_ANSWER_BYTES = 1_048_576;
/** Statuses of a refusal that is over by itself. */
const PASSING = [408, 425, 429];

/** The connection to where one signs in: that address and no other. */
export interface SignInDesk {
  /** The address without user, query and fragment. */
  readonly shown: string;
  /**
   * Sends one sign-in.
   *
   * @param statuses those of one that went well
   * @throws SignInFault - another status; CallFault - no answer came
   */
  post(
    headers: Readonly<Record<string, string>>,
    body: string,
    statuses: readonly number[],
    signal: AbortSignal,
  ): Promise<RestAnswer>;
  close(): Promise<void>;
}

/**
 * Redirects are not followed: credentials go where the configuration says, and nowhere else.
 *
 * @param address checked at start
 */
export function openDesk(address: string, limits: HttpLimits, nowMs: () => number): SignInDesk {
  const url = new URL(address);
  const bounded = { ...limits, connections: 1, maxAnswerBytes: Math.min(limits.maxAnswerBytes, MAX_ANSWER_BYTES) };
  // What comes from here says nothing about the source.
  const http: HttpClient = openHttp(url.origin, bounded, () => undefined);
  return {
    shown: shownAddress(address),
    async post(headers, body, statuses, signal) {
      const request = { method: 'POST', path: `${url.pathname}${url.search}`, headers, body } as const;
      const answer = await http.exchange(request, signal, async (head, chunks) => ({
        head,
        ...parseBody(head, await readAll(chunks)),
        retryAfterMs: retryAfterMs(head, nowMs()),
      }));
      const { status } = answer.head;
      if (statuses.includes(status)) return answer;
      if (status < 400) throw new SignInFault(`expected status ${statuses.join(' or ')}, got ${status}`);
      throw new SignInFault(`${saidIn(answer)}${errorCodeOf(answer)}`, {
        isLasting: status < 500 && !PASSING.includes(status),
        retryAfterMs: answer.retryAfterMs,
      });
    },
    close: () => http.close(),
  };
}

/** Without what may be a password; an address that is none is not shown at all. */
export function shownAddress(address: string): string {
  if (!URL.canParse(address)) return 'a text that is no address';
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}`;
}

/** OAuth's own word for what is wrong, beside the text for people. */
function errorCodeOf({ body }: RestAnswer): string {
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { readonly error?: unknown };
  return typeof error === 'string' && /^[\w-]{1,60}$/.test(error) ? ` (${error})` : '';
}

/** Characters; a longer one would not pass as a header. */
const LONGEST_TOKEN = 16_384;

/** Can a header carry it, whole and as it is? */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && text.length <= LONGEST_TOKEN && /^[!-~]([ -~]*[!-~])?$/.test(text);
}
