import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/ports.js';

/** Requests under way, so that a stop lets them finish. */
export interface RequestsUnderWay {
  /**
   * Counts a request until its response is over, one way or the other, and whoever answers it is done: a client that hangs up ends the
   * first only, and what is stopped afterwards is still in use.
   */
  add(response: ServerResponse, answered?: Promise<unknown>): void;
  /** Is a response still to be written on this connection? */
  isAnswering(socket: Duplex): boolean;
  /** Resolves when none is left, or after `withinMs`: true when all came to their end. */
  finish(withinMs: number): Promise<boolean>;
}

export function createRequestsUnderWay(clock: Clock): RequestsUnderWay {
  const responses = new Set<ServerResponse>();
  let open = 0;
  let becameEmpty: (() => void) | null = null;

  async function untilOver(response: ServerResponse, answered: Promise<unknown>): Promise<void> {
    await new Promise((resolve) => response.once('close', resolve));
    responses.delete(response);
    await answered.catch(() => undefined);
    open -= 1;
    if (open === 0) becameEmpty?.();
  }

  return {
    add(response, answered = Promise.resolve()) {
      responses.add(response);
      open += 1;
      void untilOver(response, answered);
    },
    isAnswering: (socket) => [...responses].some((response) => response.socket === socket),
    async finish(withinMs) {
      // Else their connections stay open for further requests.
      for (const response of responses) if (!response.headersSent) response.setHeader('connection', 'close');
      if (open === 0) return true;
      const done = new AbortController();
      becameEmpty = () => done.abort(new Error('none is left'));
      await clock.wait(withinMs, done.signal).catch(() => undefined);
      return open === 0;
    },
  };
}
