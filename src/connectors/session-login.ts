import { z } from 'zod';
import { durationMs, LONGEST_DURATION_MS, parseDuration, type Duration } from './duration.js';
import type { HttpLimits } from './http-client.js';
import { memberAt, type RestAnswer } from './rest-answer.js';
import { address, misfitsOf, words } from './sign-in-check.js';
import { isToken, openDesk, SignInFault, type Grant, type SessionAnswer, type SignIn } from './sign-in.js';

/** The request that opens a session: a POST of one body. */
export interface LoginRequest {
  readonly url: string;
  /** Sent as JSON. */
  readonly json?: Readonly<Record<string, unknown>>;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses of a login that went well. Default: 200, 201 and 204; add 302 where a form leads on to a page, which is not followed. */
  readonly statuses?: readonly number[];
}

export interface SessionLoginOptions {
  readonly login: LoginRequest;
  /**
   * Where the login's answer has the session: `cookie` all cookies that it sets, which are sent back as cookies; a member of its
   * JSON, like `data.token`; or a header.
   */
  readonly token: 'cookie' | { readonly member: string } | { readonly header: string };
  /**
   * How a token from a member or a header goes with each call. Default: `bearer`, as `Authorization: Bearer …`. `prefix` stands
   * before it in a header of the source's own.
   */
  readonly send?: 'bearer' | { readonly header: string; readonly prefix?: string } | { readonly cookie: string };
  /** A session is over after this long: a new one is opened before. Default: when the source says so. */
  readonly expiresAfter?: Duration;
  /** Statuses besides 401 by which the source says that the session is over, and has done nothing, like 403. */
  readonly expiredOn?: readonly number[];
  /**
   * Other answers that say the same, like a redirect to the login page. For a write, too, it must mean that nothing was done: the
   * call is made again.
   */
  readonly isExpired?: (answer: SessionAnswer) => boolean;
}

export interface SessionLogin {
  readonly kind: 'sessionLogin';
  readonly options: SessionLoginOptions;
}

/** Calls go in a session that is opened when it is first needed, shared by all calls of the source, and opened anew when it is over. */
export function sessionLogin(options: SessionLoginOptions): SessionLogin {
  return { kind: 'sessionLogin', options };
}

