import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { execute, GraphQLError } from 'graphql';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { SyncError } from '../core/errors.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import { deviceOf, deviceRevoked, sameDevice, type DeviceKey, type Session } from '../core/session.js';
import type { RequestContext } from '../graphql/context.js';
import type { GraphqlEngine } from '../graphql/engine.js';
import { refuseConnection } from './http-error.js';
import type { HttpGuard } from './http-guard.js';
import { inTurn, type RequestRate } from './request-rate.js';
import type { Credentials, SessionResolver } from './session.js';

/** Largest message: hints and subscriptions are small; pushes go over HTTP. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const INIT_TIMEOUT_MS = 3_000;
const KEEP_ALIVE_MS = 12_000;
/** Operations at once on one socket: an app listens once, with a list. */
const MAX_OPERATIONS = 20;
/** So often it is asked whether a socket's user is who it was. */
const ASK_AGAIN_MS = 30_000;
/** What a client waits for that came when there were too many sockets. */
const TOO_MANY_RETRY_MS = 5_000;
/** At a stop, sockets are closed over this time, so that their clients do not all come back at once. */
const CLOSE_SPREAD_MS = 1_000;
/**
 * Close codes: going away and too many (clients come back), refused credentials (clients of graphql-ws do not), and credentials that are
 * over (they do, with new ones). A device that is revoked has a code of its own: it is refused again whenever it comes back.
 */
const GOING_AWAY = 1001;
const TRY_LATER = 1013;
const BAD_REQUEST = 4400;
const UNAUTHENTICATED = 4401;
const OUT = 4403;
const REVOKED = 4410;

interface SocketState extends Record<PropertyKey, unknown> {
  context: RequestContext;
}

/** How many sockets may be open at once in this process. */
export interface SocketLimits {
  readonly maxSockets: number;
  readonly maxSocketsPerUser: number;
}

/** graphql-ws on the path of /graphql. */
export interface SocketServer {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes those of a device that was revoked. */
  sendAway(device: DeviceKey): void;
  /** Open sockets. */
  count(): number;
  /** Tells every client to come back elsewhere, and waits until all are gone. */
  close(): Promise<void>;
}

export function createSocketServer(options: {
  readonly graphql: GraphqlEngine;
  readonly session: SessionResolver;
  readonly guard: HttpGuard;
  readonly rate: RequestRate;
  readonly limits: SocketLimits;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** How long a socket may take to say who it is, and how often it is asked whether it lives. */
  readonly initTimeoutMs?: number;
  readonly keepAliveMs?: number;
}): SocketServer {
  const { graphql, session, guard, rate, limits, clock, chance, log } = options;
  const { initTimeoutMs = INIT_TIMEOUT_MS, keepAliveMs = KEEP_ALIVE_MS } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  const graphqlServer = useServer<Record<string, unknown>, SocketState>(
    {
      schema: graphql.schema,
      // Else close reasons tell what went wrong inside.
      isProd: true,
      connectionInitWaitTimeout: initTimeoutMs,
      async onConnect({ connectionParams, extra }) {
        const credentials = {
          authorization: textOf(connectionParams?.['authorization']),
          device: textOf(connectionParams?.['device']),
        };
        try {
          const resolved = await session(credentials);
          rate.take(resolved);
          takePlace(extra.socket, resolved);
          extra.context = graphql.contextFor(resolved);
          stay(extra.socket, resolved);
          void stayWith(extra.socket, credentials, resolved);
          return true;
        } catch (thrown) {
          refuse(extra.socket, thrown, UNAUTHENTICATED);
          return false;
        }
      },
      onSubscribe({ extra, subscriptions }, _id, payload) {
        // Only a connection that was acknowledged, which has its context, may subscribe.
        const context = extra.context as RequestContext;
        try {
          checkOperations(Object.keys(subscriptions).length);
          rate.take(context.session);
        } catch (thrown) {
          return [refusal(thrown)];
        }
        const read = graphql.readOperation(payload);
        return 'errors' in read ? read.errors : { ...read.args, contextValue: context };
      },
      async execute(args) {
        const { session: who } = args.contextValue as RequestContext;
        try {
          return await inTurn(rate, who, async () => execute(args));
        } catch (thrown) {
          return { data: null, errors: [refusal(thrown)] };
        }
      },
      onNext(_context, _id, _payload, _args, { data, errors }) {
        if (errors !== undefined) return { data: data ?? null, errors: graphql.formatErrors(errors) };
        return undefined;
      },
      onError: (_context, _id, _payload, errors) => [...graphql.formatErrors(errors)],
    },
    sockets,
    keepAliveMs,
  );

  /** Open sockets by user. */
  const places = new Map<string, number>();

  /** @throws SyncError RATE_LIMITED - the user has as many sockets as it may */
  function takePlace(socket: WebSocket, { tenant, user }: Session): void {
    if (socket.readyState !== socket.OPEN) return;
    const name = JSON.stringify([tenant, user]);
    const taken = places.get(name) ?? 0;
    if (taken >= limits.maxSocketsPerUser) throw tooMany(`${limits.maxSocketsPerUser} sockets of one user`);
    places.set(name, taken + 1);
    socket.once('close', () => {
      const left = (places.get(name) ?? 0) - 1;
      if (left > 0) places.set(name, left);
      else places.delete(name);
    });
  }

  /** Whose each socket is that was let in. */
  const staying = new Map<WebSocket, Session>();

  function stay(socket: WebSocket, session: Session): void {
    if (socket.readyState !== socket.OPEN) return;
    staying.set(socket, session);
    socket.once('close', () => staying.delete(socket));
  }

  function refuse(socket: Pick<WebSocket, 'close'>, thrown: unknown, code: number): void {
    const error = SyncError.from(thrown);
    if (error.code === 'INTERNAL') log.error('a socket was refused', { cause: String(error.cause) });
    const codes: Readonly<Record<number, number>> = { 401: code, 429: TRY_LATER };
    const known = error.code === 'DEVICE_REVOKED' ? REVOKED : codes[error.status];
    socket.close(known ?? BAD_REQUEST, closeReason(error));
  }

  /** Closes a socket when its token ends, when its user is nobody any more, or when what it may see is another thing. */
  async function stayWith(socket: WebSocket, credentials: Credentials, first: Session): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort(new Error('closed')));
    while (socket.readyState === socket.OPEN) {
      const leftMs = Math.max(0, (first.expiresAtMs ?? Infinity) - clock.nowMs());
      await clock.wait(Math.min(leftMs, ASK_AGAIN_MS), gone.signal).catch(() => undefined);
      if (gone.signal.aborted) return;
      try {
        if (isAnother(first, await session(credentials))) {
          socket.close(GOING_AWAY, 'what you may see has changed: connect again');
        }
      } catch (thrown) {
        // Whoever issues tokens may be away for a while: what was true a moment ago is true until the token ends.
        if (SyncError.from(thrown).status < 500) refuse(socket, thrown, OUT);
      }
    }
  }

  return {
    upgrade(request, socket, head) {
      try {
        guard.check(request);
        checkProtocol(request);
        if (sockets.clients.size >= limits.maxSockets) throw tooMany(`${limits.maxSockets} sockets`);
      } catch (thrown) {
        refuseConnection(socket, thrown, log);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (opened) => {
        sockets.emit('connection', opened, request);
        // In place of graphql-ws's listener, which writes to the console whatever a stranger sends.
        opened
          .removeAllListeners('error')
          .on('error', (cause) => log.debug('a socket failed', { cause: cause.message }));
      });
    },
    sendAway(device) {
      for (const [socket, session] of staying) {
        const own = deviceOf(session);
        if (own !== null && sameDevice(own, device)) refuse(socket, deviceRevoked(), REVOKED);
      }
    },
    count: () => sockets.clients.size,
    async close() {
      await Promise.all([...sockets.clients].map((socket) => closeOne(socket, clock, chance() * CLOSE_SPREAD_MS)));
      await graphqlServer.dispose();
    },
  };
}

