import {
  changeNumber,
  collection,
  deletesByLog,
  field,
  keyset,
  nextUrl,
  type AnyCollectionDefinition,
} from '../../src/connectors/define.js';
import { MOST_READS } from '../../src/connectors/probe-calls.js';
import { get } from '../../src/connectors/rest.js';
import { examinedBy, NOW_MS, type Examined } from './examined-source.js';
import type { Asked, Reply } from './scripted-source.js';

// The doctor at sources that tell what changed by a number, by a token, or by a log of deletions: of each lie exactly that fact is named.

const DAY_MS = 86_400_000;

interface Row {
  readonly id: string;
  readonly note: string;
  readonly rev: number | string | null;
}
const ROWS: readonly Row[] = Array.from({ length: 20 }, (_, at) => ({
  id: `V-${at + 10}`,
  note: 'Geheim',
  rev: 100 + at * 3,
}));

const BASE = { type: 'Visit', key: 'id', fields: { note: field.string() } } as const;
const LIST = get('/visits', { paging: keyset({ by: 'id', afterIn: 'after', inclusive: false, size: 100 }) });

function numbered(facts: object = {}): AnyCollectionDefinition {
  const changes = changeNumber({
    param: 'since',
    member: 'rev',
    inclusive: false,
    gap: 0,
    list: get('/changes'),
    ...facts,
  });
  return collection({ ...BASE, read: { list: LIST, one: get('/visits/{key}'), changes } });
}

interface NumberHabits {
  readonly ignores?: boolean;
  readonly includes?: boolean;
  readonly excludesOneMore?: boolean;
  readonly hides?: string;
  readonly rev?: (row: Row) => Row['rev'];
  /** What becomes of a record between the list and the changes. */
  readonly edits?: (row: Row) => Row;
  readonly refuses?: boolean;
}

function answerNumbers(habits: NumberHabits): (asked: Asked) => Reply {
  const all = ROWS.map((row) => ({ ...row, rev: habits.rev === undefined ? row.rev : habits.rev(row) }));
  return (asked) => {
    const { path, query } = asked;
    if (path === '/visits') return answerList(all, query);
    if (path === '/changes') {
      if (habits.refuses === true) return { status: 500, rows: {} };
      const since = Number(query.get('since'));
      const now = habits.edits === undefined ? all : all.map(habits.edits);
      const isGiven = ({ id, rev }: Row): boolean =>
        id !== habits.hides &&
        (habits.ignores === true ||
          Number(rev) > since + (habits.excludesOneMore === true ? 1 : 0) - (habits.includes === true ? 1 : 0));
      return dated(now.filter(isGiven));
    }
    return answerOne(all, path);
  };
}

const dated = (rows: unknown): Reply => ({ rows, headers: { date: new Date(NOW_MS).toUTCString() } });

function answerList(all: readonly Row[], query: URLSearchParams): Reply {
  return dated(all.filter(({ id }) => id > (query.get('after') ?? '')));
}

function answerOne(all: readonly Row[], path: string): Reply {
  const found = all.find(({ id }) => path.endsWith(`/${id}`));
  return found === undefined ? { status: 404, rows: {} } : dated(found);
}

const openFacts = ({ findings }: Examined): readonly string[] =>
  findings.filter(({ verdict }) => verdict === 'cannotTell').map(({ fact }) => fact);

