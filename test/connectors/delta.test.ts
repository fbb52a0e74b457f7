import {
  collection,
  expired,
  field,
  nextUrl,
  token,
  type ConnectorDefinition,
  type ReadFacts,
} from '../../src/connectors/define.js';
import { get, type GetOptions } from '../../src/connectors/rest.js';
import type { ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import { brokenRead, startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

const NEVER = new AbortController().signal;

let source: ScriptedSource;
beforeEach(async () => {
  source = await startScripted();
});
afterEach(() => source.close());

const LINKED: GetOptions = {
  rows: 'value',
  paging: nextUrl({ from: '@odata.nextLink' }),
  deltaLink: '@odata.deltaLink',
};
const TOKENS: GetOptions = { rows: 'items', paging: token({ in: 'page', from: 'nextPage' }), deltaToken: 'sync' };

function visits(
  delta: Partial<NonNullable<ReadFacts['delta']>> = {},
  list: GetOptions = LINKED,
  more: Partial<ConnectorDefinition> = {},
): SourceCollection {
  const one = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string() },
    read: {
      list: get('/visits', list),
      one: get('/visits/{key}'),
      delta: { removed: { member: '@removed' }, replayable: true, ...delta },
    },
  });
  return source.open({ visits: one }, {}, more)[0] as SourceCollection;
}

async function batchesOf(read: AsyncIterable<ObservedBatch>): Promise<readonly ObservedBatch[]> {
  const all: ObservedBatch[] = [];
  for await (const batch of read) all.push(batch);
  return all;
}

/** Keys as they were shown, those that are gone with a minus, and the last cursor. */
async function poll(read: AsyncIterable<ObservedBatch>) {
  const batches = await batchesOf(read);
  return {
    shown: batches.flatMap(({ observations }) =>
      observations.map(({ sourceKey, fields }) => (fields === null ? `-${sourceKey}` : sourceKey)),
    ),
    cursor: batches.findLast(({ cursor }) => cursor !== undefined)?.cursor ?? null,
    needsScan: batches.some((batch) => batch.needsScan === true),
  };
}

/** The paths and queries that were asked for since the last look. */
function asked(): readonly string[] {
  return source.asked.splice(0).map(({ path, query }) => `${path}${query.size > 0 ? `?${query.toString()}` : ''}`);
}

const row = (id: string) => ({ id, note: `note of ${id}` });
const gone = (id: string) => ({ '@removed': { reason: 'deleted' }, id });

/** Answers by path and query. */
function answerBy(replies: Readonly<Record<string, Reply>>): void {
  source.answer = ({ path, query }: Asked) =>
    replies[`${path}${query.size > 0 ? `?${query.toString()}` : ''}`] ?? { status: 404, rows: {} };
}

const FIRST = { rows: { value: [row('V-1')], '@odata.nextLink': 'visits?skip=1' } };
const LAST = { rows: { value: [row('V-2')], '@odata.deltaLink': '/api/visits?since=1' } };

