import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { inParallel } from './measure.js';

/**
 * Many devices that listen, in a process of its own; prints its port. GET /open?url=&count=&atOnce=&isBare= opens so many sockets, each of a user of its own,
 * and answers how long it took; GET /heard?sinceNs= waits until each had one more message, and answers after how many ms each had it.
 */
const PATIENCE_MS = 30_000;
const HINTS = JSON.stringify({
  id: '1',
  type: 'subscribe',
  payload: { query: 'subscription Hints { hints { collections at } }' },
});

const sockets: WebSocket[] = [];
/** When each message of this round came. */
let arrivedNs: bigint[] = [];
let arrived: () => void = () => undefined;

function open(url: string, user: number, isBare: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, isBare ? [] : ['graphql-transport-ws'], { perMessageDeflate: false });
    const payload = { authorization: `Bearer u${user}`, device: `device-${user}` };
    let isReady = isBare;
    socket.once('error', reject);
    socket.once('close', (code, reason) => reject(new Error(`closed: ${code} ${reason.toString()}`)));
    socket.once('open', () => {
      sockets.push(socket);
      if (isBare) resolve();
      else socket.send(JSON.stringify({ type: 'connection_init', payload }));
    });
    socket.on('message', () => {
      if (isReady) {
        arrivedNs.push(process.hrtime.bigint());
        if (arrivedNs.length >= sockets.length) arrived();
        return;
      }
      isReady = true;
      socket.send(HINTS, () => resolve());
    });
  });
}

async function heard(sinceNs: bigint): Promise<readonly number[]> {
  const late = setTimeout(() => arrived(), PATIENCE_MS);
  if (arrivedNs.length < sockets.length) await new Promise<void>((resolve) => (arrived = resolve));
  clearTimeout(late);
  const tookMs = arrivedNs.map((ns) => Number(ns - sinceNs) / 1e6);
  arrivedNs = [];
  arrived = () => undefined;
  return tookMs;
}

async function answer(address: URL): Promise<unknown> {
  const asked = address.searchParams;
  if (address.pathname === '/heard') return heard(BigInt(asked.get('sinceNs') ?? 0));
  const begunAt = performance.now();
  const first = sockets.length;
  const atOnce = Number(asked.get('atOnce'));
  await inParallel(Number(asked.get('count')), atOnce, (n) =>
    open(asked.get('url') ?? '', first + n, asked.get('isBare') === 'true'),
  );
  return performance.now() - begunAt;
}

const server = createServer((request, response) => {
  void answer(new URL(request.url ?? '/', 'http://devices')).then(
    (value) => response.end(JSON.stringify(value)),
    (fault: unknown) => response.writeHead(500).end(String(fault)),
  );
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit()).resume();
