import type { HTTPRequestInfo } from 'replicache';
import { GatewayFault } from '../gateway.js';

/**
 * A fault as Replicache wants it: 401 makes it ask the app for credentials (`getAuth`), all else is tried again, ever later.
 *
 * @throws what it is given, where nobody answered: Replicache counts that as being offline
 */
export function refusal(thrown: unknown): HTTPRequestInfo {
  if (!(thrown instanceof GatewayFault) || thrown.code === 'UNREACHABLE') throw thrown;
  return {
    httpStatusCode: thrown.code === 'UNAUTHENTICATED' ? 401 : 503,
    errorMessage: `${thrown.code}: ${thrown.message}`,
  };
}