const name = z.string('expected a name').regex(/^[\w!#$%&'*+.^`|~-]+$/, 'expected the name of a header or a cookie');
const texts = z.record(z.string(), z.string('expected a text'));
const statuses = (from: number, to: number): z.ZodType<readonly number[]> => {
  const one = z.int(`expected a status from ${from} to ${to}`);
  return z
    .array(one.min(from, `expected a status from ${from} to ${to}`).max(to, `expected a status from ${from} to ${to}`))
    .min(1);
};

const OPTIONS = z.strictObject({
  login: z
    .strictObject({
      url: address('https://erp.example.com/login'),
      json: z.record(z.string(), z.unknown()).optional(),
      form: texts.optional(),
      headers: texts.optional(),
      statuses: statuses(200, 399).optional(),
    })
    .refine(({ json, form }) => (json === undefined) !== (form === undefined), 'expected json or form, one of the two'),
  token: z.union(
    [z.literal('cookie'), z.strictObject({ member: words }), z.strictObject({ header: name })],
    'expected "cookie", { member } or { header }',
  ),
  send: z
    .union(
      [
        z.literal('bearer'),
        z.strictObject({ header: name, prefix: z.string().optional() }),
        z.strictObject({ cookie: name }),
      ],
      'expected "bearer", { header, prefix } or { cookie }',
    )
    .optional(),
  expiresAfter: z
    .string()
    .refine((text) => {
      const ms = parseDuration(text);
      return ms !== null && ms >= 1 && ms <= LONGEST_DURATION_MS;
    }, 'expected a duration from "1ms" to "24d", like "30m"')
    .optional(),
  expiredOn: statuses(400, 499).optional(),
  isExpired: z.custom((value) => typeof value === 'function', 'expected a function').optional(),
});

/** What is wrong with the options, each as ".key: expected …, got …". */
export function misfitsOfSessionLogin({ options }: SessionLogin): readonly string[] {
  const misfits = misfitsOf(OPTIONS, options);
  if (misfits.length > 0 || options.token !== 'cookie' || options.send === undefined) return misfits;
  return ['.send: expected nothing beside token: "cookie", which goes back as it came, got a way to send it'];
}

/** What must not be told: every text of the login's body and headers, as it is and as a form has it. */
export function secretsOfSessionLogin({ options }: SessionLogin): readonly string[] {
  const { json, form, headers } = options.login;
  return [...textsIn(json), ...textsIn(form), ...textsIn(headers)].flatMap((text) => [text, encodeURIComponent(text)]);
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** Opens nothing before it is asked. */
export function openSessionLogin({ options }: SessionLogin, limits: HttpLimits, nowMs: () => number): SignIn {
  const { login, expiresAfter, expiredOn, isExpired } = options;
  const desk = openDesk(login.url, limits, nowMs);
  const isForm = login.form !== undefined;
  const headers = {
    accept: 'application/json',
    'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
    ...login.headers,
  };
  const body = isForm ? new URLSearchParams({ ...login.form }).toString() : JSON.stringify(login.json);
  const lifeMs = expiresAfter === undefined ? null : durationMs(expiresAfter);
  return {
    endpoint: desk.shown,
    async ask(signal) {
      const answer = await desk.post(headers, body, login.statuses ?? [200, 201, 204], signal);
      return { ...grantOf(answer, options), lifeMs };
    },
    overOn: [401, ...(expiredOn ?? [])],
    isOver: isExpired ?? (() => false),
    close: () => desk.close(),
  };
}

function grantOf(answer: RestAnswer, { token, send = 'bearer' }: SessionLoginOptions): Omit<Grant, 'lifeMs'> {
  // The login page once more, with the cookie that every visitor gets: the credentials were not taken.
  if (answer.head.status < 300 && /html/i.test(answer.head.headers.get('content-type') ?? '')) {
    throw new SignInFault('expected a session, got a page', { isLasting: true });
  }
  if (token === 'cookie') {
    const cookies = cookiesOf(answer);
    if (cookies.length === 0) throw new SignInFault('expected a cookie in its answer, got none');
    return { headers: { cookie: cookies.join('; ') }, secrets: cookies.flatMap((one) => [one, valueOf(one)]) };
  }
  const value =
    'member' in token ? memberOf(answer, token.member) : answer.head.headers.get(token.header.toLowerCase());
  if (!isToken(value)) {
    const where = 'member' in token ? token.member : `the header ${token.header}`;
    throw new SignInFault(`expected the session at ${where} of its answer, got none that a header can carry`);
  }
  return { headers: headersOf(value, send), secrets: [value] };
}

function headersOf(value: string, send: NonNullable<SessionLoginOptions['send']>): Readonly<Record<string, string>> {
  if (send === 'bearer') return { authorization: `Bearer ${value}` };
  if ('cookie' in send) return { cookie: `${send.cookie}=${value}` };
  return { [send.header.toLowerCase()]: `${send.prefix ?? ''}${value}` };
}

function memberOf({ body, misfit }: RestAnswer, member: string): unknown {
  if (misfit !== null) throw new SignInFault(misfit);
  const value = memberAt(body, member);
  return typeof value === 'number' ? String(value) : value;
}

/** Names and values; a cookie that the answer takes back is none. Path and domain do not matter: they go to this source alone. */
export function cookiesOf({ head }: Pick<RestAnswer, 'head'>): readonly string[] {
  const set = (head.headers.get('set-cookie') ?? '').split('\n').flatMap((line) => {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const isTakenBack =
      attributes.some((one) => /^(max-age\s*=\s*(0|-\d+)|expires\s*=.*\b1970\b.*)$/i.test(one)) || valueOf(pair) === '';
    return pair.indexOf('=') < 1 || isTakenBack || !isToken(pair) ? [] : [pair];
  });
  return [...new Map(set.map((pair) => [pair.slice(0, pair.indexOf('=')), pair])).values()];
}

function valueOf(cookie: string): string {
  return cookie.slice(cookie.indexOf('=') + 1);
}