/** Older clients speak `graphql-ws`, a protocol that is dead: they learn what to switch to. */
function checkProtocol({ headers }: IncomingMessage): void {
  const offered = headers['sec-websocket-protocol'] ?? '';
  if (offered.split(',').some((protocol) => protocol.trim() === GRAPHQL_TRANSPORT_WS_PROTOCOL)) return;
  throw new SyncError(
    'BAD_REQUEST',
    `Sec-WebSocket-Protocol: expected ${GRAPHQL_TRANSPORT_WS_PROTOCOL}, got ${offered === '' ? 'none' : JSON.stringify(offered.slice(0, 100))}`,
  );
}

async function closeOne(socket: WebSocket, clock: Clock, afterMs: number): Promise<void> {
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (socket.readyState === socket.CLOSED) return;
  const left = new AbortController();
  void gone.then(() => left.abort(new Error('closed')));
  await clock.wait(afterMs, left.signal).catch(() => undefined);
  socket.close(GOING_AWAY, 'the gateway stops: connect again');
  await clock.wait(CLOSE_SPREAD_MS, left.signal).then(
    () => socket.terminate(),
    () => undefined,
  );
  await gone;
}

function isAnother(first: Session, now: Session): boolean {
  const text = ({ tenant, user, roles = [], grant, writeGrant = grant, isOperator = false }: Session): string =>
    JSON.stringify([tenant, user, roles, grant, writeGrant, isOperator]);
  return text(first) !== text(now);
}

function checkOperations(count: number): void {
  if (count <= MAX_OPERATIONS) return;
  throw new SyncError('LIMIT_EXCEEDED', `expected at most ${MAX_OPERATIONS} operations at once on one socket`);
}

function refusal(thrown: unknown): GraphQLError {
  const error = SyncError.from(thrown);
  return new GraphQLError(error.message, { originalError: error });
}

function tooMany(sockets: string): SyncError {
  return new SyncError('RATE_LIMITED', `expected at most ${sockets} at once`, { retryAfterMs: TOO_MANY_RETRY_MS });
}

/** RFC 6455: at most 123 bytes. */
function closeReason(error: SyncError): string {
  return Buffer.from(`${error.code}: ${error.message}`).subarray(0, 120).toString('utf8').replaceAll('\ufffd', '');
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
