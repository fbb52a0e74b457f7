import { collection, field, page } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { brokenRead, observed, scanned, startScripted, VISITS, type ScriptedSource } from './scripted-source.js';

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

describe('a row that does not fit', () => {
  test('holds up neither the others nor other collections; its read fails by record and field, and the cursor stays', async () => {
    answerPages([row('V-1', 1), row('V-2', 2, 5)], [row('V-3', 3), row('V-4', 4, 5)]);
    const { keys, cursors, thrown } = await brokenRead(visits().readChanges(CURSOR, NEVER));
    expect(keys).toEqual(['V-1', 'V-3']);
    expect(cursors).toEqual([]);
    expect(thrown).toMatchObject({ code: 'VALIDATION', field: 'note' });
    expect(thrown.message).toBe(
      'visits.note: expected a text from the source, got 5 (record V-2); rows that do not fit: 2',
    );
    source.answer = () => ({ rows: [{ id: 'P-1', note: 'fits' }] });
    expect(await scanned(source.open()[0] as SourceCollection)).toHaveLength(1);
  });

  test('R14: leaves no scan complete, so that it is never taken as deleted', async () => {
    answerPages([row('V-1', 1), row('V-2', 2, 5)], [row('V-3', 3)]);
    const { keys, thrown } = await brokenRead(visits().scan(NEVER));
    expect(keys).toEqual(['V-1', 'V-3']);
    expect(thrown.message).toContain('(record V-2)');
  });
});
