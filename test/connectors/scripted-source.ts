import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  collection,
  defineConnector,
  field,
  type AnyCollectionDefinition,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { get, rest, type RestOptions } from '../../src/connectors/rest.js';
import { createSource, type Source } from '../../src/connectors/source.js';
import type { Log } from '../../src/core/ports.js';
import type { Observation, ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import { seededChance } from '../support/seeded-chance.js';
import { eagerDeps } from './soap/eager-deps.js';

/** A request as the source got it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the source answers: `rows` is sent as JSON; `cutAt` breaks off, `resets` instead of an answer, `after` is waited for. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly rows?: unknown;
  readonly body?: string | Buffer;
  readonly cutAt?: number;
  readonly resets?: boolean;
  readonly after?: Promise<void>;
}

/** A REST source over real HTTP that answers what a test tells it to. */
export interface ScriptedSource {
  readonly url: string;
  readonly asked: Asked[];
  /** Everything that was logged, as text. */
  readonly logged: string[];
  /** The answer to a call; may be changed at any time. */
  answer: (asked: Asked) => Reply | Promise<Reply>;
  open(
    collections?: Readonly<Record<string, AnyCollectionDefinition>>,
    options?: Partial<RestOptions>,
    more?: Partial<ConnectorDefinition>,
  ): readonly SourceCollection[];
  /** Moves the gateway's time on. */
  advance(ms: number): void;
  close(): Promise<void>;
}

/** Visits as most tests read them. */
export const VISITS = collection({
  type: 'Visit',
  key: 'id',
  fields: { note: field.string() },
  read: { list: get('/visits'), one: get('/visits/{key}') },
});

/** @param clock by default one of which the pauses before another try are over at once */
export async function startScripted(nowMs = Date.now(), clock = eagerDeps(nowMs).clock): Promise<ScriptedSource> {
  const opened: Source[] = [];
  const logged: string[] = [];
  const chance = seededChance(1);
  const write = (what: string, details?: object): void => void logged.push(`${what} ${JSON.stringify(details ?? {})}`);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://source');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one: Asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      source.asked.push(one);
      void Promise.resolve(source.answer(one)).then(async (reply) => {
        await reply.after;
        send(response, reply);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source: ScriptedSource = {
    url,
    asked: [],
    logged,
    answer: () => ({ rows: [] }),
    open(collections = { visits: VISITS }, options = {}, more = {}) {
      const definition = defineConnector({
        source: 'clinic',
        transport: rest({ baseUrl: `${url}/api`, ...options }),
        collections,
        ...more,
      });
      const one = createSource(definition, { clock, chance, log });
      opened.push(one);
      return one.collections;
    },
    advance: (ms) => clock.advance(ms),
    async close() {
      await Promise.all(opened.map((one) => one.close()));
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return source;
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply.resets === true) {
    response.socket?.resetAndDestroy();
    return;
  }
  const body = Buffer.from(reply.body ?? JSON.stringify(reply.rows ?? []));
  response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
  if (reply.cutAt === undefined) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, reply.cutAt), () => response.destroy());
}

/** Holds answers back until it is opened. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

const NEVER = new AbortController().signal;

/** All observations of a whole scan. */
export function scanned(source: SourceCollection, signal = NEVER): Promise<readonly Observation[]> {
  return observed(source.scan(signal));
}

export async function observed(batches: AsyncIterable<ObservedBatch>): Promise<readonly Observation[]> {
  const all: Observation[] = [];
  for await (const { observations } of batches) all.push(...observations);
  return all;
}

/** What was shown before a read threw, and the message that it threw with. */
export async function brokenRead(
  batches: AsyncIterable<ObservedBatch>,
): Promise<{ readonly keys: readonly string[]; readonly cursors: readonly string[]; readonly thrown: Error }> {
  const keys: string[] = [];
  const cursors: string[] = [];
  try {
    for await (const { observations, cursor } of batches) {
      keys.push(...observations.map(({ sourceKey }) => sourceKey));
      if (cursor !== undefined) cursors.push(cursor);
    }
  } catch (thrown) {
    return { keys, cursors, thrown: thrown as Error };
  }
  throw new Error('expected the read to throw, it ended');
}
