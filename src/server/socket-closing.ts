import type { WebSocket } from 'ws';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';

/**
 * With which codes a socket is closed, beside those that `ws` (1009) and graphql-ws (4401, 4408, 4409, 4429) use of their own accord; docs/protocol.md
 * has the table. Clients of graphql-ws come back after each but 1003, 4400 and 4401.
 */
export const CLOSE = {
  /** The gateway stops, or what its user may see is another thing now. */
  GOING_AWAY: 1001,
  /** Messages are text. */
  UNSUPPORTED: 1003,
  /** Too many sockets, or requests. */
  TRY_LATER: 1013,
  BAD_REQUEST: 4400,
  UNAUTHENTICATED: 4401,
  /** Credentials that were good once are over. */
  OUT: 4403,
  /** An operator took the device's rights away: it is refused again whenever it comes back. */
  REVOKED: 4410,
  /** The client does not read what it is sent: it comes back, and pulls. */
  SLOW: 4411,
  INTERNAL: 4500,
} as const;

/**
 * Closes a socket for what was thrown.
 *
 * @param unauthenticated the code for credentials that are not taken
 */
export function refuse(
  socket: Pick<WebSocket, 'close'>,
  thrown: unknown,
  unauthenticated: number,
  log: Pick<Log, 'error'>,
): void {
  const error = SyncError.from(thrown);
  if (error.code === 'INTERNAL') log.error('a socket was refused', { cause: String(error.cause) });
  const codes: Readonly<Record<number, number>> = { 401: unauthenticated, 429: CLOSE.TRY_LATER };
  const known = error.code === 'DEVICE_REVOKED' ? CLOSE.REVOKED : codes[error.status];
  socket.close(known ?? CLOSE.BAD_REQUEST, closeReason(error));
}

/** RFC 6455: at most 123 bytes. */
function closeReason(error: SyncError): string {
  return Buffer.from(`${error.code}: ${error.message}`).subarray(0, 120).toString('utf8').replaceAll('\ufffd', '');
}

/** Sockets that are sent away in a second: their clients come back somewhere else at the same rate. */
const SENT_AWAY_PER_SECOND = 1_000;
/** Within the time that a stop leaves to requests. */
const MAX_SPREAD_MS = 8_000;

/** Over how many ms so many sockets are sent away when the gateway stops. */
export function closeSpreadMs(sockets: number): number {
  return Math.min(Math.max(1, sockets / SENT_AWAY_PER_SECOND) * 1_000, MAX_SPREAD_MS);
}

/** How long a client may take to answer that it is being closed. */
const ANSWER_MS = 1_000;

/** Sends a client away after a while, because the gateway stops; cut off if it does not hear. Resolves when it is gone. */
export async function sendElsewhere(socket: WebSocket, clock: Clock, afterMs: number): Promise<void> {
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (socket.readyState === socket.CLOSED) return;
  const left = new AbortController();
  void gone.then(() => left.abort(new Error('closed')));
  await clock.wait(afterMs, left.signal).catch(() => undefined);
  socket.close(CLOSE.GOING_AWAY, 'the gateway stops: connect again');
  await clock.wait(ANSWER_MS, left.signal).then(
    () => socket.terminate(),
    () => undefined,
  );
  await gone;
}
