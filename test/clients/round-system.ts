import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type CollectionName = 'patients' | 'visits';
/** Fields of a record by their names; what is null is left out. */
export type RecordFields = Readonly<Record<string, unknown>>;

/** A write that took effect. */
export interface DoneWrite {
  readonly method: string;
  readonly collection: string;
  readonly id: string;
  readonly body: RecordFields;
}

/** The round's HTTP system, which remembers everything that was written through its doors. */
export interface RoundSystem {
  readonly url: string;
  /** Every write that took effect, in order; one under a key that it knows takes none. */
  readonly journal: readonly DoneWrite[];
  /** No request is answered: connections are reset. */
  isDown: boolean;
  /** Records that are not deleted, as the nurse of this route should hold them. */
  records(collection: CollectionName, route: string): ReadonlyMap<string, RecordFields>;
  /** The back office makes or changes a record. */
  edit(collection: CollectionName, id: string, fields: RecordFields): void;
  /** The back office deletes a record. */
  remove(collection: CollectionName, id: string): void;
  stop(): Promise<void>;
}

/** What a system refuses: a note with this in it. */
export const FORBIDDEN = 'forbidden';

interface Row {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly updatedAt: string;
  readonly [name: string]: unknown;
}

export async function startRoundSystem(): Promise<RoundSystem> {
  const rows: Readonly<Record<CollectionName, Map<string, Row>>> = { patients: new Map(), visits: new Map() };
  const journal: DoneWrite[] = [];
  const answered = new Map<string, { readonly status: number; readonly row: Row | object }>();

  function edit(collection: CollectionName, id: string, fields: RecordFields, deleted = false): Row {
    const before = rows[collection].get(id);
    const row = { ...before, ...fields, id, deleted, version: (before?.version ?? 0) + 1, updatedAt: nextMoment() };
    rows[collection].set(id, row);
    return row;
  }

  let moments = 0;
  const nextMoment = (): string => new Date(Date.UTC(2026, 0, 1) + (moments += 1)).toISOString();

  function write(request: IncomingMessage, collection: CollectionName, key: string | undefined, body: RecordFields) {
    const { method = '' } = request;
    const id = key ?? String(body['id']);
    const known = rows[collection].get(id);
    const isThere = known !== undefined && !known.deleted;
    if (method === 'POST' && known !== undefined) return { status: 409, row: { message: 'this id is taken' } };
    if (method !== 'POST' && !isThere) return { status: 404, row: { message: 'no such record' } };
    const tag = request.headers['if-match'];
    if (tag !== undefined && tag !== `"${known?.version}"`) return { status: 412, row: known ?? {} };
    if (String(body['note']).includes(FORBIDDEN)) return { status: 422, row: { message: 'such a note is not taken' } };
    journal.push({ method, collection, id, body });
    return { status: method === 'POST' ? 201 : 200, row: edit(collection, id, body, method === 'DELETE') };
  }

  function answer(request: IncomingMessage, response: ServerResponse, body: RecordFields): void {
    const say = (status: number, json: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    const [, name = '', key] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    const collection = name as CollectionName;
    if (request.method === 'GET') {
      if (key === undefined) return say(200, [...rows[collection].values()]);
      const row = rows[collection].get(key);
      return row === undefined || row.deleted ? say(404, { message: 'no such record' }) : say(200, row);
    }
    const once = String(request.headers['idempotency-key']);
    const done = answered.get(once) ?? write(request, collection, key, body);
    if (done.status < 300) answered.set(once, done);
    say(done.status, done.row);
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (system.isDown) request.socket.destroy();
      else answer(request, response, JSON.parse(Buffer.concat(chunks).toString() || '{}') as RecordFields);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const system: RoundSystem = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    journal,
    isDown: false,
    records(collection, route) {
      const seen = [...rows[collection].values()].filter((row) => !row.deleted && row['route'] === route);
      return new Map(seen.map(({ id, version: _version, deleted: _deleted, ...fields }) => [id, withoutNulls(fields)]));
    },
    edit: (collection, id, fields) => void edit(collection, id, fields),
    remove: (collection, id) => void edit(collection, id, {}, true),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return system;
}

/** Patients keep no time of change: their collection does not declare it. */
export function withoutNulls(fields: RecordFields): RecordFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
