import { collection, field, type AnyCollectionDefinition, type WriteFacts } from '../../src/connectors/define.js';
import { del, get, patch, put } from '../../src/connectors/rest.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

// What keeps a write from overwriting what others wrote, where the source has no ETags.

const KEY = sourceKey(['1']);
const NEVER = new AbortController().signal;
const SHAPE = {
  type: 'Visit',
  key: 'id',
  fields: { note: field.string(), room: field.string() },
  read: { list: get('/visits'), one: get('/visits/{key}') },
} as const;
const WRITE = { update: patch('/visits/{key}', { answers: 'nothing' }), remove: del('/visits/{key}') } as const;
const NOON = 'Thu, 26 Nov 2026 12:00:00 GMT';
const NOON_MS = Date.parse(NOON);

const UPDATE: SourceWrite = {
  kind: 'update',
  sourceKey: KEY,
  fields: { note: 'new' },
  current: { note: 'old', room: 'A' },
  guard: NOON,
  idempotencyKey: 'i1',
};

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

function sent(): readonly Asked[] {
  return source.asked.filter(({ method }) => method !== 'GET');
}

describe('a write that is guarded by a date', () => {
  const BY_HEADER = collection({ ...SHAPE, version: 'lastModified', write: { ...WRITE, guard: 'ifUnmodifiedSince' } });

  /** A source that shows the record as of noon, and whose clock says that it is so much later. */
  function open(laterMs: number, row: object = { id: '1', note: 'old', room: 'A' }, visits = BY_HEADER) {
    const headers = { 'last-modified': NOON, date: new Date(NOON_MS + laterMs).toUTCString() };
    source.answer = ({ method }) => (method === 'GET' ? { rows: row, headers } : { status: 204, headers });
    return source.open({ visits })[0] as SourceCollection;
  }

  test.each([UPDATE, { ...UPDATE, kind: 'delete', fields: {} } as const])(
    'R11: sends the date of the version that it was decided on with $kind',
    async (write) => {
      const visits = open(60_000);
      expect(await visits.write(write, NEVER)).toMatchObject({ kind: 'applied' });
      expect(sent().map(({ headers }) => headers['if-unmodified-since'])).toEqual([NOON]);
      expect(sent()[0]?.headers).not.toHaveProperty('if-match');
      expect(visits.facts).toMatchObject({ updateGuard: 'version', deleteGuard: 'version', guardForm: 'seconds' });
    },
  );

  test('R11: takes 412 for another version', async () => {
    const visits = open(60_000);
    source.answer = ({ method }) =>
      method === 'GET'
        ? {
            rows: { id: '1', note: 'old', room: 'A' },
            headers: { 'last-modified': NOON, date: new Date(NOON_MS + 60_000).toUTCString() },
          }
        : { status: 412 };
    expect(await visits.write(UPDATE, NEVER)).toEqual({ kind: 'stale' });
  });

  test('R11: waits until the second of its version is over, since what is written within it cannot be told apart', async () => {
    const visits = open(0);
    expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'notSent', retryAfterMs: 1_100 });
    source.advance(900);
    expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'notSent', retryAfterMs: 200 });
    expect(sent()).toEqual([]);
    source.advance(200);
    expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'applied' });
    expect(sent()).toHaveLength(1);
  });

  test('R11: waits by its own clock where the one of the source is not told, or is wrong', async () => {
    for (const date of [NOON, 'Thu, 26 Nov 2026 09:00:00 GMT', 'never']) {
      const visits = open(0);
      const headers = { 'last-modified': NOON, date };
      source.answer = () => ({ rows: { id: '1', note: 'old', room: 'A' }, headers });
      expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'notSent' });
      source.advance(1_100);
      expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'applied' });
    }
  });

  test('R11: is stale where what it would overwrite was changed within the second of its version', async () => {
    const visits = open(60_000, { id: '1', note: 'by the office', room: 'A' });
    expect(await visits.write(UPDATE, NEVER)).toEqual({ kind: 'stale' });
    const other = open(60_000, { id: '1', note: 'old', room: 'B' });
    expect(await other.write(UPDATE, NEVER)).toMatchObject({ kind: 'applied' });
    expect(await other.write({ ...UPDATE, kind: 'delete', fields: {} }, NEVER)).toEqual({ kind: 'stale' });
    expect(sent()).toHaveLength(1);
  });

  test.each<readonly [unknown, string]>([
    ['2026-11-26T12:00:00.987Z', NOON],
    ['2026-11-26T13:00:00+01:00', NOON],
    ['2026-11-26T13:00:00+0100', NOON],
    [NOON_MS + 500, NOON],
    [NOON_MS / 1_000, NOON],
  ])('R11: sends a member %s as the second that it is of', async (changed, date) => {
    const visits = collection({ ...SHAPE, version: 'changed', write: { ...WRITE, guard: 'ifUnmodifiedSince' } });
    const opened = open(120_000, { id: '1', note: 'old', room: 'A', changed }, visits);
    expect(await opened.write({ ...UPDATE, guard: String(changed) }, NEVER)).toMatchObject({ kind: 'applied' });
    expect(sent().map(({ headers }) => headers['if-unmodified-since'])).toEqual([date]);
  });

  test('R11: is not sent where the member is no moment', async () => {
    const visits = collection({ ...SHAPE, version: 'changed', write: { ...WRITE, guard: 'ifUnmodifiedSince' } });
    const opened = open(120_000, { id: '1', note: 'old', room: 'A', changed: '2026-11-26 12:00:00' }, visits);
    const write = { ...UPDATE, guard: '2026-11-26 12:00:00' };
    await opened.write(write, NEVER);
    source.advance(1_100);
    expect(await opened.write(write, NEVER)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('expected a version that is a time with a zone') as string,
    });
    expect(sent()).toEqual([]);
  });
});

