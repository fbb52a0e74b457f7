import { gzipSync } from 'node:zlib';
import { collection, field, page } from '../../src/connectors/define.js';
import { get, put } from '../../src/connectors/rest.js';
import { sourceKey } from '../../src/core/id.js';
import type { MisfitRecord } from '../../src/core/misfit.js';
import type { ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import { bytesGrownBy } from './odd-source.js';
import { brokenRead, startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

const MOST_BYTES = 1_000_000;
const DEEP = 100_000;
const GOOD = { id: 'V-1', note: 'well', count: 3, at: '2026-01-05T08:00:00Z', day: '2026-01-05' };

const VISITS = {
  type: 'Visit',
  key: 'id',
  version: 'rev',
  fields: {
    note: field.string(),
    count: field.int(),
    at: field.dateTime(),
    day: field.date(),
    fee: field.decimal(),
    serial: field.long(),
  },
} as const;

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

function open(isPaged = false): SourceCollection {
  const list = get('/visits', isPaged ? { paging: page({ numberIn: 'page', size: 10, shortPageEnds: true }) } : {});
  const visits = collection({ ...VISITS, read: { list } });
  return source.open({ visits }, { maxAnswerBytes: MOST_BYTES })[0] as SourceCollection;
}

const NEVER = new AbortController().signal;
const typed = (contentType: string, body: string | Buffer): Reply => ({
  headers: { 'content-type': contentType },
  body,
});
const json = (body: string | Buffer): Reply => typed('application/json', body);
const LIST = JSON.stringify([GOOD, { ...GOOD, id: 'V-2', note: 'Zoë' }]);

describe('an answer that is no list ends its scan with a fault that names its collection, and shows no record', () => {
  test.each<readonly [string, Reply, RegExp]>([
    ['HTML', typed('text/html', '<html>'), /expected JSON, got text\/html \(status 200\)/],
    ['JSON that calls itself text', typed('text/plain', LIST), /expected JSON, got text\/plain/],
    ['XML', typed('application/xml', '<visits/>'), /expected JSON, got application\/xml/],
    [
      'UTF-16, as it says',
      typed('application/json; charset=utf-16', Buffer.from(LIST, 'utf16le')),
      /got application\/json; charset=utf-16/,
    ],
    ['UTF-16 that says nothing', json(Buffer.from(LIST, 'utf16le')), /expected an answer in UTF-8|its JSON is broken/],
    [
      'latin-1, as it says',
      typed('application/json; charset=iso-8859-1', Buffer.from(LIST, 'latin1')),
      /charset=iso-8859-1/,
    ],
    [
      'latin-1 that calls itself UTF-8',
      typed('application/json; charset=utf-8', Buffer.from(LIST, 'latin1')),
      /expected an answer in UTF-8/,
    ],
    ['half of a list', json(LIST.slice(0, -5)), /its JSON is broken or cut off/],
    ['two lists', json(LIST + LIST), /its JSON is broken or cut off/],
    ['nothing', json(''), /expected a list at the top/],
    ['null', json('null'), /expected a list at the top/],
    ['an error', json('{"error":"locked"}'), /expected a list at the top/],
    ['a list of lists', json('[[1]]'), /expected a record, got/],
    ['brackets that end', json(`${'['.repeat(DEEP)}${']'.repeat(DEEP)}`), /expected a record, got a list/],
    [
      'an error within an error, and so on',
      { status: 400, body: `${'{"error":['.repeat(DEEP / 2)}${']}'.repeat(DEEP / 2)}` },
      /it says 400: the source answered with status 400/,
    ],
    ['half of two million records', json(`[${'{"id":1},'.repeat(50_000)}`), /its JSON is broken or cut off/],
    ['brackets without an end', json('['.repeat(DEEP)), /its JSON is broken or cut off/],
    [
      'more bytes than are taken',
      json(`[${' '.repeat(MOST_BYTES)}]`),
      /expected an answer of at most 1000000 bytes, got more/,
    ],
    [
      'few bytes that unpack to more than are taken',
      { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(20 * MOST_BYTES, 32)) },
      /expected an answer of at most 1000000 bytes, got more/,
    ],
    [
      'packed as nobody can',
      { headers: { 'content-encoding': 'zstd' }, body: LIST },
      /expected no content-encoding, or one of gzip, x-gzip, deflate, br, got zstd/,
    ],
    [
      'not what its packing says',
      { headers: { 'content-encoding': 'gzip' }, body: LIST },
      /connection broke off|gzip|header/,
    ],
  ])('%s', async (_what, reply, message) => {
    source.answer = () => reply;
    const { keys, thrown } = await brokenRead(open().scan(NEVER));
    expect(keys).toEqual([]);
    expect(thrown).toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    expect(thrown.message).toMatch(/^clinic\.visits read\.list: /);
    expect(thrown.message).toMatch(message);
    expect(thrown.message.length).toBeLessThan(300);
    expect(source.asked.length).toBeLessThanOrEqual(3);
  });
});

async function shown(rows: string, isPaged: boolean) {
  source.answer = () => json(rows);
  const keys: string[] = [];
  const misfits: MisfitRecord[] = [];
  for await (const batch of open(isPaged).scan(NEVER)) {
    keys.push(...batch.observations.map(({ sourceKey }) => sourceKey));
    misfits.push(...(batch.misfits ?? []));
  }
  return { keys, misfits };
}

describe.each([false, true])(
  'a record that does not fit is set aside, and the one beside it is taken (in pages: %p)',
  (isPaged) => {
    test.each<readonly [string, string | null, object]>([
      ['a number for a text', 'note', { note: 7 }],
      ['a text for a number', 'count', { count: '3' }],
      ['half a number', 'count', { count: 3.5 }],
      ['a number that is none of ours', 'count', { count: 1e300 }],
      ['a day of another form', 'day', { day: '05.01.2026' }],
      ['an American day', 'day', { day: '01/05/2026' }],
      ['a day without dashes', 'day', { day: '20260105' }],
      ['a day that is none', 'day', { day: '2026-02-30' }],
      ['a moment that is none', 'at', { at: '2026-02-30T08:00:00Z' }],
      ['an hour that is none', 'at', { at: '2026-01-05T25:00:00Z' }],
      ['a time in words', 'at', { at: 'Mon, 05 Jan 2026 08:00:00 GMT' }],
      ['a time in ticks', 'at', { at: '/Date(1767600000000)/' }],
      ['a time in seconds', 'at', { at: 1767600000 }],
      ['a time without a zone', 'at', { at: '2026-01-05 08:00' }],
      ['a list for a text', 'note', { note: ['well'] }],
      ['an object for a number', 'count', { count: { value: 3 } }],
      ['a number that JSON may have rounded, for a decimal', 'fee', { fee: 2 ** 53 }],
      ['the same for a long', 'serial', { serial: -(2 ** 53) }],
      ['a version that JSON may have rounded', null, { rev: 2 ** 60 }],
      ['a version that is too long', null, { rev: 'v'.repeat(1_001) }],
      ['a key with a control character', null, { id: 'V\u0000-2' }],
      ['a key that is too long', null, { id: 'V'.repeat(300) }],
    ])('%s', async (_what, name, odd) => {
      const { keys, misfits } = await shown(JSON.stringify([{ ...GOOD, id: 'V-2', ...odd }, GOOD]), isPaged);
      expect(keys).toEqual(['V-1']);
      expect(misfits).toMatchObject([{ field: name, reason: expect.stringMatching(/^expected .*got/s) as string }]);
    });

    test.each<readonly [string, string]>([
      ['a number beyond all numbers', '"count":1e999'],
      ['a decimal beyond all numbers', '"fee":1e999'],
    ])('%s', async (_what, member) => {
      const { keys, misfits } = await shown(`[{"id":"V-2",${member}},${JSON.stringify(GOOD)}]`, isPaged);
      expect(keys).toEqual(['V-1']);
      expect(misfits).toMatchObject([
        { sourceKey: 'V-2', reason: expect.stringMatching(/got no finite number$/) as string },
      ]);
    });

    test('the same key twice, with other fields', async () => {
      const { keys, misfits } = await shown(
        JSON.stringify([GOOD, { ...GOOD, id: 'V-2' }, { ...GOOD, note: 'ill' }]),
        isPaged,
      );
      expect(keys).toEqual(['V-2']);
      expect(misfits).toMatchObject([
        { sourceKey: 'V-1', field: null, reason: expect.stringMatching(/^expected each/) as string },
      ]);
    });

    test('a value that is nested without an end', async () => {
      const deep = `{"id":"V-2","note":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`;
      const { keys, misfits } = await shown(`[${deep},${JSON.stringify(GOOD)}]`, isPaged);
      expect(keys).toEqual(['V-1']);
      expect(misfits).toMatchObject([{ sourceKey: 'V-2', field: 'note' }]);
    });
  },
);

test('a value that is not there, -0, and of a member that is there twice the last one, are values like any other', async () => {
  source.answer = () => json('[{"id":"V-1","note":"ill","note":"well","count":-0,"fee":-0,"serial":null}]');
  const { observations } = (await open().scan(NEVER)[Symbol.asyncIterator]().next()).value as ObservedBatch;
  expect(observations[0]?.fields).toEqual({ note: 'well', count: 0, fee: '0', serial: null, at: null, day: null });
  expect(Object.is(observations[0]?.fields?.['count'], 0)).toBe(true);
});

describe('R14: a row without a key is no record, and the records beside it are shown: the reading ends with a fault', () => {
  const LAST = { ...GOOD, id: 'V-3' };

  test.each<readonly [string, unknown, RegExp]>([
    ['nothing', null, /row 2: expected a record, got null$/],
    ['a list', [1], /row 2: expected a record, got a list of 1$/],
    ['no key', { note: 'whose?' }, /row 2: expected a record of visits to have a key, got nothing$/],
    ['an empty one', { id: '' }, /row 2: expected a record of visits to have a key, got ""$/],
    ['an object', { id: { no: 1 } }, /row 2: expected a record of visits to have a key, got an object$/],
    ['a number that JSON does not keep', { id: 2 ** 53 }, /row 2: expected a record of visits to have a key/],
  ])('%s', async (_what, row, told) => {
    source.answer = () => ({ rows: [GOOD, row, LAST] });
    const { keys, thrown } = await brokenRead(open().scan(NEVER));
    expect(keys).toEqual(['V-1', 'V-3']);
    expect(thrown).toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    expect(thrown.message).toMatch(/^clinic\.visits read\.list: /);
    expect(thrown.message).toMatch(told);
  });

  test('a function of the connector that throws over it', async () => {
    const key = (row: { readonly at: { readonly id: string } }): string => row.at.id;
    const visits = collection({ type: 'Visit', key, fields: VISITS.fields, read: { list: get('/visits') } });
    source.answer = () => ({ rows: [{ note: 'whose?' }, { at: { id: 'V-1' } }] });
    const [opened] = source.open({ visits }) as [SourceCollection];
    const { keys, thrown } = await brokenRead(opened.scan(NEVER));
    expect(keys).toEqual([]);
    expect(thrown.message).toBe('clinic.visits read.list: row 1: expected key to give the key of a record, it threw');
  });

  test('R16: no cursor passes it', async () => {
    const changes = {
      param: 'since',
      stamp: 'at',
      precision: '1s',
      inclusive: true,
      ordered: true,
      maxTransaction: '1s',
    } as const;
    const visits = collection({
      ...VISITS,
      read: { list: get('/visits', { paging: page({ numberIn: 'page', size: 2, shortPageEnds: true }) }), changes },
    });
    const rows = [GOOD, { at: GOOD.at }, { ...LAST, at: '2026-01-05T09:00:00Z' }];
    source.answer = ({ query }) => ({
      rows: query.get('page') === '1' ? rows.slice(0, 2) : rows.slice(2),
      headers: { date: 'Mon, 05 Jan 2026 10:00:00 GMT' },
    });
    const [opened] = source.open({ visits }) as [SourceCollection];
    const cursor = JSON.stringify({ v: 1, at: '2026-01-05T07:00:00.000Z' });
    const { keys, cursors, thrown } = await brokenRead(opened.readChanges(cursor, NEVER));
    expect([keys, cursors]).toEqual([['V-1', 'V-3'], []]);
    expect(thrown.message).toMatch(/^clinic\.visits read\.changes: row 2: expected a record of visits to have a key/);
  });
});

test('R11: a record with a number that JSON does not keep is not sent back under a change of ours', async () => {
  const visits = collection({
    ...VISITS,
    read: { list: get('/visits'), one: get('/visits/{key}') },
    write: { update: put('/visits/{key}'), guard: 'ifMatch' },
  });
  source.answer = () => json('{"id":"V-1","rev":"3","note":"well","meta":{"serial":12345678901234567}}');
  const [opened] = source.open({ visits }) as [SourceCollection];
  const [current, guard] = [{ note: 'well', count: null, at: null, day: null, fee: null, serial: null }, '3'];
  const update = { kind: 'update', sourceKey: sourceKey(['V-1']), fields: { note: 'ill' }, current, guard } as const;
  expect(await opened.write({ ...update, idempotencyKey: 'i' }, NEVER)).toEqual({
    kind: 'refused',
    message:
      "visits: the source's own record has a number in meta.serial that JSON does not keep, so it is not sent back",
    field: null,
  });
  expect(source.asked.map(({ method }) => method)).toEqual(['GET']);
});

test('an answer of more values than are taken is refused before they are made', async () => {
  // An object of two bytes costs some thirty in memory; texts may hold as many commas as they like.
  const objects = `[${'{},'.repeat(5_000_000)}{}]`;
  source.answer = () => json(objects);
  const visits = collection({ ...VISITS, read: { list: get('/visits') } });
  const [opened] = source.open({ visits }) as [SourceCollection];
  let thrown: Error | null = null;
  const grown = await bytesGrownBy(async () => (thrown = (await brokenRead(opened.scan(NEVER))).thrown));
  expect(thrown).toMatchObject({
    message: 'clinic.visits read.list: expected at most 5000000 values, got more (status 200, 15000004 bytes)',
  });
  // The bytes themselves, twice while they are joined, and what is around them; all values would be 150 MB more.
  expect(grown).toBeLessThan(100_000_000);
  source.answer = () => json(JSON.stringify([{ ...GOOD, other: `\\"${','.repeat(5_000_001)}` }]));
  expect((await opened.scan(NEVER)[Symbol.asyncIterator]().next()).value).toMatchObject({ observations: [{}] });
});

test.each(['a/b', '../..', `it's "quoted"`, 'Zoë 7', '訪問', '%2F', 'a?b#c', 'a\\b', '~'])(
  'attacks 31 and 32: a key like %p is a key like any other, and finds its record',
  async (id) => {
    const visits = collection({ ...VISITS, read: { list: get('/visits'), one: get('/visits/{key}') } });
    source.answer = ({ path }) => ({
      rows:
        path === '/api/visits'
          ? [{ ...GOOD, id }]
          : { ...GOOD, id: decodeURIComponent(path.slice('/api/visits/'.length)) },
    });
    const [opened] = source.open({ visits }) as [SourceCollection];
    for await (const { observations } of opened.scan(NEVER)) {
      const [one] = observations;
      expect(await opened.readOne((one as NonNullable<typeof one>).sourceKey, NEVER)).toMatchObject({
        fields: { note: 'well' },
      });
    }
    expect(source.asked).toHaveLength(2);
  },
);
