import { collection, field, fine, unknownOutcome, type Classify } from '../../src/connectors/define.js';
import { del, get, patch, post } from '../../src/connectors/rest.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { countdown } from '../../src/core/time-passed.js';
import type { ManualClock } from '../support/manual-clock.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';

const KEY = sourceKey(['1']);
const NEVER = new AbortController().signal;
const SHAPE = { type: 'Visit', key: 'id', version: 'rev', fields: { note: field.string() } } as const;
const READ = { list: get('/visits'), one: get('/visits/{key}') };
const WRITE = {
  guard: 'ifMatch',
  create: post('/visits'),
  update: patch('/visits/{key}'),
  remove: del('/visits/{key}'),
} as const;
const GUARDED = collection({ ...SHAPE, read: READ, write: WRITE });

const UPDATE: SourceWrite = {
  kind: 'update',
  sourceKey: KEY,
  fields: { note: 'new' },
  current: { note: 'old' },
  guard: '7',
  idempotencyKey: 'i1',
};
const DELETE: SourceWrite = { ...UPDATE, kind: 'delete', fields: {} };
const CREATE: SourceWrite = { ...UPDATE, kind: 'create', sourceKey: null, current: null, guard: null };
const ALL = [UPDATE, DELETE, CREATE];
const NEW = { id: '1', note: 'new', rev: '8' };

let clock: ManualClock;
let source: ScriptedSource;
beforeEach(async () => {
  ({ clock } = eagerDeps());
  source = await startScripted(clock.nowMs(), clock);
});
afterEach(() => source.close());

/** Writes to a source that answers reads and writes as told. */
async function written(
  write: SourceWrite,
  ofWrite: Reply,
  ofRead: Reply = { status: 404 },
  visits = GUARDED,
  classify?: Classify,
) {
  source.answer = (asked) => (asked.method === 'GET' ? ofRead : ofWrite);
  const [visitsOfSource] = source.open({ visits }, {}, classify === undefined ? {} : { classify });
  return visitsOfSource?.write(write, NEVER);
}

function sent(): readonly Asked[] {
  return source.asked.filter(({ method }) => method !== 'GET');
}

test('R11: an update that is answered with 204 is read back, and nothing is logged about an answer that does not fit', async () => {
  const outcome = await written(UPDATE, { status: 204 }, { rows: NEW });
  expect(outcome).toMatchObject({ kind: 'applied', observation: { fields: { note: 'new' } } });
  expect(source.logged).toEqual([]);
});

describe('a write under a guard', () => {
  it('R11: is not sent where the source shows no version', async () => {
    const outcome = await written({ ...UPDATE, guard: null }, { rows: NEW }, { rows: { id: '1', note: 'old' } });
    expect(outcome).toMatchObject({ kind: 'refused', message: expect.stringContaining('no version') as string });
    expect(sent()).toEqual([]);
  });

  it('R11: is not sent, and not called stale, where no read could show a version', async () => {
    const visits = collection({ ...SHAPE, read: { list: READ.list }, write: WRITE });
    const outcome = await written({ ...UPDATE, guard: null }, { rows: NEW }, {}, visits);
    expect(outcome).toMatchObject({ kind: 'refused', field: null });
    expect(source.asked).toEqual([]);
  });

  it('R11: is not sent where the read before it fails', async () => {
    expect(await written({ ...UPDATE, guard: null }, { rows: NEW }, { status: 500 })).toMatchObject({
      kind: 'notSent',
    });
    expect(sent()).toEqual([]);
  });

  it('R11: goes out with the version that was read, quoted', async () => {
    await written({ ...UPDATE, guard: null }, { rows: NEW }, { rows: { id: '1', note: 'old', rev: '7' } });
    expect(sent().map(({ headers }) => headers['if-match'])).toEqual(['"7"']);
  });

  it.each(['"a-7"', 'W/"a-7"', 'bare'])('R11: goes out with the tag %s exactly as it came', async (tag) => {
    const visits = collection({ ...SHAPE, version: 'etag', read: READ, write: WRITE });
    source.answer = () => ({ rows: NEW, headers: { etag: tag } });
    const [tagged] = source.open({ visits });
    const seen = await (tagged as SourceCollection).readOne(KEY, NEVER);
    expect(seen).toMatchObject({ sourceVersion: tag });
    await tagged?.write({ ...UPDATE, guard: tag }, NEVER);
    expect(sent().map(({ headers }) => headers['if-match'])).toEqual([tag]);
  });
});

