import { HINTS_DOCUMENT } from './documents.js';

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

/** Anything that carries hints. A hint is never needed: it may be lost, doubled or late (R18). @returns what ends it */
export type HintTransport = (session: HintSession, listener: HintListener) => () => void;

/** As much of `WebSocket` as is needed. */
interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(): void;
}
export type SocketMaker = new (url: string, protocol: string) => unknown;

/** Hints over the protocol `graphql-transport-ws`. @param WebSocketClass absent: the one of the machine */
export function webSocketHints(WebSocketClass?: SocketMaker): HintTransport {
  return ({ url, device, headers, collections }, listener) => {
    const Made = WebSocketClass ?? (globalThis as unknown as { readonly WebSocket: SocketMaker }).WebSocket;
    const socket = new Made(url, 'graphql-transport-ws') as Socket;
    const say = (message: object): void => socket.send(JSON.stringify(message));
    socket.onopen = () => say({ type: 'connection_init', payload: { ...headers, device } });
    socket.onmessage = ({ data }) => {
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
    socket.onclose = ({ code }) => listener.down(code);
    return () => {
      socket.onclose = null;
      socket.close();
    };
  };
}
