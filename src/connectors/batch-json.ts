import type { BatchFacts } from './batch.js';
import type { BatchCodec, BatchRequest } from './batch-exchange.js';
import { CallFault } from './fault.js';
import { retryAfterMs } from './http-client.js';
import { memberAt, type RestAnswer } from './rest-answer.js';

type Members = Readonly<Record<string, unknown>>;

/** Batches as one JSON document; answers are told apart by their ids. */
export function jsonCodec({ members, isAtomic }: BatchFacts, nowMs: () => number): BatchCodec {
  const { requests, responses, id, body, headers, method, url, status, group } = members;

  function rendered(one: BatchRequest, at: number): Members {
    return {
      [id]: String(at + 1),
      [method]: one.method,
      [url]: one.url,
      ...(group === null || !isAtomic ? {} : { [group]: 'all' }),
      ...(headers === null ? {} : { [headers]: one.headers }),
      ...(one.body === null ? {} : { [body]: JSON.parse(one.body) as unknown }),
    };
  }

  function answerIn(told: Members): RestAnswer {
    const given = headers === null ? {} : (told[headers] ?? {});
    const pairs = Object.entries(given as Members).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
    const head = { status: Number(told[status]), headers: new Map(pairs) };
    const content = told[body] ?? undefined;
    const isText = typeof content === 'string';
    return {
      head,
      body: isText ? undefined : content,
      misfit: isText ? `expected JSON (status ${head.status})` : null,
      isOtherText: isText && !/^[\ufeff\s]*</.test(content),
      retryAfterMs: retryAfterMs(head, nowMs()),
    };
  }

  return {
    render: (all) => ({ type: 'application/json', body: JSON.stringify({ [requests]: all.map(rendered) }) }),
    read(answer, all) {
      const list = memberAt(answer.body, responses);
      if (answer.misfit !== null || !Array.isArray(list))
        throw new CallFault('unknown', answer.misfit ?? `expected a list of answers at ${responses}, got none`);
      const told = (list as readonly unknown[]).filter(
        (one): one is Members => typeof one === 'object' && one !== null,
      );
      return all.map((_one, at) => {
        const found = told.filter((one) => String(one[id]) === String(at + 1));
        // An answer that comes twice says nothing.
        return found.length === 1 ? answerIn(found[0] as Members) : null;
      });
    },
  };
}
