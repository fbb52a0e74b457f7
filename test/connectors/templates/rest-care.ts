import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** A visit as the REST system has it; `version` is the number of its last change. */
interface Visit {
  readonly id: string;
  readonly note: string;
  readonly version: number;
  readonly changedMs: number;
}

type Row = Readonly<Record<string, unknown>>;
interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly visit?: Visit;
}

/** A REST system that offers what the templates of REST sources take up, over real HTTP. */
export interface RestCare {
  readonly url: string;
  put(id: string, note: string): string;
  remove(id: string): void;
  close(): Promise<void>;
}

/** Its pages have no more rows, whatever is asked for. */
const PAGE = 3;

/** @param stepMs so much its clock goes on with each request and each change */
export async function startRestCare(stepMs = 1): Promise<RestCare> {
  const visits = new Map<string, Visit>();
  const deleted = new Map<string, number>();
  let version = 0;
  let nowMs = Date.UTC(2026, 0, 5, 8);

  function put(id: string, note: string): Visit {
    version += 1;
    nowMs += stepMs;
    const visit = { id, note, version, changedMs: nowMs };
    visits.set(id, visit);
    deleted.delete(id);
    return visit;
  }

  function remove(id: string): void {
    version += 1;
    visits.delete(id);
    deleted.set(id, version);
  }

  function listed(query: URLSearchParams): readonly Visit[] {
    const sinceMs = Date.parse(query.get('updatedSince') ?? '') || 0;
    const after = Number(query.get('changedAfter') ?? 0);
    return [...visits.values()]
      .filter((one) => one.id > (query.get('after') ?? '') && one.version > after)
      .filter((one) => !query.has('updatedSince') || one.changedMs > sinceMs)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, Math.min(PAGE, Number(query.get('limit') ?? PAGE)));
  }

  /** Does the request hold another version than the visit has? */
  function isStale({ headers }: IncomingMessage, { version: current, changedMs }: Visit): boolean {
    const unmodified = headers['if-unmodified-since'];
    if (unmodified !== undefined && Math.floor(changedMs / 1_000) * 1_000 > Date.parse(String(unmodified))) return true;
    return headers['if-match'] !== undefined && headers['if-match'] !== `"${current}"`;
  }

  function one(request: IncomingMessage, id: string, body: Row): Answer {
    const visit = visits.get(id);
    if (visit === undefined) return { status: 404, body: { message: 'no such visit' } };
    if (request.method === 'GET') return { status: 200, visit };
    if (isStale(request, visit)) return { status: 412, body: { message: 'changed meanwhile' } };
    if (request.method === 'DELETE') {
      remove(id);
      return { status: 204 };
    }
    const note = String(body['note'] ?? visit.note);
    return note === 'refused'
      ? { status: 422, body: { errors: [{ field: 'note', message: 'is no note' }] } }
      : { status: 200, visit: put(id, note) };
  }

  function answer(request: IncomingMessage, body: Row): Answer {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://care');
    if (pathname === '/visit-keys')
      return { status: 200, body: { items: listed(searchParams).map(({ id }) => ({ id })) } };
    if (pathname === '/deleted-visits') {
      const after = Number(searchParams.get('changedAfter') ?? 0);
      const entries = [...deleted].map(([visit, number]) => ({ visit, version: number }));
      return { status: 200, body: { items: entries.filter((entry) => entry.version > after) } };
    }
    if (pathname !== '/visits') return one(request, decodeURIComponent(pathname.replace('/visits/', '')), body);
    if (request.method === 'GET') return { status: 200, body: { items: listed(searchParams).map(rowOf) } };
    return { status: 201, visit: put(String(body['id']), String(body['note'])) };
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    nowMs += stepMs;
    const {
      status,
      visit,
      body = visit && rowOf(visit),
    } = answer(request, text === '' ? {} : (JSON.parse(text) as Row));
    response.writeHead(status, {
      'content-type': 'application/json',
      date: new Date(nowMs).toUTCString(),
      ...(visit === undefined
        ? {}
        : { etag: `"${visit.version}"`, 'last-modified': new Date(visit.changedMs).toUTCString() }),
    });
    response.end(body === undefined ? '' : JSON.stringify(body));
  }

  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (let at = 1; at <= PAGE + 2; at += 1) put(`V-${at}`, `visit ${at}`);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    put: (id, note) => put(id, note).id,
    remove,
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function rowOf({ changedMs, ...visit }: Visit): Row {
  return { ...visit, changedAt: new Date(changedMs).toISOString() };
}
