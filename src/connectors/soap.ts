import { describe } from '../core/field.js';
import type { Auth } from './auth.js';
import { misfitsOfAuth, openCredentials } from './credentials.js';
import type { Paging } from './paging.js';
import type { RestOptions } from './rest.js';
import { asyncFacts, misfitOfAsync, type AsyncFacts, type AsyncOptions } from './soap-async.js';
import { openSoap } from './soap-transport.js';
import { DIALECTS, type SoapVersion } from './soap-version.js';
import { isHttp } from './soap-wsdl.js';
import { misfitsOfUsernameToken, securityHeader, type UsernameToken } from './username-token.js';
import { readLimits, type LimitOptions } from './transport-limits.js';
import type { CallPlace, Operation, Transport } from './transport.js';

export { basic, bearer, header, type Auth } from './auth.js';
export type { TlsOptions } from './client-certificate.js';
export { clientCredentials, type ClientCredentialsOptions } from './oauth.js';
export { sessionLogin, type LoginRequest, type SessionLoginOptions } from './session-login.js';
export type { SessionAnswer } from './sign-in.js';
export { usernameToken, type UsernameTokenOptions } from './username-token.js';

/** One SOAP call, as facts. Paths are elements joined by dots, like `query.offset`. */
export interface SoapOperation extends Operation {
  readonly kit: 'soap';
  /** Its name in the WSDL. */
  readonly operation: string;
  /** Arguments that are always the same, by path. */
  readonly args: Readonly<Record<string, string | number | boolean>>;
  readonly headers: Readonly<Record<string, string>>;
  /** The arguments that take the parts of the key. */
  readonly keyIn: readonly string[];
  /** The argument that takes the version. */
  readonly versionIn: string | null;
  /** Of a look-up: the argument that takes the reference. */
  readonly referenceIn: string | null;
  /** Of a look-up by natural key: the argument that takes each of its fields. */
  readonly fieldsIn: Readonly<Record<string, string>>;
  /** Of a call in a row: the argument that takes each thing that earlier ones kept. */
  readonly keptIn: Readonly<Record<string, string>>;
  /** The element that takes the record's fields; '' is the request itself. */
  readonly bodyIn: string;
  /** Where the rows of a list (their repeated element), or the record of an answer, are; '' is the answer itself. */
  readonly rows: string;
  /** Where the answer says how many rows there are. */
  readonly total: string | null;
  /** Where the answer says whether there is more. */
  readonly more: string | null;
  /** Of a single read: an answer without the record says that it is not there. */
  readonly emptyIsAbsent: boolean;
  /** Where the last page has the token of what comes after. */
  readonly deltaIn: string | null;
  /** It answers with a ticket, by which its result is asked for. */
  readonly async: AsyncFacts | null;
  /** Of a call that asks for a result: the argument that takes the ticket, and where the answer says how far it is. */
  readonly ticketIn: string | null;
  readonly stateAt: string | null;
  /** Where the answer says why a job failed. */
  readonly messageAt: string | null;
}

