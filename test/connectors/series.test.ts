import { callRate } from '../../src/connectors/call-rate.js';
import { collection, field, series, step, type WriteFacts } from '../../src/connectors/define.js';
import { del, get, patch, post } from '../../src/connectors/rest.js';
import { call } from '../../src/connectors/soap.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import { planOf } from '../../src/server/plan.js';
import fc from '../support/properties.js';
import { until } from '../support/until.js';
import { createGate, startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';
import { answered, startNotes } from './soap/notes-source.js';

// Writes in several calls: what they do takes effect with the last one. Whatever fails before had no effect, and says so.

const NEVER = new AbortController().signal;
const EDIT: SourceWrite = {
  kind: 'update',
  sourceKey: '17' as SourceKey,
  fields: { note: 'mine' },
  current: { note: 'old' },
  guard: '3',
  idempotencyKey: 'k',
};
const ROW = { id: 17, rev: 4, note: 'mine' };

const BEGIN = step(post('/visits/{key}/drafts', { guarded: true }), {
  keeps: { draft: 'id', lock: { header: 'X-Lock' } },
  sends: { by: 'tidegate' },
});
const CHANGE = step(patch('/drafts/{draft}', { query: { lock: '{lock}' }, guarded: false }), { sends: 'fields' });
const COMMIT = step(post('/drafts/{draft}/commit'), { sends: { lock: '{lock}', all: ['{lock}', 1] } });
const ABORT = del('/drafts/{draft}');

function visitsWith(write: WriteFacts) {
  return collection({
    type: 'Visit',
    key: 'id',
    version: 'rev',
    fields: { note: field.string() },
    read: { list: get('/visits') },
    write,
  });
}
const VISITS = visitsWith({ update: series([BEGIN, CHANGE, COMMIT], { abort: ABORT }), guard: 'ifMatch' });

let source: ScriptedSource;
/** What the calls are answered with, by their place; the others go well. */
let replies: Partial<Record<'begin' | 'change' | 'commit' | 'abort', Reply>>;

function placeOf({ method, path }: Asked): 'begin' | 'change' | 'commit' | 'abort' {
  if (method === 'DELETE') return 'abort';
  return method === 'PATCH' ? 'change' : path.endsWith('/commit') ? 'commit' : 'begin';
}
beforeEach(async () => {
  source = await startScripted();
  replies = {};
  const well = {
    begin: { status: 201, rows: { id: 'D/1' }, headers: { 'x-lock': 'l-9' } },
    change: { status: 204, body: '' },
    commit: { rows: ROW },
    abort: { status: 204, body: '' },
  };
  source.answer = (asked) => replies[placeOf(asked)] ?? well[placeOf(asked)];
});
afterEach(() => source.close());

function edit(visits = VISITS, options = {}): Promise<SourceWriteOutcome> {
  return (source.open({ visits }, options)[0] as SourceCollection).write(EDIT, NEVER);
}
const places = (): readonly string[] => source.asked.map(placeOf);

test('what is kept of an answer goes with later calls: in the path, the query and the body; fields and guard where they are declared', async () => {
  expect(await edit()).toMatchObject({ kind: 'applied', observation: { sourceKey: '17', sourceVersion: '4' } });
  const shown = source.asked.map(({ method, path, query, body, headers }) => [
    `${method} ${path}?${query}`,
    body,
    headers['if-match'] ?? null,
  ]);
  expect(shown).toEqual([
    ['POST /api/visits/17/drafts?', '{"by":"tidegate"}', '"3"'],
    ['PATCH /api/drafts/D%2F1?lock=l-9', '{"note":"mine"}', null],
    ['POST /api/drafts/D%2F1/commit?', '{"lock":"l-9","all":["l-9",1]}', null],
  ]);
});

const NOT_DONE = expect.stringMatching(/not done, /) as string;

test.each<readonly [string, typeof replies, object, readonly string[]]>([
  ['an error of the first call', { begin: { status: 500, rows: {} } }, { kind: 'notSent' }, ['begin']],
  ['a first call without what is to be kept', { begin: { rows: {} } }, { kind: 'notSent' }, ['begin']],
  ['another version at the first call', { begin: { status: 412, rows: {} } }, { kind: 'stale' }, ['begin']],
  ['a record that is not there at the first call', { begin: { status: 404, rows: {} } }, { kind: 'stale' }, ['begin']],
  [
    'a lost answer of the second',
    { change: { resets: true } },
    { kind: 'notSent', reason: NOT_DONE },
    ['begin', 'change', 'abort'],
  ],
  [
    'half an answer of the second',
    { change: { rows: [1, 2, 3], cutAt: 3 } },
    { kind: 'notSent' },
    ['begin', 'change', 'abort'],
  ],
  [
    'an error in a success of the second',
    { change: { rows: { error: 'locked' } } },
    { kind: 'notSent' },
    ['begin', 'change', 'abort'],
  ],
  [
    'a draft that is gone at the second',
    { change: { status: 404, rows: {} } },
    { kind: 'notSent' },
    ['begin', 'change', 'abort'],
  ],
  [
    'a refusal of the second',
    { change: { status: 422, rows: { message: 'too long' } } },
    { kind: 'refused', message: 'too long' },
    ['begin', 'change', 'abort'],
  ],
  [
    'a refusal of the last',
    { commit: { status: 422, rows: { message: 'closed' } } },
    { kind: 'refused', message: 'closed' },
    ['begin', 'change', 'commit', 'abort'],
  ],
  [
    'a draft that is gone at the last',
    { commit: { status: 410, rows: {} } },
    { kind: 'notSent' },
    ['begin', 'change', 'commit', 'abort'],
  ],
  [
    'a last call that the source did not do',
    { commit: { status: 429, rows: {} } },
    { kind: 'notSent' },
    ['begin', 'change', 'commit', 'abort'],
  ],
  ['a lost answer of the last', { commit: { resets: true } }, { kind: 'unknown' }, ['begin', 'change', 'commit']],
  [
    'an error of the server at the last',
    { commit: { status: 503, rows: {} } },
    { kind: 'unknown' },
    ['begin', 'change', 'commit'],
  ],
  [
    'a last call that says 202',
    { commit: { status: 202, rows: {} } },
    { kind: 'unknown' },
    ['begin', 'change', 'commit'],
  ],
  [
    'a success of the last that says nothing',
    { commit: { rows: {} } },
    { kind: 'unknown' },
    ['begin', 'change', 'commit'],
  ],
])('R11: %s', async (_what, given, outcome, asked) => {
  replies = given;
  expect(await edit()).toMatchObject(outcome);
  expect(places()).toEqual(asked);
});

test('R11: what a call that gives up comes to does not hide what the write came to', async () => {
  for (const abort of [{ status: 500, rows: {} }, { resets: true }, { status: 404, rows: {} }] satisfies Reply[]) {
    replies = { change: { status: 422, rows: { message: 'too long' } }, abort };
    expect(await edit()).toMatchObject({ kind: 'refused', message: 'too long' });
  }
  expect(source.logged.join()).toContain('a write that was begun could not be given up');
});

test('R11: what may have taken effect is never given up, and what was is never committed, whatever becomes of each call', async () => {
  const fate = fc.constantFrom<Reply | undefined>(
    undefined,
    undefined,
    { resets: true },
    { status: 500, rows: {} },
    { status: 404, rows: {} },
    { status: 422, rows: {} },
    { rows: { error: 'x' } },
  );
  await fc.assert(
    fc.asyncProperty(fate, fate, fate, fate, async (begin, change, commit, abort) => {
      source.asked.length = 0;
      const given = Object.entries({ begin, change, commit, abort }).filter(([, reply]) => reply !== undefined);
      replies = Object.fromEntries(given);
      const { kind } = await edit();
      const asked = places();
      const isCommitted = asked.includes('commit');
      const may =
        isCommitted &&
        (commit === undefined || commit.resets === true || commit.status === 500 || commit.status === undefined);
      expect([kind === 'applied' || kind === 'unknown', asked.includes('abort') && may]).toEqual([may, false]);
      expect(asked.indexOf('abort')).toBeLessThanOrEqual(asked.length - 1);
    }),
    { numRuns: 150 },
  );
});

test('one time is for all of its calls: what is late before the last one was not done', async () => {
  const gate = createGate();
  replies = { change: { after: gate.opened, status: 204, body: '' } };
  const written = edit(VISITS, { timeout: '20s' });
  await until('the second call is made', async () => places().includes('change'));
  source.advance(16_001);
  expect(await written).toMatchObject({ kind: 'notSent', reason: NOT_DONE });
  // A source that does not answer is down: nothing is given up there.
  expect(places()).toEqual(['begin', 'change']);
  expect(source.logged.join()).toContain('a write that was begun could not be given up');
  gate.open();
});

test('each of its calls takes a turn of the limit', async () => {
  const written = edit(VISITS, { limit: { perSecond: 0.5 }, timeout: '1m' });
  for (const calls of [1, 2, 3]) {
    await until(`call ${calls} is made`, async () => places().length === calls);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(places()).toHaveLength(calls);
    source.advance(callRate(0.5).windowMs);
  }
  expect(await written).toMatchObject({ kind: 'applied' });
});

test('SOAP: what is kept goes into the arguments of later calls', async () => {
  const notes = await startNotes();
  try {
    notes.answer = ({ body }) =>
      body.includes('GetNote')
        ? { body: answered('GetNote', '<note><id>7</id><text>J&amp;7</text></note>') }
        : { body: answered('SaveNote', '<note><id>7</id><version>4</version><text>t</text></note>') };
    const save = call('SaveNote', {
      keyIn: 'note.id',
      bodyIn: 'note',
      rows: 'note',
      sends: 'changed',
      keptIn: { job: 'reason' },
    });
    const update = series([
      step(call('GetNote', { keyIn: 'id', rows: 'note' }), { keeps: { job: 'text' } }),
      step(save, { sends: 'fields' }),
    ]);
    const write = { ...EDIT, sourceKey: '7' as SourceKey, fields: { title: 'New' }, guard: null };
    const opened = notes.open({ write: { update, guard: undefined as never } });
    expect(await opened.write(write, NEVER)).toMatchObject({ kind: 'applied' });
    expect(notes.asked.at(-1)?.body).toContain('<n1:reason>J&amp;7</n1:reason>');
  } finally {
    await notes.close();
  }
});

test('the plan says how many calls a write takes', () => {
  expect(planOf(source.open({ visits: VISITS })[0] as SourceCollection)).toContain(
    'writes: update in 3 calls guarded by version;',
  );
});

/** The lines that a definition is refused with. */
function linesOf(write: WriteFacts): readonly string[] {
  try {
    source.open({ visits: visitsWith(write) });
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n').map((line) => line.replace('connector clinic: visits.write.', ''));
  }
}

const SENDS = step(patch('/drafts/{key}'), { sends: 'fields' });

test.each<readonly [string, WriteFacts, readonly string[]]>([
  ['one call', { update: series([SENDS]) }, ['update.steps: expected 2 to 10 calls, got 1']],
  [
    'no fields',
    { update: series([BEGIN, COMMIT]), guard: 'ifMatch' },
    ['update.steps: expected 1 of them that sends the fields, got 0'],
  ],
  [
    'fields of a deletion',
    { remove: series([SENDS, step(post('/commit'))]) },
    ['remove.steps: expected 0 of them that sends the fields, got 1'],
  ],
  [
    'a name that nothing keeps, yet',
    { update: series([SENDS, step(post('/{draft}'), { keeps: { draft: 'id' } })], { abort: del('/{drafts}') }) },
    [
      'update.steps.1: expected nothing in braces, got {draft}',
      'update.steps.1.keeps: expected nothing of the last call, since none follows, got draft',
      'update.abort: expected draft in braces, got {drafts}',
    ],
  ],
  [
    'a name that means something else',
    { update: series([step(post('/a'), { keeps: { key: 'id' } }), SENDS]) },
    ['update.steps.0.keeps: expected names of letters and digits, each once, not key or reference, got "key"'],
  ],
  [
    'a key that there is not yet',
    { create: series([step(post('/drafts/{key}')), step(post('/drafts'), { sends: 'fields' })]) },
    ['create.steps.0: expected nothing in braces, got {key}'],
  ],
  [
    'a read',
    { update: series([step(get('/x')), SENDS]) },
    ['update.steps.0: expected post(…) or put(…) or patch(…) or del(…), got get(…)'],
  ],
  [
    'a call of another kit',
    { update: series([step(call('Begin')), SENDS]) },
    ['update.steps.0: expected a call of the rest kit, got one of the soap kit'],
  ],
  [
    'an idempotency key',
    { update: series([step(post('/a')), SENDS]), idempotencyKey: { header: 'K', lifetime: '1d' } },
    [
      'update: expected one call beside write.idempotencyKey, since a series that is begun anew is another request, got a series',
    ],
  ],
  [
    'the version in a body that has no fields',
    { update: series([BEGIN, SENDS]), guard: { member: 'version' } },
    ['update.steps: expected the version, which goes with the body, in the call that sends the fields, got another'],
  ],
])('a series with %s is refused', (_what, write, lines) => {
  expect(linesOf(write)).toEqual(lines);
});
