import { keyset, page } from '../../src/connectors/define.js';
import { MOST_READS } from '../../src/connectors/probe-calls.js';
import { get } from '../../src/connectors/rest.js';
import { examined, LIST, visits, VISITS, type Habits } from './examined-source.js';

const HOUR_MS = 3_600_000;

test('a source that does what its connector says is found to', async () => {
  const { findings, calls, asked, wrong } = await examined({});
  expect(wrong).toEqual([]);
  const open = findings.filter(({ verdict }) => verdict === 'cannotTell').map(({ fact, got }) => [fact, got]);
  expect(open).toEqual([['write.guard', expect.stringMatching(/^not tried/)]]);
  const fitting = findings.filter(({ verdict }) => verdict === 'ok').map(({ fact }) => fact);
  expect(fitting).toEqual([
    ...['latency', 'clock', 'limit'],
    ...[
      'read.list',
      'read.list.paging.size',
      'read.list order',
      'read.list.paging.by',
      'key',
      'fields',
      'read.deletes.member',
    ],
    ...['read.one fields', 'version', 'read.one of a key that does not exist'],
    ...[
      'read.changes.stamp',
      'read.changes.precision',
      'read.changes.param',
      'read.changes.inclusive',
      'read.changes.zone',
    ],
    ...['read.changes.ordered', 'read.changes completeness'],
  ]);
  expect(calls).toBe(asked.length);
  expect(asked.every(({ method }) => method === 'GET')).toBe(true);
});

/** A record that changed after most others, and before the newest that a page of changes since the middle shows. */
const HIDDEN = VISITS.toSorted((a, b) => a.changedMs - b.changedMs)[35]?.id ?? '';

/** What a source does otherwise, and the one fact that is named for it. */
const LIES: readonly (readonly [name: string, habits: Habits, fact: string, got: RegExp])[] = [
  ['ignores the filter', { ignoresFilter: true }, 'read.changes.param', /ignores since/],
  ['excludes the moment that is asked for', { excludes: true }, 'read.changes.inclusive', /one step before/],
  ['filters in a time two hours later', { filterShiftMs: 2 * HOUR_MS }, 'read.changes.zone', /2 h later/],
  [
    'filters in a time five and a half hours earlier',
    { filterShiftMs: -5.5 * HOUR_MS },
    'read.changes.zone',
    /5\.5 h earlier/,
  ],
  ['filters by whole seconds', { filterStepMs: 1_000 }, 'read.changes.precision', /coarser/],
  ['gives what changed by id', { changesOrder: 'byId' }, 'read.changes.ordered', /another order/],
  ['passes over a change', { hides: HIDDEN }, 'read.changes completeness', /1 of them missing/],
  ['lists by another member', { listOrder: 'byNote' }, 'read.list.paging.by', /before their predecessor/],
  ['turns rows round', { listOrder: 'turning' }, 'read.list order', /another order/],
  ['caps its pages', { mostRows: 10 }, 'read.list.paging.size', /10 rows/],
  ['has a size of its own', { ignoresSize: true }, 'read.list.paging.size', /30 rows/],
  ['counts others', { total: 49 }, 'read.list.total', /50/],
  [
    'says 200 for what is not there',
    { absentIs: { status: 200, rows: {} } },
    'read.one of a key that does not exist',
    /200 with no record/,
  ],
  [
    'fails for what is not there',
    { absentIs: { status: 500, rows: {} } },
    'read.one of a key that does not exist',
    /500/,
  ],
  ['does not find what it lists', { listedIsAbsent: true }, 'read.one', /there is none/],
  ['shows other minutes alone', { oneDiffers: { minutes: 99 } }, 'read.one fields', /minutes/],
  ['shows another version alone', { oneDiffers: { version: 'x' } }, 'version', /3 of 3/],
  ['shows minutes as text', { rowDiffers: { minutes: 'long' } }, 'fields', /minutes: expected/],
];

test.each(LIES)('a source that %s: exactly that is named', async (_name, habits, fact, got) => {
  const { wrong, findings, calls, text } = await examined(habits);
  expect(wrong).toEqual([fact]);
  const finding = findings.find((one) => one.fact === fact && one.verdict === 'contradicts');
  expect(`${finding?.got} ${finding?.means}`).toMatch(got);
  expect(calls).toBeLessThanOrEqual(MOST_READS);
  expect(text).not.toMatch(/Geheim|long/);
});

