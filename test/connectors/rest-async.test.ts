import { collection, defineConnector, field, series, step, type WriteFacts } from '../../src/connectors/define.js';
import { del, get, jsonBatch, patch, post, rest, type RestAsyncOptions } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import { until } from '../support/until.js';
import { scanned, startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

// Writes that a source answers with 202: done when it says so at the address that it named, in doubt whatever else comes of it (R11).

const NEVER = new AbortController().signal;
const STATES = { at: 'status', is: ['queued', 'running'], done: ['done'], failed: ['failed'], message: 'why' };
const ROW = { id: 'V-1', note: 'mine' };
const CREATE: SourceWrite = {
  kind: 'create',
  sourceKey: null,
  fields: { note: 'mine' },
  current: null,
  guard: null,
  idempotencyKey: 'k',
};
const UPDATE: SourceWrite = { ...CREATE, kind: 'update', sourceKey: 'V-1' as SourceKey, current: { note: 'old' } };
const DELETE: SourceWrite = { ...UPDATE, kind: 'delete', fields: {} };

let source: ScriptedSource;
/** What the address of the end answers, one after the other; the last one for ever. */
let ends: Reply[];
/** What the write itself is answered with. */
let begun: Reply;

beforeEach(async () => {
  source = await startScripted();
  begun = { status: 202, rows: { jobId: 7 }, headers: { location: '/api/jobs/7' } };
  source.answer = ({ method, path }) => {
    if (method !== 'GET') return begun;
    if (path.startsWith('/api/jobs/')) return (ends.length > 1 ? ends.shift() : ends[0]) ?? { status: 500 };
    return { rows: path === '/api/visits' ? [] : ROW };
  };
});
afterEach(() => source.close());

const asked = (start: string): readonly Asked[] =>
  source.asked.filter(({ method, path }) => method === 'GET' && path.startsWith(start));
const state = (status: string, more: object = {}): Reply => ({ rows: { status, ...more } });

function open(options: RestAsyncOptions = { pending: STATES }, rows = 'visit'): SourceCollection {
  const late = { async: { every: '1s', ...options }, rows } as const;
  const write: WriteFacts = {
    create: post('/visits', late),
    update: patch('/visits/{key}', late),
    remove: del('/visits/{key}', { async: late.async }),
    errors: { at: 'problems', field: 'on', message: 'text' },
  };
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string() },
    read: { list: get('/visits') },
    write,
  });
  return source.open({ visits })[0] as SourceCollection;
}

const write = (collection: SourceCollection, one = CREATE): Promise<SourceWriteOutcome> => collection.write(one, NEVER);

