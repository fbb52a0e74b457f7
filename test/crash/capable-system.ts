import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openJournal, readJournal } from '../support/journal-file.js';
import { CAPABILITIES, FORBIDDEN, KEPT, type Capability } from './capabilities.js';

/** A visit as this system has it. */
interface SystemVisit {
  readonly id: string;
  readonly note: string;
  readonly version: number;
  readonly updatedAt: string;
  /** The reference that its create came with. */
  readonly reference: string | null;
}

/** A write that took effect, as the system's own journal has it. */
export interface JournalEntry {
  readonly capability: Capability;
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly id: string;
  /** Of a deletion: what the record said last. */
  readonly note: string;
  /** The idempotency key that came with it, in whatever form the capability takes one. */
  readonly key: string | null;
  readonly version: number;
  readonly at: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Shelf {
  readonly visits: Map<string, SystemVisit>;
  /** Answers by idempotency key, where the capability is one. */
  readonly answers: Map<string, Answer>;
  /** The record that a create with this reference made. */
  readonly byReference: Map<string, string>;
  created: number;
}

/**
 * A REST system with one shelf of visits for each capability of sources, under a path of its own name. Each write that takes
 * effect is in its journal file, on the disk, before it is answered: the witness of a crash sweep. It refuses what is
 * `FORBIDDEN`, and to delete what is `KEPT`; it promises nothing beyond a shelf's capability, so that a write that is repeated
 * takes effect again. Started on its own journal it goes on where it was.
 *
 * @param seeds visits of each shelf at the beginning: `V-0`, `V-1` …; every second one KEPT
 * @returns its port on loopback
 */
export async function startCapableSystem(journalFile: string, seeds: number): Promise<number> {
  const shelves = new Map(CAPABILITIES.map((capability) => [capability, emptyShelf()]));
  const shelfOf = (capability: Capability): Shelf => shelves.get(capability) as Shelf;
  const begunAt = new Date(Date.now() - 60_000).toISOString();
  for (const { visits } of shelves.values()) {
    for (let n = 0; n < seeds; n++) {
      const note = n % 2 === 0 ? 'planned' : `${KEPT} ${n}`;
      visits.set(`V-${n}`, { id: `V-${n}`, note, version: 1, updatedAt: begunAt, reference: null });
    }
  }
  for (const entry of readJournal<JournalEntry>(journalFile)) apply(shelfOf(entry.capability), entry);
  const journal = openJournal<JournalEntry>(journalFile);

  /** One write, in one step: checked, on the disk, done. */
  function take(capability: Capability, request: WriteRequest): Answer {
    const shelf = shelfOf(capability);
    const known = capability === 'keyed' && request.key !== null ? shelf.answers.get(request.key) : undefined;
    if (known !== undefined) return known;
    const current = request.id === null ? undefined : shelf.visits.get(request.id);
    const refusal = refusalOf(capability, request, current);
    if (refusal !== null) return refusal;
    const entry: JournalEntry = {
      capability,
      method: request.method,
      id: request.id ?? `L-${shelf.created + 1}`,
      note: request.note ?? current?.note ?? '',
      key: request.key,
      version: (current?.version ?? 0) + 1,
      at: new Date().toISOString(),
    };
    journal.append(entry);
    return apply(shelf, entry);
  }

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://office');
    const [, name, , id = null] = url.pathname.split('/').map(decodeURIComponent);
    const capability = CAPABILITIES.find((one) => one === name);
    if (capability === undefined) return { status: 404, body: {} };
    const { visits, byReference } = shelfOf(capability);
    const method = request.method ?? 'GET';
    if (method === 'GET') {
      const reference = url.searchParams.get('reference');
      const visit = visits.get(id ?? byReference.get(reference ?? '') ?? '');
      if (reference !== null) return { status: 200, body: visit === undefined ? [] : [visit] };
      if (id !== null) return visit === undefined ? { status: 404, body: {} } : { status: 200, body: visit };
      const since = url.searchParams.get('since') ?? '';
      const changed = [...visits.values()].filter(({ updatedAt }) => updatedAt >= since);
      return { status: 200, body: changed.sort((a, b) => (a.updatedAt < b.updatedAt ? -1 : 1)) };
    }
    const body = await readBody(request);
    return take(capability, {
      method: method as WriteRequest['method'],
      id: id ?? body.id ?? null,
      note: body.note ?? null,
      key: header(request, 'idempotency-key') ?? body.reference ?? null,
      tag: header(request, 'if-match'),
    });
  }

  const server = createServer((request, response) => {
    answerTo(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      },
      // A request that broke off.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

interface WriteRequest {
  readonly method: JournalEntry['method'];
  readonly id: string | null;
  readonly note: string | null;
  readonly key: string | null;
  readonly tag: string | null;
}

function emptyShelf(): Shelf {
  return { visits: new Map(), answers: new Map(), byReference: new Map(), created: 0 };
}

function refusalOf(
  capability: Capability,
  { method, note, tag }: WriteRequest,
  current: SystemVisit | undefined,
): Answer | null {
  if (note?.includes(FORBIDDEN) === true) return { status: 422, body: { message: 'the office does not want it' } };
  if (method === 'DELETE' && current?.note.startsWith(KEPT) === true) {
    return { status: 422, body: { message: 'the office keeps it' } };
  }
  if (method !== 'POST' && current === undefined) return { status: 404, body: { message: 'there is no such visit' } };
  if (capability !== 'guarded') return null;
  if (method === 'POST' && current !== undefined) return { status: 409, body: { message: 'there is one already' } };
  if (method !== 'POST' && tag !== `"${current?.version}"`) return { status: 412, body: { message: 'not current' } };
  return null;
}

function apply(shelf: Shelf, { method, id, note, key, version, at }: JournalEntry): Answer {
  if (method === 'POST') shelf.created += 1;
  if (method === 'POST' && key !== null) shelf.byReference.set(key, id);
  const reference = method === 'POST' ? key : (shelf.visits.get(id)?.reference ?? null);
  const visit = { id, note, version, updatedAt: at, reference };
  if (method === 'DELETE') shelf.visits.delete(id);
  else shelf.visits.set(id, visit);
  const answer = { status: method === 'POST' ? 201 : 200, body: method === 'DELETE' ? {} : visit };
  if (key !== null) shelf.answers.set(key, answer);
  return answer;
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

async function readBody(
  request: IncomingMessage,
): Promise<{ readonly id?: string; readonly note?: string; readonly reference?: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as { readonly id?: string; readonly note?: string });
}
