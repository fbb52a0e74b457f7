import { gzipSync } from 'node:zlib';
import { collection, field, page } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { MisfitRecord } from '../../src/core/misfit.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { brokenRead, startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

const MOST_BYTES = 1_000_000;
const DEEP = 100_000;
const GOOD = { id: 'V-1', note: 'well', count: 3, at: '2026-01-05T08:00:00Z', day: '2026-01-05' };

const VISITS = {
  type: 'Visit',
  key: 'id',
  fields: {
    note: field.string(),
    count: field.int(),
    at: field.dateTime(),
    day: field.date(),
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
      /expected no content-encoding, got zstd/,
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
    expect(thrown.message).toMatch(/^clinic\.visits: /);
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
      ['a time in ticks', 'at', { at: '/Date(1767600000000)/' }],
      ['a time in seconds', 'at', { at: 1767600000 }],
      ['a time without a zone', 'at', { at: '2026-01-05 08:00' }],
      ['a key with a control character', null, { id: 'V\u0000-2' }],
      ['a key that is too long', null, { id: 'V'.repeat(300) }],
    ])('%s', async (_what, name, odd) => {
      const { keys, misfits } = await shown(JSON.stringify([{ ...GOOD, id: 'V-2', ...odd }, GOOD]), isPaged);
      expect(keys).toEqual(['V-1']);
      expect(misfits).toMatchObject([{ field: name, reason: expect.stringMatching(/^expected .*got/s) as string }]);
    });

    test('a value that is nested without an end', async () => {
      const deep = `{"id":"V-2","note":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`;
      const { keys, misfits } = await shown(`[${deep},${JSON.stringify(GOOD)}]`, isPaged);
      expect(keys).toEqual(['V-1']);
      expect(misfits).toMatchObject([{ sourceKey: 'V-2', field: 'note' }]);
    });
  },
);

test.each(['a/b', '../..', `it's "quoted"`, 'Zoë 7', '訪問', '%2F', 'a?b#c', 'a\\b', '~'])(
  'a key like %p is a key like any other, and finds its record',
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
