import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/ports.js';

/** Requests under way, so that a stop lets them finish. */
export interface RequestsUnderWay {
  /** Counts a request until its response is over, one way or the other. */
  add(response: ServerResponse): void;
  /** Is a response still to be written on this connection? */
  isAnswering(socket: Duplex): boolean;
  /** Resolves when none is left, or after `withinMs`: true when all came to their end. */
  finish(withinMs: number): Promise<boolean>;
}

export function createRequestsUnderWay(clock: Clock): RequestsUnderWay {
  const open = new Set<ServerResponse>();
  let becameEmpty: (() => void) | null = null;
  return {
    add(response) {
      open.add(response);
      response.once('close', () => {
        open.delete(response);
        if (open.size === 0) becameEmpty?.();
      });
    },
    isAnswering: (socket) => [...open].some((response) => response.socket === socket),
    async finish(withinMs) {
      // Else their connections stay open for further requests.
      for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
      if (open.size === 0) return true;
      const done = new AbortController();
      becameEmpty = () => done.abort(new Error('none is left'));
      await clock.wait(withinMs, done.signal).catch(() => undefined);
      return open.size === 0;
    },
  };
}
