import type { GraphqlAnswer, GraphqlRequest } from './engine.js';

/** Accept headers whose answer is known: clients have few. */
const MAX_KNOWN = 100;

/**
 * The `content-type` that an answer has for an `accept` header; null when none is acceptable. It is not worked out here:
 * the smallest query is executed once with each header, and says.
 */
export function contentTypes(
  execute: (request: GraphqlRequest) => Promise<GraphqlAnswer>,
): (accept: string | undefined) => Promise<string | null> {
  const known = new Map<string, string | null>();
  return async (accept = '') => {
    const type = known.get(accept);
    if (type !== undefined) return type;
    const { status, headers } = await execute({
      method: 'POST',
      headers: new Map([['content-type', 'application/json'], ...(accept === '' ? [] : [['accept', accept] as const])]),
      search: '',
      body: { query: '{ __typename }' },
    });
    const found = status === 200 ? (headers.get('content-type') ?? null) : null;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(accept, found);
    return found;
  };
}