export interface CallOptions {
  readonly args?: Readonly<Record<string, string | number | boolean>>;
  /** HTTP headers of this call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The argument that takes the key, or one for each of its parts. Of a create: it takes the device's id. */
  readonly keyIn?: string | readonly string[];
  /** The argument that takes the version (`guard: 'argument'`). */
  readonly versionIn?: string;
  /** Of a look-up: the argument that takes the reference under which a create of ours was made. */
  readonly referenceIn?: string;
  /** Of a look-up by natural key: the argument that takes each of its fields, like `{ patient: 'query.patientId' }`. */
  readonly fieldsIn?: Readonly<Record<string, string>>;
  /** Of a call of `series`: the argument that takes each thing that earlier calls kept, like `{ session: 'header.sessionId' }`. */
  readonly keptIn?: Readonly<Record<string, string>>;
  /** The element that takes the record's fields. Default: the request itself. */
  readonly bodyIn?: string;
  /** Where the rows (or the one record) are in the answer, like `supplies`; an encoded array is its rows itself. Default: the answer. */
  readonly rows?: string;
  readonly total?: string;
  readonly more?: string;
  /** Of a list for `read.delta`: where its last page has the token that brings what changed since. */
  readonly deltaToken?: string;
  /** It answers with a ticket, by which its result is asked for. */
  readonly async?: AsyncOptions;
  /** Of `async.poll`: the argument that takes the ticket. */
  readonly ticketIn?: string;
  /** Default: everything comes in one answer. */
  readonly paging?: Paging;
  /** True: the source answers a read of what it does not have with an empty answer. Default: false, it faults. */
  readonly emptyIsAbsent?: boolean;
  /**
   * Of an update: the source's own row with the changes laid over it (default: what is left out may be emptied), all
   * mapped fields, or only what changed.
   */
  readonly sends?: 'changed' | 'mapped' | 'merged';
  /** What a write's answer holds: the whole record (default), its key only, or nothing of it; then it is read back. */
  readonly answers?: 'record' | 'key' | 'nothing';
  /** False: the source ignores the version here. Default: true where `versionIn` is given. */
  readonly guarded?: boolean;
}

/** Calls an operation of the WSDL: reads a list or a record, creates, updates or deletes. */
export function call(operation: string, options: CallOptions = {}): SoapOperation {
  const { keyIn, versionIn } = options;
  return {
    kit: 'soap',
    operation,
    args: options.args ?? {},
    headers: options.headers ?? {},
    keyIn: keyIn === undefined ? [] : typeof keyIn === 'string' ? [keyIn] : keyIn,
    versionIn: versionIn ?? null,
    referenceIn: options.referenceIn ?? null,
    fieldsIn: options.fieldsIn ?? {},
    keptIn: options.keptIn ?? {},
    bodyIn: options.bodyIn ?? '',
    rows: options.rows ?? '',
    total: options.total ?? null,
    more: options.more ?? null,
    emptyIsAbsent: options.emptyIsAbsent ?? false,
    paging: options.paging ?? { kind: 'whole' },
    sends: options.sends ?? 'merged',
    answers: options.answers ?? 'record',
    guarded: options.guarded ?? versionIn !== undefined,
    takesKey: keyIn !== undefined,
    delta: options.deltaToken === undefined ? null : 'token',
    deltaIn: options.deltaToken ?? null,
    async: options.async === undefined ? null : asyncFacts(options.async),
    ticketIn: options.ticketIn ?? null,
    stateAt: null,
    messageAt: null,
  };
}

