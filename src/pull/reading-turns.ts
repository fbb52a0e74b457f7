import type { Session } from '../core/session.js';
import { inTurn, type Turns } from '../core/turns.js';

/** A read for one session, like a pull. */
type Read<Request, Answer> = (session: Session, request: Request) => Promise<Answer>;

/**
 * A read that takes the user's turn, so that however much one user asks for, reads of others find a connection and a processor (a flood of pulls,
 * eight at once and each with a page read ahead, held all 16 connections).
 *
 * @param turns by user: those of one tenant
 */
export function readInTurn<Request, Answer>(turns: Turns, read: Read<Request, Answer>): Read<Request, Answer> {
  return (session, request) => inTurn(turns.enter(session.user), () => read(session, request));
}