describe('a delta', () => {
  test('R16: begins with everything; its last page brings the link from which the next poll goes on, page by page', async () => {
    const one = visits();
    answerBy({
      '/api/visits': FIRST,
      '/api/visits?skip=1': LAST,
      '/api/visits?since=1': {
        rows: { value: [row('V-3'), gone('V-1')], '@odata.nextLink': '/api/visits?since=1&skip=2' },
      },
      // Not one entry, and not the end: only the link says which.
      '/api/visits?since=1&skip=2': { rows: { value: [], '@odata.nextLink': '/api/visits?since=1&skip=3' } },
      '/api/visits?since=1&skip=3': {
        rows: { value: [row('V-1')], '@odata.deltaLink': `${source.url}/api/visits?since=2` },
      },
      '/api/visits?since=2': { rows: { value: [], '@odata.deltaLink': '/api/visits?since=2' } },
    });
    const whole = await batchesOf(one.readChanges(null, NEVER));
    expect(whole.map(({ cursor }) => cursor !== undefined)).toEqual([false, false, true]);
    expect(whole.some(({ needsScan }) => needsScan)).toBe(false);
    expect(asked()).toEqual(['/api/visits', '/api/visits?skip=1']);
    const next = await poll(one.readChanges(whole.at(-1)?.cursor ?? null, NEVER));
    expect(next.shown).toEqual(['V-3', '-V-1', 'V-1']);
    expect(asked()).toEqual(['/api/visits?since=1', '/api/visits?since=1&skip=2', '/api/visits?since=1&skip=3']);
    expect(await poll(one.readChanges(next.cursor, NEVER))).toEqual({
      shown: [],
      cursor: null,
      needsScan: false,
    });
    expect(asked()).toEqual(['/api/visits?since=2']);
  });

  test('R16: hands a token to the parameter that takes it, on every page', async () => {
    const one = visits({ param: 'syncToken', removed: { member: 'status', value: 'cancelled' } }, TOKENS);
    answerBy({
      '/api/visits': { rows: { items: [row('V-1')], sync: 7 } },
      '/api/visits?syncToken=7': { rows: { items: [{ ...row('V-1'), status: 'cancelled' }], nextPage: 'b' } },
      '/api/visits?syncToken=7&page=b': { rows: { items: [{ ...row('V-2'), status: 'planned' }], sync: 8 } },
    });
    const { cursor } = await poll(one.readChanges(null, NEVER));
    expect((await poll(one.readChanges(cursor, NEVER))).shown).toEqual(['-V-1', 'V-2']);
  });

  test('R16: takes a token from a header, and asks another call with it', async () => {
    const follow = get('/changes', { deltaTokenHeader: 'X-Sync' });
    const one = visits({ param: 'since', follow }, { deltaTokenHeader: 'X-Sync' });
    answerBy({
      '/api/visits': { rows: [row('V-1')], headers: { 'x-sync': 'a b' } },
      '/api/changes?since=a+b': { rows: [row('V-2')], headers: { 'x-sync': 'c' } },
    });
    const { cursor } = await poll(one.readChanges(null, NEVER));
    expect((await poll(one.readChanges(cursor, NEVER))).shown).toEqual(['V-2']);
  });

  test.each([
    [
      'brings no link',
      { rows: { value: [row('V-2')] } },
      'expected the last page to bring the link of what comes after',
    ],
    [
      'leads to another host',
      { rows: { value: [], '@odata.deltaLink': 'http://elsewhere.example/visits' } },
      'expected the next page at',
    ],
    [
      'leads round in a circle',
      { rows: { value: [], '@odata.nextLink': '/api/visits?skip=1' } },
      'its pages lead round in a circle',
    ],
    ['has an entry without a key', { rows: { value: [{ '@removed': {} }] } }, 'to have a key, got nothing'],
  ])('R16: whose last page %s leaves the cursor where it was', async (_what, last, message) => {
    answerBy({ '/api/visits': FIRST, '/api/visits?skip=1': last });
    const { cursors, thrown } = await brokenRead(visits().readChanges(null, NEVER));
    expect(cursors).toEqual([]);
    expect(thrown.message).toContain(message);
  });

  test('R16: with a row that does not fit goes on, with the row beside the others', async () => {
    const one = visits();
    answerBy({ '/api/visits': LAST });
    const { cursor } = await poll(one.readChanges(null, NEVER));
    const value = [{ id: 'V-3', note: 5 }, row('V-4')];
    answerBy({ '/api/visits?since=1': { rows: { value, '@odata.deltaLink': '/api/visits?since=2' } } });
    const batches = await batchesOf(one.readChanges(cursor, NEVER));
    expect(batches).toMatchObject([
      { observations: [{ sourceKey: 'V-4' }], misfits: [{ sourceKey: 'V-3', field: 'note' }] },
      { observations: [], cursor: expect.any(String) as string },
    ]);
  });
});

/** A collection that has read everything once, and the cursor that it got. */
async function primed(...facts: Parameters<typeof visits>): Promise<readonly [SourceCollection, string | null]> {
  const one = visits(...facts);
  answerBy({ '/api/visits': LAST });
  const { cursor } = await poll(one.readChanges(null, NEVER));
  asked();
  return [one, cursor];
}

