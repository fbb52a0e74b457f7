import { CallFault } from './fault.js';

/** A request was not sent: by the time at which it would have left, the time of its call was over (F13). */
export class TimeOver extends CallFault {
  constructor() {
    super('notSent', 'its time was over before it could be sent', { sourceIsSick: false });
  }
}

const times = new WeakMap<AbortSignal, () => number>();

/**
 * No request is sent under this signal once nothing is left. The signal alone comes too late for that: a process that stood still goes on
 * with what came to it meanwhile, and with its timers after that.
 *
 * @param leftMs takes the place of what was given before
 */
export function giveTime(signal: AbortSignal, leftMs: () => number): void {
  times.set(signal, leftMs);
}

/** Is the time of what goes on under this signal over? */
export function isTimeOver(signal: AbortSignal): boolean {
  const leftMs = times.get(signal);
  return leftMs !== undefined && leftMs() <= 0;
}