test('lists that show keys are not blamed for it; what the single reads show is', async () => {
  const keys = visits({ listed: 'keys' });
  const fine = await examined({ listsKeys: true }, keys);
  expect(fine.wrong).toEqual([]);
  expect(fine.text).toContain('3 records as declared');
  expect((await examined({ listsKeys: true, oneDiffers: { note: 7 } }, keys)).wrong).toEqual(['read.one fields']);
});

test('rows whose times lie in the future are told by the Date header', async () => {
  const shift = { stampShiftMs: 26 * HOUR_MS, filterShiftMs: -26 * HOUR_MS };
  expect((await examined(shift)).wrong).toEqual(['read.changes.zone']);
});

test('times that are all of whole minutes are told where milliseconds are declared', async () => {
  const precision = async (habits: Habits): Promise<string | undefined> =>
    (await examined(habits)).findings.find(({ fact }) => fact === 'read.changes.precision')?.got;
  expect(await precision({ stampStepMs: 60_000 })).toBe('50 times in whole 60 s: rounded by the source, or by chance');
  expect(await precision({})).toBe('50 times in steps of 1ms');
});

test('a declared exclusive filter fits a source that excludes, and not one that includes', async () => {
  const declared = visits({}, { inclusive: false });
  expect((await examined({ excludes: true }, declared)).wrong).toEqual([]);
  expect((await examined({}, declared)).wrong).toEqual(['read.changes.inclusive']);
});

test('a filter takes local times for what is declared, or for UTC', async () => {
  const declared = visits({}, { format: 'local', zone: 'Europe/Berlin' });
  expect((await examined({ filterShiftMs: -HOUR_MS }, declared)).wrong).toEqual([]);
  const { wrong, text } = await examined({}, declared);
  expect(wrong).toEqual(['read.changes.zone']);
  expect(text).toMatch(/in Europe\/Berlin.*1 h later/);
});

test('a page that is short ends a list that is declared so: its rows are lost', async () => {
  const list = get('/visits', {
    rows: 'rows',
    paging: keyset({ by: 'id', afterIn: 'after', inclusive: false, sizeIn: 'limit', size: 20, shortPageEnds: true }),
  });
  const { findings } = await examined({ mostRows: 10 }, visits({ list }));
  expect(findings.find(({ fact }) => fact === 'read.list.paging.size')?.means).toMatch(/rows are lost/);
});

test('a source that does not know the parameter of the page', async () => {
  const list = get('/visits', { rows: 'rows', paging: page({ numberIn: 'seite', sizeIn: 'limit', size: 20 }) });
  const { wrong, text } = await examined({}, visits({ list }));
  expect(wrong).toEqual(['read.list']);
  expect(text).toContain('page 2 repeats page 1');
});

describe('the write guard', () => {
  test('is tried for the named record only, with its own values and another version', async () => {
    const { wrong, findings, asked } = await examined({}, visits(), 'V-0007');
    expect(wrong).toEqual([]);
    expect(findings.find(({ fact }) => fact === 'write.guard')).toMatchObject({ verdict: 'ok' });
    const writes = asked.filter(({ method }) => method !== 'GET');
    expect(writes.map(({ path, method }) => [method, path])).toEqual([['PATCH', '/visits/V-0007']]);
    const visit = VISITS[6];
    expect(JSON.parse(writes[0]?.body ?? '')).toEqual({ note: visit?.note, minutes: visit?.minutes });
    expect(writes[0]?.headers['if-match']).toMatch(/^"\d+"$/);
    expect(writes[0]?.headers['if-match']).not.toBe(`"${visit?.version}"`);
  });

  test('of a source that accepts any version is contradicted', async () => {
    const { wrong, text } = await examined({ acceptsStale: true }, visits(), 'V-0007');
    expect(wrong).toEqual(['write.guard']);
    expect(text).toContain('lost update possible');
  });
});

test('a limit that the source tells of is told, and 429 is a contradiction', async () => {
  const { text } = await examined({ headers: { 'x-ratelimit-remaining': '7' } });
  expect(text).toContain('x-ratelimit-remaining');
  expect((await examined({ refusesFirst: true })).wrong).toEqual(['limit']);
});

test('no list, no findings about anything else', async () => {
  const { findings, isRead } = await examined({}, visits({ list: { ...LIST, rows: 'items' } as typeof LIST }));
  expect(isRead).toBe(false);
  expect(findings).toMatchObject([{ fact: 'read.list', verdict: 'contradicts' }]);
});
