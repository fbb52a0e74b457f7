import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { startFaultProxy, type Exchange, type FaultProxy } from './fault-proxy.js';
import { createManualClock, type ManualClock } from './manual-clock.js';
import { until } from './until.js';

/** A request as the server got it. */
interface Arrived {
  readonly line: string;
  body: string;
  /** It came whole. */
  isComplete: boolean;
  /** Its connection broke off before it was whole. */
  isBroken: boolean;
}

const ANSWER = JSON.stringify({ note: 'taken', pad: 'x'.repeat(60) });

let server: Server;
let proxy: FaultProxy;
let clock: ManualClock;
let pool: Pool;
let arrived: Arrived[];

beforeEach(async () => {
  arrived = [];
  server = createServer((request, response) => {
    const seen: Arrived = {
      line: `${request.method} ${request.url}`,
      body: '',
      isComplete: false,
      isBroken: false,
    };
    arrived.push(seen);
    readInto(seen, request).then(
      () => response.end(ANSWER),
      () => (seen.isBroken = true),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  clock = createManualClock();
  proxy = await startFaultProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, clock);
  pool = new Pool(proxy.url, { connections: 1 });
});

afterEach(async () => {
  await pool.destroy();
  await proxy.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function readInto(seen: Arrived, request: IncomingMessage): Promise<void> {
  for await (const chunk of request) seen.body += String(chunk);
  seen.isComplete = true;
}

/** What a client that sends a note sees: the answer's text, or the error's code. */
async function send(note: string, signal?: AbortSignal): Promise<string> {
  try {
    const answer = await pool.request({
      method: 'POST',
      path: '/notes',
      body: note,
      ...(signal === undefined ? {} : { signal }),
    });
    return await answer.body.text();
  } catch (thrown) {
    const { code, name } = thrown as NodeJS.ErrnoException;
    return typeof code === 'string' ? code : name;
  }
}

/** The same with fetch, which keeps connections of its own. */
async function fetchIt(note: string): Promise<string> {
  try {
    return await (await fetch(`${proxy.url}/notes`, { method: 'POST', body: note })).text();
  } catch (thrown) {
    const { cause } = thrown as { readonly cause?: NodeJS.ErrnoException };
    return cause?.code ?? String(thrown);
  }
}

/** The notes that the server has whole. */
function taken(): readonly string[] {
  return arrived.filter(({ isComplete }) => isComplete).map(({ body }) => body);
}

describe('a fault proxy', () => {
  test('passes requests and answers, on connections that are used again', async () => {
    expect(await send('a')).toBe(ANSWER);
    expect(await send('b')).toBe(ANSWER);
    expect(await fetchIt('c')).toBe(ANSWER);
    expect(taken()).toEqual(['a', 'b', 'c']);
    expect(proxy.exchanges.map(({ fault }) => fault.kind)).toEqual(['pass', 'pass', 'pass']);
  });

  test('latency: the request arrives that much later', async () => {
    await proxy.set({ kind: 'latency', ms: 500 });
    const answer = send('late');
    await until('the proxy has the request', async () => proxy.exchanges.length === 1);
    clock.advance(499);
    await proxy.set({ kind: 'pass' });
    expect(await fetchIt('in time')).toBe(ANSWER);
    expect(taken()).toEqual(['in time']);
    clock.advance(1);
    expect(await answer).toBe(ANSWER);
    expect(taken()).toEqual(['in time', 'late']);
  });

  test('latency: a request whose client went away arrives all the same', async () => {
    await proxy.set({ kind: 'latency', ms: 500 });
    const patience = new AbortController();
    const answer = send('zombie', patience.signal);
    await until('the proxy has the request', async () => proxy.exchanges.length === 1);
    patience.abort();
    expect(await answer).toBe('AbortError');
    clock.advance(500);
    await until('the server has the request', async () => taken().length === 1);
    expect(taken()).toEqual(['zombie']);
  });

  test('refuse: nobody is there, until somebody is again at the same address', async () => {
    expect(await send('before')).toBe(ANSWER);
    await proxy.set({ kind: 'refuse' });
    expect(await fetchIt('refused')).toBe('ECONNREFUSED');
    // The connection that was there is cut; a client may learn of it only when it uses it.
    await until('the other client is refused', async () => (await send('refused')) === 'ECONNREFUSED');
    await proxy.set({ kind: 'pass' });
    expect(await send('after')).toBe(ANSWER);
    expect(taken()).toEqual(['before', 'after']);
  });

  test('black hole of requests: no answer, and nothing arrives', async () => {
    await proxy.set({ kind: 'blackHole', swallows: 'request' });
    const patience = new AbortController();
    const answer = send('lost', patience.signal);
    await until('the proxy has the request', async () => proxy.exchanges.length === 1);
    patience.abort();
    expect(await answer).toBe('AbortError');
    await proxy.set({ kind: 'pass' });
    expect(await send('next')).toBe(ANSWER);
    expect(arrived.map(({ body }) => body)).toEqual(['next']);
  });

  test('black hole of answers: the request takes effect, and its answer never comes', async () => {
    await proxy.set({ kind: 'blackHole', swallows: 'answer' });
    const patience = new AbortController();
    const answer = send('done', patience.signal);
    await until('the server has the request', async () => taken().length === 1);
    patience.abort();
    expect(await answer).toBe('AbortError');
  });

  test('reset before: the client gets a reset, the server not a byte', async () => {
    await proxy.set({ kind: 'resetBefore' });
    expect(await send('lost')).toBe('ECONNRESET');
    expect(await fetchIt('lost')).toBe('ECONNRESET');
    await proxy.set({ kind: 'pass' });
    expect(await send('next')).toBe(ANSWER);
    expect(arrived.map(({ body }) => body)).toEqual(['next']);
  });

  test('reset after: the request took effect and the client gets a reset', async () => {
    await proxy.set({ kind: 'resetAfter' });
    expect(await send('done')).toBe('ECONNRESET');
    expect(await fetchIt('done too')).toBe('ECONNRESET');
    expect(taken()).toEqual(['done', 'done too']);
  });

  test('truncated request: the server sees a part of it, and takes none', async () => {
    await proxy.set({ kind: 'truncateRequest', bytes: 400 });
    expect(await send('x'.repeat(5_000))).toBe('ECONNRESET');
    await until('the server saw it break off', async () => arrived.some(({ isBroken }) => isBroken));
    expect(arrived).toHaveLength(1);
    expect(taken()).toEqual([]);
    expect(arrived[0]?.line).toBe('POST /notes');
    expect(arrived[0]?.body.length).toBeLessThan(400);
  });

  test('truncated answer: the request took effect, and a part of the answer comes', async () => {
    await proxy.set({ kind: 'truncateAnswer', bytes: 20 });
    expect(await send('done')).toBe('UND_ERR_SOCKET');
    await proxy.set({ kind: 'truncateAnswer', bytes: 170 });
    expect(['UND_ERR_SOCKET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH']).toContain(await send('done too'));
    expect(taken()).toEqual(['done', 'done too']);
  });

  test('drip: the answer comes piece by piece, and whole', async () => {
    await proxy.set({ kind: 'drip', bytes: 50, everyMs: 1_000 });
    let isAnswered = false;
    const answer = send('slow').then((text) => {
      isAnswered = true;
      return text;
    });
    await until('the server has the request', async () => taken().length === 1);
    let advances = 0;
    await until('the answer is whole', async () => {
      clock.advance(1_000);
      advances += 1;
      return isAnswered;
    });
    expect(await answer).toBe(ANSWER);
    expect(advances).toBeGreaterThan(3);
  });

  test('cut all: every connection gets a reset, whatever it waits for', async () => {
    await proxy.set({ kind: 'blackHole', swallows: 'request' });
    const answers = [send('cut'), fetchIt('cut too')];
    await until('the proxy has both', async () => proxy.exchanges.length === 2);
    proxy.cutAll();
    expect(await Promise.all(answers)).toEqual(['ECONNRESET', 'ECONNRESET']);
    await proxy.set({ kind: 'pass' });
    expect(await send('next')).toBe(ANSWER);
    expect(taken()).toEqual(['next']);
  });

  test('cut all: a request that was to arrive later never does', async () => {
    await proxy.set({ kind: 'latency', ms: 500 });
    const answer = send('cut');
    await until('the proxy has it', async () => proxy.exchanges.length === 1);
    proxy.cutAll();
    expect(await answer).toBe('ECONNRESET');
    clock.advance(500);
    await proxy.set({ kind: 'pass' });
    expect(await send('next')).toBe(ANSWER);
    expect(taken()).toEqual(['next']);
  });

  test('a schedule chooses by what the exchange is, and learns when it took effect', async () => {
    const effects: string[] = [];
    const seen: Exchange[] = [];
    await proxy.set((exchange) => {
      seen.push(exchange);
      void exchange.answered.then(() => effects.push(`${exchange.number}`));
      return exchange.number % 2 === 0 ? { kind: 'resetBefore' } : { kind: 'pass' };
    });
    expect([await send('1'), await send('2'), await send('3')]).toEqual([ANSWER, 'ECONNRESET', ANSWER]);
    expect(taken()).toEqual(['1', '3']);
    expect(effects).toEqual(['1', '3']);
    expect(seen.map(({ number, connection }) => [number, connection])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    expect(seen.every(({ head }) => head.startsWith('POST /notes HTTP/1.1'))).toBe(true);
  });

  test('a server that is not there looks like a broken connection', async () => {
    const { port } = server.address() as AddressInfo;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await send('nobody')).toBe('ECONNRESET');
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await send('somebody')).toBe(ANSWER);
  });
});
