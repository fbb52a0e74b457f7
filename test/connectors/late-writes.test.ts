import { collection, field, series, step, type AnyCollectionDefinition } from '../../src/connectors/define.js';
import { get, jsonBatch, patch, post, sessionLogin, type RestOptions } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { createGate, startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

// A process that stood still goes on with what came to it meanwhile, and with its timers after that: no write leaves past its deadline.

const NEVER = new AbortController().signal;
const SHAPE = { type: 'Visit', key: 'id', version: 'rev', fields: { note: field.string() } } as const;
const READ = { list: get('/visits'), one: get('/visits/{key}') };
const GUARDED = collection({ ...SHAPE, read: READ, write: { update: patch('/visits/{key}'), guard: 'ifMatch' } });
const TIME_OVER = { kind: 'notSent', reason: expect.stringContaining('time was over') as string };

/** How long the process has stood still, by each hand of its clock. */
let stood: { monotonicMs: number; nowMs: number };
let clock: ManualClock;
let source: ScriptedSource;
beforeEach(async () => {
  const moving = createManualClock();
  stood = { monotonicMs: 0, nowMs: 0 };
  clock = {
    ...moving,
    monotonicMs: () => moving.monotonicMs() + stood.monotonicMs,
    nowMs: () => moving.nowMs() + stood.nowMs,
  };
  source = await startScripted(clock.nowMs(), clock);
  source.answer = ({ path, body }) => ({ rows: { id: path.split('/').at(-1), note: noteIn(body), rev: '8' } });
});
afterEach(() => source.close());

function noteIn(body: string): string {
  return body === '' ? 'old' : (JSON.parse(body) as { readonly note: string }).note;
}

function open(visits: AnyCollectionDefinition = GUARDED, options: Partial<RestOptions> = {}): SourceCollection {
  return source.open({ visits }, { timeout: '5s', ...options })[0] as SourceCollection;
}

function edit(visits: SourceCollection, key: string, leftMs?: () => number): Promise<SourceWriteOutcome> {
  const write: SourceWrite = {
    kind: 'update',
    sourceKey: key as SourceKey,
    fields: { note: 'new' },
    current: { note: 'old' },
    guard: '7',
    idempotencyKey: `k-${key}`,
  };
  return visits.write(write, NEVER, leftMs);
}

const asked = (): readonly string[] => source.asked.map(({ method, path }) => `${method} ${path.replace('/api', '')}`);

/** Answers as before, and stands still when this was asked. */
function standStillAt(isIt: (one: Asked) => boolean, reply?: Reply): void {
  const { answer } = source;
  source.answer = async (one) => {
    if (!isIt(one)) return answer(one);
    stood.monotonicMs = 5_001;
    return reply ?? (await answer(one));
  };
}

describe('a process that stands still until the time of a write is over', () => {
  test.each(['monotonicMs', 'nowMs'] as const)(
    'F13: while the connection is made sends nothing, whichever hand of its clock moved on (%s)',
    async (hand) => {
      const visits = open();
      const told = edit(visits, '17');
      await Promise.resolve();
      stood[hand] = 5_001;
      expect(await told).toMatchObject(TIME_OVER);
      expect(asked()).toEqual([]);
      expect(visits.isDown()).toBe(false);
    },
  );

  test('F13: goes by the time of its caller, which may be less', async () => {
    let leftMs = 5_000;
    const told = edit(open(), '17', () => leftMs);
    await Promise.resolve();
    leftMs = 0;
    expect(await told).toMatchObject(TIME_OVER);
    expect(asked()).toEqual([]);
  });

  test('F13: during the read before it sends nothing', async () => {
    const visits = open(collection({ ...SHAPE, read: READ, write: { update: patch('/visits/{key}') } }));
    standStillAt(({ method }) => method === 'GET');
    expect(await edit(visits, '17')).toMatchObject(TIME_OVER);
    expect(asked()).toEqual(['GET /visits/17']);
  });

  test('F13: while it signs in anew does not send the write that was refused for that a second time', async () => {
    const login = { url: `${source.url}/login`, json: { user: 'nurse' } };
    const visits = open(GUARDED, { auth: sessionLogin({ login, token: { member: 'token' } }) });
    const { answer } = source;
    source.answer = (one) => (one.path === '/login' ? { rows: { token: 't' } } : answer(one));
    standStillAt(({ method }) => method === 'PATCH', { status: 401, rows: {} });
    expect(await edit(visits, '17')).toMatchObject(TIME_OVER);
    expect(asked().filter((one) => one.startsWith('PATCH'))).toHaveLength(1);
  });

  test('F13: in a series does not make the call with which it takes effect', async () => {
    const steps = [
      step(post('/visits/{key}/drafts', { guarded: true }), { keeps: { draft: 'id' } }),
      step(post('/drafts/{draft}/commit'), { sends: 'fields' }),
    ] as const;
    const visits = open(collection({ ...SHAPE, read: READ, write: { update: series(steps), guard: 'ifMatch' } }));
    standStillAt(({ path }) => path.endsWith('/drafts'), { status: 201, rows: { id: 'D1' } });
    expect(await edit(visits, '17')).toMatchObject({ kind: 'notSent' });
    expect(asked()).toEqual(['POST /visits/17/drafts']);
  });
});

test('F13: a batch leaves without the writes whose time is over, and with none of which it ends just then', async () => {
  const visits = open(GUARDED, { batch: jsonBatch('/batch'), limit: { concurrent: 8 } });
  const gate = createGate();
  const { answer } = source;
  source.answer = async (one) => {
    if (one.path.endsWith('/first')) await gate.opened;
    if (one.path !== '/api/batch') return answer(one);
    const { requests } = JSON.parse(one.body) as { readonly requests: readonly { id: string; url: string }[] };
    const row = (url: string) => ({ id: url.split('/').at(-1), note: 'new', rev: '8' });
    return { rows: { responses: requests.map(({ id, url }) => ({ id, status: 200, body: row(url) })) } };
  };
  const first = edit(visits, 'first');
  await until('the first write is made', async () => source.asked.length === 1);
  const left = { '1': 4_000, '2': 4_000, '3': 4_000, '4': 4_000 };
  const writes = (Object.keys(left) as (keyof typeof left)[]).map((key) => edit(visits, key, () => left[key]));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  left['1'] = 0;
  clock.advance(10);
  expect(await writes[0]).toMatchObject({ kind: 'notSent', reason: expect.stringContaining('no turn') as string });
  // The others have been put together, and their connection is being made.
  left['2'] = 0;
  expect(await writes[1]).toMatchObject(TIME_OVER);
  clock.advance(10);
  const outcomes = await Promise.all(writes);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['notSent', 'notSent', 'applied', 'applied']);
  expect(asked()).toEqual(['PATCH /visits/first', 'POST /batch']);
  gate.open();
  expect(await first).toMatchObject({ kind: 'applied' });
});
