import type { Chance, Clock, Log } from '../core/ports.js';
import type { Auth } from './auth.js';
import { CallFault } from './fault.js';
import { createGrantKeeper } from './grant-keeper.js';
import type { HttpLimits } from './http-client.js';
import { misfitsOfClientCredentials, openClientCredentials, secretsOfClientCredentials } from './oauth.js';
import { createSecrets, type Secrets } from './secrets.js';
import { misfitsOfSessionLogin, openSessionLogin, secretsOfSessionLogin } from './session-login.js';
import { kindOf } from './sign-in-check.js';
import { secretsOfUsernameToken, type UsernameToken } from './username-token.js';
import type { SessionAnswer, SignIn } from './sign-in.js';

/** Headers that show a source who we are. */
export type CredentialHeaders = Readonly<Record<string, string>>;

/** What sign-in wants to know of a kit's answers. */
export interface AnswerView<Answer> {
  seen(answer: Answer): SessionAnswer;
  /** Is it certain that nothing was done? Not if the connector's own `classify` says otherwise. */
  isUndone(answer: Answer): boolean;
}

/** How the calls of one source show who we are, the same for every kit. */
export interface Credentials {
  /**
   * Makes a call with our credentials. When its answer says that they are over, they are renewed and the call is made once
   * more, a write too: such an answer says that nothing was done (R11). What the second one says counts.
   *
   * @param make may be called twice
   * @throws CallFault notSent - there are no credentials to be had; and what `make` throws
   */
  send<Answer>(
    make: (headers: CredentialHeaders) => Promise<Answer>,
    view: AnswerView<Answer>,
    signal: AbortSignal,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** What credentials are opened with. */
export interface CredentialSettings {
  readonly source: string;
  readonly http: HttpLimits;
  /** Longest life of one call, ms. */
  readonly timeoutMs: number;
  readonly secrets: Secrets;
}

/** Opens nothing before the first call. */
export function openCredentials(
  auth: Auth | null,
  settings: CredentialSettings,
  deps: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): Credentials {
  if (auth === null) return fixed({});
  if (auth.kind === undefined) return fixed({ [auth.header]: auth.value });
  const nowMs = (): number => deps.clock.nowMs();
  return renewed(
    auth.kind === 'clientCredentials'
      ? openClientCredentials(auth, settings.http, nowMs)
      : openSessionLogin(auth, settings.http, nowMs),
    settings,
    deps,
  );
}

/** What is wrong with a kit's `auth`, each as ".auth…: expected …, got …". */
export function misfitsOfAuth(auth: Auth | undefined): readonly string[] {
  if (auth === undefined || (isObject(auth) && auth.kind === undefined && 'header' in auth)) return [];
  if (isObject(auth) && auth.kind === 'clientCredentials') return misfitsOfClientCredentials(auth).map(inAuth);
  if (isObject(auth) && auth.kind === 'sessionLogin') return misfitsOfSessionLogin(auth).map(inAuth);
  const ways = 'basic(…), bearer(…), header(…), clientCredentials(…) or sessionLogin(…)';
  return [`.auth: expected ${ways}, got ${kindOf(auth)}`];
}

/** What a source's credentials hold that must not be told; what sign-ins bring is added to it. */
export function secretsOf(auth: Auth | UsernameToken | null): Secrets {
  if (auth === null) return createSecrets([]);
  if (auth.kind === 'usernameToken') return createSecrets(secretsOfUsernameToken(auth));
  if (auth.kind === 'clientCredentials') return createSecrets(secretsOfClientCredentials(auth));
  if (auth.kind === 'sessionLogin') return createSecrets(secretsOfSessionLogin(auth));
  const bare = auth.value.replace(/^(Basic|Bearer) /, '');
  const decoded = auth.value.startsWith('Basic ') ? Buffer.from(bare, 'base64').toString('utf8') : '';
  return createSecrets([auth.value, bare, decoded, decoded.slice(decoded.indexOf(':') + 1)]);
}

function inAuth(misfit: string): string {
  return `.auth${misfit}`;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function fixed(headers: CredentialHeaders): Credentials {
  return { send: (make) => make(headers), close: () => Promise.resolve() };
}

function renewed(
  signIn: SignIn,
  settings: CredentialSettings,
  deps: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): Credentials {
  const keeper = createGrantKeeper(signIn, settings, deps);
  return {
    async send<Answer>(
      make: (headers: CredentialHeaders) => Promise<Answer>,
      view: AnswerView<Answer>,
      signal: AbortSignal,
    ) {
      const isOver = (answer: Answer): 'by status' | 'by its connector' | null => {
        const seen = view.seen(answer);
        const how = isRefusal(seen, signIn.overOn) ? 'by status' : signIn.isOver(seen) ? 'by its connector' : null;
        return how !== null && view.isUndone(answer) ? how : null;
      };
      const grant = await keeper.current(signal);
      const answer = await make(grant.headers);
      if (isOver(answer) === null) return answer;
      const next = await keeper.another(grant, signal);
      if (next === null) throw refusedAgain(view.seen(answer));
      const second = await make(next.headers);
      const how = isOver(second);
      keeper.madeAgain(how === null);
      // Where only the connector knows what it means, the standard rules would take it for something else.
      if (how === 'by its connector') throw refusedAgain(view.seen(second));
      return second;
    },
    close: () => keeper.close(),
  };
}

/** SOAP has a word of its own for it. */
function isRefusal({ status, code }: SessionAnswer, overOn: readonly number[]): boolean {
  return overOn.includes(status) || /^(Client|Sender)\.Authentication(\.|$)/.test(code ?? '');
}

function refusedAgain({ status }: SessionAnswer): CallFault {
  return new CallFault('notSent', `it refuses our credentials (${status}), and new ones too`, { sourceIsSick: false });
}
