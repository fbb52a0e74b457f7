import { collection, field, page } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import { observed, startScripted, VISITS, type ScriptedSource } from './scripted-source.js';

const NOON = Date.UTC(2026, 0, 5, 12);
const CURSOR = JSON.stringify({ v: 1, at: new Date(NOON - 60_000).toISOString() });
const NEVER = new AbortController().signal;

let source: ScriptedSource;
beforeEach(async () => {
  source = await startScripted(NOON);
});
afterEach(() => source.close());

function visits(precision: '1ms' | '1s' = '1ms', ordered = true): SourceCollection {
  const paging = page({ numberIn: 'page', size: 2 });
  const changes = { param: 'since', stamp: 'at', precision, inclusive: true, ordered, maxTransaction: '0s' } as const;
  const read = { list: get('/visits', { paging }), changes };
  const one = collection({ type: 'Visit', key: 'id', fields: { note: field.string() }, read });
  return source.open({ visits: one, people: VISITS })[0] as SourceCollection;
}

const row = (id: string, secondsAfter: number, note: unknown = 'n') => ({
  id,
  note,
  at: new Date(NOON - 60_000 + secondsAfter * 1_000).toISOString(),
});

function answerPages(...pages: readonly (readonly object[])[]): void {
  source.answer = ({ query }) => ({
    rows: pages[Number(query.get('page')) - 1] ?? [],
    headers: { date: new Date(NOON).toUTCString() },
  });
}

const atOf = (cursor: string | undefined): number => Date.parse((JSON.parse(cursor ?? '') as { at: string }).at);

test('rows that break the promised order take the cursor back, once told, and later polls move it with their end only', async () => {
  answerPages([row('V-1', 1), row('V-2', 30)], [row('V-3', 5), row('V-4', 31)]);
  const one = visits();
  const cursors = async () => {
    const given: number[] = [];
    for await (const { cursor } of one.readChanges(CURSOR, NEVER)) if (cursor !== undefined) given.push(atOf(cursor));
    return given.map((ms) => (ms - NOON + 60_000) / 1_000);
  };
  expect(await cursors()).toEqual([30, 0, 31]);
  expect(await cursors()).toEqual([31]);
  expect(source.logged.filter((line) => line.includes('do not come in order of change'))).toHaveLength(1);
});

test('rows that share a tick of the declared precision may come in any order', async () => {
  answerPages([row('V-1', 1.4), row('V-2', 1)], [row('V-3', 2)]);
  await observed(visits('1s').readChanges(CURSOR, NEVER));
  expect(source.logged.join()).not.toContain('order of change');
});

test('R14: a source whose clock is behind the cursor came back from a backup: all is read again, and what it lost is to be scanned for', async () => {
  const earlier = new Date(NOON - 3_600_000).toUTCString();
  source.answer = ({ query }) => ({
    rows: query.get('page') === '1' ? [row('V-1', 1)] : [],
    headers: { date: earlier },
  });
  const batches: ObservedBatch[] = [];
  for await (const batch of visits().readChanges(CURSOR, NEVER)) batches.push(batch);
  expect(batches.filter((batch) => batch.needsScan === true)).toHaveLength(1);
  expect(batches.flatMap((batch) => batch.observations.map((one) => one.sourceKey))).toEqual(['V-1']);
  expect(source.asked.map(({ query }) => query.has('since'))).toEqual([true, false, false]);
});

describe('a row that does not fit', () => {
  const reason = 'expected a text from the source, got a number';
  const unfit = (sourceKey: string) => ({ sourceKey, field: 'note', reason });

  async function drained(batches: AsyncIterable<ObservedBatch>) {
    const read = { keys: [] as string[], misfits: [] as object[], cursors: [] as (string | undefined)[] };
    for await (const { observations, misfits = [], cursor } of batches) {
      read.keys.push(...observations.map((one) => one.sourceKey));
      read.misfits.push(...misfits);
      if (cursor !== undefined) read.cursors.push(cursor);
    }
    return read;
  }

  test('stands beside the others with its reason, and the cursor moves on', async () => {
    answerPages([row('V-1', 1), row('V-2', 2, 5)], [row('V-3', 3), row('V-4', 4, 5)]);
    const { keys, misfits, cursors } = await drained(visits().readChanges(CURSOR, NEVER));
    expect(keys).toEqual(['V-1', 'V-3']);
    expect(misfits).toEqual([unfit('V-2'), unfit('V-4')]);
    expect(atOf(cursors.at(-1))).toBe(NOON - 56_000);
  });

  test('R14: is shown by a scan, which is complete', async () => {
    answerPages([row('V-1', 1), row('V-2', 2, 5)], [row('V-3', 3)]);
    const { keys, misfits } = await drained(visits().scan(NEVER));
    expect(keys).toEqual(['V-1', 'V-3']);
    expect(misfits).toEqual([unfit('V-2')]);
  });

  test('is named by its single read', async () => {
    source.answer = () => ({ rows: { id: 'V-2', note: 5 } });
    const [one] = source.open() as [SourceCollection];
    await expect(one.readOne('V-2' as SourceKey, NEVER)).rejects.toMatchObject({
      code: 'VALIDATION',
      record: unfit('V-2'),
    });
  });

  test('without a key fails the whole answer', async () => {
    answerPages([row('V-1', 1), { note: 'nobody' }]);
    await expect(drained(visits().scan(NEVER))).rejects.toThrow(
      'expected a record of visits to have a key, got nothing',
    );
  });

  test('is one whose key is there twice in a page of a list with other fields; a list of changes may show it again', async () => {
    const rows = [row('V-1', 1), row('V-2', 2), row('V-1', 1, 'other'), row('V-2', 2)];
    source.answer = () => ({ rows, headers: { date: new Date(NOON).toUTCString() } });
    const read = { list: get('/visits'), changes: { param: 'since', stamp: 'at', precision: '1s' } as const };
    const changes = { ...read.changes, inclusive: true, ordered: false, maxTransaction: '0s' } as const;
    const one = collection({ type: 'Visit', key: 'id', fields: { note: field.string() }, read: { ...read, changes } });
    const [visitsByAll] = source.open({ visits: one }) as [SourceCollection];
    const twice = 'expected each record once on a page, got several with its key and other fields';
    const scan = await drained(visitsByAll.scan(NEVER));
    expect([scan.keys, scan.misfits]).toEqual([['V-2'], [{ sourceKey: 'V-1', field: null, reason: twice }]]);
    const shown = new Map<string, unknown>();
    for await (const { observations, misfits } of visitsByAll.readChanges(CURSOR, NEVER)) {
      expect(misfits).toBeUndefined();
      for (const { sourceKey, fields } of observations) shown.set(sourceKey, fields?.['note']);
    }
    expect([...shown]).toEqual([
      ['V-1', 'other'],
      ['V-2', 'n'],
    ]);
  });
});
