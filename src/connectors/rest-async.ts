import { describe } from '../core/field.js';
import { readFaultOf } from './answer-meaning.js';
import { parseDuration } from './duration.js';
import { CallFault, shownText } from './fault.js';
import { tagsOf } from './http-client.js';
import { DEFAULT_EVERY, misfitOfStates, misfitOfTimes, stageOf, type JobStates, type JobTimes } from './job-states.js';
import type { JsonSettings, JsonExchange } from './json-exchange.js';
import { PendingResult } from './pending-result.js';
import { classifyRest, factsOf, memberAt, saidIn, type RestAnswer } from './rest-answer.js';
import { linkedPath, type RestBase } from './rest-request.js';
import type { RestOperation } from './rest.js';
import type { WriteAnswer } from './transport.js';

/**
 * A write that may be answered with 202: it was begun, and what it came to is told at the address that the answer names, for which it
 * is asked until it says so. What ends there otherwise, or not in time, is in doubt.
 */
export interface RestAsyncOptions extends JobTimes {
  /** Where the 202 names that address: a header, or a member of its body. Default: the header `Location`. */
  readonly statusAt?: { readonly header: string } | { readonly member: string };
  /** Where its answer says how far it is. Default: 202 says that it goes on; 200, 204, and what 303 leads to, that it is done. */
  readonly pending?: JobStates;
}

/** The same with its defaults. */
export interface RestAsyncFacts extends RestAsyncOptions {
  readonly everyMs: number;
  /** Infinity: as long as the write's own time lasts. */
  readonly withinMs: number;
}

/** What a source says that has begun a write, and where a job that ended leads to its result. */
const ACCEPTED = 202;
const SEE_OTHER = 303;

/** Throws nothing: what does not fit is told when the connector is defined. */
export function restAsyncFacts(options: RestAsyncOptions): RestAsyncFacts {
  const { every = DEFAULT_EVERY, within } = options;
  const withinMs = within === undefined ? Infinity : (parseDuration(within) ?? NaN);
  return { ...options, everyMs: parseDuration(every) ?? NaN, withinMs };
}

/** What is wrong with `async` of a write, as "expected …, got …"; null: nothing. */
export function misfitOfRestAsync({ async: facts }: RestOperation, isStep: boolean, timeoutMs: number): string | null {
  if (facts === undefined) return null;
  const { statusAt, pending, withinMs } = facts;
  if (isStep) return 'expected no async in a series, whose calls are answered at once, got async';
  if (statusAt !== undefined && Object.values(statusAt).some((name) => typeof name !== 'string' || name === ''))
    return `expected async.statusAt as { header } or { member }, got ${describe(statusAt)}`;
  const ofStates = pending === undefined ? null : misfitOfStates(pending);
  if (ofStates !== null) return ofStates;
  if (withinMs !== Infinity && withinMs >= timeoutMs)
    return `expected async.within to be shorter than the timeout of a write, ${timeoutMs} ms, got ${withinMs} ms`;
  return misfitOfTimes(facts, Math.min(withinMs, timeoutMs));
}

/** Follows the writes of a source that were begun. */
export interface RestJobs {
  /**
   * The end of a write, if its answer says that it was begun; null: it says something else.
   *
   * @param path of the write, against which the address is read
   * @throws CallFault unknown - it was begun, and nobody can ask for its end
   */
  begun(facts: RestOperation, path: string, answer: RestAnswer): PendingResult<WriteAnswer> | null;
}