describe('a write whose version is in its body', () => {
  const ROW = { id: '1', note: 'old', room: 'A', rev: 7 };
  const BASE = { ...UPDATE, guard: '7' };
  const write = (guard: WriteFacts['guard']): AnyCollectionDefinition =>
    collection({
      ...SHAPE,
      version: 'rev',
      write: { update: WRITE.update, ...(guard === undefined ? {} : { guard }) },
    });
  const BY_MEMBER = write({ member: 'rev' });

  async function written(ofWrite: Reply, ofRead: Reply, visits = BY_MEMBER, how: Partial<SourceWrite> = {}) {
    source.answer = ({ method }) => (method === 'GET' ? ofRead : ofWrite);
    return (source.open({ visits })[0] as SourceCollection).write({ ...BASE, ...how }, NEVER);
  }

  test('R11: sends it beside what changed, as a number where it is one, and needs no read', async () => {
    await written({ status: 204 }, { status: 500 });
    await written({ status: 204 }, { status: 500 }, BY_MEMBER, { guard: '007' });
    await written({ status: 204 }, { status: 500 }, write({ member: 'lock', as: 'text' }));
    expect(sent().map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { note: 'new', rev: 7 },
      { note: 'new', rev: '007' },
      { note: 'new', lock: '7' },
    ]);
    expect(sent()[0]?.headers).not.toHaveProperty('if-match');
    expect(source.asked[0]?.method).toBe('PATCH');
  });

  test("R11: sends it over the source's own where the whole row is sent", async () => {
    const update = put('/visits/{key}', { answers: 'nothing' });
    const visits = collection({ ...SHAPE, version: 'rev', write: { update, guard: { member: 'rev' } } });
    await written({ status: 204 }, { rows: { ...ROW, more: 1 } }, visits);
    expect(JSON.parse(sent()[0]?.body ?? '')).toEqual({ ...ROW, more: 1, note: 'new' });
  });

  test('R9: is stale where the source says so and holds another version', async () => {
    const now = { rows: { ...ROW, rev: 8 } };
    expect(await written({ status: 409 }, now)).toEqual({ kind: 'stale' });
    const also = write({ member: 'rev', conflict: [409, 422] });
    expect(await written({ status: 422, rows: { message: 'no' } }, now, also)).toEqual({ kind: 'stale' });
    expect(await written({ status: 409 }, { status: 404 })).toEqual({ kind: 'stale' });
    expect(await written({ status: 409 }, { status: 500 })).toEqual({ kind: 'stale' });
  });

  test('R9: is refused where the source says a conflict of another kind, and holds the very version', async () => {
    const no = { status: 409, rows: { message: 'closed', field: 'note' } };
    expect(await written(no, { rows: ROW })).toEqual({ kind: 'refused', message: 'closed', field: 'note' });
    const other = { ...no, status: 422 };
    expect(await written(other, { rows: { ...ROW, rev: 8 } })).toMatchObject({ kind: 'refused' });
  });

  test('F30: is stale, and not refused, where a read may still show the version before', async () => {
    const read = { ...SHAPE.read, readAfterWrite: '5s' } as const;
    const visits = collection({
      ...SHAPE,
      read,
      version: 'rev',
      write: { update: WRITE.update, guard: { member: 'rev' } },
    });
    expect(await written({ status: 409 }, { rows: ROW }, visits)).toEqual({ kind: 'stale' });
  });

  test('R11: is not sent where the source shows no version', async () => {
    const { rev, ...bare } = ROW;
    expect(rev).toBe(7);
    expect(await written({ status: 204 }, { rows: bare }, BY_MEMBER, { guard: null })).toMatchObject({
      kind: 'refused',
    });
    expect(sent()).toEqual([]);
  });
});