describe('a token that is no longer known', () => {
  const cases: readonly (readonly [string, Parameters<typeof visits>, Reply])[] = [
    ['410', [], { status: 410, rows: {} }],
    ['a declared status', [{ expiredOn: [404] }], { status: 404, rows: {} }],
    [
      'an answer that classify knows',
      [{}, LINKED, { classify: ({ body }) => ((body as { code?: string }).code === 'resync' ? expired() : undefined) }],
      { status: 400, rows: { code: 'resync' } },
    ],
  ];

  test.each(cases)(
    'R14, R16: by %s: everything is read again, a scan is asked for, and it is told',
    async (_what, facts, reply) => {
      const [one, cursor] = await primed(...facts);
      answerBy({
        '/api/visits?since=1': reply,
        '/api/visits': { rows: { value: [row('V-9')], '@odata.deltaLink': '/api/visits?since=9' } },
      });
      const again = await poll(one.readChanges(cursor, NEVER));
      expect(asked()).toEqual(['/api/visits?since=1', '/api/visits']);
      expect(again).toMatchObject({ shown: ['V-9'], needsScan: true });
      expect(source.logged.join()).toContain('no longer knows where we were');
      expect(one.isDown()).toBe(false);
      answerBy({ '/api/visits?since=9': LAST });
      expect(await poll(one.readChanges(again.cursor, NEVER))).toMatchObject({
        shown: ['V-2'],
        needsScan: false,
      });
    },
  );

  test.each([404, 400, 500])('R16: is not what %d says: the cursor stays', async (status) => {
    const [one, cursor] = await primed();
    answerBy({ '/api/visits?since=1': { status, rows: {} } });
    const { cursors } = await brokenRead(one.readChanges(cursor, NEVER));
    expect(cursors).toEqual([]);
    expect(asked()).not.toContain('/api/visits');
  });

  test('R14, R16: is one of other calls than are declared now, and a cursor of another form', async () => {
    const [, cursor] = await primed();
    const other = visits({}, { ...LINKED, query: { filter: 'open' } });
    answerBy({ '/api/visits?filter=open': LAST });
    for (const old of [cursor, JSON.stringify({ v: 1, at: '2026-01-01T00:00:00.000Z' }), 'nonsense']) {
      expect(await poll(other.readChanges(old, NEVER))).toMatchObject({ shown: ['V-2'], needsScan: true });
      expect(asked()).toEqual(['/api/visits?filter=open']);
    }
  });
});

describe('a token that may be asked with once', () => {
  const ONCE = { replayable: false } as const;

  test('R16: is given up in the cursor before it is asked with', async () => {
    const [one, cursor] = await primed(ONCE);
    answerBy({ '/api/visits?since=1': { rows: { value: [], '@odata.deltaLink': '/api/visits?since=1' } } });
    const read = one.readChanges(cursor, NEVER)[Symbol.asyncIterator]();
    const { value } = (await read.next()) as IteratorYieldResult<ObservedBatch>;
    expect(asked()).toEqual([]);
    // The process ends here: whoever goes on from this cursor reads everything.
    answerBy({ '/api/visits': LAST });
    expect(await poll(one.readChanges(value.cursor ?? null, NEVER))).toMatchObject({
      shown: ['V-2'],
      needsScan: true,
    });
    expect(asked()).toEqual(['/api/visits']);
    expect(source.logged.join()).toContain('can be asked with once was lost');
    // This one goes on: the same link again is a new one.
    answerBy({ '/api/visits?since=1': { rows: { value: [], '@odata.deltaLink': '/api/visits?since=1' } } });
    const rest = await poll({ [Symbol.asyncIterator]: () => read });
    expect(rest.cursor).toBe(cursor);
  });

  test.each<readonly [string, Reply]>([
    ['a reset', { resets: true }],
    ['a fault of the server', { status: 503, rows: {} }],
    ['half an answer', { body: '{"value":[', headers: { 'content-length': '99' }, cutAt: 5 }],
    ['no list', { rows: {} }],
  ])('R16: is not asked with again after %s', async (_what, reply) => {
    const [one, cursor] = await primed(ONCE);
    answerBy({ '/api/visits?since=1': reply });
    const { cursors } = await brokenRead(one.readChanges(cursor, NEVER));
    expect(asked()).toEqual(['/api/visits?since=1']);
    answerBy({ '/api/visits': LAST });
    expect(await poll(one.readChanges(cursors.at(-1) ?? null, NEVER))).toMatchObject({ needsScan: true });
    expect(asked()).toEqual(['/api/visits']);
  });

  test('R16: is kept when the source says that it did nothing', async () => {
    const [one, cursor] = await primed(ONCE);
    answerBy({ '/api/visits?since=1': { status: 429, rows: {}, headers: { 'retry-after': '60' } } });
    const { cursors } = await brokenRead(one.readChanges(cursor, NEVER));
    expect(cursors).toHaveLength(2);
    expect(cursors.at(-1)).toBe(cursor);
  });

  test('R16: is given up when a later page is lost', async () => {
    const [one, cursor] = await primed(ONCE);
    answerBy({
      '/api/visits?since=1': { rows: { value: [row('V-5')], '@odata.nextLink': '/api/visits?since=1&skip=1' } },
      '/api/visits?since=1&skip=1': { status: 429, rows: {}, headers: { 'retry-after': '60' } },
    });
    const { keys, cursors } = await brokenRead(one.readChanges(cursor, NEVER));
    expect(keys).toEqual(['V-5']);
    expect(cursors).toHaveLength(1);
    expect(cursors).not.toContain(cursor);
  });
});
