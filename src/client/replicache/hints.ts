import { createClient } from 'graphql-ws/client';
import type { HeaderSource } from './gateway.js';

/** WebSocket, where the platform has none of its own, like Node's before 22. */
export type SocketClass = new (url: string, protocols?: string | string[]) => object;

/**
 * Listens for hints, for as long as it is not stopped: a lost connection is opened again, ever later. A hint may be lost (R18), so each new
 * connection counts as one.
 *
 * @param url of GraphQL over HTTP
 * @returns stops it
 */
export function listenForHints(
  url: string,
  options: {
    readonly collections: readonly string[];
    readonly headers: HeaderSource;
    readonly device: () => Promise<string>;
    readonly socketClass: SocketClass | undefined;
    readonly onHint: () => void;
  },
): () => void {
  const { collections, headers, device, socketClass, onHint } = options;
  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: async () => ({ ...(await headers()), device: await device() }),
    retryAttempts: Number.POSITIVE_INFINITY,
    // Whatever it was: a pull says what is wrong.
    shouldRetry: () => true,
    lazy: false,
    // The app is told by Replicache that it is offline.
    onNonLazyError: () => undefined,
    on: { connected: onHint, closed: onClosed },
    ...(socketClass === undefined ? {} : { webSocketImpl: socketClass }),
  });

  /** Revoked: a pull hears it, and wipes. */
  function onClosed(event: unknown): void {
    if ((event as { readonly code?: number }).code === REVOKED) onHint();
  }

  const query = 'subscription ($collections: [String!]) { hints(collections: $collections) { at } }';
  const ignore = (): void => undefined;
  client.subscribe({ query, variables: { collections } }, { next: onHint, error: ignore, complete: ignore });
  return () => void client.dispose();
}

const REVOKED = 4410;
