import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collection, defineConnector, field, type FieldSet } from '../../src/connectors/define.js';
import { entity, entitySet, odata } from '../../src/connectors/odata.js';
import { get, rest } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import { createSource } from '../../src/connectors/source.js';
import type { Operation, Transport } from '../../src/connectors/transport.js';
import type { MisfitRecord } from '../../src/core/misfit.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { METADATA } from './odata/service-schema.js';
import { eagerDeps } from './soap/eager-deps.js';
import { answered, notesWsdl } from './soap/notes-source.js';

/** One of the three kits: how it is opened at an address, and a good answer of its list, with one record. */
export interface Kit {
  readonly name: 'REST' | 'OData' | 'SOAP';
  readonly contentType: string;
  readonly good: string;
  /** What ends a good answer: before it, blanks may come for ever. */
  readonly ending: string;
  readonly open: (url: string, maxAnswerBytes: number) => Transport;
  readonly key: string;
  readonly fields: FieldSet;
  readonly list: Operation;
  readonly one: Operation;
  /** What is read before the first call, by the path that asks for it. */
  readonly contract: { readonly path: string; readonly text: string } | null;
}

export const KITS: readonly Kit[] = [
  {
    name: 'REST',
    contentType: 'application/json',
    good: '[{"id":"V-1","note":"well"}]',
    ending: ']',
    open: (url, maxAnswerBytes) => rest({ baseUrl: url, maxAnswerBytes }),
    key: 'id',
    fields: { note: field.string() },
    list: get('/visits'),
    one: get('/visits/{key}'),
    contract: null,
  },
  {
    name: 'OData',
    contentType: 'application/json;odata.metadata=minimal',
    good: '{"value":[{"ID":"V-1","Note":"well"}]}',
    ending: '}',
    open: (url, maxAnswerBytes) => odata({ serviceUrl: url, maxAnswerBytes }),
    key: 'ID',
    fields: { note: field.string({ from: 'Note' }) },
    list: entitySet('Visits'),
    one: entity('Visits'),
    contract: { path: '/$metadata', text: METADATA },
  },
  {
    name: 'SOAP',
    contentType: 'text/xml; charset=utf-8',
    good: answered('ListNotes', '<notes><note><id>V-1</id><title>well</title></note></notes>'),
    ending: '</S:Envelope>',
    open: (url, maxAnswerBytes) => soap({ wsdl: `${url}/notes?wsdl`, endpoint: `${url}/notes`, maxAnswerBytes }),
    key: 'id',
    fields: { note: field.string({ from: 'title' }) },
    list: call('ListNotes', { rows: 'notes.note' }),
    one: call('GetNote', { keyIn: 'id', rows: 'note' }),
    contract: { path: '/notes?wsdl', text: notesWsdl() },
  },
];

/** A source of one kit that answers its list in whatever way a test wants, down to the bytes. */
export interface OddSource {
  /** The gateway's view of it, in collection `clinic.visits`. */
  readonly visits: SourceCollection;
  readonly url: string;
  /** How often it was called, its contract not counted. */
  calls(): number;
  respond: (response: ServerResponse) => void;
  /** The contract, where a test wants another one. */
  contract: string;
  /** Moves the gateway's time on. */
  advance(ms: number): void;
  close(): Promise<void>;
}

export async function startOdd(kit: Kit, maxAnswerBytes: number): Promise<OddSource> {
  let calls = 0;
  const server = createServer((request, response) => {
    // Whatever becomes of the connection is what the test is about.
    response.on('error', () => undefined);
    request.on('error', () => undefined).resume();
    request.on('end', () => {
      if (request.url === kit.contract?.path) {
        response.writeHead(200, { 'content-type': 'application/xml; charset=utf-8' });
        response.end(source.contract);
        return;
      }
      calls += 1;
      source.respond(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const deps = eagerDeps();
  const { key, fields, list, one } = kit;
  const visits = collection({ type: 'Visit', key, fields, read: { list, one } });
  const definition = defineConnector({
    source: 'clinic',
    transport: kit.open(url, maxAnswerBytes),
    collections: { visits },
  });
  const opened = createSource(definition, deps);
  const source: OddSource = {
    visits: opened.collections[0] as SourceCollection,
    url,
    calls: () => calls,
    respond: (response) => reply(response, kit, kit.good),
    contract: kit.contract?.text ?? '',
    advance: (ms) => deps.clock.advance(ms),
    async close() {
      await opened.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return source;
}

/** A whole answer with status 200. */
export function reply(
  response: ServerResponse,
  { contentType }: Pick<Kit, 'contentType'>,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { 'content-type': contentType, ...headers });
  response.end(body);
}

/** What a scan showed, and with what fault it ended; null: with none. */
export async function scanOf(visits: SourceCollection): Promise<{
  readonly keys: readonly string[];
  readonly misfits: readonly MisfitRecord[];
  readonly fault: Error | null;
}> {
  const keys: string[] = [];
  const misfits: MisfitRecord[] = [];
  let fault: Error | null = null;
  try {
    for await (const batch of visits.scan(new AbortController().signal)) {
      keys.push(...batch.observations.map(({ sourceKey }) => sourceKey));
      misfits.push(...(batch.misfits ?? []));
    }
  } catch (thrown) {
    fault = thrown as Error;
  }
  return { keys, misfits, fault };
}

/** How many bytes the process held more at the worst moment of some work than before it, what nobody needs any more included. */
export async function bytesGrownBy(work: () => Promise<unknown>): Promise<number> {
  const before = heldBytes();
  let most = before;
  const look = (): void => void (most = Math.max(most, heldBytes()));
  // Whenever the work waits for something.
  const looking = setInterval(look, 1);
  try {
    await work();
    look();
  } finally {
    clearInterval(looking);
  }
  return most - before;
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
