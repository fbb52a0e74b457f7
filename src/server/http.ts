import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getNamedType, isInputObjectType, type GraphQLSchema } from 'graphql';
import { StartupError, SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import type { GraphqlEngine } from '../graphql/engine.js';
import { systemClock } from './clock.js';
import { createRequestsUnderWay } from './http-drain.js';
import { refuseConnection, writeError } from './http-error.js';
import { createHttpGraphqlHandler } from './http-graphql.js';
import type { HttpGuard } from './http-guard.js';
import { createHttpRoutes } from './http-routes.js';
import { asksForWebSocket, serveWithoutUpgrade } from './http-upgrade.js';
import type { SocketServer } from './http-websocket.js';
import type { About, WritableField } from './landing-page.js';
import type { RequestRate } from './request-rate.js';
import type { SessionResolver } from './session.js';
import type { Site } from './site.js';
import type { Webhooks } from './webhooks.js';

/** Bounds of what a client may take of us before its request is there. */
const SERVER_SETTINGS = {
  headersTimeout: 15_000,
  /** The largest body over a phone's slow uplink: 4 MB at 35 KB/s. */
  requestTimeout: 120_000,
  /** Longer than the minute after which load balancers drop idle connections, so that it is never us who drops one in use. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
};
/** Connections that may wait to be taken: all devices of a gateway that went away come at once. Systems lower it to their own limit. */
const BACKLOG = 4_096;
/** How long a stop waits for requests under way: pushes answer within their patience. */
const DRAIN_MS = 10_000;

export interface HttpServer {
  /** Like `http://127.0.0.1:4000`, with the port that was taken. */
  readonly url: string;
  /** Stops taking requests, ends sockets, waits for those under way (bounded). A repeat waits for the same stop. */
  close(): Promise<void>;
}

/**
 * Opens the port: /graphql on the server itself (0.27 ms of CPU for a small request against 0.60 behind Fastify's router),
 * everything else on Fastify. Host and Origin are checked on every address and on WebSockets.
 *
 * @throws StartupError port - taken or not allowed
 */
export async function openHttpServer(options: {
  readonly host: string;
  readonly port: number;
  readonly graphql: GraphqlEngine;
  readonly session: SessionResolver;
  readonly rate: RequestRate;
  readonly guard: HttpGuard;
  readonly sockets: SocketServer;
  readonly maxBodyBytes: number;
  readonly log: Log;
  /** Can it answer pulls? Does not depend on sources. */
  readonly isReady: () => Promise<boolean>;
  /** Prometheus text, as much of it as an operator may read. */
  readonly metrics: (operator: Session) => Promise<string>;
  readonly webhooksOf: (tenant: string) => Webhooks;
  /** What the landing page tells: collection names and modes. */
  readonly about: About;
  readonly hasPages: boolean;
  readonly site?: Site | undefined;
}): Promise<HttpServer> {
  const { host, port, graphql, sockets, log } = options;
  const server = createServer(SERVER_SETTINGS);
  const answerGraphql = createHttpGraphqlHandler(options);
  const routes = await createHttpRoutes(server, { ...options, writable: findWritable(graphql.schema) });
  const underWay = createRequestsUnderWay(systemClock);
  let stopping: Promise<void> | null = null;

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (stopping === null && isGraphql(request)) return underWay.add(response, answerGraphql(request, response));
    underWay.add(response);
    if (stopping === null) return routes.handle(request, response);
    response.setHeader('connection', 'close');
    writeError(request, response, goingAway(), log);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (stopping !== null) refuseConnection(socket, goingAway(), log);
    // Sent before the answer to the one before it: nobody does that, and the two would get into each other's way.
    else if (underWay.isAnswering(socket)) socket.destroy();
    else if (!asksForWebSocket(request)) serveWithoutUpgrade(server, request, socket, head);
    else if (isGraphql(request)) sockets.upgrade(request, socket, head);
    else refuseConnection(socket, new SyncError('NOT_FOUND', 'upgrade: expected the address /graphql'), log);
  });
  server.on('clientError', (fault: NodeJS.ErrnoException, socket) => refuseConnection(socket, unreadable(fault), log));

  await listen(server, host, port);
  const taken = server.address() as AddressInfo;

  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const [finished] = await Promise.all([underWay.finish(DRAIN_MS), sockets.close()]);
    if (!finished) log.warn('requests were broken off at the stop', { afterMs: DRAIN_MS });
    server.closeAllConnections();
    await Promise.all([closed, routes.close()]);
  }

  return {
    url: `http://${urlHost(host)}:${taken.port}`,
    close: () => (stopping ??= stop()),
  };
}

function isGraphql({ url = '' }: IncomingMessage): boolean {
  return url === '/graphql' || url.startsWith('/graphql?');
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => reject(cannotListen(host, port, cause));
    server.once('error', fail);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): StartupError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} on ${host} is taken by another program: expected a free one. Stop that program, or set PORT to another number (0 takes any)`,
    EACCES: `port ${port} on ${host} is not allowed for this user: expected one that is. Set PORT to 1024 or above`,
    EADDRNOTAVAIL: `host ${host} (port ${port}) is no address of this machine: expected one that is. Set HOST, for example to 127.0.0.1`,
    ENOTFOUND: `host ${host} (port ${port}) cannot be resolved: expected an address of this machine. Set HOST, for example to 127.0.0.1`,
  };
  const message = why[cause.code ?? ''] ?? `port ${port} on ${host} cannot be opened: ${cause.message}`;
  return new StartupError('port', message, { cause });
}

/** As a browser of this machine reaches it. */
function urlHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function goingAway(): SyncError {
  return new SyncError('UNAVAILABLE', 'the gateway stops: try again');
}

function unreadable(fault: NodeJS.ErrnoException): SyncError {
  if (fault.code === 'HPE_HEADER_OVERFLOW') {
    return new SyncError('BAD_REQUEST', `headers: expected at most ${SERVER_SETTINGS.maxHeaderSize} bytes, got more`);
  }
  if (fault.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new SyncError('BAD_REQUEST', 'expected the whole request sooner');
  }
  return new SyncError('BAD_REQUEST', `expected HTTP/1.1: ${fault.message}`, { cause: fault });
}

/** A text field that devices may write, for the landing page's example. */
function findWritable(schema: GraphQLSchema): WritableField | null {
  const record = schema.getType('RecordInput');
  if (!isInputObjectType(record)) return null;
  for (const { name: collection, type } of Object.values(record.getFields())) {
    const input = getNamedType(type);
    if (!isInputObjectType(input)) continue;
    // A note is a rule that an example would have to keep, like a list of values.
    const field = Object.values(input.getFields()).find((one) => String(one.type) === 'String' && !one.description);
    if (field !== undefined) return { collection, field: field.name };
  }
  return null;
}
