import { randomInt } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import type { Clock } from '../../src/core/ports.js';
import { systemClock } from '../../src/server/clock.js';

/** What becomes of one exchange: a request and its answer. Decided when its first byte arrives, and for all of it. */
export type Fault =
  | { readonly kind: 'pass' }
  /** The request is forwarded this much later, also when its client is gone by then: a zombie. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** The connection stays open and silent: the request never arrives, or it takes effect and its answer never comes. */
  | { readonly kind: 'blackHole'; readonly swallows: 'request' | 'answer' }
  /** The client gets a reset; not a byte of its request is forwarded. */
  | { readonly kind: 'resetBefore' }
  /** The request took effect: the server answers, and the client gets a reset instead. */
  | { readonly kind: 'resetAfter' }
  /** So many bytes of the request are forwarded, then both sides get a reset. */
  | { readonly kind: 'truncateRequest'; readonly bytes: number }
  /** So many bytes of the answer come, then the connection ends. */
  | { readonly kind: 'truncateAnswer'; readonly bytes: number }
  /** The answer comes in pieces of so many bytes, one every so often. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly everyMs: number };

/** An exchange at its beginning, for a schedule to choose its fault by. */
export interface Exchange {
  /** From 1, over all connections. */
  readonly number: number;
  /** From 1. Clients use connections again, and open new ones after a reset. */
  readonly connection: number;
  /** The first bytes of the request as text: method and path. */
  readonly head: string;
  /** Resolves when the server begins to answer: the request took effect. */
  readonly answered: Promise<void>;
}

/** One fault for everybody; nobody there (connections are refused); or a fault for each exchange. */
export type FaultMode = Fault | { readonly kind: 'refuse' } | ((exchange: Exchange) => Fault);

/**
 * A TCP proxy in front of a server that does to connections what networks do. It knows of HTTP only that client and server
 * take turns, so it fits any protocol without pipelining. What waits is kept in memory: it is for tests.
 */
export interface FaultProxy {
  /** Where clients find it, like http://127.0.0.1:20123; the same in all modes. */
  readonly url: string;
  /** What befell each exchange until now, in the order of their first bytes. */
  readonly exchanges: readonly { readonly head: string; readonly fault: Fault }[];
  /** How every exchange that begins from now on is treated; those under way keep their fault. `refuse` cuts them. */
  set(mode: FaultMode): Promise<void>;
  /** Resets every connection there is, on both sides. */
  cutAll(): void;
  /** Cuts everything and stops listening. */
  close(): Promise<void>;
}

/** Below the ports that outgoing connections are given: nobody takes ours while we refuse. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MOST_TRIES = 50;

/**
 * @param server where the requests go, like http://127.0.0.1:40123; asked at each connection where it moves
 * @param clock of latency and drip
 */
export async function startFaultProxy(
  server: string | (() => string),
  clock: Clock = systemClock,
): Promise<FaultProxy> {
  const exchanges: { readonly head: string; readonly fault: Fault }[] = [];
  const open = new Set<ProxiedConnection>();
  let mode: FaultMode = { kind: 'pass' };
  let connections = 0;

  function begin(exchange: Exchange): Fault {
    const fault = typeof mode === 'function' ? mode(exchange) : mode;
    // One that came in at the very moment of refusing.
    const taken: Fault = fault.kind === 'refuse' ? { kind: 'resetBefore' } : fault;
    exchanges.push({ head: exchange.head, fault: taken });
    return taken;
  }

  function dial(): Socket {
    const { port, hostname } = new URL(typeof server === 'string' ? server : server());
    return connect(Number(port), hostname);
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const number = ++connections;
    const connection = proxyConnection(client, dial, clock, (seen) =>
      begin({ ...seen, number: exchanges.length + 1, connection: number }),
    );
    open.add(connection);
    void connection.ended.then(() => open.delete(connection));
  });
  const port = await listenOnAny(listener);

  function cutAll(): void {
    for (const connection of open) connection.reset();
  }

  async function stopListening(): Promise<void> {
    if (!listener.listening) return;
    const closed = new Promise((resolve) => listener.close(resolve));
    cutAll();
    await closed;
  }

  return {
    url: `http://127.0.0.1:${port}`,
    exchanges,
    async set(next) {
      mode = next;
      if (typeof next !== 'function' && next.kind === 'refuse') await stopListening();
      else if (!listener.listening) await listen(listener, port);
    },
    cutAll,
    close: stopListening,
  };
}

