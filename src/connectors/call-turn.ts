import { CallFault } from './fault.js';

/** Leave for one request, which is to be on its way before it is over: by then it may be another's second. */
export interface CallTurn {
  isOver(): boolean;
}

/** The request waited too long for its connection, or for the processor, and was not sent. */
export class TurnOver extends CallFault {
  constructor() {
    super('notSent', 'its turn was over before it could be sent', { sourceIsSick: false });
  }
}

const turns = new WeakMap<AbortSignal, CallTurn>();

/** The turn of the next request that is made under this signal. */
export function giveTurn(signal: AbortSignal, turn: CallTurn): void {
  turns.set(signal, turn);
}

/** Takes it: what is requested after it has turns of its own. Null: requests may go at any time. */
export function takeTurn(signal: AbortSignal): CallTurn | null {
  const turn = turns.get(signal) ?? null;
  turns.delete(signal);
  return turn;
}
