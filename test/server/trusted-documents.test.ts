import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { OWN_DOCUMENTS, READ_EPOCH } from '../../src/cli/own-operations.js';
import { readTrustedDocuments } from '../../src/graphql/trusted-documents.js';
import { closeClinics, serveClinic, type ServingClinic } from './serving-clinic.js';

afterEach(closeClinics);

const PULL = 'query Pull { pull { changes { id } complete } }';
const HINTS = 'subscription Hints { hints { collections } }';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const MANIFEST = JSON.stringify({
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: [PULL, HINTS].map((body) => ({ id: sha256(body), name: 'n', type: 'query', body })),
});
const serve = (): Promise<ServingClinic> => serveClinic({ documents: readTrustedDocuments(MANIFEST, 'm.json') });
const hashed = (hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });

/** Status and code; null: there are data and no error. */
async function outcome(response: Response): Promise<readonly [number, string | null]> {
  const { data, errors } = (await response.json()) as {
    readonly data?: unknown;
    readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[];
  };
  expect(data === undefined || data === null).toBe(errors !== undefined);
  return [response.status, errors?.[0]?.extensions.code ?? null];
}

describe('with a list of documents', () => {
  test('one of them is executed, by its text, by its hash, and over GET', async () => {
    const clinic = await serve();
    expect(await outcome(await clinic.post({ query: PULL }))).toEqual([200, null]);
    expect(await outcome(await clinic.post(hashed(sha256(PULL))))).toEqual([200, null]);
    expect(await outcome(await clinic.post({ query: PULL, ...hashed(sha256(PULL)) }))).toEqual([200, null]);
    const search = new URLSearchParams({ extensions: JSON.stringify(hashed(sha256(PULL)).extensions) });
    const headers = { 'apollo-require-preflight': 'true' };
    expect(await outcome(await fetch(`${clinic.http.url}/graphql?${search}`, { headers }))).toEqual([200, null]);
  });

  test("what the gateway's own commands send is executed besides", async () => {
    const documents = readTrustedDocuments(MANIFEST, 'm.json', OWN_DOCUMENTS);
    const clinic = await serveClinic({ documents });
    expect(await outcome(await clinic.post({ query: READ_EPOCH.document }))).toEqual([200, null]);
    expect(await outcome(await clinic.post({ query: PULL }))).toEqual([200, null]);
    expect(await outcome(await clinic.post({ query: '{ pull { complete } }' }))).toEqual([403, 'FORBIDDEN']);
  });

  test('and fits the schema', () => {
    const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
    expect(OWN_DOCUMENTS.length).toBeGreaterThan(12);
    expect(OWN_DOCUMENTS.flatMap((document) => validate(schema, parse(document)))).toEqual([]);
  });

  test.each([
    ['another one', { query: '{ pull { complete } }' }, [403, 'FORBIDDEN']],
    ['one of them with a blank more', { query: `${PULL} ` }, [403, 'FORBIDDEN']],
    [
      'another one under the hash of one of them',
      { query: '{ pull { complete } }', ...hashed(sha256(PULL)) },
      [403, 'FORBIDDEN'],
    ],
    ['introspection', { query: '{ __schema { types { name } } }' }, [403, 'FORBIDDEN']],
    ['an unknown hash', hashed(sha256('other')), [200, 'PERSISTED_QUERY_NOT_FOUND']],
    ['a name that every object has', hashed('__proto__'), [200, 'PERSISTED_QUERY_NOT_FOUND']],
    ['nothing', {}, [200, 'PERSISTED_QUERY_NOT_FOUND']],
    ['a list of operations', [{ query: PULL }], [200, 'PERSISTED_QUERY_NOT_FOUND']],
  ])('%s is not executed', async (_what, body, expected) => {
    expect(await outcome(await (await serve()).post(body))).toEqual(expected);
  });

  test('attack 7: a text that was refused once with its hash is not registered by that', async () => {
    const clinic = await serve();
    const query = '{ pull { complete } }';
    await clinic.post({ query, ...hashed(sha256(query)) });
    expect(await outcome(await clinic.post(hashed(sha256(query))))).toEqual([200, 'PERSISTED_QUERY_NOT_FOUND']);
  });

  test('over graphql-ws the same holds', async () => {
    const clinic = await serve();
    const client = createClient({ url: clinic.webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
    const first = async (payload: { query: string; extensions?: Record<string, unknown> }) =>
      (await client.iterate(payload).next()).value as unknown;
    expect(await first({ query: '', ...hashed(sha256(PULL)) })).toMatchObject({ data: { pull: { complete: true } } });
    await expect(first({ query: '{ pull { complete } }' })).rejects.toMatchObject([
      { extensions: { code: 'FORBIDDEN' } },
    ]);
    await client.dispose();
  });
});

test.each([
  ['no JSON', '<html>', /expected at least one document, got none/],
  ['nothing', '{}', /expected at least one document/],
  [
    'a hash of something else',
    JSON.stringify({ [sha256('x')]: PULL }),
    /expected an id that is the SHA-256 of its document, got/,
  ],
  ['documents without text', JSON.stringify({ [sha256('x')]: 7 }), /expected a manifest of operations, or an object/],
])('a list with %s is refused at start', (_what, text, message) => {
  expect(() => readTrustedDocuments(text, 'm.json')).toThrow(message);
});

test('a list may be an object of texts by their hashes', async () => {
  const clinic = await serveClinic({
    documents: readTrustedDocuments(JSON.stringify({ [sha256(PULL)]: PULL }), 'd.json'),
  });
  expect(await outcome(await clinic.post(hashed(sha256(PULL))))).toEqual([200, null]);
});