export interface SoapOptions extends LimitOptions, Pick<RestOptions, 'notProcessed'> {
  readonly auth?: Auth | UsernameToken;
  /** The WSDL: a URL, or the path of a file. Read at the first call, and again after a failure. */
  readonly wsdl: string;
  /** Where the source is. The WSDL's own address is not used: it may name a host that we cannot reach, or should not. */
  readonly endpoint: string;
  /**
   * Origins besides those of the WSDL and the endpoint that its parts may be read from, like `https://schemas.example.com`. Default: none;
   * the parts of a file may also be at public addresses.
   */
  readonly wsdlPartsFrom?: readonly string[];
  /** The WSDL's service and port that are meant, where it has several. Default: the first port over SOAP that has the operation. */
  readonly service?: string;
  readonly port?: string;
  /** Spoken whatever the port says; a port of this version is preferred. Default: the port's. */
  readonly version?: SoapVersion;
  /** Sent with every call, and for a WSDL at the endpoint's own host. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The SOAP kit: SOAP 1.1 and 1.2 over HTTP, document/literal, rpc/literal and rpc/encoded, by a WSDL. */
export function soap(options: SoapOptions): Transport {
  const limits = readLimits(options, options.endpoint);
  const auth = options.auth ?? null;
  return {
    kit: 'soap',
    address: options.endpoint,
    textOnly: true,
    limits: limits.guard,
    headers: options.headers ?? {},
    auth,
    misfits: [
      ...limits.misfits,
      ...misfitsOfSoapAuth(options.auth),
      ...misfitsOfVersion(options.version),
      ...misfitsOfOrigins(options.wsdlPartsFrom),
    ],
    misfitOf: (operation, purpose, _keyParts, names) =>
      misfitOf(operation as SoapOperation, purpose, names, limits.guard.timeoutMs),
    open: (context, deps) =>
      openSoap(
        {
          ...context,
          wsdl: options.wsdl,
          endpoint: options.endpoint,
          partsFrom: options.wsdlPartsFrom ?? [],
          service: options.service ?? null,
          port: options.port ?? null,
          version: options.version ?? null,
          security: isToken(auth) ? securityHeader(auth, deps) : null,
          credentials: openCredentials(
            isToken(auth) ? null : auth,
            { ...context, ...limits, timeoutMs: limits.guard.timeoutMs },
            deps,
          ),
          notProcessed: options.notProcessed ?? [429],
          wsdlTimeoutMs: limits.guard.timeoutMs,
          http: limits.http,
        },
        deps,
      ),
  };
}

function misfitsOfSoapAuth(auth: Auth | UsernameToken | undefined): readonly string[] {
  if (!isToken(auth)) return misfitsOfAuth(auth);
  return misfitsOfUsernameToken(auth).map((misfit) => `.auth${misfit}`);
}

function isToken(auth: Auth | UsernameToken | null | undefined): auth is UsernameToken {
  return auth?.kind === 'usernameToken';
}

function misfitsOfVersion(version: SoapVersion | undefined): readonly string[] {
  if (version === undefined || Object.hasOwn(DIALECTS, version)) return [];
  return [`.version: expected "1.1" or "1.2", got ${describe(version)}`];
}

function misfitsOfOrigins(origins: readonly string[] = []): readonly string[] {
  return origins
    .filter((one) => !URL.canParse(one) || new URL(one).origin !== one || !isHttp(one))
    .map((one) => `.wsdlPartsFrom: expected origins like "https://schemas.example.com", got ${describe(one)}`);
}

function misfitOf(
  operation: SoapOperation,
  purpose: CallPlace,
  names: readonly string[] | null | undefined,
  timeoutMs: number,
): string | null {
  if (operation.operation === '') return 'expected the name of an operation, got ""';
  const { paging } = operation;
  if (paging.kind === 'link' || paging.kind === 'nextUrl')
    return `expected a paging by arguments, got ${paging.kind}, which SOAP answers do not have`;
  if (paging.kind === 'token' && paging.fromHeader !== undefined)
    return `expected from, the element that has the token, got the header "${paging.fromHeader}"`;
  const missing = Object.keys(operation.keptIn).find((name) => purpose !== 'step' || names?.includes(name) !== true);
  if (missing !== undefined) return `expected keptIn for what earlier calls of a series keep, got "${missing}"`;
  const isByReference = purpose === 'lookUp' && (names ?? null) === null;
  if (isByReference && operation.referenceIn === null)
    return 'expected referenceIn, the argument that takes the reference, got nothing';
  if (!isByReference && operation.referenceIn !== null)
    return `expected no referenceIn, which belongs to a look-up by reference, got "${operation.referenceIn}"`;
  const taken = Object.keys(operation.fieldsIn);
  const fields = purpose === 'lookUp' ? (names ?? []) : [];
  if (taken.length !== fields.length || fields.some((field) => !taken.includes(field)))
    return `expected fieldsIn for ${fields.join(', ') || 'no field'}, got ${taken.join(', ') || 'nothing'}`;
  if (operation.guarded && operation.versionIn === null) return 'expected versionIn beside guarded, got nothing';
  if (operation.paging.kind !== 'whole' && (operation.async?.poll ?? operation).rows === '') {
    return "expected rows: the path of the rows' element, got nothing";
  }
  return misfitOfAsync(operation, purpose, timeoutMs);
}
