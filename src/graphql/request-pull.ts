import type { Log } from '../core/ports.js';
import type { PullPage, PullRequest } from '../pull/pull.js';
import { toGraphqlError } from './errors.js';

export type RequestPull = (request: PullRequest) => Promise<PullPage>;

/**
 * The pull of one request, where an answer may be tried in two ways, the fast one first: what failed once fails the same
 * way again without being asked for again, and is logged once. What succeeded is read anew.
 *
 * @throws GraphQLError - with the code of what was thrown
 */
export function failingAlike(pull: RequestPull, log: Log): RequestPull {
  const failures = new Map<string, Error>();
  return async (request) => {
    const key = JSON.stringify([request.since, request.collections, request.limit]);
    const failure = failures.get(key);
    if (failure !== undefined) throw failure;
    try {
      return await pull(request);
    } catch (thrown) {
      const translated = toGraphqlError(thrown, log);
      failures.set(key, translated);
      throw translated;
    }
  };
}
