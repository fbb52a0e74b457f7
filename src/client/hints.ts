import type { ClientClock } from './client-clock.js';
import { HINTS_DOCUMENT } from './documents.js';
import { GatewayFault } from './gateway.js';

/** What a line of hints tells. */
export interface HintListener {
  /** Subscribed: whatever changes from now on is hinted. */
  up(): void;
  /** There is something to pull in these collections. */
  hint(collections: readonly string[]): void;
  /** The line is gone, once. @param code of the close; 4410: this device was revoked, 4401 or 4403: sign in anew */
  down(code: number): void;
}

/** How to reach the line. */
export interface HintSession {
  /** Of `/graphql`, `ws:` or `wss:`. */
  readonly url: string;
  readonly device: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly collections: readonly string[] | null;
}

/**
 * Anything that carries hints. A hint is never needed: it may be lost, doubled or late (R18).
 *
 * @param clock of the client, for whatever has to be noticed by time
 * @returns what ends it
 */
export type HintTransport = (session: HintSession, listener: HintListener, clock: ClientClock) => () => void;

/**
 * How long nothing is heard until a ping asks for an answer, and how long that may take, ms. A half-open socket is found within three
 * times this; a gateway's own pings are seen by the machine only.
 */
const QUIET_MS = 15_000;
/** The code that a browser gives to a socket which was cut off. */
const CUT_OFF = 1_006;

/** As much of `WebSocket` as is needed. */
interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(): void;
}
/** A class like the browser's `WebSocket`, or that of the package `ws`: made with an address and a protocol, it opens at once. */
export type SocketMaker = new (url: string, protocol: string) => unknown;

/**
 * Hints over the protocol `graphql-transport-ws`.
 *
 * @param WebSocketClass absent: the one of the machine, which browsers, React Native and Node from 22 have
 * @throws GatewayFault VALIDATION - it is absent, and so is the machine's
 */
export function webSocketHints(WebSocketClass?: SocketMaker): HintTransport {
  const Made = WebSocketClass ?? (globalThis as { readonly WebSocket?: SocketMaker }).WebSocket;
  if (Made === undefined) {
    const message =
      'WebSocketClass: expected a class like that of the package ws, since this machine has none, got none';
    throw new GatewayFault('VALIDATION', message);
  }
  return ({ url, device, headers, collections }, listener, clock) => {
    const socket = new Made(url, 'graphql-transport-ws') as Socket;
    const say = (message: object): void => socket.send(JSON.stringify(message));
    const watched = new AbortController();
    let isHeard = false;
    function leave(): void {
      watched.abort();
      socket.onclose = null;
      socket.close();
    }
    /** A socket whose other end is gone says nothing of it: one that does not open, or does not answer, is given up. */
    async function watch(): Promise<void> {
      for (let isAsked = true; ; isHeard = false) {
        await clock.wait(QUIET_MS, watched.signal);
        if (!isHeard && isAsked) break;
        isAsked = !isHeard;
        if (isAsked) say({ type: 'ping' });
      }
      leave();
      listener.down(CUT_OFF);
    }
    watch().catch(() => undefined);
    socket.onopen = () => say({ type: 'connection_init', payload: { ...headers, device } });
    socket.onmessage = ({ data }) => {
      isHeard = true;
      const { type, payload } = JSON.parse(String(data)) as {
        readonly type: string;
        readonly payload?: { readonly data?: { readonly hints: { readonly collections: readonly string[] } } | null };
      };
      if (type === 'connection_ack') {
        say({ type: 'subscribe', id: '1', payload: { query: HINTS_DOCUMENT, variables: { collections } } });
        listener.up();
      } else if (type === 'ping') say({ type: 'pong' });
      else if (type === 'next' && payload?.data) listener.hint(payload.data.hints.collections);
      else if (type === 'error' || type === 'complete') socket.close();
    };
    socket.onerror = () => undefined;
    socket.onclose = ({ code }) => {
      watched.abort();
      listener.down(code);
    };
    return leave;
  };
}
