import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import { EXPLORER_POLICY, renderExplorerPage } from './explorer-page.js';
import { errorAnswer, JSON_HEADERS } from './http-error.js';
import type { HttpGuard } from './http-guard.js';
import { LANDING_POLICY, renderLandingPage, type About, type WritableField } from './landing-page.js';
import { addWebhookRoutes } from './http-webhooks.js';
import type { RequestRate } from './request-rate.js';
import type { SessionResolver } from './session.js';
import { addPage, type Site } from './site.js';
import type { Webhooks } from './webhooks.js';

/** Of a webhook's body: what names a record is small, and its bytes are kept until its proof is checked. */
const MAX_WEBHOOK_BYTES = 1_048_576;
const ADDRESSES = ['/graphql', '/healthz', '/readyz', '/metrics', '/webhooks/<source>', '/webhooks/<tenant>/<source>'];
const PAGES = ['/', '/explorer'];

export interface RouteOptions {
  readonly guard: HttpGuard;
  /** Metrics are for operators. */
  readonly session: SessionResolver;
  readonly rate: RequestRate;
  readonly log: Log;
  /** Can it answer pulls? Does not depend on sources. */
  readonly isReady: () => Promise<boolean>;
  /** Prometheus text, as much of it as an operator may read. */
  readonly metrics: (operator: Session) => Promise<string>;
  readonly webhooksOf: (tenant: string) => Webhooks;
  readonly about: About;
  /** Pages for people who explore: in development mode, since they tell what is served. */
  readonly hasPages: boolean;
  /** What the landing page shows a push of. */
  readonly writable: WritableField | null;
  /** Shown with the pages, if there are any. */
  readonly site?: Site | undefined;
}

/** Every address but /graphql. */
export interface HttpRoutes {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
}

/** @param server the server whose requests these are; it is neither started nor stopped here */
export async function createHttpRoutes(server: Server, options: RouteOptions): Promise<HttpRoutes> {
  const { guard, session, rate, log, isReady, metrics, webhooksOf, about, hasPages, writable, site } = options;
  const pages = hasPages ? [...PAGES, ...(site === undefined ? [] : [site.path])] : [];
  const addresses = [...ADDRESSES, ...pages].join(', ');
  let handle: HttpRoutes['handle'] | undefined;
  const app = Fastify({
    serverFactory: (handler) => {
      handle = handler;
      return server;
    },
    // Addresses that are no text, and the like.
    frameworkErrors: (thrown, _request, reply) => void sendError(reply, thrown, log),
    // The server has its own.
    clientErrorHandler: () => undefined,
    bodyLimit: MAX_WEBHOOK_BYTES,
  });

  // Before the headers are made: some of them name the host.
  app.addHook('onRequest', async ({ raw }) => guard.check(raw));
  await app.register(helmet, {
    enableCSPNonces: true,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    // Whoever puts TLS in front decides on it.
    strictTransportSecurity: false,
  });
  app.setErrorHandler((thrown, _request, reply) => sendError(reply, thrown, log));
  app.setNotFoundHandler(async ({ method, url }) => {
    const path = url.replace(/\?.*$/s, '').slice(0, 100);
    throw new SyncError('NOT_FOUND', `expected one of ${addresses}; got ${method} ${path}`);
  });
  // Of any type, and byte for byte: a proof is of these bytes. Webhooks alone have bodies.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.get('/healthz', async (_request, reply) => sendJson(reply, 200, { status: 'alive' }));
  app.get('/readyz', async (_request, reply) =>
    (await isReady()) ? sendJson(reply, 200, { status: 'ready' }) : sendJson(reply, 503, { status: 'not ready' }),
  );
  app.get('/metrics', async ({ headers }, reply) => {
    const who = await session({ authorization: headers.authorization ?? null, device: null });
    rate.take(who);
    if (who.isOperator !== true) throw new SyncError('FORBIDDEN', 'metrics: expected a session of an operator');
    return reply
      .header('cache-control', 'no-store')
      .type('text/plain; version=0.0.4; charset=utf-8')
      .send(await metrics(who));
  });
  addWebhookRoutes(app, webhooksOf);
  if (hasPages) addPages(app, about, writable, site);

  await app.ready();
  return { handle: handle as HttpRoutes['handle'], close: () => app.close() };
}

function addPages(app: FastifyInstance, about: About, writable: WritableField | null, site: Site | undefined): void {
  addPage(app, '/', LANDING_POLICY, (page) => renderLandingPage({ about, writable, site, ...page }));
  addPage(app, '/explorer', EXPLORER_POLICY, ({ nonces }) => renderExplorerPage(nonces));
  site?.addRoutes(app);
}

function sendJson(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply
    .code(status)
    .headers(JSON_HEADERS)
    .send(`${JSON.stringify(body)}\n`);
}

function sendError(reply: FastifyReply, thrown: unknown, log: Log): FastifyReply {
  const { status, headers, text } = errorAnswer(ofFastify(thrown), log);
  return reply.code(status).headers(headers).send(text);
}

/** What Fastify itself finds wrong with a request, in our words' codes. */
function ofFastify(thrown: unknown): unknown {
  if (thrown instanceof SyncError) return thrown;
  const { statusCode = 500, message } = thrown as { readonly statusCode?: number; readonly message?: string };
  if (statusCode === 413) {
    return new SyncError('PAYLOAD_TOO_LARGE', `body: expected at most ${MAX_WEBHOOK_BYTES} bytes`, { cause: thrown });
  }
  return statusCode >= 400 && statusCode < 500
    ? new SyncError('BAD_REQUEST', String(message), { cause: thrown })
    : thrown;
}
