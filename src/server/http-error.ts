import type { ServerResponse, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERROR_CATALOGUE, SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { dropRest } from './http-body.js';

/** What every answer of ours carries that is no page: kept by nobody, taken for nothing else, and shown in no frame. */
export const SAFE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const;

/** What is read of a refused request's body to keep its connection: less than a new one costs. */
const MAX_READ_AFTER_BYTES = 65_536;

/** What every JSON answer of ours carries. */
export const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8', ...SAFE_HEADERS } as const;

interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * A fault outside of GraphQL in GraphQL's form, so that clients read one form only. What is not a SyncError becomes INTERNAL
 * and is logged with its cause; nothing of it leaves.
 */
export function errorAnswer(thrown: unknown, log: Log): ErrorAnswer {
  const { code, message, cause, retryAfterMs } = SyncError.from(thrown);
  const { retryable, advice, status } = ERROR_CATALOGUE[code];
  if (code === 'INTERNAL')
    log.error('a request failed', { cause: cause instanceof Error ? (cause.stack ?? cause.message) : message });
  const said = code === 'INTERNAL' ? 'a fault of the gateway; its log has the reason' : message;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return {
    status,
    headers: {
      ...JSON_HEADERS,
      // RFC 6750: how to sign in.
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
    },
    text: `${JSON.stringify({ errors: [{ message: said, extensions: { code, retryable, advice, ...wait } }] })}\n`,
  };
}

/**
 * Answers with a fault; an answer that has begun is broken off, so that nobody takes it for whole.
 *
 * @param headers what the answer carries besides, like those of CORS
 */
export function writeError(
  request: IncomingMessage,
  response: ServerResponse,
  thrown: unknown,
  log: Log,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { status, headers: own, text } = errorAnswer(thrown, log);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const head = { ...headers, ...own, 'content-length': Buffer.byteLength(text) };
  // Of a small body Node reads the rest by itself: who asks too often must not cost us a new connection each time.
  if (request.complete || Number(request.headers['content-length']) <= MAX_READ_AFTER_BYTES) {
    response.writeHead(status, head).end(text);
    return;
  }
  // What is left of the body is not worth another request, but closing before it was read would reset the connection, and
  // with it our answer on its way.
  response.writeHead(status, { ...head, connection: 'close' }).write(text);
  request.once('close', () => response.end());
  dropRest(request);
}

/** Answers with a fault on a connection that has no response object, and closes it. */
export function refuseConnection(socket: Duplex, thrown: unknown, log: Log): void {
  socket.on('error', () => undefined);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, text } = errorAnswer(thrown, log);
  const head = { ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(text)) };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${text}`);
}
