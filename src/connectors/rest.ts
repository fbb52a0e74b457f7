import type { Auth } from './auth.js';
import { misfitsOfAuth, openCredentials } from './credentials.js';
import { batchFacts, misfitsOfBatch, type Batch } from './batch.js';
import { csrfPathOf, misfitsOfCsrf, type CsrfOptions } from './csrf.js';
import type { Paging } from './paging.js';
import { misfitOfRestAsync, restAsyncFacts, type RestAsyncFacts, type RestAsyncOptions } from './rest-async.js';
import { misfitOfRest } from './rest-misfit.js';
import { openRest } from './rest-transport.js';
import { readLimits, type LimitOptions } from './transport-limits.js';
import type { Operation, Transport } from './transport.js';

export { basic, bearer, header, type Auth } from './auth.js';
export { jsonBatch, type Batch, type BatchMembers, type BatchOptions } from './batch.js';
export type { CsrfOptions } from './csrf.js';
export type { TlsOptions } from './client-certificate.js';
export { clientCredentials, type ClientCredentialsOptions } from './oauth.js';
export type { JobStates } from './job-states.js';
export type { RestAsyncOptions } from './rest-async.js';
export { sessionLogin, type LoginRequest, type SessionLoginOptions } from './session-login.js';
export type { SessionAnswer } from './sign-in.js';

