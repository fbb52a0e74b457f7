/**
 * FCM's stand-in as a process of its own, so that its work is not counted as ours; takes every message until it is told otherwise. Prints the port of its
 * other side: GET /url says where messages go, GET /answers?all=silence sets what they are answered with, GET /journal what came so far.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startPushService, type PushAnswer } from '../demo/push-service.js';

/** What came, whatever it was answered with. */
export interface PushJournal {
  readonly messages: number;
  readonly tokens: number;
  /** Of the first and the last message, ms since 1970; 0: none came. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

const service = await startPushService();

function journal(): PushJournal {
  const { pushed } = service;
  return {
    messages: pushed.length,
    tokens: new Set(pushed.map(({ message }) => message.token)).size,
    firstAtMs: pushed[0]?.atMs ?? 0,
    lastAtMs: pushed.at(-1)?.atMs ?? 0,
  };
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://push');
  if (pathname === '/answers') service.answerAll(searchParams.get('all') as PushAnswer);
  response.end(pathname === '/url' ? service.url : JSON.stringify(journal()));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
