import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { item, type Item } from './items.js';
import { mostPerSecond } from './most-per-second.js';

/**
 * A REST source that answers at once, as a process of its own: what is measured beside it is the gateway, not a slow system.
 * `node instant-source.js <records>`; prints its port. POST /revise?count=n changes the first n records; GET /calls says how it was
 * called so far, and forgets it.
 */
const items = new Map<string, Item>();
let pages = new Map<string, Buffer>();
let revision = 0;

/** What a call was for, as far as the source can tell. */
type Purpose = 'write' | 'record' | 'poll' | 'scan';
let calls: { readonly purpose: Purpose; readonly atMs: number }[] = [];

/** Calls since somebody last asked. */
export interface Calls {
  readonly of: Readonly<Record<Purpose, number>>;
  readonly mostPerSecond: number;
  /** From the first to the last one. */
  readonly ms: number;
}

function callsSoFar(): Calls {
  const of: Record<Purpose, number> = { write: 0, record: 0, poll: 0, scan: 0 };
  for (const { purpose } of calls) of[purpose] += 1;
  const atMs = calls.map((one) => one.atMs);
  const told = { of, mostPerSecond: mostPerSecond(atMs), ms: (atMs.at(-1) ?? 0) - (atMs[0] ?? 0) };
  calls = [];
  return told;
}

function noteCall(request: IncomingMessage, url: URL): void {
  const isList = url.pathname === '/items';
  const read: Purpose = !isList ? 'record' : url.searchParams.has('since') ? 'poll' : 'scan';
  calls.push({ purpose: request.method === 'GET' ? read : 'write', atMs: performance.now() });
}

function list(url: URL): Buffer {
  const key = url.search;
  const ready = pages.get(key);
  if (ready !== undefined) return ready;
  const page = Number(url.searchParams.get('page') ?? 1);
  const size = Number(url.searchParams.get('size') ?? 1000);
  const since = url.searchParams.get('since');
  const all = since === null ? [...items.values()] : [...items.values()].filter((one) => one.updatedAt >= since);
  const body = Buffer.from(JSON.stringify({ total: all.length, items: all.slice((page - 1) * size, page * size) }));
  if (since === null) pages.set(key, body);
  return body;
}

function put(record: Item): Item {
  const stored = { ...record, updatedAt: new Date().toISOString() };
  items.set(stored.id, stored);
  pages = new Map();
  return stored;
}

function revise(count: number): void {
  revision += 1;
  for (let n = 0; n < count; n++) put(item(n, revision, Date.now()));
}

async function bodyOf(request: IncomingMessage): Promise<Partial<Item>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Partial<Item>;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://source');
  const id = /^\/items\/(.+)$/.exec(url.pathname)?.[1];
  const found = id === undefined ? undefined : items.get(decodeURIComponent(id));
  const send = (status: number, body: Buffer | string): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  if (url.pathname.startsWith('/items')) noteCall(request, url);
  if (url.pathname === '/calls') send(200, JSON.stringify(callsSoFar()));
  else if (request.method === 'POST' && url.pathname === '/revise') {
    revise(Number(url.searchParams.get('count') ?? 0));
    send(200, '{}');
  } else if (request.method === 'GET' && url.pathname === '/items') send(200, list(url));
  else if (request.method === 'POST' && url.pathname === '/items') {
    send(201, JSON.stringify(put((await bodyOf(request)) as Item)));
  } else if (id === undefined || found === undefined) send(404, '{"error":"not found"}');
  else if (request.method === 'GET') send(200, JSON.stringify(found));
  else if (request.method === 'DELETE') {
    items.delete(found.id);
    pages = new Map();
    send(200, '{}');
  } else send(200, JSON.stringify(put({ ...found, ...(await bodyOf(request)), id: found.id })));
}

const count = Number(process.argv[2] ?? 0);
for (let n = 0; n < count; n++) items.set(item(n).id, item(n));
const server = createServer((request, response) => {
  answer(request, response).catch((cause: unknown) => response.destroy(cause as Error));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
