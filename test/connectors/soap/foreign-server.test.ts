import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listen, passwordDigest, type IServices } from 'soap';
import type { SourceKey } from '../../../src/core/change.js';
import { basic, usernameToken, type SoapOptions } from '../../../src/connectors/soap.js';
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

function serve(wsdl: string, authenticate?: (security: unknown) => boolean): string {
  const path = '/notes';
  const soapServer = listen(server, { path, services: SERVICE, xml: wsdl });
  if (authenticate !== undefined) soapServer.authenticate = authenticate;
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}

function open(url: string, auth: NonNullable<SoapOptions['auth']> = basic('nobody', 'at-all')): SourceCollection {
  return notes.open({ transport: { wsdl: `${url}?wsdl`, endpoint: url, auth }, update: { sends: 'mapped' } });
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

interface Security {
  readonly UsernameToken: {
    readonly Username: string;
    readonly Password: { readonly $value: string };
    readonly Nonce: { readonly $value: string };
    readonly Created: string;
  };
}

/** What the package's own client would send for this nonce and this time. */
function digestOf({ UsernameToken: { Nonce, Created } }: Security, password: string): string {
  return passwordDigest(Nonce.$value, Created, password);
}

test.each([
  ['a digest', { digest: true }, 'secret & <key>', true],
  ['the password itself', {}, 'secret & <key>', true],
  ['a digest of another password', { digest: true }, 'another one', false],
])('WS-Security with %s is let in if it is right: %s', async (_what, options, password, isRight) => {
  const nonces = new Set<string>();
  const url = serve(rpcWsdl({ use: 'literal' }), (header) => {
    const security = header as Security;
    nonces.add(security.UsernameToken.Nonce.$value);
    const shown = security.UsernameToken.Password.$value;
    const expected = 'digest' in options ? digestOf(security, 'secret & <key>') : 'secret & <key>';
    return security.UsernameToken.Username === 'gate & way' && shown === expected;
  });
  const collection = open(url, usernameToken('gate & way', password, options));
  const reading = collection.readOne('7' as SourceKey, signal);
  if (isRight) expect(await reading).toMatchObject({ sourceKey: '7' });
  else await expect(reading).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  expect((await collection.write(RETITLED, signal)).kind).toBe(isRight ? 'applied' : 'notSent');
  expect(nonces.size).toBe(2);
});
