import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { collection, defineConnector, field } from '../../src/connectors/define.js';
import { clientCredentials, get, patch, rest, type RestOptions } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import { createSource, type Source } from '../../src/connectors/source.js';
import type { Transport } from '../../src/connectors/transport.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { AUTHORITY, CLIENT, LOCKED, SERVER, STRANGER } from '../support/certificates.js';
import { eagerDeps } from './soap/eager-deps.js';
import { answered, notesWsdl } from './soap/notes-source.js';
import { readOne, ROW, write } from './token-source.js';

/** Over HTTPS; it asks for a certificate, and lets in who shows one of its authority, or all. */
interface GuardedSource {
  readonly url: string;
  /** Each request with the name in the certificate that came with it; null: none did. */
  readonly asked: { readonly path: string; readonly by: string | null; readonly token: string | undefined }[];
  close(): Promise<void>;
}

async function startGuarded(
  letsIn: 'known' | 'all',
  maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
): Promise<GuardedSource> {
  const asked: GuardedSource['asked'] = [];
  const options = {
    ...SERVER,
    ca: AUTHORITY,
    requestCert: true,
    rejectUnauthorized: letsIn === 'known',
    maxVersion,
  } as const;
  const server: Server = createServer(options, (request, response) => {
    const { url: path = '', headers, socket } = request;
    const shown = socket as unknown as { getPeerCertificate(): { readonly subject?: { readonly CN?: string } } };
    asked.push({ path, by: shown.getPeerCertificate().subject?.CN ?? null, token: headers.authorization });
    request.resume();
    const isSoap = path.startsWith('/notes');
    const rows = path === '/token' ? { access_token: 'abc-def', token_type: 'Bearer' } : ROW;
    response.setHeader('content-type', isSoap ? 'text/xml' : 'application/json');
    response.end(!isSoap ? JSON.stringify(rows) : request.method === 'GET' ? notesWsdl() : answered('GetNote', NOTE));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const NOTE = '<note><id>V-1</id><text>words</text></note>';
const TLS = { ...CLIENT, ca: AUTHORITY };
const US = 'tidegate of the clinic';

let guarded: GuardedSource;
let opened: Source[];
beforeEach(async () => {
  opened = [];
  guarded = await startGuarded('known');
});
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await guarded.close();
});

function open(transport: Transport, isSoap = false): SourceCollection {
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: { [isSoap ? 'text' : 'note']: field.string() },
    read: isSoap
      ? { list: call('ListNotes', { rows: 'notes.note' }), one: call('GetNote', { keyIn: 'id', rows: 'note' }) }
      : { list: get('/visits'), one: get('/visits/{key}') },
    ...(isSoap ? {} : { version: 'version', write: { update: patch('/visits/{key}'), guard: 'ifMatch' as const } }),
  });
  const source = createSource(defineConnector({ source: 'clinic', transport, collections: { visits } }), eagerDeps());
  opened.push(source);
  return source.collections[0] as SourceCollection;
}

const restOf = (options: Partial<RestOptions>): Transport => rest({ baseUrl: guarded.url, ...options });

test.each([
  ['a plain key', TLS],
  ['a locked key', { ...TLS, ...LOCKED }],
])('a source that asks for a certificate is shown ours: %s', async (_what, tls) => {
  const visits = open(restOf({ tls }));
  expect(await readOne(visits)).toMatchObject({ sourceKey: 'V-1' });
  expect((await write(visits)).kind).toBe('applied');
  expect(guarded.asked.map(({ by }) => by)).toEqual([US, US]);
});

test('a SOAP source is shown it with the WSDL and with each call', async () => {
  const endpoint = `${guarded.url}/notes`;
  expect(await readOne(open(soap({ wsdl: `${endpoint}?wsdl`, endpoint, tls: TLS }), true))).toMatchObject({
    sourceKey: 'V-1',
  });
  expect(guarded.asked).toMatchObject([
    { path: '/notes?wsdl', by: US },
    { path: '/notes', by: US },
  ]);
});

test('a WSDL at another host is not shown it', async () => {
  const other = await startGuarded('all');
  try {
    const transport = soap({ wsdl: `${other.url}/notes?wsdl`, endpoint: `${guarded.url}/notes`, tls: TLS });
    await readOne(open(transport, true));
    expect([...other.asked, ...guarded.asked]).toMatchObject([{ by: null }, { path: '/notes', by: US }]);
  } finally {
    await other.close();
  }
});

test('a sign-in is made with it, too, and with the authority', async () => {
  const auth = clientCredentials({ tokenUrl: `${guarded.url}/token`, clientId: 'tidegate', clientSecret: 'hush-hush' });
  await readOne(open(restOf({ tls: TLS, auth })));
  expect(guarded.asked).toMatchObject([
    { path: '/token', by: US },
    { path: '/visits/V-1', by: US, token: 'Bearer abc-def' },
  ]);
});

const refusedOnes: readonly (readonly [string, Partial<RestOptions>])[] = [
  ['no certificate', { ca: AUTHORITY }],
  ['that of a stranger', { tls: { ...STRANGER, ca: AUTHORITY } }],
];

test.each(refusedOnes)('R11: a source that refuses %s in TLS 1.2 was sent nothing', async (_what, options) => {
  await guarded.close();
  guarded = await startGuarded('known', 'TLSv1.2');
  expect(await write(open(restOf(options)))).toMatchObject({ kind: 'notSent' });
  expect(guarded.asked).toEqual([]);
});

// There the handshake is over for us, and the request on its way, before the other side has looked at the certificate.
test.each(refusedOnes)('R11: a write to a source that refuses %s in TLS 1.3 is in doubt', async (_what, options) => {
  expect(await write(open(restOf(options)))).toMatchObject({ kind: 'unknown' });
  expect(guarded.asked).toEqual([]);
});

test('a source whose authority we do not know is not told anything', async () => {
  const outcome = await write(open(restOf({ tls: CLIENT })));
  expect(outcome).toMatchObject({ kind: 'notSent' });
  expect(guarded.asked).toEqual([]);
});
