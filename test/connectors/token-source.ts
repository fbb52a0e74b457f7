import { collection, field, type Classify } from '../../src/connectors/define.js';
import {
  clientCredentials,
  get,
  patch,
  post,
  type ClientCredentialsOptions,
  type RestOptions,
} from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWriteOutcome } from '../../src/core/source-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

export const SECRET = 'pa55:wörd of+the&clinic';
export const HOUR_MS = 3_600_000;
export const ROW = { id: 'V-1', note: 'ring twice' };
export const VISITS = collection({
  type: 'Visit',
  key: 'id',
  version: 'version',
  fields: { note: field.string() },
  read: { list: get('/visits'), one: get('/visits/{key}') },
  write: { create: post('/visits', { keyIn: 'id' }), update: patch('/visits/{key}'), guard: 'ifMatch' },
});

/** A source and, beside it at `/token`, the endpoint whose tokens it takes. */
export interface TokenSource {
  readonly clock: ManualClock;
  readonly source: ScriptedSource;
  /** What the endpoint answers to the request of this number; may be changed at any time. */
  endpoint: (number: number) => Reply;
  /** What the source answers; may be changed at any time. */
  api: (asked: Asked) => Reply;
  /** The source takes the tokens of these numbers only. */
  accepts(...numbers: readonly number[]): void;
  /** What the endpoint was asked. */
  tokensAsked(): readonly Asked[];
  /** The tokens that the source was shown. */
  shown(): readonly (string | undefined)[];
  open(more?: Partial<ClientCredentialsOptions>, options?: Partial<RestOptions>, classify?: Classify): SourceCollection;
}

export async function startTokenSource(): Promise<TokenSource> {
  const clock = createManualClock();
  const source = await startScripted(clock.nowMs(), clock);
  const tokens: TokenSource = {
    clock,
    source,
    endpoint: (number) => issued(number),
    api: well,
    accepts(...numbers) {
      const known = numbers.map((number) => `Bearer ${tokenOf(number)}`);
      tokens.api = (asked) => (known.includes(asked.headers.authorization ?? '') ? well(asked) : { status: 401 });
    },
    tokensAsked: () => source.asked.filter(({ path }) => path === '/token'),
    shown: () => source.asked.filter(({ path }) => path !== '/token').map(({ headers }) => headers.authorization),
    open(more = {}, options = {}, classify) {
      const auth = clientCredentials({
        tokenUrl: `${source.url}/token`,
        clientId: 'tide:gate',
        clientSecret: SECRET,
        ...more,
      });
      const facts = classify === undefined ? {} : { classify };
      return source.open({ visits: VISITS }, { auth, ...options }, facts)[0] as SourceCollection;
    },
  };
  source.answer = (asked) =>
    asked.path === '/token' ? tokens.endpoint(tokens.tokensAsked().length) : tokens.api(asked);
  return tokens;
}

export const tokenOf = (number: number): string => `token-number-${number}`;

/** The endpoint's answer with a token, good for an hour. */
export function issued(number: number, more: object = {}): Reply {
  return { rows: { access_token: tokenOf(number), token_type: 'bearer', expires_in: 3_600, ...more } };
}

function well({ method, path }: Asked): Reply {
  return { rows: method === 'GET' && path === '/api/visits' ? [ROW] : ROW };
}

const NEVER = new AbortController().signal;

export function readOne(visits: SourceCollection, signal = NEVER) {
  return visits.readOne('V-1' as SourceKey, signal);
}

export function write(visits: SourceCollection, kind: 'create' | 'update' = 'update'): Promise<SourceWriteOutcome> {
  const fields = { note: 'ring twice' };
  const key = { sourceKey: 'V-1' as SourceKey, idempotencyKey: 'k', guard: '1' };
  return visits.write({ kind, fields, current: kind === 'create' ? null : fields, ...key }, NEVER);
}

export function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'went well',
    (thrown: unknown) => (thrown as Error).message,
  );
}

/** An outcome, or an error with all its causes, as a log might show it. */
export function whole(what: unknown): string {
  if (!(what instanceof Error)) return JSON.stringify(what);
  return `${what.stack} ${JSON.stringify(what)} ${what.cause === undefined ? '' : whole(what.cause)}`;
}