export function createRestJobs(exchange: JsonExchange, base: RestBase, settings: JsonSettings): RestJobs {
  /** Asks for an end. A question is a read: that it is refused, or finds nothing, says nothing of the write. */
  async function ask(path: string, signal: AbortSignal): Promise<RestAnswer> {
    const answer = await exchange('one', 'GET', path, {}, null, signal);
    const meaning = classifyRest(answer, 'one', settings);
    const { status } = answer.head;
    if (!meaning.isTold && (status === ACCEPTED || status === SEE_OTHER)) return answer;
    if (meaning.is.kind === 'absent') throw doubt(`what became of it is not known any more (${status})`);
    if (meaning.is.kind !== 'fine') throw readFaultOf(meaning, factsOf(answer), saidIn(answer));
    if (answer.misfit !== null) throw new CallFault('badAnswer', answer.misfit);
    return answer;
  }

  function questions(facts: RestOperation, job: RestAsyncFacts, path: string): PendingResult<WriteAnswer> {
    const after = (ms: number, next: (signal: AbortSignal) => Promise<WriteAnswer | PendingResult<WriteAnswer>>) =>
      new PendingResult<WriteAnswer>(ms, job.withinMs, next);
    const askStatus = async (signal: AbortSignal): Promise<WriteAnswer | PendingResult<WriteAnswer>> => {
      const answer = await ask(path, signal);
      if (answer.head.status === SEE_OTHER) {
        const result = addressIn(answer, { header: 'location' }, path);
        return after(0, async (deadline) => doneWith(facts, await ask(result, deadline), true));
      }
      const stage = stageIn(answer, job);
      if (stage === 'pending') return after(answer.retryAfterMs ?? job.everyMs, askStatus);
      return stage === 'done' ? doneWith(facts, answer, false) : failedWith(answer, job);
    };
    return after(job.everyMs, askStatus);
  }

  function addressIn(answer: RestAnswer, at: RestAsyncOptions['statusAt'] & object, path: string): string {
    const found = 'header' in at ? answer.head.headers.get(at.header.toLowerCase()) : memberAt(answer.body, at.member);
    const where = 'header' in at ? `the header ${at.header}` : at.member;
    const page = new URL(path, base.origin).href;
    if (typeof found !== 'string' || found === '' || !URL.canParse(found, page))
      throw doubt(`expected the address of its end in ${where}, got none`);
    return linkedPath(base, new URL(found, page).href, 'the address of its end');
  }

  return {
    begun(facts, path, answer) {
      const { async: job } = facts;
      if (job === undefined || answer.head.status !== ACCEPTED) return null;
      try {
        const status = addressIn(answer, job.statusAt ?? { header: 'location' }, path);
        const first = questions(facts, job, status);
        return new PendingResult(answer.retryAfterMs ?? first.everyMs, first.withinMs, first.ask);
      } catch (thrown) {
        throw thrown instanceof CallFault ? new CallFault('unknown', thrown.message, { sourceIsSick: false }) : thrown;
      }
    },
  };
}

function stageIn({ head, body }: RestAnswer, { pending }: RestAsyncFacts): 'pending' | 'done' | 'failed' {
  const isAccepted = head.status === ACCEPTED;
  if (pending === undefined) return isAccepted ? 'pending' : 'done';
  const state = memberAt(body, pending.at);
  // What says nothing but "accepted" says enough.
  if (isAccepted && state === undefined) return 'pending';
  return stageOf(pending, wordOf(state), 'its status');
}

function wordOf(state: unknown): string {
  return typeof state === 'string' || typeof state === 'number' || typeof state === 'boolean' ? String(state) : '';
}

/** @param isOfRecord is it the record's own answer? Then its head says which state of it that is. */
function doneWith({ rows }: RestOperation, answer: RestAnswer, isOfRecord: boolean): WriteAnswer {
  // Led on and on: where a record should be there is none.
  const { status } = answer.head;
  if (isOfRecord && (status === ACCEPTED || status === SEE_OTHER)) throw doubt(`expected its result, got ${status}`);
  const isBare = answer.body === undefined;
  return { kind: 'done', row: memberAt(answer.body, rows), tag: isOfRecord ? tagsOf(answer.head) : null, isBare };
}

function failedWith({ body }: RestAnswer, { pending }: RestAsyncFacts): WriteAnswer {
  const said = pending?.message === undefined ? undefined : memberAt(body, pending.message);
  const message =
    typeof said === 'string' && said !== ''
      ? said
      : `its job ended in the state ${wordOf(memberAt(body, pending?.at ?? ''))}`;
  return { kind: 'refused', message: shownText(message), field: null, said: body };
}

function doubt(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}