describe('by a number', () => {
  test('a source that does what its connector says is found to; whether its numbers move is open until something changes', async () => {
    const found = await examinedBy(answerNumbers({}), numbered());
    expect(found.wrong).toEqual([]);
    expect(openFacts(found)).toContain('read.changes.member of a change');
    for (const fact of ['member', 'param', 'inclusive'])
      expect(found.findings).toContainEqual(expect.objectContaining({ fact: `read.changes.${fact}`, verdict: 'ok' }));
    expect(found.calls).toBeLessThanOrEqual(MOST_READS);
    expect(found.asked.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('a change that is seen, with a higher number, fits', async () => {
    const edits = (row: Row): Row => (row.id === 'V-25' ? { ...row, note: 'new', rev: 900 } : row);
    const found = await examinedBy(answerNumbers({ edits }), numbered());
    expect(found.wrong).toEqual([]);
    expect(found.findings).toContainEqual(
      expect.objectContaining({ fact: 'read.changes.member of a change', verdict: 'ok' }),
    );
  });

  test.each<readonly [string, NumberHabits, object, readonly string[], RegExp]>([
    ['ignores the number', { ignores: true }, {}, ['read.changes.param'], /ignores since/],
    ['includes the number that is asked for', { includes: true }, {}, ['read.changes.inclusive'], /harmless/],
    ['excludes the number that is asked for', {}, { inclusive: true }, ['read.changes.inclusive'], /lower number/],
    ['excludes the next one, too', { excludesOneMore: true }, {}, ['read.changes.inclusive'], /lower number/],
    ['passes over a record', { hides: 'V-27' }, {}, ['read.changes completeness'], /1 of them missing/],
    ['shows no numbers', { rev: () => null }, {}, ['read.changes.member'], /20 of 20 rows/],
    ['rounds its numbers', { rev: () => 2 ** 60 }, {}, ['read.changes.member'], /20 of 20 rows/],
    ['cannot be asked', { refuses: true }, {}, ['read.changes.param'], /status 500/],
    [
      'leaves the number of what changed as it was',
      { edits: (row) => (row.id === 'V-25' ? { ...row, note: 'new' } : row) },
      {},
      ['read.changes.member of a change'],
      /scans only/,
    ],
  ])('a source that %s: exactly that is named', async (_name, habits, facts, wrong, got) => {
    const found = await examinedBy(answerNumbers(habits), numbered(facts));
    expect(found.wrong).toEqual(wrong);
    expect(found.text).toMatch(got);
    expect(found.text).not.toContain('Geheim');
  });

  test('numbers that several records have are told', async () => {
    const found = await examinedBy(
      answerNumbers({ rev: ({ rev }) => Math.floor(Number(rev) / 10) }),
      numbered({ inclusive: true }),
    );
    expect(found.findings).toContainEqual(
      expect.objectContaining({ fact: 'read.changes.member', verdict: 'cannotTell' }),
    );
  });
});

describe('by a token', () => {
  interface TokenHabits {
    readonly withoutToken?: boolean;
    readonly answersOnce?: boolean;
    readonly refusesAgain?: boolean;
    readonly givesAll?: boolean;
    readonly withoutNext?: boolean;
    readonly isForgotten?: boolean;
    readonly quiet?: boolean;
  }
  const tracked = (replayable = true, by: 'link' | 'token' = 'link'): AnyCollectionDefinition => {
    const list = get('/visits', {
      rows: 'value',
      paging: nextUrl({ from: 'next' }),
      ...(by === 'link' ? { deltaLink: 'delta' } : { deltaToken: 'delta' }),
    });
    const delta = { list, removed: { member: 'gone' }, replayable, ...(by === 'link' ? {} : { param: 'token' }) };
    return collection({ ...BASE, read: { list, one: get('/visits/{key}'), delta } });
  };
  function answerTokens(habits: TokenHabits): (asked: Asked) => Reply {
    let asks = 0;
    return ({ path, query }) => {
      if (path !== '/visits') return answerOne(ROWS, path);
      const token = query.get('token');
      if (token === null || habits.givesAll === true)
        return dated({ value: ROWS, ...(habits.withoutToken === true ? {} : { delta: '/visits?token=T1' }) });
      asks += 1;
      if (habits.isForgotten === true || (habits.refusesAgain === true && asks > 1)) return { status: 410, rows: {} };
      const entries =
        habits.quiet === true || (habits.answersOnce === true && asks > 1) ? [] : [ROWS[3], { id: 'V-12', gone: true }];
      return dated({ value: entries, ...(habits.withoutNext === true ? {} : { delta: '/visits?token=T2' }) });
    };
  }

  test('a source that does what its connector says is found to, and is asked twice with one token', async () => {
    const found = await examinedBy(answerTokens({}), tracked());
    expect(found.wrong).toEqual([]);
    for (const fact of ['list', 'follow', 'replayable', 'removed'])
      expect(found.findings).toContainEqual(expect.objectContaining({ fact: `read.delta.${fact}`, verdict: 'ok' }));
    expect(
      found.asked.filter(({ query }) => query.get('token') === '/visits?token=T1' || query.get('token') === 'T1'),
    ).toHaveLength(2);
  });

  test('what did not change meanwhile is open: whether it is answered twice, and whether deletions are named', async () => {
    const found = await examinedBy(answerTokens({ quiet: true }), tracked());
    expect(found.wrong).toEqual([]);
    expect(openFacts(found)).toEqual(expect.arrayContaining(['read.delta.replayable', 'read.delta.removed']));
  });

  test('a token that is answered once is not asked with: an answer would be lost', async () => {
    const found = await examinedBy(answerTokens({}), tracked(false));
    expect(found.wrong).toEqual([]);
    expect(openFacts(found)).toContain('read.delta.replayable');
    expect(found.asked.filter(({ query }) => query.has('token'))).toEqual([]);
  });

  test.each<readonly [string, TokenHabits, 'link' | 'token', readonly string[], RegExp]>([
    ['gives no token', { withoutToken: true }, 'link', ['read.delta.list'], /polls fail/],
    ['answers a token once', { answersOnce: true }, 'link', ['read.delta.replayable'], /2 of 2 entries missing/],
    [
      'refuses a token the second time',
      { refusesAgain: true },
      'link',
      ['read.delta.replayable'],
      /declare replayable: false/,
    ],
    ['does not know its own token', { isForgotten: true }, 'link', ['read.delta.follow'], /status 410/],
    ['gives no next token', { withoutNext: true }, 'link', ['read.delta.follow'], /last page of its answer/],
    ['ignores the token', { givesAll: true }, 'token', ['read.delta.follow'], /ignores token/],
  ])('a source that %s: exactly that is named', async (_name, habits, by, wrong, got) => {
    const found = await examinedBy(answerTokens(habits), tracked(true, by));
    expect(found.wrong).toEqual(wrong);
    expect(found.text).toMatch(got);
    expect(found.calls).toBeLessThanOrEqual(MOST_READS);
  });
});

describe('by a log of deletions', () => {
  interface LogHabits {
    readonly ignores?: boolean;
    readonly shift?: number;
    readonly key?: (at: number) => unknown;
    readonly deletedAt?: (at: number) => unknown;
    readonly isEmpty?: boolean;
    readonly fails?: boolean;
  }
  const logged = (facts: object = {}): AnyCollectionDefinition =>
    collection({
      ...BASE,
      read: {
        list: LIST,
        one: get('/visits/{key}'),
        changes: changeNumber({ param: 'since', member: 'rev', inclusive: false, gap: 0, list: get('/changes') }),
        deletes: deletesByLog({
          list: get('/deleted'),
          key: 'visit',
          since: { param: 'since', stamp: 'deletedAt', precision: '1s', inclusive: true, maxTransaction: '1s' },
          keepsFor: '30d',
          ...facts,
        }),
      },
    });
  const numbers = answerNumbers({});
  function answerLog(habits: LogHabits): (asked: Asked) => Reply {
    const length = habits.isEmpty === true ? 0 : 5;
    const entries = Array.from({ length }, (_, at) => {
      const day = new Date(NOW_MS - (5 - at) * 6 * DAY_MS).toISOString();
      const shown = habits.deletedAt === undefined ? day : habits.deletedAt(at);
      const atMs = Date.parse(typeof shown === 'string' ? shown : day);
      return { atMs, entry: { visit: habits.key === undefined ? `V-${at + 70}` : habits.key(at), deletedAt: shown } };
    });
    return (asked) => {
      if (asked.path !== '/deleted') return numbers(asked);
      if (habits.fails === true) return { status: 500, rows: {} };
      const sinceMs = Date.parse(asked.query.get('since') ?? '') + (habits.shift ?? 0);
      return dated(entries.filter(({ atMs }) => habits.ignores === true || atMs >= sinceMs).map(({ entry }) => entry));
    };
  }

  test('a source that does what its connector says is found to', async () => {
    const found = await examinedBy(answerLog({}), logged());
    expect(found.wrong).toEqual([]);
    for (const fact of ['list', 'key', 'since', 'since.stamp', 'since.param', 'keepsFor'])
      expect(found.findings).toContainEqual(expect.objectContaining({ fact: `read.deletes.${fact}`, verdict: 'ok' }));
    expect(found.calls).toBeLessThanOrEqual(MOST_READS);
  });

  test.each<readonly [string, LogHabits, object, string, RegExp]>([
    ['fails', { fails: true }, {}, 'read.deletes.list', /after their changes/],
    ['ignores the time', { ignores: true }, {}, 'read.deletes.since.param', /ignores since/],
    ['filters by a time a day later', { shift: DAY_MS }, {}, 'read.deletes.since', /passed over/],
    ['shows other keys', { key: (at) => `${at}f00-beef-77` }, {}, 'read.deletes.key', /another form/],
    ['shows no keys', { key: () => null }, {}, 'read.deletes.key', /5 of 5/],
    ['shows no times', { deletedAt: () => null }, {}, 'read.deletes.since.stamp', /5 of 5/],
    [
      'shows times that are still to come',
      { deletedAt: (at) => new Date(NOW_MS + (at + 2) * DAY_MS).toISOString() },
      {},
      'read.deletes.since.stamp',
      /future/,
    ],
    ['lists what is there', { key: (at) => `V-${at + 10}` }, { comesBack: false }, 'read.deletes.comesBack', /3 of 3/],
  ])('a source that %s: exactly that is named', async (_name, habits, facts, wrong, got) => {
    const found = await examinedBy(answerLog(habits), logged(facts));
    expect([...new Set(found.wrong)]).toEqual([wrong]);
    expect(found.text).toMatch(got);
  });

  test('an empty log, and one whose records are there again, cannot be told', async () => {
    expect(openFacts(await examinedBy(answerLog({ isEmpty: true }), logged()))).toContain('read.deletes');
    const back = await examinedBy(answerLog({ key: (at) => `V-${at + 10}` }), logged());
    expect(back.wrong).toEqual([]);
    expect(openFacts(back)).toContain('read.deletes.key');
  });
});