interface ProxiedConnection {
  reset(): void;
  /** Resolves when both sides are closed: later than the client's where a zombie is still to be forwarded. */
  readonly ended: Promise<void>;
}

function proxyConnection(
  client: Socket,
  dial: () => Socket,
  clock: Clock,
  begin: (seen: Pick<Exchange, 'head' | 'answered'>) => Fault,
): ProxiedConnection {
  let fault: Fault = { kind: 'pass' };
  /** Between the first byte of a request and the first of its answer. */
  let isAsking = false;
  let answered = (): void => undefined;
  let left = 0;
  /** When the request under way is forwarded. */
  let due = Promise.resolve();
  let upstream: Socket | null = null;
  /** What is forwarded later keeps its order. */
  let forwarded = Promise.resolve();
  let returned = Promise.resolve();

  let isReset = false;
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));

  function reset(): void {
    isReset = true;
    client.resetAndDestroy();
    upstream?.resetAndDestroy();
  }

  function server(): Socket {
    if (upstream !== null) return upstream;
    upstream = dial();
    upstream.setNoDelay(true);
    upstream.on('data', take);
    upstream.on('end', () => void (returned = returned.then(() => void client.end())));
    upstream.on('error', () => client.resetAndDestroy());
    return upstream;
  }

  /** Bytes of the client. */
  function ask(bytes: Buffer): void {
    if (!isAsking) {
      isAsking = true;
      const head = bytes.toString('latin1');
      fault = begin({ head, answered: new Promise((resolve) => (answered = resolve)) });
      left = 'bytes' in fault ? fault.bytes : 0;
      if (fault.kind === 'latency') due = clock.wait(fault.ms);
    }
    switch (fault.kind) {
      case 'resetBefore':
        return reset();
      case 'blackHole':
        if (fault.swallows === 'answer') server().write(bytes);
        return;
      case 'latency':
        forwarded = forwarded.then(() => due).then(() => (isReset ? undefined : void server().write(bytes)));
        return;
      case 'truncateRequest': {
        const first = bytes.subarray(0, left);
        left -= first.length;
        // Reset only when they are out: a reset drops what waits.
        if (left > 0) server().write(first);
        else server().write(first, reset);
        return;
      }
      default:
        server().write(bytes);
    }
  }

  /** Bytes of the server. */
  function take(bytes: Buffer): void {
    isAsking = false;
    answered();
    switch (fault.kind) {
      case 'resetAfter':
        return reset();
      case 'blackHole':
      case 'truncateRequest':
        return;
      case 'truncateAnswer': {
        const first = bytes.subarray(0, left);
        left -= first.length;
        client.write(first);
        if (left > 0) return;
        client.end();
        upstream?.destroy();
        return;
      }
      case 'drip': {
        const { bytes: size, everyMs } = fault;
        for (let at = 0; at < bytes.length; at += size) {
          const piece = bytes.subarray(at, at + size);
          returned = returned.then(() => clock.wait(everyMs)).then(() => void client.write(piece));
        }
        return;
      }
      default:
        client.write(bytes);
    }
  }

  client.setNoDelay(true);
  client.on('data', ask);
  // The client's end follows its bytes: a server that has them all answers all the same.
  client.once('end', () => void (forwarded = forwarded.then(() => void upstream?.end())));
  client.once('close', () => {
    forwarded = forwarded.then(() => {
      upstream?.end();
      if (upstream === null || upstream.closed) end();
      else upstream.once('close', end);
    });
  });
  client.on('error', () => undefined);
  return { reset, ended };
}

async function listenOnAny(listener: ReturnType<typeof createServer>): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    try {
      await listen(listener, port);
      return port;
    } catch (thrown) {
      if (tries === MOST_TRIES) throw thrown;
    }
  }
}

function listen(listener: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', () => {
      listener.off('error', reject);
      resolve();
    });
  });
}