describe('a write that the source says is done', () => {
  const TEXT = { headers: { 'content-type': 'text/plain' }, body: 'OK' };
  const PAGE = { headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' };
  const seen = { sourceKey: KEY, fields: { note: 'new' }, sourceVersion: '8' };

  it('R11: is applied though a deletion is answered in plain text', async () => {
    expect(await written(DELETE, TEXT)).toEqual({ kind: 'applied', observation: null });
    expect(source.asked).toHaveLength(1);
  });

  it('R11: is read back where its connector promises no record', async () => {
    const update = patch('/visits/{key}', { answers: 'nothing' });
    const visits = collection({ ...SHAPE, read: READ, write: { ...WRITE, update } });
    for (const reply of [TEXT, { body: '' }, { rows: { ok: true, error: null, errors: [] } }, { status: 204 }])
      expect(await written(UPDATE, reply, { rows: NEW }, visits)).toEqual({ kind: 'applied', observation: seen });
    expect(sent()).toHaveLength(4);
  });

  it('R11: is read back where it says so without a body (204), or its connector says so of the answer', async () => {
    expect(await written(UPDATE, { status: 204 }, { rows: NEW })).toEqual({ kind: 'applied', observation: seen });
    const locked = { status: 409, rows: { error: 'already so' } };
    expect(await written(UPDATE, locked, { rows: NEW }, GUARDED, () => fine())).toEqual({
      kind: 'applied',
      observation: seen,
    });
  });

  it('F30: is not read back where a read may still show the state before it', async () => {
    const visits = collection({ ...SHAPE, read: { ...READ, readAfterWrite: '5s' }, write: WRITE });
    expect(await written(UPDATE, { status: 204 }, { rows: NEW }, visits)).toEqual({
      kind: 'applied',
      observation: null,
    });
    expect(source.asked).toHaveLength(1);
  });

  it('R11: is applied without observation where its record does not fit', async () => {
    const misfit = { rows: { id: '1', note: 5, rev: '8' } };
    expect(await written(UPDATE, misfit, misfit)).toEqual({ kind: 'applied', observation: null });
    expect(sent()).toHaveLength(1);
  });

  it.each(ALL)('R11: stays in doubt where a page is the answer to $kind', async (write) => {
    expect(await written(write, PAGE)).toMatchObject({ kind: 'unknown' });
    expect(await written(write, { ...PAGE, headers: TEXT.headers })).toMatchObject({ kind: 'unknown' });
    expect(sent()).toHaveLength(2);
  });

  it.each([UPDATE, CREATE])('R11: stays in doubt where $kind is not answered with its record', async (write) => {
    for (const reply of [TEXT, { body: '' }, { rows: { ok: true } }, { rows: [] }, { body: 'null' }])
      expect(await written(write, reply, { rows: NEW })).toMatchObject({ kind: 'unknown' });
    expect(source.asked.map(({ method }) => method)).not.toContain('GET');
  });

  it.each(ALL)('R11: stays in doubt where an error is in the answer to $kind', async (write) => {
    const errors = [{ error: 'locked' }, { errors: [{ code: 7 }] }, { success: false }, { id: '1', error: 'locked' }];
    for (const rows of errors) expect(await written(write, { rows }, { rows: NEW })).toMatchObject({ kind: 'unknown' });
    expect(sent()).toHaveLength(errors.length);
  });

  it('R11: is done where what looks like an error is a field of the record', async () => {
    const visits = collection({
      ...SHAPE,
      fields: { note: field.string({ from: 'error' }) },
      read: READ,
      write: WRITE,
    });
    const outcome = await written(UPDATE, { rows: { id: '1', error: 'new', rev: '8' } }, {}, visits);
    expect(outcome).toEqual({ kind: 'applied', observation: seen });
  });

  it('R11: means what its connector says of it', async () => {
    const locked: Classify = ({ body }) =>
      (body as { readonly note?: string }).note === 'LOCKED' ? unknownOutcome('locked') : undefined;
    const outcome = await written(UPDATE, { rows: { ...NEW, note: 'LOCKED' } }, {}, GUARDED, locked);
    expect(outcome).toEqual({ kind: 'unknown', reason: 'clinic.visits write.update: locked' });
  });
});

describe('what an answer to a write means', () => {
  const NO: Reply = { status: 422, rows: { message: 'too long', field: 'note' } };

  it.each<[string, SourceWrite, Reply, object]>([
    ['5xx is in doubt', UPDATE, { status: 500 }, { kind: 'unknown' }],
    ['5xx with a pause is in doubt', UPDATE, { status: 503, headers: { 'retry-after': '2' } }, { kind: 'unknown' }],
    ['half an answer is in doubt', UPDATE, { rows: NEW, cutAt: 5 }, { kind: 'unknown' }],
    ['half an answer that claims to be whole is in doubt', UPDATE, { body: '{"id":"1","no' }, { kind: 'unknown' }],
    ['a reset after the request is in doubt', CREATE, { resets: true }, { kind: 'unknown' }],
    ['a promise to do it later is in doubt', UPDATE, { status: 202, rows: NEW }, { kind: 'unknown' }],
    ['another record is in doubt', UPDATE, { rows: { ...NEW, id: '2' } }, { kind: 'unknown' }],
    ['412 is stale', UPDATE, { status: 412 }, { kind: 'stale' }],
    ['404 on an update is stale', UPDATE, { status: 404 }, { kind: 'stale' }],
    ['404 on a deletion is done once a read agrees', DELETE, { status: 404 }, { kind: 'applied' }],
    ['409 is refused', UPDATE, { ...NO, status: 409 }, { kind: 'refused', message: 'too long', field: 'note' }],
    ['422 is refused', UPDATE, NO, { kind: 'refused', message: 'too long', field: 'note' }],
    ['429 waits', UPDATE, { status: 429, headers: { 'retry-after': '2' } }, { kind: 'notSent', retryAfterMs: 2_000 }],
    [
      '429 waits five minutes at most',
      UPDATE,
      { status: 429, headers: { 'retry-after': '86400' } },
      { kind: 'notSent', retryAfterMs: 300_000 },
    ],
  ])('R11: %s, and the write is made once', async (_what, write, reply, outcome) => {
    expect(await written(write, reply)).toMatchObject(outcome);
    expect(sent()).toHaveLength(1);
  });

  it.each([301, 302, 303, 307, 308])(
    'R11, attack 28: a redirect (%i) is not followed and is in doubt',
    async (status) => {
      const elsewhere = { status, headers: { location: `${source.url}/api/elsewhere` } };
      expect(await written(UPDATE, elsewhere, { rows: NEW })).toMatchObject({ kind: 'unknown' });
      expect(source.asked.map(({ path }) => path)).toEqual(['/api/visits/1']);
    },
  );

  it.each(ALL)('R11: a refused connection means that $kind was not sent', async (write) => {
    const [visits] = source.open({ visits: GUARDED }, { baseUrl: 'http://127.0.0.1:1' });
    expect(await visits?.write(write, NEVER)).toMatchObject({ kind: 'notSent', retryAfterMs: null });
  });
});

describe('the time of a write', () => {
  const SILENT: Reply = { after: new Promise(() => undefined) };

  /** Writes with 20 s in all; each request moves the time on before it is answered. */
  async function timed(
    write: SourceWrite,
    ofRead: Reply,
    readMs: number,
    ofWrite: Reply,
    writeMs: number,
    withinMs?: number,
  ) {
    source.answer = ({ method }) => {
      source.advance(method === 'GET' ? readMs : writeMs);
      return method === 'GET' ? ofRead : ofWrite;
    };
    const [visits] = source.open({ visits: GUARDED }, { timeout: '20s' });
    return visits?.write(write, NEVER, withinMs === undefined ? undefined : countdown(clock, withinMs));
  }

  it('R11: a read-back that hangs ends before the deadline, and what is done is told', async () => {
    const outcome = await timed(UPDATE, SILENT, 18_500, { status: 204 }, 0);
    expect(outcome).toEqual({ kind: 'applied', observation: null });
  });

  it('R11: a read-back that hangs ends before the deadline of its caller, who has less time left', async () => {
    const outcome = await timed(UPDATE, SILENT, 4_600, { status: 204 }, 1_000, 6_000);
    expect(outcome).toEqual({ kind: 'applied', observation: null });
  });

  it('R11: a call ends before the deadline of its caller', async () => {
    const outcome = await timed(UPDATE, SILENT, 0, SILENT, 5_950, 6_000);
    expect(outcome).toEqual({ kind: 'unknown', reason: 'clinic.visits write.update: no answer within 5950 ms' });
  });

  it('R11: a call for which no time is left is not made', async () => {
    expect(await timed(UPDATE, SILENT, 0, SILENT, 0, 20)).toMatchObject({ kind: 'notSent' });
    expect(source.asked).toEqual([]);
  });

  it('R11: reads before the call count', async () => {
    const current: Reply = { rows: { id: '1', note: 'old', rev: '7' } };
    const outcome = await timed({ ...UPDATE, guard: null }, current, 8_000, SILENT, 12_500);
    expect(outcome).toEqual({ kind: 'unknown', reason: 'clinic.visits write.update: no answer within 12000 ms' });
  });

  it('R11: the call does not begin where the read before it leaves it too little time', async () => {
    const outcome = await timed({ ...UPDATE, guard: null }, SILENT, 10_500, { rows: NEW }, 0);
    expect(outcome).toMatchObject({ kind: 'notSent' });
    expect(sent()).toEqual([]);
  });
});
