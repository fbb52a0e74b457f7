import type { ClientRequestArgs } from 'node:http';
import { Agent } from 'node:https';
import { connect as connectPlain } from 'node:net';
import type { Duplex } from 'node:stream';
import { lookupOf } from '../outgoing/reach.js';

/** As many as messages are under way at once: over a line of 100 ms that is a thousand messages a second. */
const MAX_SOCKETS = 100;
/** Kept open between two rounds of hints; Google ends idle connections after some minutes by itself. */
const IDLE_MS = 30_000;

/**
 * The connections to FCM and to where its access tokens come from: HTTP/1.1, kept open. Over HTTP/2 the SDK makes a new session for each
 * call, whose end it does not always survive; this way costs the same and can be led elsewhere.
 *
 * @param endpoint an origin that all of it goes to instead; null: to Google
 */
export function createFcmAgent(endpoint: URL | null): Agent {
  return new FcmAgent(endpoint);
}

const USUAL_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };
/** In place of the stream that a fault has not. */
const NOTHING = undefined as unknown as Duplex;

class FcmAgent extends Agent {
  readonly #endpoint: URL | null;
  #isEnded = false;

  constructor(endpoint: URL | null) {
    super({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      timeout: IDLE_MS,
      noDelay: true,
      lookup: lookupOf('configuration'),
    });
    this.#endpoint = endpoint;
  }

  /** The SDK tries again by itself what was cut off: not over this agent. */
  override destroy(): void {
    this.#isEnded = true;
    super.destroy();
  }

  /** The SDK knows one address only: whatever host it asks for is connected to the endpoint, without TLS where that has none. */
  override createConnection(
    options: ClientRequestArgs,
    callback?: (fault: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    if (this.#isEnded) {
      callback?.(Object.assign(new Error('the sender was closed'), { code: 'ESENDERCLOSED' }), NOTHING);
      return undefined;
    }
    if (this.#endpoint === null) return super.createConnection(options, callback);
    const { protocol, hostname, port } = this.#endpoint;
    const host = hostname.replace(/^\[|\]$/g, '');
    const to = { ...options, host, port: Number(port || USUAL_PORTS[protocol]) };
    return protocol === 'https:'
      ? super.createConnection({ ...to, servername: host }, callback)
      : connectPlain({ ...to, lookup: lookupOf('configuration') });
  }
}
