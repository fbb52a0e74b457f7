import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { DecoratorHandler, Pool, type Dispatcher } from 'undici';
import { lookupOf, type NamedBy } from '../outgoing/reach.js';
import { isTimeOver, TimeOver } from './call-time.js';
import { takeTurn, TurnOver, type CallTurn } from './call-turn.js';
import { CallFault, LONGEST_PAUSE_MS, shownText } from './fault.js';
import type { RowTags } from './transport.js';

/** What a source's HTTP side is allowed to cost. */
export interface HttpLimits {
  /** Connections at once. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** Largest answer, decompressed, bytes. */
  readonly maxAnswerBytes: number;
  /** PEM certificates to trust besides the usual ones. */
  readonly ca?: readonly string[];
  /** Shows a source who we are when it asks for a certificate; PEM. */
  readonly client?: { readonly cert: string; readonly key: string; readonly passphrase?: string };
}

/** Whose word a connection follows, and how names are looked up. */
export interface HttpReach {
  /** Default: `configuration`. Of an answer's address in figures `checkAnswered` is asked first. */
  readonly namedBy?: NamedBy;
  /** Default: the system's own. */
  readonly resolve?: LookupFunction;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, ready encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface HttpHead {
  readonly status: number;
  /** By lower-case name; a repeated header is joined by commas, cookies (whose dates hold some) by line breaks. */
  readonly headers: ReadonlyMap<string, string>;
}

/** One origin's connections. Redirects are not followed, cookies not kept. */
export interface HttpClient {
  /**
   * One exchange; `read` gets the answer's bytes as they come, decompressed and counted.
   *
   * @throws CallFault notSent - not one byte of the request left; unknown - anything may have happened
   */
  exchange<T>(
    request: HttpRequest,
    signal: AbortSignal,
    read: (head: HttpHead, chunks: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

/**
 * An idle connection that the source closes at the very moment when a write goes out leaves the write in doubt. Sources
 * keep idle connections for seconds; we give them up after one.
 */
const KEEP_ALIVE_MS = 1_000;
/** All headers of an answer. */
const MAX_HEADER_BYTES = 16_384;

/**
 * @param origin where the source is, like https://erp.example.com:8443
 * @param heard is called whenever something comes from there: an answer's head, or a piece of its body
 */
export function openHttp(
  origin: string,
  limits: HttpLimits,
  heard: (head?: HttpHead) => void,
  { namedBy = 'configuration', resolve }: HttpReach = {},
): HttpClient {
  const pool = new Pool(origin, {
    maxHeaderSize: MAX_HEADER_BYTES,
    connections: limits.connections,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // The guard's deadline ends a call; these only keep undici from ending it in its own way.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: limits.connectTimeoutMs,
      lookup: lookupOf(namedBy, resolve),
      ...(limits.ca === undefined ? {} : { ca: [...rootCertificates, ...limits.ca] }),
      ...limits.client,
    },
  });
  const dispatcher = pool.compose(noteStarts);
  return {
    async exchange(request, signal, read) {
      checkHeaders(request.headers);
      const started = { yes: false, turn: takeTurn(signal), signal };
      const options: StartingOptions = {
        method: request.method,
        path: request.path,
        headers: { 'accept-encoding': 'identity', ...request.headers },
        body: request.body,
        signal,
        started,
      };
      let answer: Dispatcher.ResponseData;
      try {
        answer = await dispatcher.request(options);
      } catch (cause) {
        throw cause instanceof TurnOver || cause instanceof TimeOver ? cause : faultOf(cause, started.yes);
      }
      const headers = joined(answer.headers);
      const head = { status: answer.statusCode, headers };
      heard(head);
      try {
        return await read(head, chunksOf(answer.body, headers, limits.maxAnswerBytes, heard));
      } catch (cause) {
        throw cause instanceof CallFault ? cause : faultOf(cause, true);
      } finally {
        if (!answer.body.readableEnded) answer.body.on('error', () => undefined).destroy();
      }
    },
    close: () => pool.destroy(),
  };
}

/** All bytes of an answer. */
export async function readAll(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return read.length === 1 ? (read[0] as Buffer) : Buffer.concat(read);
}

/** The text of an answer, without a byte order mark. @throws CallFault badAnswer - not UTF-8: its characters would be lost without a word */
export function utf8Text(bytes: Buffer): string {
  if (isUtf16(bytes)) throw new CallFault('badAnswer', 'expected an answer in UTF-8, got UTF-16');
  if (!isUtf8(bytes)) throw new CallFault('badAnswer', 'expected an answer in UTF-8');
  return bytes.toString('utf8').replace(/^\ufeff/, '');
}

/** By its byte order mark, or because one of two bytes of its first character, which JSON and XML have of ASCII, is zero. */
function isUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || first === 0 || second === 0;
}

/** How long a source asks us to wait, ms, at most five minutes; null: it does not. */
export function retryAfterMs(head: HttpHead, nowMs: number): number | null {
  const text = head.headers.get('retry-after');
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(LONGEST_PAUSE_MS, Math.max(0, ms));
}

/** The source's clock when it answered; null when it does not tell. */
export function serverTimeOf(head: HttpHead): number | null {
  const ms = Date.parse(head.headers.get('date') ?? '');
  return Number.isNaN(ms) ? null : ms;
}

/** What the head of an answer says of the record that it shows. */
export function tagsOf(head: HttpHead): RowTags {
  return {
    etag: head.headers.get('etag') ?? null,
    lastModified: head.headers.get('last-modified') ?? null,
    dateMs: serverTimeOf(head),
  };
}

/** What went wrong in one line, for logs and operators: no addresses beyond what undici says, no payloads. */
function faultOf(cause: unknown, started: boolean): CallFault {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new CallFault('badAnswer', `expected headers of at most ${MAX_HEADER_BYTES} bytes, got more`, { cause });
  const what = `${typeof code === 'string' ? `${code}: ` : ''}${message}`;
  return started
    ? new CallFault('unknown', `the connection broke off (${what})`, { cause })
    : new CallFault('notSent', `no connection (${what})`, { cause });
}

interface Started {
  /** Set at the moment when the request goes to a connection: before it, nothing can have happened. */
  yes: boolean;
  /** Not later than this. */
  readonly turn: CallTurn | null;
  /** Nor when its time is over. */
  readonly signal: AbortSignal;
}

interface StartingOptions extends Dispatcher.RequestOptions {
  readonly started: Started;
}

const noteStarts: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { started } = options as unknown as StartingOptions;
  return dispatch(options, new StartNoting(handler, started));
};

/** undici's types do not name the methods of its class. */
const Handler = DecoratorHandler as unknown as new (handler: Dispatcher.DispatchHandler) => {
  onRequestStart(controller: Dispatcher.DispatchController, context: object): void;
};

class StartNoting extends Handler {
  readonly #started: Started;

