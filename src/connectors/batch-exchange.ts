import type { BatchFacts } from './batch.js';
import { jsonCodec } from './batch-json.js';
import { multipartCodec } from './batch-multipart.js';
import { CallFault } from './fault.js';
import type { JsonExchange } from './json-exchange.js';
import { byStatus, saidIn, type RestAnswer } from './rest-answer.js';
import type { RestBase } from './rest-request.js';
import type { BatchEnd, SourceDeps, WriteAnswer } from './transport.js';

/** A write as one request among others. */
export interface BatchRequest {
  readonly method: string;
  /** Relative to the address of the source. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** How requests become one, and one answer theirs. */
export interface BatchCodec {
  render(all: readonly BatchRequest[]): { readonly type: string; readonly body: string };
  /** The answer to each; null: there is none. @throws CallFault unknown - the whole cannot be believed */
  read(answer: RestAnswer, all: readonly BatchRequest[]): readonly (RestAnswer | null)[];
}

/** A write that goes in a batch. */
export interface BatchItem {
  readonly request: BatchRequest;
  /** What its answer says. @throws CallFault */
  readonly answerOf: (answer: RestAnswer) => WriteAnswer;
}

/**
 * Makes writes in one request, and takes what it comes to apart.
 *
 * @param items those that ended before they went out are as they are
 * @throws CallFault - it is all of theirs: none was sent, or anything may have happened to each
 */
export type BatchExchange = (
  items: readonly (BatchItem | BatchEnd)[],
  signal: AbortSignal,
) => Promise<readonly BatchEnd[]>;

export function createBatchExchange(
  exchange: JsonExchange,
  { prefix }: RestBase,
  facts: BatchFacts,
  { notProcessed }: { readonly notProcessed: readonly number[] },
  { clock }: Pick<SourceDeps, 'clock'>,
): BatchExchange {
  const nowMs = (): number => clock.nowMs();
  const codec = facts.format === 'json' ? jsonCodec(facts, nowMs) : multipartCodec(facts, nowMs);

  async function ask(items: readonly BatchItem[], signal: AbortSignal): Promise<readonly BatchEnd[]> {
    const requests = items.map(({ request }) => request);
    const { type, body } = codec.render(requests);
    // One that is refused must not keep the others from being done.
    const headers = { 'content-type': type, ...(facts.isAtomic ? {} : { prefer: 'odata.continue-on-error' }) };
    const answer = await exchange('update', 'POST', `${prefix}${facts.path}`, headers, body, signal);
    const { status } = answer.head;
    const is = status === 202 ? ({ kind: 'fine' } as const) : byStatus(answer, 'create', saidIn(answer), notProcessed);
    switch (is.kind) {
      case 'fine':
        return facts.isAtomic
          ? ofWhole(items, codec.read(answer, requests))
          : ofEach(items, codec.read(answer, requests));
      case 'notProcessed':
        throw new CallFault('notSent', is.reason, { retryAfterMs: is.retryAfterMs, sourceIsSick: false });
      case 'unknown':
        throw new CallFault('unknown', is.reason, { retryAfterMs: answer.retryAfterMs, sourceIsSick: status >= 500 });
      default:
        // Refused as a whole, nothing of it was done: each by itself shows which one it is.
        return items.map(() => 'single');
    }
  }

  return async (items, signal) => {
    const going = items.filter(isGoing);
    const ends = going.length === 0 ? [] : await ask(going, signal);
    return items.map((item) => (isGoing(item) ? (ends[going.indexOf(item)] as BatchEnd) : item));
  };
}

function isGoing(item: BatchItem | BatchEnd): item is BatchItem {
  return typeof item === 'object' && 'request' in item;
}

function ofEach(items: readonly BatchItem[], answers: readonly (RestAnswer | null)[]): readonly BatchEnd[] {
  return items.map(({ answerOf }, at) => {
    const answer = answers[at] ?? null;
    if (answer === null)
      return new CallFault('unknown', 'the answer to its batch says nothing of it', { sourceIsSick: false });
    try {
      return answerOf(answer);
    } catch (thrown) {
      if (thrown instanceof CallFault) return thrown;
      return new CallFault('unknown', 'its answer cannot be read', { cause: thrown, sourceIsSick: false });
    }
  });
}

/** All or nothing: an answer that says some of it cannot be believed. */
function ofWhole(items: readonly BatchItem[], answers: readonly (RestAnswer | null)[]): readonly BatchEnd[] {
  const statuses = answers.flatMap((answer) => (answer === null ? [] : [answer.head.status]));
  if (statuses.length > 0 && statuses.every((status) => status >= 400 && status < 500 && status !== 408))
    return items.map(() => 'single');
  if (statuses.every((status) => status >= 200 && status < 300)) return ofEach(items, answers);
  const shown = statuses.join(', ');
  return items.map(
    () =>
      new CallFault('unknown', `expected all of a batch or nothing to be done, got ${shown}`, {
        sourceIsSick: statuses.some((status) => status >= 500),
      }),
  );
}
