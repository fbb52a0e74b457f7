import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import {
  changeNumber,
  collection,
  field,
  keyset,
  link,
  nextUrl,
  offset,
  page,
  token,
  type ReadFacts,
} from '../../src/connectors/define.js';
import { get, type GetOptions } from '../../src/connectors/rest.js';
import type { ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import {
  observed,
  scanned,
  startScripted,
  VISITS,
  type Asked,
  type Reply,
  type ScriptedSource,
} from './scripted-source.js';

let source: ScriptedSource;
beforeEach(async () => {
  source = await startScripted();
});
afterEach(() => source.close());

const ROWS = [
  { id: 'V-1', note: 'ring twice' },
  { id: 'V-2', note: 'brings the grün key' },
];
const TEXT = JSON.stringify(ROWS);

function visits(list: GetOptions = {}): SourceCollection {
  const fields = { note: field.string() };
  const read = { list: get('/visits', list) };
  return source.open({ visits: collection({ type: 'Visit', key: 'id', fields, read }) })[0] as SourceCollection;
}

const lies: readonly (readonly [string, Reply, string])[] = [
  [
    'an error in place of the list, with status 200',
    { rows: { error: 'session expired' } },
    'expected a list at the top',
  ],
  [
    'a login page',
    { body: '<html>log in</html>', headers: { 'content-type': 'text/html' } },
    'expected JSON, got text/html',
  ],
  [
    'JSON under another name',
    { body: TEXT, headers: { 'content-type': 'text/plain' } },
    'expected JSON, got text/plain',
  ],
  [
    'JSON in another alphabet',
    { body: TEXT, headers: { 'content-type': 'application/json; charset=latin1' } },
    'expected JSON',
  ],
  ['half a list that claims to be whole', { body: TEXT.slice(0, 20) }, 'its JSON is broken or cut off'],
  ['bytes that are not UTF-8', { body: Buffer.from(TEXT, 'latin1') }, 'expected an answer in UTF-8'],
  ['no body at all', { body: '' }, 'expected a list at the top'],
  ['a list of texts', { rows: ['V-1'] }, 'expected a record, got "V-1"'],
  ['a row without a key', { rows: [{ note: 'whose?' }] }, 'expected a record of visits to have a key, got nothing'],
  ['a part of the list (206)', { status: 206, rows: ROWS }, 'unexpected status 206'],
  ['a redirect', { status: 302, headers: { location: '/elsewhere' } }, 'unexpected status 302'],
  ['a promise (202)', { status: 202, rows: ROWS }, 'unexpected status 202'],
  ['304 to a question without a tag', { status: 304, body: '' }, 'unexpected status 304'],
  ['404', { status: 404, rows: {} }, 'expected a list at /visits, got 404'],
  ['an encoding that nobody asked for', { body: TEXT, headers: { 'content-encoding': 'zstd' } }, 'got zstd'],
  ['bytes that are no gzip', { body: TEXT, headers: { 'content-encoding': 'gzip' } }, 'incorrect header check'],
];

test.each(lies)('R14: %s ends a scan as not complete', async (_what, reply, message) => {
  source.answer = () => reply;
  await expect(scanned(visits())).rejects.toMatchObject({
    code: 'SOURCE_UNAVAILABLE',
    message: expect.stringContaining(message) as string,
  });
});

test('R14: an answer that breaks off ends a scan as not complete', async () => {
  source.answer = () => ({ body: TEXT, headers: { 'content-length': String(TEXT.length + 1) }, cutAt: 30 });
  await expect(scanned(visits())).rejects.toThrow(/clinic\.visits read\.list: the connection broke off/);
});

test.each([
  ['gzip', gzipSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['br', brotliCompressSync(TEXT)],
])('an answer packed by %s is unpacked, although none was asked for', async (encoding, body) => {
  source.answer = () => ({ body, headers: { 'content-encoding': encoding } });
  expect((await scanned(visits())).map(({ fields }) => fields)).toEqual(ROWS.map(({ note }) => ({ note })));
  expect(source.asked[0]?.headers['accept-encoding']).toBe('identity');
});

test('an answer is counted as it is unpacked: a small one that grows too large is broken off', async () => {
  source.answer = () => ({ body: gzipSync(Buffer.alloc(200_000, ' ')), headers: { 'content-encoding': 'gzip' } });
  const [one] = source.open({ visits: VISITS }, { maxAnswerBytes: 100_000 });
  await expect(scanned(one as SourceCollection)).rejects.toThrow(
    'expected an answer of at most 100000 bytes, got more',
  );
});

test('attack 28: a link to another host is not followed, so that our credentials stay here', async () => {
  source.answer = () => ({ rows: ROWS, headers: { link: '<http://elsewhere.example/visits?page=2>; rel="next"' } });
  await expect(scanned(visits({ paging: link() }))).rejects.toThrow(
    `expected the next page at ${source.url}, got http://elsewhere.example`,
  );
  expect(source.asked).toHaveLength(1);
});

test('rows, total and the hint at more are found where the facts say', async () => {
  source.answer = () => ({ rows: { data: { items: ROWS }, count: 3 } });
  await expect(scanned(visits({ rows: 'data.items', total: 'count' }))).rejects.toThrow(
    'got 2 rows and a hint at more',
  );
  source.answer = () => ({ rows: { data: { items: ROWS }, hasMore: true } });
  await expect(scanned(visits({ rows: 'data.items', more: 'hasMore' }))).rejects.toThrow('a hint at more');
  source.answer = () => ({ rows: ROWS, headers: { 'X-Total': '3' } });
  await expect(scanned(visits({ totalHeader: 'X-Total' }))).rejects.toThrow('a hint at more');
});

/** An honest list of seven rows in pages of three, by whatever parameter is asked for. */
function pagesOf(rows: readonly { readonly id: string }[]): (asked: Asked) => Reply {
  return ({ query, headers }) => {
    const after = query.get('after');
    const behind = after === null ? 0 : rows.findIndex(({ id }) => id >= after);
    const from = Number(query.get('from') ?? query.get('cursor') ?? (Number(query.get('page') ?? 1) - 1) * 3 + behind);
    const tag = `"${from}-${JSON.stringify(rows).length}"`;
    const more = from + 3 < rows.length;
    const next = { link: `</api/visits?from=${from + 3}>; rel="next"` };
    const head = { etag: tag, ...(more && query.get('page') === null && after === null ? next : {}) };
    if (headers['if-none-match'] === tag) return { status: 304, body: '', headers: { etag: tag } };
    const paging = more ? { next: `/api/visits?from=${from + 3}`, token: from + 3 } : {};
    return { rows: { rows: rows.slice(from, from + 3), paging }, headers: head };
  };
}

const SEVEN = Array.from({ length: 7 }, (_, at) => ({ id: `V-${at}`, note: `visit ${at}` }));

test.each([
  ['page', page({ numberIn: 'page', size: 3 })],
  ['offset', offset({ fromIn: 'from', size: 3 })],
  ['offset with overlap', offset({ fromIn: 'from', size: 3, overlap: 1 })],
  ['keyset', keyset({ by: 'id', afterIn: 'after', inclusive: true, size: 3 })],
  ['link', link()],
  ['nextUrl', nextUrl({ from: 'paging.next' })],
  ['token', token({ in: 'cursor', from: 'paging.token' })],
])('R14: a tagged list read by %s is whole when every page is answered with 304', async (_kind, paging) => {
  const collectionRead = visits({ paging, rows: 'rows', tagged: true });
  source.answer = pagesOf(SEVEN);
  const first = await scanned(collectionRead);
  expect(first.map(({ sourceKey }) => sourceKey)).toEqual(SEVEN.map(({ id }) => id));
  const asked = source.asked.length;
  expect(await scanned(collectionRead)).toEqual(first);
  const again = source.asked.slice(asked);
  expect(again).toHaveLength(asked);
  expect(again.every(({ headers }) => headers['if-none-match'] !== undefined)).toBe(true);
});

const DAY_MS = 86_400_000;
const NEVER = new AbortController().signal;

describe.each([
  ['strong', '"1"'],
  ['weak', 'W/"1"'],
])('a %s tag that stays although a record changed', (_strength, tag) => {
  let note = '';
  beforeEach(() => {
    note = 'as it was';
    source.answer = ({ headers }) =>
      headers['if-none-match'] === tag
        ? { status: 304, body: '', headers: { etag: tag } }
        : { rows: [{ id: 'V-1', note, rev: 7 }], headers: { etag: tag, 'x-token': 't' } };
  });

  async function shownBy(batches: AsyncIterable<ObservedBatch>): Promise<unknown> {
    return (await observed(batches)).map(({ fields }) => fields?.['note']);
  }

  test('R14: hides it for a day at most, counted from a scan that was whole', async () => {
    const one = visits({ tagged: true });
    expect(await shownBy(one.scan(NEVER))).toEqual(['as it was']);
    note = 'as it is';
    source.advance(DAY_MS - 1);
    expect(await shownBy(one.scan(NEVER))).toEqual(['as it was']);
    source.advance(1);
    const { answer } = source;
    source.answer = () => ({ status: 403, rows: {} });
    await expect(scanned(one)).rejects.toThrow('403');
    source.answer = answer;
    expect(await shownBy(one.scan(NEVER))).toEqual(['as it is']);
    expect(source.asked.at(-1)?.headers['if-none-match']).toBeUndefined();
    note = 'as it will be';
    source.advance(DAY_MS - 1);
    expect(await shownBy(one.scan(NEVER))).toEqual(['as it is']);
    expect(source.asked.at(-1)?.headers['if-none-match']).toBe(tag);
  });

  test('F14: counts for nothing in a scan of which absences are believed', async () => {
    const one = visits({ tagged: true });
    await scanned(one);
    note = 'as it is';
    expect(await shownBy(one.scan(NEVER, true))).toEqual(['as it is']);
  });

  const list = get('/visits', { tagged: true, deltaTokenHeader: 'x-token' });
  test.each<[string, ReadFacts]>([
    [
      'time',
      { list, changes: { param: 'since', precision: '1s', maxTransaction: '0s', inclusive: true, ordered: false } },
    ],
    ['number', { list, changes: changeNumber({ param: 'after', member: 'rev', inclusive: false, gap: 0 }) }],
    ['token', { list, delta: { param: 'token', replayable: true } }],
  ])('R16: counts for nothing where everything is read, for want of a %s to go on from', async (_what, read) => {
    const fields = { note: field.string() };
    const [one] = source.open({ visits: collection({ type: 'Visit', key: 'id', fields, read }) });
    await shownBy((one as SourceCollection).readChanges(null, NEVER));
    note = 'as it is';
    expect(await shownBy((one as SourceCollection).readChanges(null, NEVER))).toEqual(['as it is']);
  });
});

/** Pages of two, each with the address or the token of the next one, as the test wants them. */
function leading(to: (from: number) => Readonly<Record<string, unknown>>, header?: (from: number) => string): void {
  source.answer = ({ query }) => {
    const from = Number(query.get('from') ?? query.get('cursor') ?? 0);
    const next = from + 2 < SEVEN.length ? from + 2 : null;
    const body = { rows: SEVEN.slice(from, from + 2), ...(next === null ? {} : to(next)) };
    return { rows: body, ...(next === null || header === undefined ? {} : { headers: { 'x-next': header(next) } }) };
  };
}

const leads: readonly (readonly [string, GetOptions, Parameters<typeof leading>])[] = [
  [
    'a whole address',
    { paging: nextUrl({ from: 'next' }) },
    [(from) => ({ next: `${source.url}/api/visits?from=${from}` })],
  ],
  [
    'an address from the root',
    { paging: nextUrl({ from: 'links.next' }) },
    [(from) => ({ links: { next: `/api/visits?from=${from}` } })],
  ],
  [
    'an address beside its page',
    { paging: nextUrl({ from: '@odata.nextLink' }) },
    [(from) => ({ '@odata.nextLink': `visits?from=${from}` })],
  ],
  ['a token', { paging: token({ in: 'cursor', from: 'meta.next' }) }, [(from) => ({ meta: { next: String(from) } })]],
  ['a number', { paging: token({ in: 'cursor', from: 'next' }) }, [(from) => ({ next: from })]],
  ['a header', { paging: token({ in: 'cursor', fromHeader: 'X-Next' }) }, [() => ({}), String]],
];

test.each(leads)('R14: pages are followed by %s', async (_what, list, way) => {
  leading(...way);
  const shown = await scanned(visits({ rows: 'rows', ...list }));
  expect(shown.map(({ sourceKey }) => sourceKey)).toEqual(SEVEN.map(({ id }) => id));
  expect(source.asked).toHaveLength(4);
});

test('R14: an empty page with a token goes on; none, an empty one, or the word that there is no more ends the list', async () => {
  const pages: Readonly<Record<string, object>> = {
    '': { rows: SEVEN.slice(0, 2), next: 'a' },
    a: { rows: [], next: 'b' },
    b: { rows: SEVEN.slice(2), next: '' },
  };
  source.answer = ({ query }) => ({ rows: pages[query.get('cursor') ?? ''] ?? {} });
  const list = { rows: 'rows', paging: token({ in: 'cursor', from: 'next' }) };
  expect(await scanned(visits(list))).toHaveLength(7);
  source.answer = () => ({ rows: { rows: SEVEN, next: 'for later', hasMore: false } });
  expect(await scanned(visits({ ...list, more: 'hasMore' }))).toHaveLength(7);
  source.answer = () => ({ rows: { rows: SEVEN, next: null, hasMore: true } });
  await expect(scanned(visits({ ...list, more: 'hasMore' }))).rejects.toThrow('the last page says that there is more');
});

test('R14: a token or an address that comes again ends a scan as not complete', async () => {
  const round: Readonly<Record<string, string>> = { '': 'a', a: 'b', b: 'a' };
  const next = (query: URLSearchParams): string => round[query.get('cursor') ?? ''] ?? '';
  source.answer = ({ query }) => ({ rows: { rows: SEVEN, next: next(query) } });
  const byToken = visits({ rows: 'rows', paging: token({ in: 'cursor', from: 'next' }) });
  await expect(scanned(byToken)).rejects.toThrow('its pages lead round in a circle');
  expect(source.asked).toHaveLength(3);
  source.answer = ({ query }) => ({ rows: { rows: SEVEN, next: `/api/visits?cursor=${next(query)}` } });
  const byUrl = visits({ rows: 'rows', paging: nextUrl({ from: 'next' }) });
  await expect(scanned(byUrl)).rejects.toThrow('its pages lead round in a circle');
});

test.each(['http://elsewhere.example/visits?page=2', '//elsewhere.example/visits'])(
  'the next page at %s is not asked for, so that our credentials stay here',
  async (next) => {
    source.answer = () => ({ rows: { rows: SEVEN, next } });
    const list = visits({ rows: 'rows', paging: nextUrl({ from: 'next' }) });
    await expect(scanned(list)).rejects.toThrow(
      `expected the next page at ${source.url}, got http://elsewhere.example`,
    );
    expect(source.asked).toHaveLength(1);
  },
);
