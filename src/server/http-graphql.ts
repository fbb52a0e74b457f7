import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import { inTurn } from '../core/turns.js';
import type { GraphqlAnswer, GraphqlEngine } from '../graphql/engine.js';
import { parseJson, readBody } from './http-body.js';
import { compressed, sizeOf } from './http-compression.js';
import { SAFE_HEADERS, writeError } from './http-error.js';
import type { HttpGuard } from './http-guard.js';
import type { RequestRate } from './request-rate.js';
import type { SessionResolver } from './session.js';

export interface HttpGraphqlOptions {
  readonly graphql: GraphqlEngine;
  readonly session: SessionResolver;
  readonly guard: HttpGuard;
  readonly rate: RequestRate;
  readonly maxBodyBytes: number;
  readonly log: Log;
}

/** Answers requests to /graphql; never rejects. */
export type HttpGraphqlHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** GraphQL over node:http: everything that HTTP must hold before Apollo sees a request. */
export function createHttpGraphqlHandler(options: HttpGraphqlOptions): HttpGraphqlHandler {
  const { guard, log } = options;
  return async (request, response) => {
    let cors: Readonly<Record<string, string>> = {};
    try {
      guard.check(request);
      cors = guard.corsHeaders(request);
      if (request.method === 'OPTIONS') {
        response.writeHead(204, { ...SAFE_HEADERS, ...cors }).end();
      } else if (asksForPage(request)) {
        response.writeHead(302, { ...SAFE_HEADERS, location: '/' }).end();
      } else {
        await write(request, response, await answer(request, options), cors);
      }
    } catch (thrown) {
      writeError(request, response, thrown, log, cors);
    }
  };
}

/** Somebody opened the address in a browser. */
function asksForPage(request: IncomingMessage): boolean {
  return (
    request.method === 'GET' &&
    (request.headers.accept ?? '').includes('text/html') &&
    !(request.url ?? '').includes('query=')
  );
}

async function answer(request: IncomingMessage, options: HttpGraphqlOptions): Promise<GraphqlAnswer> {
  const { session, rate } = options;
  // Before the body is read: strangers, and users who ask too often, cost no more than their headers.
  const who = await session({
    authorization: request.headers.authorization ?? null,
    device: single(request.headers['tidegate-device']),
  });
  rate.take(who);
  return await inTurn(rate.enter(who), () => answerTo(request, who, options));
}

async function answerTo(
  request: IncomingMessage,
  who: Session,
  { graphql, maxBodyBytes }: HttpGraphqlOptions,
): Promise<GraphqlAnswer> {
  const method = request.method ?? 'GET';
  const bytes = method === 'GET' || method === 'HEAD' ? Buffer.alloc(0) : await readBody(request, maxBodyBytes);
  const isJson = /^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
  const url = request.url ?? '';
  const at = url.indexOf('?');
  return graphql.answer(
    {
      method,
      headers: headersOf(request),
      search: at < 0 ? '' : url.slice(at),
      body: isJson && bytes.length > 0 ? parseJson(bytes) : undefined,
    },
    async () => who,
  );
}

async function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: GraphqlAnswer,
  cors: Readonly<Record<string, string>>,
): Promise<void> {
  const packed = await compressed(body, single(request.headers['accept-encoding']) ?? undefined);
  const head: Record<string, string | number> = { ...cors };
  for (const [name, value] of headers) head[name] = value;
  Object.assign(head, SAFE_HEADERS);
  head['content-length'] = packed === null ? sizeOf(body) : packed.bytes.length;
  if (packed !== null) {
    head['content-encoding'] = packed.coding;
    head['vary'] = cors['vary'] === undefined ? 'accept-encoding' : `${cors['vary']}, accept-encoding`;
  }
  response.writeHead(status, head);
  if (packed !== null) response.end(packed.bytes);
  else endWith(response, body);
}

/** One system call for all pieces, and no copy of them: a copied page is half a megabyte that must be collected again. */
function endWith(response: ServerResponse, pieces: readonly Uint8Array[]): void {
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.end();
  response.uncork();
}

function headersOf(request: IncomingMessage): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

function single(header: string | readonly string[] | undefined): string | null {
  if (header === undefined) return null;
  return typeof header === 'string' ? header : header.join(', ');
}
