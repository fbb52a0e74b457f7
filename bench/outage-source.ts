import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mostPerSecond } from './most-per-second.js';

/**
 * A REST source that goes away and comes back, and remembers what it took: `node outage-source.js`; prints its port.
 * POST /away?ms=n: connections are refused for so long. GET /ledger: what it took, compared with what should have come.
 */
export interface Ledger {
  /** Writes that took effect. */
  readonly writes: number;
  /** Writes of a record that did not come right after the one before them: lost, twice, or out of order. */
  readonly outOfTurn: number;
  /** Most writes within any one second. */
  readonly mostPerSecond: number;
  /** First and last write since the source came back, ms since 1970. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

interface Row {
  readonly id: string;
  /** The device counts the changes of a record: 0, 1, 2 … */
  readonly count: number;
  readonly updatedAt: string;
}

const rows = new Map<string, Row>();
let writtenAtMs: number[] = [];
let writes = 0;
let outOfTurn = 0;

function take(row: Partial<Row> & { readonly id: string }): Row {
  const before = rows.get(row.id);
  const taken = { ...before, ...row, count: row.count ?? -1, updatedAt: new Date().toISOString() };
  if (taken.count !== (before?.count ?? -1) + 1) outOfTurn += 1;
  writes += 1;
  writtenAtMs.push(Date.now());
  rows.set(row.id, taken);
  return taken;
}

function ledger(): Ledger {
  const [firstAtMs = 0] = writtenAtMs;
  return { writes, outOfTurn, mostPerSecond: mostPerSecond(writtenAtMs), firstAtMs, lastAtMs: writtenAtMs.at(-1) ?? 0 };
}

function goAway(ms: number): void {
  const { port } = server.address() as AddressInfo;
  server.close();
  server.closeAllConnections();
  writtenAtMs = [];
  setTimeout(() => server.listen(port, '127.0.0.1'), ms);
}

async function bodyOf(request: IncomingMessage): Promise<Partial<Row>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Partial<Row>;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://source');
  const id = /^\/items\/(.+)$/.exec(url.pathname)?.[1];
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  if (url.pathname === '/ledger') send(200, ledger());
  else if (url.pathname === '/away') {
    send(200, {});
    response.once('finish', () => goAway(Number(url.searchParams.get('ms'))));
  } else if (request.method === 'POST') send(201, take((await bodyOf(request)) as Row));
  else if (request.method === 'PATCH' && id !== undefined) send(200, take({ ...(await bodyOf(request)), id }));
  else if (id !== undefined) send(rows.has(id) ? 200 : 404, rows.get(id) ?? {});
  else {
    const since = url.searchParams.get('since') ?? '';
    const changed = [...rows.values()].filter(({ updatedAt }) => updatedAt >= since);
    const [page, size] = [Number(url.searchParams.get('page') ?? 1), Number(url.searchParams.get('size') ?? 1_000)];
    send(200, { total: changed.length, items: changed.slice((page - 1) * size, page * size) });
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((cause: unknown) => response.destroy(cause as Error));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
