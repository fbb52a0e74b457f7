import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listen, type IServices } from 'soap';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import { RETITLED, startNotes, type NotesSource } from './notes-source.js';
import { rpcWsdl } from './rpc-notes.js';

// The other side is a SOAP server that we did not write: what it reads of our requests is what it hands to its service.

const signal = new AbortController().signal;
let notes: NotesSource;
let server: Server;
let heard: unknown[];

const NOTE = { id: '7', version: 4, title: 'New', text: 'words', pinned: true };
const SERVICE: IServices = {
  Notes: {
    Notes: {
      GetNote: (request: unknown) => {
        heard.push(request);
        return { note: NOTE };
      },
      SaveNote: (request: unknown) => {
        heard.push(request);
        return { note: NOTE };
      },
    },
  },
};

beforeEach(async () => {
  heard = [];
  notes = await startNotes();
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  await notes.close();
  server.closeAllConnections();
  server.close();
});

/** The server hands typed values on together with the attributes that tell their types. */
function withoutAttributes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAttributes);
  if (typeof value !== 'object' || value === null) return value;
  if ('$value' in value) return value.$value;
  const members = Object.entries(value).filter(([name]) => name !== 'attributes');
  return Object.fromEntries(members.map(([name, member]) => [name, withoutAttributes(member)]));
}

function serve(wsdl: string, path = '/notes'): string {
  listen(server, { path, services: SERVICE, xml: wsdl });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}

function open(url: string): SourceCollection {
  return notes.open({ transport: { wsdl: `${url}?wsdl`, endpoint: url }, update: { sends: 'mapped' } });
}

test.each(['literal', 'encoded'] as const)('rpc/%s is read and answered', async (use) => {
  const collection = open(serve(rpcWsdl({ use })));
  expect(await collection.readOne('7' as SourceKey, signal)).toMatchObject({
    sourceKey: '7',
    sourceVersion: '4',
    fields: { title: 'New', text: 'words', pinned: true },
  });
  expect(await collection.write(RETITLED, signal)).toMatchObject({ kind: 'applied' });
  expect(heard.map(withoutAttributes)).toEqual([
    { id: '7' },
    {
      reason: 'sync',
      note: {
        id: '7',
        version: expect.anything() as unknown,
        title: 'New',
        text: 'words',
        tag: use === 'literal' ? ['a', 'b'] : { item: ['a', 'b'] },
        pinned: expect.anything() as unknown,
      },
    },
  ]);
});