  constructor(handler: Dispatcher.DispatchHandler, started: Started) {
    super(handler);
    this.#started = started;
  }

  override onRequestStart(controller: Dispatcher.DispatchController, context: object): void {
    // Thrown here, it is not sent, and its connection stays. What follows in this tick are its bytes.
    if (isTimeOver(this.#started.signal)) throw new TimeOver();
    if (this.#started.turn?.isOver() === true) throw new TurnOver();
    this.#started.yes = true;
    super.onRequestStart(controller, context);
  }
}

async function* chunksOf(
  body: Readable,
  headers: ReadonlyMap<string, string>,
  maxBytes: number,
  heard: () => void,
): AsyncGenerator<Buffer, void> {
  const decoded = decode(body, headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity');
  let bytes = 0;
  try {
    for await (const chunk of decoded as AsyncIterable<Buffer>) {
      heard();
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new CallFault('badAnswer', `expected an answer of at most ${maxBytes} bytes, got more`);
      }
      yield chunk;
    }
  } finally {
    if (decoded !== body) decoded.destroy();
  }
}

function decode(body: Readable, encoding: string): Readable {
  const decoder = DECODERS[encoding];
  if (encoding === 'identity' || encoding === '') return body;
  if (decoder === undefined) {
    const known = Object.keys(DECODERS).join(', ');
    throw new CallFault('badAnswer', `expected no content-encoding, or one of ${known}, got ${shownText(encoding)}`);
  }
  const decoded = decoder();
  // pipe() hands no errors on.
  body.on('error', (error) => decoded.destroy(error));
  return body.pipe(decoded);
}

const DECODERS: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [
            [
              name.toLowerCase(),
              Array.isArray(value) ? value.join(name === 'set-cookie' ? '\n' : ', ') : value,
            ] as const,
          ],
    ),
  );
}

/** A key or a version from elsewhere must not smuggle a header in. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) {
      throw new CallFault('notSent', `expected the header ${name} without control characters`, { sourceIsSick: false });
    }
  }
}
