import { z } from 'zod';
import type { HttpLimits } from './http-client.js';
import type { RestAnswer } from './rest-answer.js';
import { address, misfitsOf, words } from './sign-in-check.js';
import { isToken, openDesk, SignInFault, type Grant, type SignIn } from './sign-in.js';

/** OAuth2 client credentials (RFC 6749, 4.4): how a system without a user signs in. */
export interface ClientCredentialsOptions {
  /** The token endpoint. */
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** What is asked for, several joined by spaces. Default: what the endpoint gives. */
  readonly scope?: string;
  /** For whom the token is, where the endpoint wants to know. */
  readonly audience?: string;
  /** How the endpoint is shown id and secret: `basic` (default) as a header, `body` as members of the form. */
  readonly send?: 'body' | 'basic';
}

export interface ClientCredentials {
  readonly kind: 'clientCredentials';
  readonly options: ClientCredentialsOptions;
}

/**
 * Calls carry an access token (`Authorization: Bearer …`) that is asked for when it is first needed, shared by all calls of the
 * source, renewed before it ends, and once more when the source refuses it.
 */
export function clientCredentials(options: ClientCredentialsOptions): ClientCredentials {
  return { kind: 'clientCredentials', options };
}

const OPTIONS = z.strictObject({
  tokenUrl: address('https://login.example.com/oauth2/token'),
  clientId: words,
  clientSecret: words,
  scope: words.optional(),
  audience: words.optional(),
  send: z.enum(['body', 'basic']).optional(),
});

/** What is wrong with the options, each as ".key: expected …, got …". */
export function misfitsOfClientCredentials({ options }: ClientCredentials): readonly string[] {
  return misfitsOf(OPTIONS, options);
}

/** What must not be told: the secret, as it is and as it is sent. */
export function secretsOfClientCredentials({ options }: ClientCredentials): readonly string[] {
  return [options.clientSecret, encoded(options.clientSecret), basicOf(options)];
}

/** Opens nothing before it is asked. */
export function openClientCredentials({ options }: ClientCredentials, limits: HttpLimits, nowMs: () => number): SignIn {
  const { clientId, clientSecret, scope, audience, send = 'basic' } = options;
  const desk = openDesk(options.tokenUrl, limits, nowMs);
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    ...(send === 'basic' ? { authorization: `Basic ${basicOf(options)}` } : {}),
  };
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
    ...(audience === undefined ? {} : { audience }),
    ...(send === 'body' ? { client_id: clientId, client_secret: clientSecret } : {}),
  }).toString();
  return {
    endpoint: desk.shown,
    ask: async (signal) => grantOf(await desk.post(headers, body, [200], signal)),
    overOn: [401],
    isOver: () => false,
    close: () => desk.close(),
  };
}

/** RFC 6749, 5.1. The type may be left out: some endpoints do, and mean Bearer. */
function grantOf({ body, misfit }: RestAnswer): Grant {
  if (misfit !== null) throw new SignInFault(misfit);
  const answer = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>;
  const { access_token: token, token_type: type = 'Bearer' } = answer;
  if (!isToken(token)) throw new SignInFault('expected access_token in its answer, got none that a header can carry');
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    throw new SignInFault('expected the token_type Bearer, got another');
  }
  const seconds = Number(answer['expires_in'] ?? NaN);
  return {
    headers: { authorization: `Bearer ${token}` },
    secrets: [token],
    lifeMs: seconds > 0 && Number.isFinite(seconds) ? seconds * 1_000 : null,
  };
}

/** Id and secret are encoded before they are joined (RFC 6749, 2.3.1): either may hold a colon. */
function basicOf({ clientId, clientSecret }: ClientCredentialsOptions): string {
  return Buffer.from(`${encoded(clientId)}:${encoded(clientSecret)}`).toString('base64');
}

/** A value as a form has it. */
function encoded(value: string): string {
  return new URLSearchParams({ v: value }).toString().slice(2);
}
