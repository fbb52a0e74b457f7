import { changeNumber, collection, deletesByFlag, field, type ReadFacts } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { drain } from '../contract/connector/source-under-test.js';
import { brokenRead, startScripted, type ScriptedSource } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';

const NEVER = new AbortController().signal;

let source: ScriptedSource;
beforeEach(async () => {
  const { clock } = eagerDeps();
  const wait = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms !== 60_000) return clock.wait(ms, signal);
    clock.advance(ms);
    return Promise.resolve();
  };
  source = await startScripted(clock.nowMs(), { ...clock, wait });
});
afterEach(() => source.close());

function visits(
  facts: Partial<Parameters<typeof changeNumber>[0]> = {},
  read: Partial<ReadFacts> = { one: get('/visits/{key}') },
): SourceCollection {
  const one = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string() },
    read: {
      list: get('/visits'),
      changes: changeNumber({ param: 'after', member: 'rev', inclusive: false, gap: 0, ...facts }),
      ...read,
    },
  });
  return source.open({ visits: one })[0] as SourceCollection;
}

const row = (id: string, rev: unknown) => ({ id, note: `note ${String(rev)}`, rev });

/** The last number that was asked from. */
const askedFrom = (): string | null => source.asked.at(-1)?.query.get('after') ?? null;

async function polled(one: SourceCollection, cursor: string | null) {
  const { shown, batches, cursor: next } = await drain(one.readChanges(cursor, NEVER));
  return {
    cursor: next ?? cursor,
    shown: [...shown].map(([key, { fields }]) => (fields === null ? `-${key}` : key)),
    needsScan: batches.some(({ needsScan }) => needsScan === true),
  };
}

