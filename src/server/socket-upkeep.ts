import type { WebSocket } from 'ws';
import type { Clock, Log } from '../core/ports.js';
import { CLOSE } from './socket-closing.js';

/** Looks after open sockets: who does not live any more is cut off, and who does not read is sent away. */
export interface SocketUpkeep {
  /** Looks after one until it closes. */
  add(socket: WebSocket): void;
  /** Sockets that were sent away because they did not read. */
  droppedSlow(): number;
  stop(): Promise<void>;
}

/** So often a client is asked whether it lives, and so long it may take to answer. */
const KEEP_ALIVE_MS = 12_000;
/** So often all sockets are looked at. */
const SWEEP_MS = 1_000;
/**
 * What may wait to be sent to one client while we go on reading what it sends. Hints never come near, since they merge while one waits; this is for
 * answers that a client asks for and does not read.
 */
export const MAX_WAITING_BYTES = 1024 * 1024;
/** So long more than that may wait, then the socket is closed. */
const MAX_BEHIND_MS = 10_000;
/** So long a client that is behind may take to come to the end of what it was sent, and to the close behind it. */
const CATCH_UP_MS = 5_000;

interface Watched {
  /** When it is asked next; it was asked and did not answer yet: when it is cut off. */
  dueMs: number;
  isAsked: boolean;
  behindSinceMs: number | null;
  cutOffMs: number;
}

/** @param keepAliveMs the time from a sign of life to the next question, and from that to the end */
export function createSocketUpkeep(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  keepAliveMs = KEEP_ALIVE_MS,
): SocketUpkeep {
  const watched = new Map<WebSocket, Watched>();
  const stopping = new AbortController();
  let dropped = 0;

  function ask(socket: WebSocket, one: Watched, nowMs: number): void {
    if (nowMs < one.dueMs) return;
    if (one.isAsked) return socket.terminate();
    one.isAsked = true;
    one.dueMs = nowMs + keepAliveMs;
    socket.ping();
  }

  function look(socket: WebSocket, one: Watched, nowMs: number): void {
    if (nowMs >= one.cutOffMs) return socket.terminate();
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount <= MAX_WAITING_BYTES) {
      one.behindSinceMs = null;
      readOn(socket);
      return ask(socket, one, nowMs);
    }
    one.behindSinceMs ??= nowMs;
    if (nowMs - one.behindSinceMs < MAX_BEHIND_MS) return;
    one.cutOffMs = nowMs + CATCH_UP_MS;
    dropped += 1;
    log.info('a socket does not read what it is sent and is closed', { waitingBytes: socket.bufferedAmount });
    socket.close(CLOSE.SLOW, 'expected a client that reads what it is sent: connect again, and pull');
  }

  async function sweep(): Promise<void> {
    const everyMs = Math.min(SWEEP_MS, keepAliveMs);
    while (!stopping.signal.aborted) {
      await clock.wait(everyMs, stopping.signal).catch(() => undefined);
      const nowMs = clock.monotonicMs();
      for (const [socket, one] of watched) look(socket, one, nowMs);
    }
  }

  const sweeping = sweep();
  return {
    add(socket) {
      const one: Watched = {
        dueMs: clock.monotonicMs() + keepAliveMs,
        isAsked: false,
        behindSinceMs: null,
        cutOffMs: Number.POSITIVE_INFINITY,
      };
      watched.set(socket, one);
      socket.on('pong', () => {
        one.isAsked = false;
        one.dueMs = clock.monotonicMs() + keepAliveMs;
      });
      // Each is answered at once.
      socket.on('ping', () => holdBack(socket));
      socket.once('close', () => watched.delete(socket));
    },
    droppedSlow: () => dropped,
    async stop() {
      stopping.abort(new Error('no sockets any more'));
      await sweeping;
    },
  };
}

/** While a client does not read, nothing more of it is read: so what waits for it stays within bounds. */
export function holdBack(socket: WebSocket): void {
  if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.pause();
}

/** @returns nothing; the opposite of `holdBack`, once enough has gone */
export function readOn(socket: WebSocket): void {
  if (socket.isPaused && socket.bufferedAmount <= MAX_WAITING_BYTES) socket.resume();
}