/** One REST call, as facts. */
export interface RestOperation extends Operation {
  readonly kit: 'rest';
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{key}`, or `{key.0}`, `{key.1}` … for a key of several parts; each is percent-encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string | number>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the rows of a list, or the record of an answer, are: members joined by dots; '' is the answer itself. */
  readonly rows: string;
  /** Where the answer says how many rows there are: members, or a header. */
  readonly total: string | null;
  readonly totalHeader: string | null;
  /** Where the answer says whether there is more (a truth value). */
  readonly more: string | null;
  /** The list's ETag changes with any of its records: it is sent back, and 304 stands for the same rows. */
  readonly tagged: boolean;
  /** Of a create: the member of the body that takes the device's id. */
  readonly keyIn: string | null;
  /** Where the last page has the link or the token of what comes after: a member, or a header. */
  readonly deltaIn: { readonly member: string } | { readonly header: string } | null;
  /** Of a write: 202 says that it was begun, and where its end is told. Absent: it leaves the write in doubt. */
  readonly async?: RestAsyncFacts;
}

interface CallOptions {
  readonly query?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GetOptions extends CallOptions {
  /** Where the rows (or the one record) are in the answer, like `data.items`. Default: the answer itself. */
  readonly rows?: string;
  readonly total?: string;
  readonly totalHeader?: string;
  readonly more?: string;
  /** Default: everything comes in one answer. */
  readonly paging?: Paging;
  readonly tagged?: boolean;
  /** Of a list for `read.delta`: where its last page has the link that brings what changed since, like `@odata.deltaLink`. */
  readonly deltaLink?: string;
  /** The same for a token, like `nextSyncToken`; `deltaTokenHeader` for one that comes in a header. */
  readonly deltaToken?: string;
  readonly deltaTokenHeader?: string;
}

export interface WriteOptions extends CallOptions {
  /** Where the record is in the answer. Default: the answer itself. */
  readonly rows?: string;
  /** What the answer holds: the whole record (default), its key only, or nothing of it; then it is read back. */
  readonly answers?: 'record' | 'key' | 'nothing';
  /** False: the source ignores the guard here. Default: true. */
  readonly guarded?: boolean;
  /** The source may say that it does it later (202), and tells at an address how that ended. Default: it does not. */
  readonly async?: RestAsyncOptions;
}

/**
 * Reads a list or a record; with `{reference}` in its path or its query it finds the record that a create of ours made, with fields like
 * `{patient}` those of a natural key.
 */
export function get(path: string, options: GetOptions = {}): RestOperation {
  const { paging, rows, total, totalHeader, more, tagged } = options;
  return {
    ...call('GET', path, options),
    paging: paging ?? { kind: 'whole' },
    rows: rows ?? '',
    total: total ?? null,
    totalHeader: totalHeader?.toLowerCase() ?? null,
    more: more ?? null,
    tagged: tagged ?? false,
    ...deltaOf(options),
  };
}

function deltaOf({ deltaLink, deltaToken, deltaTokenHeader }: GetOptions): Pick<RestOperation, 'delta' | 'deltaIn'> {
  if (deltaLink !== undefined) return { delta: 'link', deltaIn: { member: deltaLink } };
  if (deltaToken !== undefined) return { delta: 'token', deltaIn: { member: deltaToken } };
  if (deltaTokenHeader !== undefined) return { delta: 'token', deltaIn: { header: deltaTokenHeader.toLowerCase() } };
  return { delta: null, deltaIn: null };
}

/**
 * Creates. `keyIn` names the member of the body that takes the device's id; absent: the source gives the key. Where it updates or deletes it
 * takes the guard only if that is said (`guarded: true`).
 */
export function post(path: string, options: WriteOptions & { readonly keyIn?: string } = {}): RestOperation {
  return {
    ...writing('POST', path, options),
    keyIn: options.keyIn ?? null,
    takesKey: options.keyIn !== undefined,
    guarded: options.guarded ?? false,
  };
}

/** Updates with the changed members only. */
export function patch(path: string, options: WriteOptions = {}): RestOperation {
  return { ...writing('PATCH', path, options), sends: 'changed' };
}

/**
 * Updates with the whole record: the source's own row, read again, with the changes laid over it; or all mapped fields
 * (`sends: 'mapped'`), if every member that the source would blank is mapped.
 */
export function put(
  path: string,
  options: WriteOptions & { readonly sends?: 'merged' | 'mapped' } = {},
): RestOperation {
  return { ...writing('PUT', path, options), sends: options.sends ?? 'merged' };
}

/** Deletes. 404 and 410 count as done once a read finds the record gone. */
export function del(path: string, options: Omit<WriteOptions, 'rows' | 'answers'> = {}): RestOperation {
  return { ...writing('DELETE', path, options), answers: 'nothing' };
}

function writing(method: RestOperation['method'], path: string, options: WriteOptions): RestOperation {
  return {
    ...call(method, path, options),
    rows: options.rows ?? '',
    answers: options.answers ?? 'record',
    guarded: options.guarded ?? true,
    ...(options.async === undefined ? {} : { async: restAsyncFacts(options.async) }),
  };
}

function call(method: RestOperation['method'], path: string, options: CallOptions): RestOperation {
  return {
    kit: 'rest',
    method,
    path,
    query: options.query ?? {},
    headers: options.headers ?? {},
    paging: { kind: 'whole' },
    rows: '',
    total: null,
    totalHeader: null,
    more: null,
    tagged: false,
    keyIn: null,
    sends: 'changed',
    answers: 'record',
    guarded: false,
    takesKey: false,
    delta: null,
    deltaIn: null,
  };
}

export interface RestOptions extends LimitOptions {
  /** Where the source is; paths are put behind it. */
  readonly baseUrl: string;
  readonly auth?: Auth;
  /** Sent with every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Statuses after which this source has certainly done nothing, so that a write may be sent again. Default: 429. Add 503
   * only if the source never answers it after it has begun.
   */
  readonly notProcessed?: readonly number[];
  /**
   * The source takes no write without the token that a read with `X-CSRF-Token: Fetch` is answered with; `true`: a read of its own
   * address. Default: none is wanted.
   */
  readonly csrf?: true | CsrfOptions;
  /** The source takes several writes in one request: those that wait at the same time are joined. Default: each goes alone. */
  readonly batch?: Batch;
}

/** The REST kit: JSON over HTTP. Opens nothing; limits that do not fit are told by `defineConnector`. */
export function rest(options: RestOptions): Transport {
  const batch = batchFacts(options.batch);
  const limits = readLimits(options, options.baseUrl);
  const auth = options.auth ?? null;
  return {
    kit: 'rest',
    address: options.baseUrl,
    textOnly: false,
    limits: limits.guard,
    headers: options.headers ?? {},
    auth,
    misfits: [
      ...limits.misfits,
      ...misfitsOfAuth(options.auth),
      ...misfitsOfCsrf(options.csrf),
      ...misfitsOfBatch(options.batch),
    ],
    batch,
    misfitOf: (operation, purpose, ...place) =>
      misfitOfRest(operation as RestOperation, purpose, ...place) ??
      misfitOfRestAsync(operation as RestOperation, purpose === 'step', limits.guard.timeoutMs),
    open: (context, deps) =>
      openRest(
        {
          ...context,
          baseUrl: options.baseUrl,
          credentials: openCredentials(auth, { ...context, ...limits, timeoutMs: limits.guard.timeoutMs }, deps),
          notProcessed: options.notProcessed ?? [429],
          csrfPath: csrfPathOf(options.csrf),
          batch,
          http: limits.http,
        },
        deps,
      ),
  };
}
