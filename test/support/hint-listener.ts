import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { until } from './until.js';

/** A device that keeps a WebSocket open and is told when there is something to pull. */
export interface HintListener {
  /** Collections of all hints that came since the last look. */
  take(): readonly string[];
  /** Resolves with the time of the hint, ms since 1970, once one names this collection; drops what came before it. */
  untilHinted(collection: string, withinMs: number): Promise<number>;
  stop(): Promise<void>;
}

interface HintAnswer {
  readonly hints: { readonly collections: readonly string[]; readonly at: string };
}

/**
 * Subscribes to the hints of all collections.
 *
 * @param url of the gateway, like http://127.0.0.1:4000
 * @param bearer what its user signs in with; absent: nothing
 */
export function listenForHints(url: string, device: string, bearer?: string): HintListener {
  const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { device, ...authorization },
  });
  const heard: HintAnswer['hints'][] = [];
  let fault: unknown = null;
  client.subscribe<HintAnswer>(
    { query: 'subscription { hints { collections at } }' },
    {
      next: ({ data }) => void (data === null || data === undefined ? undefined : heard.push(data.hints)),
      error: (thrown) => (fault = thrown),
      complete: () => undefined,
    },
  );
  return {
    take: () => heard.splice(0).flatMap(({ collections }) => collections),
    async untilHinted(collection, withinMs) {
      let at = 0;
      await until(
        `${device} is hinted of ${collection}${fault === null ? '' : ` (${String(fault)})`}`,
        () => {
          const hint = heard.splice(0).find(({ collections }) => collections.includes(collection));
          if (hint !== undefined) at = Date.parse(hint.at);
          return Promise.resolve(hint !== undefined);
        },
        withinMs,
      );
      return at;
    },
    stop: async () => void (await client.dispose()),
  };
}
