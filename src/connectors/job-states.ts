import { describe } from '../core/field.js';
import { LONGEST_DURATION_MS, parseDuration, type Duration } from './duration.js';
import { CallFault } from './fault.js';

/** Where an answer says how far a job is, what it says until it ended, and what when its result is in the same answer. */
export interface JobStates {
  readonly at: string;
  readonly is: readonly string[];
  readonly done: readonly string[];
  /** Of a write: what it says when the job failed for good, and did nothing; and where it says why. */
  readonly failed?: readonly string[];
  readonly message?: string;
}

/** Times in which a job is asked for. */
export interface JobTimes {
  /** Time between two questions. Default: 2 s. */
  readonly every?: Duration;
  /** Longest time for it, from its beginning on. */
  readonly within?: Duration;
}

export const DEFAULT_EVERY = '2s';

/** What is wrong with the states of a job, as "expected …, got …"; null: nothing. */
export function misfitOfStates({ at, is, done, failed = [], message }: JobStates): string | null {
  if (message !== undefined && failed.length === 0)
    return 'expected async.pending.failed beside message, which says why a job failed, got nothing';
  if (at === '') return 'expected async.pending.at, the path of the state in the answer, got ""';
  if (is.length === 0 || done.length === 0)
    return 'expected at least one state each in async.pending.is and async.pending.done, got none';
  const states = [...is, ...done, ...failed];
  if (new Set(states).size === states.length) return null;
  return 'expected other states in async.pending.done than in async.pending.is and failed, each once, got the same';
}

/** The same of its times; `withinMs` with its default. */
export function misfitOfTimes({ every, within }: JobTimes, withinMs: number): string | null {
  const everyMs = parseDuration(every ?? DEFAULT_EVERY) ?? NaN;
  if (!(everyMs >= 1 && everyMs <= LONGEST_DURATION_MS))
    return `expected async.every as a duration like "2s", got ${describe(every)}`;
  if (!(withinMs >= everyMs && withinMs <= LONGEST_DURATION_MS))
    return `expected async.within as a duration like "2m", not shorter than async.every, got ${describe(within)}`;
  return null;
}

/**
 * How far a job is. A state that was not declared is neither: a job that failed has no rows, and would look like a list from which all
 * records are gone (R14).
 *
 * @param who is asked, for the message
 * @throws CallFault badAnswer - the state is none of those that were declared
 */
export function stageOf(
  { at, is, done, failed = [] }: JobStates,
  state: string,
  who: string,
): 'pending' | 'done' | 'failed' {
  if (is.includes(state)) return 'pending';
  if (done.includes(state)) return 'done';
  if (failed.includes(state)) return 'failed';
  const states = [...is, ...done, ...failed].join(', ');
  throw new CallFault('badAnswer', `${who}: expected one of ${states} at ${at}, got "${state}"`, {
    sourceIsSick: false,
  });
}
