import type { Auth } from './auth.js';
import { misfitsOfAuth, openCredentials } from './credentials.js';
import { batchFacts, misfitsOfBatch } from './batch.js';
import { csrfPathOf, misfitsOfCsrf } from './csrf.js';
import type { DeltaFacts } from './delta.js';
import type { Duration } from './duration.js';
import { misfitOfOData } from './odata-misfit.js';
import { openOData } from './odata-transport.js';
import type { LinkPaging, WholePaging } from './paging.js';
import type { RestOptions } from './rest.js';
import { readLimits, type LimitOptions } from './transport-limits.js';
import type { Operation, Transport } from './transport.js';
import type { UpdatedSinceFacts } from './updated-since.js';

export { basic, bearer, header, type Auth } from './auth.js';
export { multipartBatch, odataJsonBatch, type Batch, type BatchOptions } from './batch.js';
export type { CsrfOptions } from './csrf.js';
export type { TlsOptions } from './client-certificate.js';
export { clientCredentials, type ClientCredentialsOptions } from './oauth.js';
export { sessionLogin, type LoginRequest, type SessionLoginOptions } from './session-login.js';
export type { SessionAnswer } from './sign-in.js';

/** One OData call, as facts. */
export interface ODataOperation extends Operation {
  readonly kit: 'odata';
  readonly does: 'list' | 'one' | 'find' | 'findAlike' | 'insert' | 'update' | 'remove';
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The entity set, by its name in `$metadata`. */
  readonly set: string;
  readonly paging: LinkPaging | WholePaging;
  /** `$filter` of the records that the collection has; null: all. */
  readonly filter: string | null;
  /** `$select`; null: what the collection declares. */
  readonly select: readonly string[] | 'all' | null;
  /** Each as `$expand` takes it, like `Lines($select=Sku,Quantity)`. */
  readonly expand: readonly string[];
  readonly orderBy: string | null;
  /** Does a list say how many records there are (`$count`)? */
  readonly counts: boolean;
  /** Of a look-up: the property that holds the reference. */
  readonly foundBy: string | null;
  /** Of a create: the property that takes the device's id. */
  readonly keyIn: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

interface ShapeOptions {
  /** Properties to ask for. Default: those that the collection declares; all where it has a `map` or a key function. */
  readonly select?: readonly string[] | 'all';
  /** Entities that come along, each as `$expand` takes it, like `Lines($select=Sku,Quantity)`: a field of type json reads them. */
  readonly expand?: readonly string[];
  /** Sent with every such call. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface EntitySetOptions extends ShapeOptions {
  /** Only these records are in the collection: a `$filter`, like `Status ne 'archived'`. */
  readonly filter?: string;
  readonly orderBy?: string;
  /** How many records a page should have (`odata.maxpagesize`). Default: the source's own pages. */
  readonly pageSize?: number;
  /** Ask how many records there are, and believe no list that ends before. Default: true. */
  readonly count?: boolean;
}

export interface ODataWriteOptions {
  /** What is asked for as the answer: the whole record (default), or nothing of it; then it is read back. */
  readonly answers?: 'record' | 'nothing';
  /** False: the source ignores the guard here. Default: true. */
  readonly guarded?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads an entity set, page by page as the source divides it. */
export function entitySet(set: string, options: EntitySetOptions = {}): ODataOperation {
  const { filter, orderBy, pageSize, count } = options;
  return {
    ...reading('list', set, options),
    paging: { kind: 'link', ...(pageSize === undefined ? {} : { size: pageSize }) },
    filter: filter ?? null,
    orderBy: orderBy ?? null,
    counts: count ?? true,
  };
}

/** Reads one entity by its key. */
export function entity(set: string, options: ShapeOptions = {}): ODataOperation {
  return reading('one', set, options);
}

/** Finds the entity whose `property` is the reference of the create that made it: for `write.reference.lookUp`. */
export function findBy(set: string, property: string, options: ShapeOptions = {}): ODataOperation {
  return { ...reading('find', set, options), foundBy: property };
}

/** Finds every entity with the values of a natural key, by the properties of its fields: for `write.naturalKey.lookUp`. */
export function findAlike(set: string, options: ShapeOptions = {}): ODataOperation {
  return reading('findAlike', set, options);
}

/** Creates. `keyIn` names the key property that takes the device's id, a UUID; absent: the source gives the key. */
export function insert(
  set: string,
  options: Omit<ODataWriteOptions, 'guarded'> & { readonly keyIn?: string } = {},
): ODataOperation {
  const { answers = 'record', keyIn } = options;
  return {
    ...writing('insert', 'POST', set, options),
    // An answer without the record still has its address.
    answers: answers === 'nothing' && keyIn === undefined ? 'key' : answers,
    keyIn: keyIn ?? null,
    takesKey: keyIn !== undefined,
    guarded: false,
  };
}

/**
 * Updates with the changed properties only (PATCH). With `method: 'PUT'` the whole entity goes: the source's own, read again, with
 * the changes laid over it, or all mapped fields (`sends: 'mapped'`), if every property that the source would blank is mapped.
 */
export function update(
  set: string,
  options: ODataWriteOptions & { readonly method?: 'PATCH' | 'PUT'; readonly sends?: 'merged' | 'mapped' } = {},
): ODataOperation {
  const method = options.method ?? 'PATCH';
  return {
    ...writing('update', method, set, options),
    sends: method === 'PUT' ? (options.sends ?? 'merged') : 'changed',
  };
}

/** Deletes. 404 and 410 count as done once a read finds the record gone. */
export function remove(set: string, options: Omit<ODataWriteOptions, 'answers'> = {}): ODataOperation {
  return { ...writing('remove', 'DELETE', set, options), answers: 'nothing' };
}

/**
 * The filter for what changed (`read.changes`): `$filter=property ge …`, in order of change. The source's entities must show
 * `property`, the moment of their last change.
 */
export function changedSince(
  property: string,
  facts: Pick<UpdatedSinceFacts, 'precision' | 'maxTransaction' | 'format' | 'zone'> & {
    /** False: the source does not keep to `$orderby`. Default: true. */
    readonly ordered?: boolean;
  } & { readonly precision: Duration; readonly maxTransaction: Duration },
): UpdatedSinceFacts {
  return { ordered: true, ...facts, param: property, stamp: property, inclusive: true };
}

/**
 * What the source itself says that changed (`read.delta`), by `odata.track-changes` and delta links: needs `read.one`, since what is no
 * longer there, and what is shown in part, is read by its key.
 */
export function trackedChanges(
  set: string,
  options: Pick<EntitySetOptions, 'filter' | 'pageSize' | 'select' | 'headers'> &
    Partial<Pick<DeltaFacts, 'replayable' | 'expiredOn'>> = {},
): DeltaFacts {
  const { replayable, expiredOn, ...shape } = options;
  return {
    list: { ...entitySet(set, { ...shape, count: false }), delta: 'link', marksRemoved: true },
    replayable: replayable ?? true,
    ...(expiredOn === undefined ? {} : { expiredOn }),
  };
}

function reading(does: ODataOperation['does'], set: string, options: ShapeOptions): ODataOperation {
  return { ...call(does, 'GET', set, options.headers), select: options.select ?? null, expand: options.expand ?? [] };
}

function writing(
  does: ODataOperation['does'],
  method: ODataOperation['method'],
  set: string,
  options: ODataWriteOptions,
): ODataOperation {
  return {
    ...call(does, method, set, options.headers),
    answers: options.answers ?? 'record',
    guarded: options.guarded ?? true,
  };
}

function call(
  does: ODataOperation['does'],
  method: ODataOperation['method'],
  set: string,
  headers: Readonly<Record<string, string>> = {},
): ODataOperation {
  return {
    kit: 'odata',
    does,
    method,
    set,
    headers,
    paging: { kind: 'whole' },
    filter: null,
    select: null,
    expand: [],
    orderBy: null,
    counts: false,
    foundBy: null,
    keyIn: null,
    sends: 'changed',
    answers: 'record',
    guarded: false,
    takesKey: false,
  };
}

export interface ODataOptions
  extends LimitOptions, Pick<RestOptions, 'auth' | 'headers' | 'notProcessed' | 'csrf' | 'batch'> {
  /** The service root, like https://erp.example.com/odata/v4/care; `$metadata` and the entity sets are behind it. */
  readonly serviceUrl: string;
}

/**
 * The OData kit: OData 4.0 and 4.01, JSON over HTTP. Opens nothing; `$metadata` is read at the first call, and what the connector
 * declares is checked against it.
 */
export function odata(options: ODataOptions): Transport {
  const batch = batchFacts(options.batch);
  const limits = readLimits(options, options.serviceUrl);
  const auth: Auth | null = options.auth ?? null;
  return {
    kit: 'odata',
    address: options.serviceUrl,
    textOnly: false,
    rowTag: '@odata.etag',
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
    misfitOf: (operation, purpose, _keyParts, sought) => misfitOfOData(operation as ODataOperation, purpose, sought),
    open: (context, deps) =>
      openOData(
        {
          ...context,
          serviceUrl: options.serviceUrl,
          credentials: openCredentials(auth, { ...context, ...limits, timeoutMs: limits.guard.timeoutMs }, deps),
          notProcessed: options.notProcessed ?? [429],
          csrfPath: csrfPathOf(options.csrf),
          batch,
          metadataTimeoutMs: limits.guard.timeoutMs,
          http: limits.http,
        },
        deps,
      ),
  };
}
