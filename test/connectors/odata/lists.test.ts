import { collection, field, type SourceRow } from '../../../src/connectors/define.js';
import { changedSince, entity, entitySet, update } from '../../../src/connectors/odata.js';
import { sourceKey } from '../../../src/core/id.js';
import { brokenRead, observed, scanned } from '../scripted-source.js';
import { startCare, VISITS, type CareUnderTest } from './care-under-test.js';
import type { Asked, Reply } from './odata-service.js';

const NEVER = new AbortController().signal;
const NOTE = { note: field.string({ from: 'Note' }) };

let care: CareUnderTest;
beforeEach(async () => {
  care = await startCare();
  for (let n = 10; n < 30; n += 1)
    care.service.store.put('Visits', [`V-${n}`], { Status: n % 2 === 0 ? 'Planned' : 'Done', Note: `n ${n}` }, false);
});
afterEach(() => care.close());

/** The list calls that went out. */
const lists = (): readonly Asked[] =>
  care.service.asked.filter(({ path, query }) => path === '/Visits' && !query.has('$skiptoken'));
/** Answers a list with this body. */
const answerWith = (reply: Partial<Reply>): void => {
  care.service.instead = ({ path }) => (path === '/$metadata' ? null : { status: 200, ...reply });
};

describe('a list', () => {
  test('R14: is asked for by what is declared, in pages that the source divides', async () => {
    const visits = care.openOne(
      collection({
        type: 'Visit',
        key: 'ID',
        version: 'etag',
        read: {
          list: entitySet('Visits', {
            filter: "Status eq Care.Status'Planned' or Note eq 'n 11'",
            orderBy: 'Note desc',
            pageSize: 4,
            expand: ['Lines($select=Sku)'],
          }),
        },
        fields: { ...NOTE, lines: field.json({ from: 'Lines' }) },
      }),
    );
    care.service.store.put('Lines', ['V-28', 1], { Sku: 'A' }, false);
    const seen = await scanned(visits);
    expect(seen.map((one) => one.fields?.['note'])).toEqual(
      [28, 26, 24, 22, 20, 18, 16, 14, 12, 11, 10].map((n) => `n ${n}`),
    );
    expect(seen[0]).toMatchObject({
      sourceVersion: expect.stringMatching(/^W\//) as string,
      fields: { lines: [{ Number: 1, Sku: 'A' }] },
    });
    const [first] = lists();
    expect(Object.fromEntries(first?.query ?? [])).toEqual({
      $select: 'ID,Note',
      $expand: 'Lines($select=Sku)',
      $filter: "Status eq Care.Status'Planned' or Note eq 'n 11'",
      $orderby: 'Note desc',
      $count: 'true',
    });
    expect(first?.headers).toMatchObject({
      accept: 'application/json;odata.metadata=minimal;IEEE754Compatible=true',
      'odata-maxversion': '4.0',
      prefer: 'odata.maxpagesize=4',
    });
    expect(care.service.asked.filter(({ query }) => query.has('$skiptoken'))).toHaveLength(2);
  });

  test('R16: of changes has both filters in brackets, the moment in its own form, and the order of change', async () => {
    const changes = changedSince('LastModified', { precision: '1ms', maxTransaction: '5s' });
    const visits = care.openOne(
      collection({
        ...VISITS,
        read: { list: entitySet('Visits', { filter: "Note ne 'n 12' or Note ne 'n 13'" }), changes },
      } as never),
    );
    const cursor = JSON.stringify({ v: 1, at: '2026-01-01T00:00:06.000Z' });
    expect(await observed(visits.readChanges(cursor, NEVER))).toHaveLength(20);
    expect(lists()[0]?.query.get('$filter')).toBe(
      "(Note ne 'n 12' or Note ne 'n 13') and (LastModified ge 2026-01-01T00:00:00.999Z)",
    );
    expect(lists()[0]?.query.get('$orderby')).toBe('LastModified,ID');
  });

  test('R9: shows the ETag of each record, the same that a single read shows', async () => {
    const visits = care.openOne(VISITS);
    const [first] = await scanned(visits);
    expect(first?.sourceVersion).toMatch(/^W\/"\d+"$/);
    expect(await visits.readOne(sourceKey(['V-10']), NEVER)).toEqual(first);
  });

  test('is asked for whole where a function reads its rows, or where a PUT sends them back', async () => {
    const mapped = collection({
      type: 'Visit',
      key: 'ID',
      read: { list: entitySet('Visits') },
      fields: NOTE,
      map: (row: SourceRow) => ({ note: row['Status'] }),
      unmap: () => ({}),
    });
    const put = collection({
      ...VISITS,
      write: { update: update('Visits', { method: 'PUT' }), guard: 'ifMatch' },
    } as never);
    expect((await scanned(care.openOne(mapped)))[0]).toMatchObject({ fields: { note: 'Planned' } });
    await care.openOne(put).readOne(sourceKey(['V-10']), NEVER);
    expect(care.service.asked.map(({ query }) => query.get('$select'))).toEqual([null, null, null, null]);
  });

  test('one call of two collections asks for what both of them read', async () => {
    const list = entitySet('Visits');
    const notes = collection({ type: 'Note', key: 'ID', read: { list }, fields: NOTE });
    const days = collection({
      type: 'Day',
      key: 'ID',
      read: { list },
      fields: { status: field.string({ from: 'Status' }) },
    });
    const [note, day] = care.open({ notes, days });
    expect([await scanned(note!), await scanned(day!)].map(([one]) => one?.fields)).toEqual([
      { note: 'n 10' },
      { status: 'Planned' },
    ]);
  });
});

describe('an answer in the form of OData 4.01', () => {
  test('R14: is read by its shorter names, a next page relative to the context', async () => {
    answerWith({});
    care.service.instead = ({ path, query }) => {
      if (path === '/$metadata') return null;
      const isFirst = !query.has('$skip');
      const value = [{ '@etag': 'W/"7"', ID: isFirst ? 'a' : 'b', Note: 'x' }];
      return {
        status: 200,
        headers: { 'odata-version': '4.01' },
        body: {
          '@context': '$metadata#Visits',
          '@count': 2,
          value,
          ...(isFirst ? { '@nextLink': 'Visits?$skip=1' } : {}),
        },
      };
    };
    const visits = care.openOne(
      collection({ type: 'Visit', key: 'ID', version: 'etag', read: { list: entitySet('Visits') }, fields: NOTE }),
    );
    expect(await scanned(visits)).toEqual(
      ['a', 'b'].map((id) => ({ sourceKey: sourceKey([id]), fields: { note: 'x' }, sourceVersion: 'W/"7"' })),
    );
  });
});

describe('numbers of 64 bits and decimals', () => {
  const row = { ID: 'a', Price: 12.5, Serial: 7, Status: 'Planned', Tags: [] };
  const first = async (body: object): Promise<unknown> => {
    answerWith({ body: { value: [body] } });
    return (await scanned(care.openOne(VISITS)))[0]?.fields;
  };

  test('keep all their digits: they come as texts', async () => {
    const large = { Price: '12345678901234567890.123456789', Serial: '9007199254740993' };
    expect(await first({ ...row, ...large })).toMatchObject({ price: large.Price, serial: large.Serial });
  });

  test('that come as numbers are taken while they are exact', async () => {
    expect(await first(row)).toMatchObject({ price: '12.5', serial: '7' });
  });

  test.each<[string, object, string]>([
    ['a decimal', { Price: 1234567890.1234567 }, 'price'],
    ['a long', { Serial: 2 ** 60 }, 'serial'],
  ])('that may have lost digits do not fit, and say so: %s', async (_what, value, name) => {
    answerWith({ body: { value: [{ ...row, ...value }] } });
    const misfits: unknown[] = [];
    for await (const batch of care.openOne(VISITS).scan(NEVER)) misfits.push(...(batch.misfits ?? []));
    expect(misfits).toEqual([expect.objectContaining({ field: name })]);
  });

  test('times without seconds, and with more digits than we keep, are times', async () => {
    const times = ['2026-11-26T08:30Z', '2026-11-26T08:30:01.123456789012+01:00'];
    const read: unknown[] = [];
    for (const LastModified of times) read.push(await first({ ...row, LastModified }));
    expect(read).toMatchObject([{ updatedAt: '2026-11-26T08:30:00.000Z' }, { updatedAt: '2026-11-26T07:30:01.123Z' }]);
  });
});

describe('a list that cannot be believed ends nowhere', () => {
  const page = { '@odata.context': '$metadata#Visits', value: [{ ID: 'a', Status: 'Done', Tags: [] }] };

  test.each<[string, Partial<Reply>, string]>([
    [
      'Atom',
      { headers: { 'content-type': 'application/atom+xml' }, text: '<feed/>' },
      'expected JSON, got application/atom+xml',
    ],
    ['a page', { headers: { 'content-type': 'text/html' }, text: '<html/>' }, 'expected JSON, got text/html'],
    ['half of it', { text: '{"value":[{"ID":"a"' }, 'its JSON is broken or cut off'],
    ['another version', { headers: { 'odata-version': '3.0' }, body: page }, 'expected OData 4, got version 3.0'],
    ['no list', { body: { d: { results: [] } } }, 'expected a list in the member value'],
    [
      'an error at its end',
      { body: { ...page, error: { code: '500' } } },
      'expected a list, got one that ends with an error',
    ],
    [
      'a page of another host',
      { body: { ...page, '@odata.nextLink': 'https://other.example/Visits?$skiptoken=1' } },
      'expected the next page at http://127.0.0.1',
    ],
    [
      'pages in a circle',
      { body: { ...page, '@odata.nextLink': '?$skiptoken=1' } },
      'its pages lead round in a circle',
    ],
    ['fewer than it says', { body: { ...page, '@odata.count': 2 } }, 'the list ended after 1 of 2 rows'],
    [
      'a part of what belongs to a record',
      { body: { value: [{ ...page.value[0], 'Lines@odata.nextLink': 'more' }] } },
      'expected all Lines of a record, got a first page',
    ],
    ['no such path', { status: 404, body: { error: { message: 'gone' } } }, 'expected a list of Visits, got 404'],
  ])('R14: %s', async (_what, reply, message) => {
    answerWith(reply);
    const { thrown } = await brokenRead(care.openOne(VISITS).scan(NEVER));
    expect(thrown).toMatchObject({ code: 'SOURCE_UNAVAILABLE', message: expect.stringContaining(message) as string });
  });

  test('R14: a total that only the first page tells counts for all of them', async () => {
    care.service.instead = ({ path, query }) =>
      path === '/$metadata'
        ? null
        : {
            status: 200,
            body: {
              value: [{ ID: query.get('$skip') ?? 'a', Status: 'Done', Tags: [] }],
              ...(query.has('$skip') ? {} : { '@odata.count': 3, '@odata.nextLink': 'Visits?$skip=1' }),
            },
          };
    const { thrown, keys } = await brokenRead(care.openOne(VISITS).scan(NEVER));
    expect([thrown.message, keys]).toEqual(['care.tried read.list: the list ended after 2 of 3 rows', ['a', '1']]);
  });

  test('a page relative to a context at a host that is not ours is looked for at ours', async () => {
    care.service.instead = ({ path, query }) =>
      path === '/$metadata'
        ? null
        : {
            status: 200,
            body: {
              '@odata.context': 'http://inner:81/care/v4/$metadata#Visits',
              value: [{ ID: query.get('$skip') ?? 'a', Status: 'Done', Tags: [] }],
              ...(query.has('$skip') ? {} : { '@odata.nextLink': 'Visits?$skip=1' }),
            },
          };
    expect(await scanned(care.openOne(VISITS))).toHaveLength(2);
  });
});

describe('a single read', () => {
  const KEY = sourceKey(['V-1']);
  const visits = collection({
    type: 'Visit',
    key: 'ID',
    version: 'etag',
    read: { list: entitySet('Visits'), one: entity('Visits') },
    fields: NOTE,
  });

  test.each<[string, Reply]>([
    ['404 in its own form', { status: 404, body: { error: { code: 'NotFound', message: 'no' } } }],
    ['404 without a body', { status: 404 }],
    ['410', { status: 410 }],
  ])('F6: says that a record is absent: %s', async (_what, reply) => {
    answerWith(reply);
    expect(await care.openOne(visits).readOne(KEY, NEVER)).toBe('absent');
  });

  test.each<[string, Reply, string]>([
    [
      "a server's own 404 page",
      { status: 404, headers: { 'content-type': 'text/html' }, text: '<h1>404</h1>' },
      'expected JSON, got text/html (status 404)',
    ],
    ['another record', { status: 200, body: { ID: 'V-2', Note: 'x' } }, 'asked for the record V-1, got V-2'],
    ['no record', { status: 204 }, 'expected a record'],
    ['a refusal', { status: 403, body: { error: { message: 'not yours' } } }, 'it says 403: not yours'],
  ])('R14: says nothing of absence: %s', async (_what, reply, message) => {
    answerWith(reply);
    await expect(care.openOne(visits).readOne(KEY, NEVER)).rejects.toThrow(message);
  });

  test('takes the ETag of the answer where the record shows none', async () => {
    answerWith({ headers: { etag: '"9"' }, body: { ID: 'V-1', Note: 'x' } });
    expect(await care.openOne(visits).readOne(KEY, NEVER)).toMatchObject({ sourceVersion: '"9"' });
  });
});