describe('a write that is answered with 202', () => {
  test('is asked for until it is done, with the record that its status shows', async () => {
    ends = [state('queued'), { status: 202, body: '' }, state('done', { visit: ROW })];
    expect(await write(open())).toEqual({
      kind: 'applied',
      observation: { sourceKey: 'V-1', fields: { note: 'mine' }, sourceVersion: null },
    });
    expect(asked('/api/jobs/7')).toHaveLength(3);
    expect(source.asked.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('is done where 303 leads to its result, which is the record itself', async () => {
    ends = [state('running'), { status: 303, body: '', headers: { location: '../visits/V-1' } }];
    expect(await write(open({ pending: STATES }, ''), UPDATE)).toMatchObject({
      kind: 'applied',
      observation: { sourceKey: 'V-1', fields: { note: 'mine' } },
    });
    expect(asked('/api/visits/V-1')).toHaveLength(1);
  });

  test('is done by its statuses alone where nothing else is declared: 202 goes on, 200 is the end', async () => {
    ends = [{ status: 202, rows: { status: 'whatever' } }, { rows: ROW }];
    expect(await write(open({}, ''))).toMatchObject({ kind: 'applied', observation: { sourceKey: 'V-1' } });
    expect(asked('/api/jobs/7')).toHaveLength(2);
  });

  test('and deletes is done when its job is, whose status has no record', async () => {
    ends = [state('done')];
    expect(await write(open(), DELETE)).toEqual({ kind: 'applied', observation: null });
  });

  test('is refused when its job failed, with why and with what it says of fields', async () => {
    ends = [state('running'), state('failed', { why: 'not so', problems: [{ on: 'note', text: 'too rude' }] })];
    expect(await write(open())).toEqual({
      kind: 'refused',
      message: 'not so',
      field: 'note',
      fields: [{ field: 'note', message: 'too rude' }],
    });
  });

  test('is refused with its state where its job does not say why', async () => {
    ends = [state('failed')];
    expect(await write(open())).toMatchObject({ kind: 'refused', message: 'its job ended in the state failed' });
  });

  test('finds the address where it is declared: in another header, or in a member', async () => {
    ends = [state('done', { visit: ROW })];
    begun = { status: 202, rows: {}, headers: { 'operation-location': `${source.url}/api/jobs/8` } };
    expect(await write(open({ pending: STATES, statusAt: { header: 'Operation-Location' } }))).toMatchObject({
      kind: 'applied',
    });
    begun = { status: 202, rows: { links: { status: 'jobs/9' } } };
    expect(await write(open({ pending: STATES, statusAt: { member: 'links.status' } }))).toMatchObject({
      kind: 'applied',
    });
    expect(source.asked.map(({ path }) => path).filter((path) => path.includes('jobs'))).toEqual([
      '/api/jobs/8',
      '/api/jobs/9',
    ]);
  });

  test('is not asked for before its time', async () => {
    ends = [state('done', { visit: ROW })];
    const writing = write(open({ pending: STATES, every: '4s' }));
    await until('the write is begun', () => Promise.resolve(source.asked.length === 1));
    const other = open();
    for (let round = 0; round < 5; round += 1) await scanned(other);
    expect(asked('/api/jobs/7')).toHaveLength(0);
    source.advance(4_000);
    expect(await writing).toMatchObject({ kind: 'applied' });
  });

  test('rests as long as the source asks for between two questions', async () => {
    begun = { ...begun, headers: { location: '/api/jobs/7', 'retry-after': '5' } };
    ends = [state('done', { visit: ROW })];
    const writing = write(open());
    await until('the write is begun', () => Promise.resolve(source.asked.length === 1));
    source.advance(4_999);
    expect(asked('/api/jobs/7')).toHaveLength(0);
    source.advance(1);
    expect(await writing).toMatchObject({ kind: 'applied' });
  });

  test('that is answered at once after all is done, as ever', async () => {
    begun = { status: 201, rows: { visit: ROW } };
    expect(await write(open())).toMatchObject({ kind: 'applied', observation: { sourceKey: 'V-1' } });
    expect(asked('/api/jobs')).toHaveLength(0);
  });

  test.each<readonly [string, readonly Reply[], RegExp]>([
    ['its status is not there', [state('running'), { status: 404, rows: {} }], /not known any more \(404\)/],
    ['its status is gone', [{ status: 410, rows: {} }], /not known any more \(410\)/],
    [
      'its state is none of those that are declared',
      [state('paused')],
      /expected one of queued, running, done, failed at status, got "paused"/,
    ],
    ['its status has no state', [{ rows: {} }], /at status, got ""/],
    [
      'its status is a page',
      [{ headers: { 'content-type': 'text/html' }, body: '<html>' }],
      /expected JSON, got text\/html/,
    ],
    ['its status is half an answer', [{ ...state('done', { visit: ROW }), cutAt: 9 }], /the connection broke off/],
    ['its status cannot be asked for', [{ status: 500, rows: {} }], /it says 500/],
    ['its status is refused', [{ status: 403, rows: { message: 'not yours' } }], /it says 403: not yours/],
    [
      '303 leads to what is not there',
      [
        { status: 303, body: '', headers: { location: '/api/jobs/none' } },
        { status: 404, rows: {} },
      ],
      /not known any more/,
    ],
    [
      '303 leads round',
      [{ status: 303, body: '', headers: { location: '/api/jobs/7' } }],
      /expected its result, got 303/,
    ],
    [
      '303 leads nowhere',
      [{ status: 303, body: '' }],
      /expected the address of its end in the header location, got none/,
    ],
    [
      '303 leads elsewhere',
      [{ status: 303, body: '', headers: { location: 'http://127.0.0.2:1/x' } }],
      /expected the address of its end at http/,
    ],
    ['it is done without the record that is promised', [state('done')], /does not answer with the record/],
  ])('R11: is in doubt when %s', async (_what, replies, reason) => {
    ends = [...replies];
    expect(await write(open())).toMatchObject({ kind: 'unknown', reason: expect.stringMatching(reason) as string });
  });

  test.each<readonly [string, Reply]>([
    ['names no address', { status: 202, rows: {} }],
    ['names one elsewhere', { status: 202, rows: {}, headers: { location: 'http://127.0.0.2:1/jobs/7' } }],
    ['names none that can be read', { status: 202, rows: {}, headers: { location: 'http://[' } }],
  ])('R11: is in doubt when the answer %s, and nobody is asked', async (_what, reply) => {
    begun = reply;
    expect(await write(open())).toMatchObject({ kind: 'unknown' });
    expect(source.asked).toHaveLength(1);
  });

  test('R11: is in doubt when its end does not come in the time of the write', async () => {
    ends = [state('running')];
    const writing = write(open({ pending: STATES, every: '3s' }));
    await until('the write is begun', () => Promise.resolve(source.asked.length === 1));
    let isOver = false;
    const ended = writing.finally(() => (isOver = true));
    for (let round = 0; round < 20 && !isOver; round += 1) {
      const before = asked('/api/jobs/7').length;
      source.advance(3_000);
      await until('it is asked, or over', () => Promise.resolve(isOver || asked('/api/jobs/7').length > before));
    }
    expect(await ended).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('did not end in time') as string,
    });
  });

  test('R11: is in doubt where the connector does not declare that its end is told', async () => {
    const visits = collection({
      type: 'Visit',
      key: 'id',
      fields: { note: field.string() },
      read: { list: get('/visits') },
      write: { create: post('/visits') },
    });
    expect(await write(source.open({ visits })[0] as SourceCollection)).toMatchObject({ kind: 'unknown' });
    expect(source.asked).toHaveLength(1);
  });
});

describe('what does not go together is refused at definition', () => {
  function defined(write: WriteFacts, options: object = {}): () => unknown {
    const visits = collection({
      type: 'Visit',
      key: 'id',
      fields: { note: field.string() },
      read: { list: get('/visits') },
      write,
    });
    return () =>
      defineConnector({
        source: 'clinic',
        transport: rest({ baseUrl: 'http://a.example', ...options }),
        collections: { visits },
      });
  }
  test.each<readonly [string, RestAsyncOptions, string]>([
    [
      'no states',
      { pending: { ...STATES, done: [] } },
      'write.create: expected at least one state each in async.pending.is',
    ],
    ['a state twice', { pending: { ...STATES, done: ['queued'] } }, 'each once, got the same'],
    [
      'a message without failed',
      { pending: { at: 'a', is: ['b'], done: ['c'], message: 'd' } },
      'expected async.pending.failed beside message',
    ],
    [
      'as much time as the write has',
      { within: '10s' },
      'to be shorter than the timeout of a write, 10000 ms, got 10000 ms',
    ],
    ['no time', { every: 'soon' as '1s' }, 'expected async.every as a duration like "2s", got "soon"'],
    ['a pause longer than its time', { every: '3s', within: '2s' }, 'not shorter than async.every, got "2s"'],
    ['an address without a name', { statusAt: { header: '' } }, 'expected async.statusAt as { header } or { member }'],
  ])('%s', (_what, options, message) => {
    expect(defined({ create: post('/visits', { async: options }) })).toThrow(message);
  });

  test('a series, and a batch', () => {
    const late = { async: {} };
    const steps = [step(post('/drafts', late)), step(post('/drafts/commit'), { sends: 'fields' })];
    expect(defined({ create: series(steps) })).toThrow('expected no async in a series');
    const batch = jsonBatch('/batch', { members: {} });
    expect(defined({ create: post('/visits', late) }, { batch })).toThrow(
      'write.create: expected no async beside the batch',
    );
  });
});
