import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { SyncError } from '../core/errors.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import { deviceOf, deviceRevoked, sameDevice, type DeviceKey, type Session } from '../core/session.js';
import type { GraphqlEngine } from '../graphql/engine.js';
import { refuseConnection } from './http-error.js';
import type { HttpGuard } from './http-guard.js';
import type { RequestRate } from './request-rate.js';
import type { Credentials, SessionResolver } from './session.js';
import { CLOSE, closeSpreadMs, refuse, sendElsewhere } from './socket-closing.js';
import { createSocketProtocol } from './socket-protocol.js';
import { createSocketUpkeep } from './socket-upkeep.js';

/** Largest message: hints and subscriptions are small; pushes go over HTTP. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** So often it is asked whether a socket's user is who it was. */
const ASK_AGAIN_MS = 30_000;
/** What a client waits for that came when there were too many sockets. */
const TOO_MANY_RETRY_MS = 5_000;

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
  /** Sockets that were closed because their clients did not read, since the start. */
  droppedSlow(): number;
  /** Tells every client to come back elsewhere, and waits until all are gone. Safe to repeat. */
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
  /** Told of each socket of a device that was let in; null: nobody wants to know more of it. */
  readonly onOpen?: (device: DeviceKey) => { seen(): void; closed(): void } | null;
  /** How long a socket may take to say who it is, and how often it is asked whether it lives. */
  readonly initTimeoutMs?: number;
  readonly keepAliveMs?: number;
}): SocketServer {
  const { session, guard, rate, limits, clock, chance, log } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => GRAPHQL_TRANSPORT_WS_PROTOCOL,
  });
  const upkeep = createSocketUpkeep({ clock, log }, options.keepAliveMs);
  const protocol = createSocketProtocol({ ...options, letIn });
  /** Open sockets by user. */
  const places = new Map<string, number>();
  /** Whose each socket is that was let in. */
  const staying = new Map<WebSocket, Session>();

  async function letIn(socket: WebSocket, credentials: Credentials): Promise<Session | null> {
    try {
      const resolved = await session(credentials);
      rate.take(resolved);
      takePlace(socket, resolved);
      stay(socket, resolved);
      void stayWith(socket, credentials, resolved);
      return resolved;
    } catch (thrown) {
      refuse(socket, thrown, CLOSE.UNAUTHENTICATED, log);
      return null;
    }
  }

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

  function stay(socket: WebSocket, session: Session): void {
    if (socket.readyState !== socket.OPEN) return;
    staying.set(socket, session);
    socket.once('close', () => staying.delete(socket));
    const device = deviceOf(session);
    const open = device === null ? null : (options.onOpen?.(device) ?? null);
    if (open === null) return;
    socket.on('pong', () => open.seen());
    socket.once('close', () => open.closed());
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
          socket.close(CLOSE.GOING_AWAY, 'what you may see has changed: connect again');
        }
      } catch (thrown) {
        // Whoever issues tokens may be away for a while: what was true a moment ago is true until the token ends.
        if (SyncError.from(thrown).status < 500) refuse(socket, thrown, CLOSE.OUT, log);
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
        opened.on('error', (cause) => log.debug('a socket failed', { cause: cause.message }));
        upkeep.add(opened);
        protocol.speakOn(opened);
      });
    },
    sendAway(device) {
      for (const [socket, session] of staying) {
        const own = deviceOf(session);
        if (own !== null && sameDevice(own, device)) refuse(socket, deviceRevoked(), CLOSE.REVOKED, log);
      }
    },
    count: () => sockets.clients.size,
    droppedSlow: () => upkeep.droppedSlow(),
    async close() {
      const all = [...sockets.clients];
      const overMs = closeSpreadMs(all.length);
      await Promise.all(all.map((socket) => sendElsewhere(socket, clock, chance() * overMs)));
      await upkeep.stop();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
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

function isAnother(first: Session, now: Session): boolean {
  const text = ({ tenant, user, roles = [], grant, writeGrant = grant, isOperator = false }: Session): string =>
    JSON.stringify([tenant, user, roles, grant, writeGrant, isOperator]);
  return text(first) !== text(now);
}

function tooMany(sockets: string): SyncError {
  return new SyncError('RATE_LIMITED', `expected at most ${sockets} at once`, { retryAfterMs: TOO_MANY_RETRY_MS });
}
