import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  collection,
  defineConnector,
  field,
  type ConnectorDefinition,
  type ReadFacts,
} from '../../src/connectors/define.js';
import { del, get, patch, post, rest } from '../../src/connectors/rest.js';
import { createSource, type Source } from '../../src/connectors/source.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { SourceUnderTest } from '../contract/connector/source-under-test.js';
import { eagerDeps } from './soap/eager-deps.js';

/** A visit as the ledger has it; `number` is that of its last change. */
interface Entry {
  readonly id: string;
  readonly note: string;
  readonly number: number;
}

type Row = Readonly<Record<string, unknown>>;
type Ask = { readonly method: string; readonly url: URL; readonly body: Row; readonly tag: string | null };
type Answer = { readonly status: number; readonly body?: unknown; readonly tag?: string };

const PAGE = 3;

/**
 * A REST system that numbers its changes, and offers what one may follow them by, over real HTTP: `/visits` by key, `/changes` by a
 * token of the source's own, `/deleted` by number. It takes the caller's keys and the number as a tag.
 *
 * @param read how its visits are read
 */
export async function openLedger(read: ReadFacts): Promise<SourceUnderTest> {
  const rows = new Map<string, Entry>();
  const removed = new Map<string, number>();
  let number = 0;

  function put(id: string, note: string): Entry {
    number += 1;
    const row = { id, note, number };
    rows.set(id, row);
    removed.delete(id);
    return row;
  }

  function remove(id: string): void {
    number += 1;
    rows.delete(id);
    removed.set(id, number);
  }

  function listed(url: URL): Answer {
    const after = url.searchParams.get('after') ?? '';
    const from = Number(url.searchParams.get('from') ?? 0);
    const found = [...rows.values()].filter((row) => row.id > after && row.number >= from);
    return { status: 200, body: found.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, PAGE) };
  }

  /** Entries since the token, in the order of their numbers, and then the token of all that was there when the first page was made. */
  function changed(url: URL): Answer {
    const [since = '0', from = '0', until = String(number)] = (url.searchParams.get('token') ?? '').split('-');
    const whole = since === '' || since === '0';
    const gone = [...removed].map(([id, at]) => ({ id, number: at, removed: true }));
    const entries = [...rows.values(), ...(whole ? [] : gone)]
      .filter((one) => one.number > Math.max(Number(since), Number(from)))
      .sort((a, b) => a.number - b.number);
    const items = entries.slice(0, PAGE);
    const isLast = entries.length <= PAGE;
    const next = `/api/changes?token=${since || '0'}-${items.at(-1)?.number ?? 0}-${until || number}`;
    const after = `/api/changes?token=${until || number}`;
    return {
      status: 200,
      body: { items, ...(isLast ? { '@ledger.deltaLink': after } : { '@ledger.nextLink': next }) },
    };
  }

  /** What was deleted since, and is not there again. */
  function deleted(url: URL): Answer {
    const gone = [...removed].map(([id, at]) => ({ id, number: at })).sort((a, b) => a.number - b.number);
    return { status: 200, body: gone.filter((one) => one.number >= Number(url.searchParams.get('from') ?? 0)) };
  }

  function one(ask: Ask, id: string): Answer {
    const row = rows.get(id);
    if (row === undefined) return { status: 404, body: { message: 'no such visit' } };
    if (ask.method === 'GET') return { status: 200, body: row, tag: `"${row.number}"` };
    if (ask.tag !== null && ask.tag !== String(row.number))
      return { status: 412, body: { message: 'changed meanwhile' } };
    if (ask.method === 'DELETE') {
      remove(id);
      return { status: 204 };
    }
    const note = String(ask.body['note'] ?? row.note);
    return note === 'refused'
      ? { status: 422, body: { message: 'that is no note', field: 'note' } }
      : { status: 200, body: put(id, note) };
  }

  function answer(ask: Ask): Answer {
    const path = ask.url.pathname.replace('/api', '');
    if (path === '/changes') return changed(ask.url);
    if (path === '/deleted') return deleted(ask.url);
    if (path === '/visits' && ask.method === 'GET') return listed(ask.url);
    if (path === '/visits') return { status: 201, body: put(String(ask.body['id']), String(ask.body['note'])) };
    return one(ask, decodeURIComponent(path.replace('/visits/', '')));
  }

  const server = createServer((request, response) => void respond(request, response, answer));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (let at = 1; at <= PAGE + 2; at++) put(`V-${at}`, `visit ${at}`);

  const opened: Source[] = [];
  function view(facts: Partial<ConnectorDefinition>): SourceCollection {
    const visits = collection({
      type: 'Visit',
      key: 'id',
      version: 'number',
      fields: { note: field.string({ required: true }) },
      read,
      write: {
        create: post('/visits', { keyIn: 'id' }),
        update: patch('/visits/{key}'),
        remove: del('/visits/{key}'),
        guard: 'ifMatch',
      },
    });
    const transport = rest({ baseUrl: `${origin}/api` });
    const source = createSource(
      defineConnector({ source: 'ledger', transport, collections: { visits }, ...facts }),
      eagerDeps(),
    );
    opened.push(source);
    return source.collections[0] as SourceCollection;
  }

  async function stop(): Promise<void> {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  return {
    collection: view({}),
    view,
    backDoor: {
      create: (wanted, { note }) => Promise.resolve(put(wanted, String(note)).id as SourceKey),
      edit: (key, { note }) => Promise.resolve(void put(key, String(note))),
      remove: (key) => Promise.resolve(remove(key)),
    },
    samples: {
      whole: { note: 'ring twice' },
      edit: (at) => ({ note: `edit ${at}` }),
      refused: { fields: { note: 'refused' }, field: 'note' },
    },
    stopSource: stop,
    close: async () => {
      await Promise.all(opened.map((source) => source.close()));
      await stop();
    },
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (ask: Ask) => Answer,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const { status, body, tag } = answer({
    method: request.method ?? '',
    url: new URL(request.url ?? '/', 'http://ledger'),
    body: text === '' ? {} : (JSON.parse(text) as Row),
    tag: request.headers['if-match']?.replaceAll('"', '') ?? null,
  });
  const headers = { 'content-type': 'application/json', ...(tag === undefined ? {} : { etag: tag }) };
  response.writeHead(status, headers).end(body === undefined ? '' : JSON.stringify(body));
}

/** By the key, each page after the last one of the page before. */
export const BY_KEY = get('/visits', {
  paging: { kind: 'keyset', by: 'id', afterIn: 'after', inclusive: false, size: PAGE },
});