describe('numbers of change', () => {
  test.each<readonly [string, Parameters<typeof visits>[0], readonly [unknown, unknown], string]>([
    [
      'digits beyond those that JSON keeps',
      {},
      ['18446744073709551614', '18446744073709551615'],
      '18446744073709551613',
    ],
    ['numbers', { inclusive: true }, [41, 42], '41'],
    ['rowversions in hex', { form: 'hex' }, ['0x00000000000007D1', '0x00000000000007d2'], '0x00000000000007D0'],
    ['rowversions in base64', { form: 'base64', inclusive: true }, ['AAAAAAAAB9E=', 'AAAAAAAAB9I='], 'AAAAAAAAB9E='],
    ['a query that names them', { render: (text) => `rev gt ${text}` }, ['7', '8'], 'rev gt 6'],
    ['a gap', { gap: 3, inclusive: true }, ['101', '200'], '101'],
  ])('R16: as %s: what was seen last is asked for again', async (_what, facts, [first, second], from) => {
    const one = visits(facts);
    source.answer = () => ({ rows: [row('V-1', first), row('V-2', second)] });
    const { cursor } = await polled(one, null);
    expect(askedFrom()).toBeNull();
    expect(await polled(one, cursor)).toEqual({ cursor, shown: ['V-1', 'V-2'], needsScan: false });
    expect(askedFrom()).toBe(from);
  });

  test.each<readonly [string, unknown, string]>([
    ['no number', undefined, 'expected each row to have its number of change in rev, as digits, got nothing'],
    [
      'a number that JSON has rounded',
      2 ** 60,
      'as digits as a text, since JSON does not keep such a number, got a number',
    ],
    ['one beyond 64 bits', '18446744073709551616', 'as digits, got a text of length 20'],
    ['a text', 'new', 'as digits, got a text of length 3'],
  ])('R16: a row with %s leaves the cursor where it was', async (_what, rev, message) => {
    source.answer = () => ({ rows: [row('V-1', 5), row('V-2', rev)] });
    const { cursors, thrown } = await brokenRead(visits().readChanges(null, NEVER));
    expect(cursors).toEqual([]);
    expect(thrown.message).toContain(message);
    expect(visits().isDown()).toBe(false);
  });

  test('R16: a record that lost its number is asked for by its key, and the numbers before it count again', async () => {
    const one = visits();
    source.answer = () => ({ rows: [row('V-1', 10), row('V-2', 20), row('V-3', 30)] });
    const { cursor } = await polled(one, null);
    source.answer = ({ path }) =>
      path.endsWith('V-2') ? { status: 404, rows: {} } : { rows: [row('V-1', 10), row('V-3', 40)] };
    const next = await polled(one, cursor);
    expect(next).toMatchObject({ shown: ['V-1', 'V-3', '-V-2'], needsScan: false });
    await polled(one, next.cursor);
    expect(askedFrom()).toBe('9');
  });

  test.each<readonly [string, Partial<ReadFacts>, boolean]>([
    ['where nothing is read by key', {}, true],
    ['where deletions are not observable', { one: get('/visits/{key}'), deletes: { kind: 'none', every: '1d' } }, true],
    ['beside a flag', { one: get('/visits/{key}'), deletes: deletesByFlag({ member: 'gone' }) }, false],
  ])('R14: a record that lost its number %s (scanned: %p)', async (_what, read, needsScan) => {
    const one = visits({}, read);
    source.answer = () => ({ rows: [row('V-1', 10), row('V-2', 20)] });
    const { cursor } = await polled(one, null);
    source.answer = ({ path }) => (path.endsWith('V-2') ? { status: 404, rows: {} } : { rows: [row('V-1', 10)] });
    expect(await polled(one, cursor)).toMatchObject({ shown: needsScan ? ['V-1'] : ['V-1', '-V-2'], needsScan });
  });

  test('R14, R16: a source whose numbers fell is read whole, from then on by its new numbers, and it is told', async () => {
    const one = visits();
    source.answer = () => ({ rows: [row('V-1', 10), row('V-2', 20)] });
    const { cursor } = await polled(one, null);
    source.answer = ({ query }) => ({ rows: query.has('after') ? [] : [row('V-1', 5)] });
    const again = await polled(one, cursor);
    expect(again).toMatchObject({ shown: ['V-1'], needsScan: true });
    expect(source.logged.join()).toContain('as after a restore: reading everything again');
    source.answer = () => ({ rows: [row('V-1', 5), row('V-3', 6)] });
    expect(await polled(one, again.cursor)).toMatchObject({ shown: ['V-1', 'V-3'], needsScan: false });
    expect(askedFrom()).toBe('4');
  });

  test('R14, R16: a record that has a lower number than it had tells of a restore, too', async () => {
    const one = visits();
    source.answer = () => ({ rows: [row('V-1', 10), row('V-2', 20)] });
    const { cursor } = await polled(one, null);
    source.answer = ({ path }) => ({ rows: path.endsWith('V-2') ? row('V-2', 9) : [row('V-1', 10)] });
    expect(await polled(one, cursor)).toMatchObject({ needsScan: true });
    // It was only changed again, behind the last page.
    source.answer = ({ path }) => ({ rows: path.endsWith('V-2') ? row('V-2', 21) : [row('V-1', 10)] });
    expect(await polled(one, cursor)).toMatchObject({ shown: ['V-1', '-V-2'], needsScan: false });
  });

  test('R16: a replica that lags is no source that was restored', async () => {
    const one = visits({}, { readAfterWrite: '1m' });
    source.answer = () => ({ rows: [row('V-1', 10), row('V-2', 20)] });
    const { cursor } = await polled(one, null);
    // Once more, after the minute in which something could have become visible late: nothing is left to be asked for again.
    expect(source.asked).toHaveLength(2);
    await polled(one, cursor);
    expect(askedFrom()).toBe('9');
    source.answer = () => ({ rows: [] });
    expect(await polled(one, cursor)).toEqual({ cursor, shown: [], needsScan: false });
    source.advance(60_000);
    source.answer = ({ query }) => ({ rows: query.has('after') ? [] : [row('V-1', 5)] });
    expect(await polled(one, cursor)).toMatchObject({ shown: ['V-1'], needsScan: true });
  });

  test('R16: a cursor of another member, or of another form, reads everything', async () => {
    source.answer = () => ({ rows: [{ ...row('V-1', 10), number: 3 }] });
    const { cursor } = await polled(visits(), null);
    for (const old of [cursor, '{"v":1,"at":"2026-01-01T00:00:00.000Z"}', '{"v":1,"by":"number"}', 'nonsense']) {
      await polled(visits({ member: 'number' }), old);
      expect(askedFrom()).toBeNull();
    }
  });
});