describe('a write without a guard', () => {
  const UNGUARDED = collection({ ...SHAPE, write: WRITE });
  const BASE = { ...UPDATE, guard: null };
  const GONE: Reply = { status: 404 };

  async function written(write: SourceWrite, ofRead: Reply, visits = UNGUARDED) {
    source.answer = ({ method }) => (method === 'GET' ? ofRead : { status: 204 });
    return (source.open({ visits })[0] as SourceCollection).write(write, NEVER);
  }

  test('R9: is compared with what the source holds, and is stale where that is not what it was made from', async () => {
    expect(await written(BASE, { rows: { id: '1', note: 'by the office', room: 'A' } })).toEqual({ kind: 'stale' });
    const remove = { ...BASE, kind: 'delete', fields: {} } as const;
    expect(await written(remove, { rows: { id: '1', note: 'old', room: 'B' } })).toEqual({ kind: 'stale' });
    const update = put('/visits/{key}', { sends: 'mapped', answers: 'nothing' });
    const mapped = collection({ ...SHAPE, write: { update } });
    expect(await written(BASE, { rows: { id: '1', note: 'old', room: 'B' } }, mapped)).toEqual({ kind: 'stale' });
    expect(sent()).toEqual([]);
  });

  test('R9: overwrites only what was meant: what it leaves alone may have moved', async () => {
    expect(await written(BASE, { rows: { id: '1', note: 'old', room: 'B' } })).toMatchObject({ kind: 'applied' });
    expect(sent()).toHaveLength(1);
  });

  test('R9: is read back after it is done', async () => {
    let note = 'old';
    source.answer = ({ method }) => {
      if (method === 'GET') return { rows: { id: '1', note, room: 'A' } };
      note = 'new, in full';
      return { status: 204 };
    };
    const [visits] = source.open({ visits: UNGUARDED });
    expect(await visits?.write(BASE, NEVER)).toMatchObject({
      kind: 'applied',
      observation: { fields: { note: 'new, in full' } },
    });
    expect(source.asked.map(({ method }) => method)).toEqual(['GET', 'PATCH', 'GET']);
  });

  test('R11: is not sent where the read before it fails, and not compared where the record does not fit', async () => {
    expect(await written(BASE, { status: 500 })).toMatchObject({ kind: 'notSent' });
    expect(sent()).toEqual([]);
    expect(await written(BASE, { rows: { id: '1', note: 7, room: 'A' } })).toMatchObject({ kind: 'applied' });
  });

  test('R11: a repeat is the very same request, whatever the record has become', async () => {
    const moved = { rows: { id: '1', note: 'by the office', room: 'A' } };
    expect(await written({ ...BASE, isRepeat: true }, moved)).toMatchObject({ kind: 'applied' });
  });

  test('R11: a deletion of what is gone is done', async () => {
    expect(await written({ ...BASE, kind: 'delete', fields: {} }, GONE)).toMatchObject({ kind: 'applied' });
    expect(await written(BASE, GONE)).toEqual({ kind: 'stale' });
    expect(sent().map(({ method }) => method)).toEqual(['DELETE']);
  });
});
