import { describe } from '../core/field.js';
import { LONGEST_DURATION_MS, parseDuration, type Duration } from './duration.js';
import { CallFault, isRead } from './fault.js';
import { pathSteps } from './soap-shape.js';
import { valueAt, type XmlValue } from './soap-value.js';
import type { SoapOperation } from './soap.js';
import type { CallPlace } from './transport.js';

/** An operation that answers with a ticket; its result is asked for with that. Reads only. */
export interface AsyncOptions {
  /** Where the ticket is in the answer. */
  readonly ticket: string;
  /** Asks for the result: a call with `ticketIn`, and with `rows`, `total` and `more` of the result. */
  readonly poll: SoapOperation;
  /** Where the answer to `poll` says how far it is, what it says until then, and what when the result is in the same answer. */
  readonly pending: { readonly at: string; readonly is: readonly string[]; readonly done: readonly string[] };
  /** Time between two questions. Default: 2 s. */
  readonly every?: Duration;
  /** Longest time for it, from the ticket on. Default: 1 min. */
  readonly within?: Duration;
}

/** The same with its defaults. */
export interface AsyncFacts extends AsyncOptions {
  readonly everyMs: number;
  readonly withinMs: number;
}

const DEFAULT_EVERY = '2s';
const DEFAULT_WITHIN = '1m';

/** Throws nothing: what does not fit is told when the connector is defined. */
export function asyncFacts(options: AsyncOptions): AsyncFacts {
  const { every = DEFAULT_EVERY, within = DEFAULT_WITHIN } = options;
  const poll = { ...options.poll, stateAt: options.pending.at };
  return { ...options, poll, everyMs: parseDuration(every) ?? NaN, withinMs: parseDuration(within) ?? NaN };
}

/** What is wrong with an operation's `async`, as "expected …, got …"; null: nothing. */
export function misfitOfAsync(operation: SoapOperation, purpose: CallPlace): string | null {
  const { async: facts } = operation;
  if (operation.ticketIn !== null)
    return `expected no ticketIn, which belongs to async.poll, got "${operation.ticketIn}"`;
  if (facts === null) return null;
  const { poll, pending, everyMs, withinMs } = facts;
  if (purpose === 'step' || !isRead(purpose))
    return 'expected no async: a write whose ticket is lost could not be told from one that is done, got async';
  if (facts.ticket === '') return 'expected async.ticket, the path of the ticket in the answer, got ""';
  if (poll.ticketIn === null)
    return 'expected async.poll with ticketIn, the argument that takes the ticket, got nothing';
  if (poll.async !== null) return 'expected async.poll without async of its own, got one';
  if (poll.paging.kind !== 'whole') return 'expected the paging beside async, not in async.poll, got it there';
  if (operation.paging.kind === 'token' || operation.delta !== null)
    return 'expected no token of a page or of changes beside async, got one';
  if (operation.rows !== '' || operation.total !== null || operation.more !== null)
    return 'expected rows, total and more in async.poll, whose answer has them, got them beside async';
  if (pending.at === '') return 'expected async.pending.at, the path of the state in the answer to async.poll, got ""';
  if (pending.is.length === 0 || pending.done.length === 0)
    return 'expected at least one state each in async.pending.is and async.pending.done, got none';
  if (pending.is.some((state) => pending.done.includes(state)))
    return 'expected other states in async.pending.done than in async.pending.is, got the same';
  if (!(everyMs >= 1 && everyMs <= LONGEST_DURATION_MS))
    return `expected async.every as a duration like "2s", got ${describe(facts.every)}`;
  if (!(withinMs >= everyMs && withinMs <= LONGEST_DURATION_MS))
    return `expected async.within as a duration like "2m", not shorter than async.every, got ${describe(facts.within)}`;
  return null;
}

/** The ticket in an answer. @throws CallFault badAnswer - there is none */
export function ticketIn({ operation, async: facts }: SoapOperation, answer: XmlValue): string {
  const found = valueAt(answer, pathSteps(facts?.ticket ?? ''));
  if (typeof found === 'string' && found.trim() !== '') return found.trim();
  throw new CallFault('badAnswer', `${operation}: expected a ticket at ${facts?.ticket ?? ''}, got none`);
}

/**
 * Is the source still at work? A state that was not declared is neither: a job that failed has no rows, and would look like a
 * list from which all records are gone (R14).
 *
 * @throws CallFault badAnswer - the state is none of those that were declared
 */
export function isPending({ pending, poll }: AsyncFacts, answer: XmlValue): boolean {
  const found = valueAt(answer, pathSteps(pending.at));
  const state = typeof found === 'string' ? found.trim() : '';
  if (pending.is.includes(state)) return true;
  if (pending.done.includes(state)) return false;
  const states = [...pending.is, ...pending.done].join(', ');
  throw new CallFault('badAnswer', `${poll.operation}: expected one of ${states} at ${pending.at}, got "${state}"`, {
    sourceIsSick: false,
  });
}
