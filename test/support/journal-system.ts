import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PROJECT_FOLDER } from './source-tree.js';

/** A visit as the journal system has it. */
export interface SystemVisit {
  readonly id: string;
  readonly note: string;
  readonly route: string;
  readonly version: number;
  readonly updatedAt: string;
}

/** A write that the system took. */
export interface JournalEntry {
  readonly method: string;
  readonly id: string;
  readonly note: string | undefined;
}

/** A REST system that outlives every gateway and keeps a journal of each write that it took through its API. */
export interface JournalSystem {
  readonly url: string;
  readonly journal: readonly JournalEntry[];
  readonly visits: ReadonlyMap<string, SystemVisit>;
  /** Calls that arrived and are not answered yet. */
  readonly underway: number;
  /** True: it takes no writes for now, and says so. */
  isBusy: boolean;
  /** Its own people write, past the journal. */
  put(id: string, fields: { readonly note?: string; readonly route?: string }): void;
  remove(id: string): void;
  /** A configuration file for a gateway in front of it. @param settings further keys of the configuration */
  configuration(folder: string, settings?: Readonly<Record<string, unknown>>): string;
  stop(): Promise<void>;
}

/** @param options.answerMs how long a write takes: half before it has effect, half after */
export async function startJournalSystem(options: {
  readonly visits: number;
  readonly routes: number;
  readonly answerMs?: () => number;
}): Promise<JournalSystem> {
  const visits = new Map<string, SystemVisit>();
  const journal: JournalEntry[] = [];
  /** What was answered to a write, by the idempotency key that came with it. */
  const answers = new Map<string, Answer>();
  const answerMs = options.answerMs ?? (() => 0);
  let underway = 0;

  function put(id: string, fields: Partial<SystemVisit>): SystemVisit {
    const before = visits.get(id);
    const kept = { note: '', route: 'r0', ...before, ...fields };
    const visit = { ...kept, id, version: (before?.version ?? 0) + 1, updatedAt: new Date().toISOString() };
    visits.set(id, visit);
    return visit;
  }

  /** One write, in one step: checked, done and journalled. */
  function take(method: string, id: string, tag: string | undefined, body: Partial<SystemVisit>): Answer {
    const current = visits.get(id);
    if (method === 'POST' && current !== undefined) return { status: 409, body: { message: `${id} is taken` } };
    if (method !== 'POST' && current === undefined) return { status: 404, body: { message: `there is no ${id}` } };
    if (tag !== undefined && tag !== `"${current?.version}"`) return { status: 412, body: { message: 'not current' } };
    journal.push({ method, id, note: body.note });
    if (method === 'DELETE') {
      visits.delete(id);
      return { status: 200, body: {} };
    }
    return { status: method === 'POST' ? 201 : 200, body: put(id, body) };
  }

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://office');
    const key = /^\/visits\/(.+)$/.exec(url.pathname)?.[1];
    if (request.method === 'GET' && key === undefined) {
      const since = url.searchParams.get('since') ?? '';
      const found = [...visits.values()].filter(({ updatedAt }) => updatedAt >= since);
      return { status: 200, body: found.toSorted((a, b) => (a.updatedAt < b.updatedAt ? -1 : 1)) };
    }
    if (request.method === 'GET') {
      const found = visits.get(key ?? '');
      return found === undefined ? { status: 404, body: {} } : { status: 200, body: found };
    }
    const body = await readBody(request);
    if (system.isBusy) return { status: 429, body: { message: 'not now' } };
    const ms = answerMs();
    if (ms > 0) await wait(ms / 2);
    const idempotencyKey = String(request.headers['idempotency-key'] ?? '');
    const known = answers.get(idempotencyKey);
    if (known !== undefined) return known;
    const answer = take(request.method ?? '', key ?? body.id ?? '', request.headers['if-match'], body);
    if (idempotencyKey !== '' && answer.status < 300) answers.set(idempotencyKey, answer);
    if (ms > 0) await wait(ms / 2);
    return answer;
  }

  const server = createServer((request, response) => {
    underway += 1;
    answerTo(request)
      .then((answer) => send(response, answer))
      .catch(() => response.destroy())
      .finally(() => (underway -= 1));
  });
  for (let n = 0; n < options.visits; n++) put(`V-${n}`, { note: 'planned', route: `r${n % options.routes}` });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const system: JournalSystem = {
    url,
    journal,
    visits,
    isBusy: false,
    get underway() {
      return underway;
    },
    put: (id, fields) => void put(id, fields),
    remove: (id) => void visits.delete(id),
    configuration(folder, settings = {}) {
      const file = path.join(folder, 'tidegate.config.ts');
      const connector = path.join(PROJECT_FOLDER, 'test/support/journal-connector.ts');
      writeFileSync(
        file,
        `import * as connector from 'tidegate/connector';
import * as rest from 'tidegate/connector/rest';
import { visitsConnector } from ${JSON.stringify(connector)};

const connectors = [visitsConnector({ ...connector, ...rest }, ${JSON.stringify(url)})];
export default { ...${JSON.stringify(settings)}, connectors };
`,
      );
      return file;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return system;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function readBody(request: IncomingMessage): Promise<Partial<SystemVisit>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Partial<SystemVisit>);
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
