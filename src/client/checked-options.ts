import type { SyncClientOptions } from './client-options.js';
import { GatewayFault } from './gateway.js';

/**
 * What would look like a network that is away for ever, or like a collection that is empty, is said when the client is made.
 *
 * @returns checks the name of a collection that the app asks for
 * @throws GatewayFault VALIDATION - so does what is returned
 */
export function checkOptions({ url, store, collections }: SyncClientOptions): (collection: string) => void {
  expected(/^https?:\/\/[^\s/:?#]\S*$/.test(url), 'url', 'like https://host/graphql', url);
  // A promise is what opening one gives: somebody forgot to wait for it.
  expected(
    typeof (store as Partial<typeof store> | undefined)?.readSync === 'function',
    'store',
    'that is open',
    store,
  );
  return (collection) =>
    expected(collections?.includes(collection) ?? true, 'collection', `of ${collections?.join()}`, collection);
}

function expected(is: boolean, what: string, like: string, got: unknown): void {
  if (!is) throw new GatewayFault('VALIDATION', `${what}: expected one ${like}, got ${String(got)}`);
}
