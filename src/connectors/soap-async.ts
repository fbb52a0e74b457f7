import { parseDuration } from './duration.js';
import { CallFault, isRead, shownText } from './fault.js';
import { DEFAULT_EVERY, misfitOfStates, misfitOfTimes, stageOf, type JobStates, type JobTimes } from './job-states.js';
import { pathSteps } from './soap-shape.js';
import { valueAt, type XmlValue } from './soap-value.js';
import type { SoapOperation } from './soap.js';
import type { CallPlace, WriteAnswer } from './transport.js';

/** An operation that answers with a ticket; its result is asked for with that, within 1 min where nothing else is said. */
export interface AsyncOptions extends JobTimes {
  /** Where the ticket is in the answer. */
  readonly ticket: string;
  /** Asks for the result: a call with `ticketIn`, and with `rows`, `total` and `more` of the result. */
  readonly poll: SoapOperation;
  /** Where the answer to `poll` says how far it is, what it says until then, and what when the result is in the same answer. */
  readonly pending: JobStates;
}

/** The same with its defaults. */
export interface AsyncFacts extends AsyncOptions {
  readonly everyMs: number;
  readonly withinMs: number;
}

const DEFAULT_WITHIN = '1m';

/** Throws nothing: what does not fit is told when the connector is defined. */
export function asyncFacts(options: AsyncOptions): AsyncFacts {
  const { every = DEFAULT_EVERY, within = DEFAULT_WITHIN } = options;
  const poll = { ...options.poll, stateAt: options.pending.at, messageAt: options.pending.message ?? null };
  return { ...options, poll, everyMs: parseDuration(every) ?? NaN, withinMs: parseDuration(within) ?? NaN };
}

/** What is wrong with an operation's `async`, as "expected …, got …"; null: nothing. */
export function misfitOfAsync(operation: SoapOperation, purpose: CallPlace, timeoutMs: number): string | null {
  const { async: facts } = operation;
  if (operation.ticketIn !== null)
    return `expected no ticketIn, which belongs to async.poll, got "${operation.ticketIn}"`;
  if (facts === null) return null;
  const { poll, pending, withinMs } = facts;
  if (purpose === 'step') return 'expected no async in a series, whose calls are answered at once, got async';
  const { failed = [], message } = pending;
  if (isRead(purpose) && (failed.length > 0 || message !== undefined))
    return 'expected no failed and message in async.pending of a read, which fails in any other state, got them';
  if (!isRead(purpose) && withinMs >= timeoutMs)
    return `expected async.within to be shorter than the timeout of a write, ${timeoutMs} ms, got ${withinMs} ms`;
  if (facts.ticket === '') return 'expected async.ticket, the path of the ticket in the answer, got ""';
  if (poll.ticketIn === null)
    return 'expected async.poll with ticketIn, the argument that takes the ticket, got nothing';
  if (poll.async !== null) return 'expected async.poll without async of its own, got one';
  if (poll.paging.kind !== 'whole') return 'expected the paging beside async, not in async.poll, got it there';
  if (operation.paging.kind === 'token' || operation.delta !== null)
    return 'expected no token of a page or of changes beside async, got one';
  if (operation.rows !== '' || operation.total !== null || operation.more !== null)
    return 'expected rows, total and more in async.poll, whose answer has them, got them beside async';
  return misfitOfStates(pending) ?? misfitOfTimes(facts, withinMs);
}

/** The ticket in an answer. @throws CallFault badAnswer - there is none */
export function ticketIn({ operation, async: facts }: SoapOperation, answer: XmlValue): string {
  const found = valueAt(answer, pathSteps(facts?.ticket ?? ''));
  if (typeof found === 'string' && found.trim() !== '') return found.trim();
  throw new CallFault('badAnswer', `${operation}: expected a ticket at ${facts?.ticket ?? ''}, got none`);
}

/** The end of a write's job, whose state is not pending any more. */
export function jobEnd({ pending, poll }: AsyncFacts, answer: XmlValue): WriteAnswer {
  const state = textAt(answer, pending.at);
  if (pending.failed?.includes(state) !== true)
    return { kind: 'done', row: valueAt(answer, pathSteps(poll.rows)), tag: null, isBare: false };
  const message = textAt(answer, pending.message ?? '') || `its job ended in the state ${state}`;
  return { kind: 'refused', message: shownText(message), field: null, said: answer };
}

function textAt(answer: XmlValue, path: string): string {
  const found = path === '' ? undefined : valueAt(answer, pathSteps(path));
  return typeof found === 'string' ? found.trim() : '';
}

/** Is the source still at work? @throws CallFault badAnswer - its state is none of those that were declared */
export function isPending({ pending, poll }: AsyncFacts, answer: XmlValue): boolean {
  return stageOf(pending, textAt(answer, pending.at), poll.operation) === 'pending';
}
