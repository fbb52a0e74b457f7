import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METADATA, SETS } from './service-schema.js';
import { answerBatch } from './service-batch.js';
import { answerList } from './service-lists.js';
import { parseKey } from './service-query.js';
import {
  createServiceStore,
  ServiceFault,
  type Entity,
  type ServiceStore,
  type StoredEntity,
} from './service-store.js';
import { shown } from './service-rows.js';

/** A request as the service got it; `path` is behind its root, percent-encoded. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Sent as it is, instead of a JSON body. */
  readonly text?: string;
}

/** A small OData 4.0 service over HTTP, with a store of its own. */
export interface ODataService {
  readonly url: string;
  readonly store: ServiceStore;
  readonly asked: Asked[];
  /** Answers instead of the service; null leaves it to it. */
  instead: (asked: Asked) => Reply | null;
  /** What `$metadata` says. */
  metadata: string;
  /** Every delta link that was given out before is over. */
  expireDeltaLinks(): void;
  close(): Promise<void>;
}

const ROOT = '/care/v4';

export async function startODataService(nowMs: () => number = Date.now): Promise<ODataService> {
  const store = createServiceStore(nowMs);
  const state = { oldestDelta: 0 };

  function answer(asked: Asked): Reply {
    if (asked.path === '/$metadata') {
      return { status: 200, headers: { 'content-type': 'application/xml' }, text: service.metadata };
    }
    if (asked.path === '/$batch')
      return answerBatch(asked, { answer: (one) => answered(() => answer(one)), saved: () => store.saved() });
    const [, set = '', predicate = null] = /^\/([^/(]+)(?:\((.*)\))?$/s.exec(decodeURIComponent(asked.path)) ?? [];
    const schema = SETS[set];
    if (schema === undefined) throw new ServiceFault(404, 'NoSuchSet', `there is no ${set}`);
    if (predicate === null) {
      if (asked.method === 'GET') return answerList(service, state.oldestDelta, set, asked);
      if (asked.method === 'POST')
        return written(set, store.put(set, freeKey(set, bodyOf(asked)), bodyOf(asked), false), 201, asked);
    } else {
      return answerEntity(set, parseKey(predicate, schema), asked);
    }
    throw new ServiceFault(405, 'NotAllowed', `no ${asked.method} here`);
  }

  /** The key that a create brings, if nobody has it. */
  function freeKey(set: string, given: Entity): readonly unknown[] | null {
    const { keys = [], isNumbered } = SETS[set] ?? {};
    if (isNumbered === true || keys.some((name) => given[name] === undefined)) return null;
    const key = keys.map((name) => given[name]);
    if (store.get(set, key) !== undefined) throw new ServiceFault(409, 'Taken', 'this key is taken', keys[0]);
    return key;
  }

  function answerEntity(set: string, key: readonly unknown[], asked: Asked): Reply {
    const found = store.get(set, key);
    if (asked.method === 'GET') {
      if (found === undefined) throw new ServiceFault(404, 'NotFound', 'there is no such entity');
      const body = { '@odata.context': `${ROOT}/$metadata#${set}/$entity`, ...shown(service, set, found, asked) };
      return { status: 200, headers: { etag: found.etag }, body };
    }
    const match = asked.headers['if-match'];
    if (match === undefined && SETS[set]?.isGuarded === true && found !== undefined)
      throw new ServiceFault(428, 'NeedsETag', 'an If-Match is needed');
    if (match !== undefined && (found === undefined || (match !== '*' && match !== found.etag)))
      throw new ServiceFault(found === undefined && match !== '*' ? 404 : 412, 'Stale', 'another version is current');
    if (asked.method === 'DELETE') {
      if (found === undefined) throw new ServiceFault(404, 'NotFound', 'there is no such entity');
      store.remove(set, key);
      return { status: 204 };
    }
    // Without If-Match an update of what is not there makes it (upsert).
    return written(
      set,
      store.put(set, key, bodyOf(asked), asked.method === 'PATCH'),
      found === undefined ? 201 : 200,
      asked,
    );
  }

  function written(set: string, stored: StoredEntity, status: number, asked: Asked): Reply {
    const prefer = asked.headers.prefer ?? '';
    const wantsRow =
      asked.method === 'POST' ? !prefer.includes('return=minimal') : prefer.includes('return=representation');
    const address = `${service.url}/${set}(${addressOf(set, stored.entity)})`;
    const headers = { etag: stored.etag, 'odata-entityid': address };
    if (!wantsRow) return { status: 204, headers };
    const context = `${ROOT}/$metadata#${set}/$entity`;
    return { status, headers, body: { '@odata.context': context, ...shown(service, set, stored, asked) } };
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://service');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked: Asked = {
        method: request.method ?? '',
        path: url.pathname.startsWith(ROOT) ? url.pathname.slice(ROOT.length) : `?${url.pathname}`,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      service.asked.push(asked);
      send(response, service.instead(asked) ?? answered(() => answer(asked)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service: ODataService = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${ROOT}`,
    store,
    asked: [],
    instead: () => null,
    metadata: METADATA,
    expireDeltaLinks: () => (state.oldestDelta = store.head() + 1),
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return service;
}

function answered(make: () => Reply): Reply {
  try {
    return make();
  } catch (thrown) {
    if (!(thrown instanceof ServiceFault))
      return { status: 500, body: { error: { code: '500', message: String(thrown) } } };
    const { status, code, message, target } = thrown;
    return { status, body: { error: { code, message, ...(target === null ? {} : { target }) } } };
  }
}

function bodyOf({ body, headers }: Asked): Entity {
  if (!/^application\/json;.*IEEE754Compatible=true/.test(headers['content-type'] ?? ''))
    throw new ServiceFault(415, 'NoJson', `expected JSON, got ${headers['content-type'] ?? 'nothing'}`);
  return JSON.parse(body) as Entity;
}

function addressOf(set: string, entity: Entity): string {
  const { keys = [], properties = {} } = SETS[set] ?? {};
  const literals = keys.map((name) => {
    const text = String(entity[name]);
    return encodeURIComponent(properties[name] === 'Edm.String' ? `'${text.replaceAll("'", "''")}'` : text);
  });
  return keys.length === 1
    ? (literals[0] ?? '')
    : keys.map((name, index) => `${name}=${literals[index] ?? ''}`).join(',');
}

function send(response: ServerResponse, reply: Reply): void {
  const hasBody = reply.text !== undefined || reply.body !== undefined;
  response.writeHead(reply.status, {
    'odata-version': '4.0',
    // Nothing is left open that would end in the middle of a write.
    connection: 'close',
    ...(hasBody ? { 'content-type': 'application/json;odata.metadata=minimal;IEEE754Compatible=true' } : {}),
    ...reply.headers,
  });
  response.end(reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body)));
}
