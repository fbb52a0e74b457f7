import { callRate } from '../../src/connectors/call-rate.js';
import { collection, field, type AnyCollectionDefinition } from '../../src/connectors/define.js';
import { multipartBatch, odataJsonBatch, type Batch } from '../../src/connectors/odata.js';
import { del, get, jsonBatch, patch, post, type RestOptions } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceCollection, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import { planOf } from '../../src/server/plan.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import fc from '../support/properties.js';
import { until } from '../support/until.js';
import { PATIENTS, startCare, VISITS as CARE_VISITS } from './odata/care-under-test.js';
import {
  createGate,
  startScripted,
  type Asked,
  type Gate,
  type Reply,
  type ScriptedSource,
} from './scripted-source.js';

// Writes that wait at the same time go in one request, and each comes to what it would have come to alone, or is in doubt.

const NEVER = new AbortController().signal;
const READ = { list: get('/visits') };
const WRITE = {
  create: post('/visits'),
  update: patch('/visits/{key}'),
  remove: del('/visits/{key}'),
  guard: 'ifMatch',
  idempotencyKey: { header: 'K', lifetime: '1d' },
} as const;
const VISITS = collection({
  type: 'Visit',
  key: 'id',
  version: 'rev',
  fields: { note: field.string() },
  read: READ,
  write: WRITE,
});

interface Item {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly note: string };
}

let clock: ManualClock;
let source: ScriptedSource;
/** What a single write is answered with, wherever it comes from; what becomes of a batch. */
let each: (item: Item) => { readonly status: number; readonly body?: unknown };
let whole: (items: readonly Item[], asked: Asked) => Reply | Promise<Reply>;
/** Holds the first write back, so that others come together. */
let gate: Gate;

beforeEach(async () => {
  clock = createManualClock();
  source = await startScripted(clock.nowMs(), clock);
  gate = createGate();
  each = ({ url, body }) => ({ status: 200, body: { id: url.split('/').at(-1), rev: 2, note: body?.note } });
  whole = (items) => ({ rows: { responses: items.map((item) => ({ id: item.id, ...each(item) })) } });
  source.answer = async (asked) => {
    const body = asked.body === '' ? undefined : (JSON.parse(asked.body) as { readonly requests: readonly Item[] });
    if (asked.path === '/api/batch') return whole(body?.requests ?? [], asked);
    if (asked.path.endsWith('/first')) await gate.opened;
    const { status, body: rows } = each({ ...asked, id: '', url: asked.path, body: body as never, headers: {} });
    return { status, rows };
  };
});
afterEach(() => source.close());

function open(
  batch: Batch,
  visits: AnyCollectionDefinition = VISITS,
  more: Partial<RestOptions> = {},
): SourceCollection {
  return source.open({ visits }, { batch, limit: { concurrent: 8 }, ...more })[0] as SourceCollection;
}

function edit(visits: SourceCollection, key: string, more: Partial<SourceWrite> = {}): Promise<SourceWriteOutcome> {
  const write = {
    kind: 'update',
    sourceKey: key as SourceKey,
    fields: { note: key },
    current: null,
    guard: '1',
  } as const;
  return visits.write({ ...write, idempotencyKey: `k-${key}`, ...more }, NEVER);
}

/** One write that holds its source, and others that wait meanwhile. @returns what those came to */
async function together(visits: SourceCollection, keys: readonly string[]): Promise<readonly SourceWriteOutcome[]> {
  const first = edit(visits, 'first');
  await until('the first write is made', async () => source.asked.length === 1);
  const others = keys.map((key) => edit(visits, key));
  await turns();
  clock.advance(10);
  const outcomes = await Promise.all(others);
  gate.open();
  expect(await first).toMatchObject({ kind: 'applied' });
  return outcomes;
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const kinds = (outcomes: readonly SourceWriteOutcome[]): readonly string[] => outcomes.map(({ kind }) => kind);
const asked = (): readonly string[] => source.asked.map(({ method, path }) => `${method} ${path.replace('/api', '')}`);

describe('writes that wait at the same time', () => {
  test('go in one request, each with its own guard and key, and what they come to is taken apart by their ids', async () => {
    whole = (items) => ({ rows: { responses: items.map((item) => ({ id: item.id, ...each(item) })).reverse() } });
    const outcomes = await together(open(jsonBatch('/batch')), ['17', '18']);
    expect(outcomes).toMatchObject(
      ['17', '18'].map((key) => ({ kind: 'applied', observation: { sourceKey: key, fields: { note: key } } })),
    );
    expect(asked()).toEqual(['PATCH /visits/first', 'POST /batch']);
    const { requests } = JSON.parse(source.asked[1]?.body ?? '') as { readonly requests: readonly Item[] };
    const headers = { 'content-type': 'application/json', 'if-match': '"1"' };
    expect(requests).toEqual([
      { id: '1', method: 'PATCH', url: '/visits/17', headers: { ...headers, K: 'k-17' }, body: { note: '17' } },
      { id: '2', method: 'PATCH', url: '/visits/18', headers: { ...headers, K: 'k-18' }, body: { note: '18' } },
    ]);
  });

  test('are as they would be alone where one is alone, without a wait', async () => {
    const visits = open(jsonBatch('/batch', { window: '1m' }));
    expect(await edit(visits, '17')).toMatchObject({ kind: 'applied' });
    expect(asked()).toEqual(['PATCH /visits/17']);
  });

  test('wait for others as long as the window, or until a batch is full, or nothing is under way', async () => {
    const visits = open(jsonBatch('/batch', { size: 2, window: '1s' }));
    const first = edit(visits, 'first');
    await until('the first write is made', async () => source.asked.length === 1);
    const others = [edit(visits, '1'), edit(visits, '2'), edit(visits, '3')];
    await Promise.all(others.slice(0, 2));
    expect(asked()).toEqual(['PATCH /visits/first', 'POST /batch']);
    gate.open();
    await Promise.all([first, ...others]);
    expect(asked().at(-1)).toBe('PATCH /visits/3');
  });

  test('that wait for a turn of the limit are joined in it', async () => {
    const visits = open(jsonBatch('/batch'), VISITS, { limit: { perSecond: 1 } });
    gate.open();
    await edit(visits, 'first');
    const others = ['1', '2', '3'].map((key) => edit(visits, key));
    await turns();
    clock.advance(callRate(1).windowMs);
    expect(kinds(await Promise.all(others))).toEqual(['applied', 'applied', 'applied']);
    expect(asked()).toEqual(['PATCH /visits/first', 'POST /batch']);
  });

  test('R11: that are given up before their turn were not sent', async () => {
    const visits = open(jsonBatch('/batch'), VISITS, { limit: { perSecond: 0.01 }, timeout: '5s' });
    gate.open();
    await edit(visits, 'first');
    const others = ['1', '2'].map((key) => edit(visits, key));
    await turns();
    clock.advance(5_000);
    expect(kinds(await Promise.all(others))).toEqual(['notSent', 'notSent']);
  });
});

describe('a batch of which each write is for itself', () => {
  test('R11: every write comes to what its own answer says', async () => {
    const said: Readonly<Record<string, { readonly status: number; readonly body?: unknown }>> = {
      a: { status: 412, body: {} },
      b: { status: 422, body: { message: 'too long' } },
      c: { status: 503, body: {} },
      d: { status: 429, body: {} },
      e: { status: 200, body: 'OK' },
      f: { status: 200, body: { error: 'locked' } },
    };
    each = ({ url, body }) =>
      said[url.split('/').at(-1) ?? ''] ?? { status: 200, body: { id: url.split('/').at(-1), note: body?.note } };
    const outcomes = await together(open(jsonBatch('/batch')), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(kinds(outcomes)).toEqual(['stale', 'refused', 'unknown', 'notSent', 'unknown', 'unknown', 'applied']);
  });

  test.each<readonly [string, (items: readonly Item[]) => Reply, readonly string[]]>([
    [
      'an answer that leaves one out',
      ([item]) => ({ rows: { responses: [{ id: item?.id, status: 200, body: { id: '1' } }] } }),
      ['applied', 'unknown'],
    ],
    [
      'an answer that has one twice',
      ([item]) => ({ rows: { responses: [1, 2].map(() => ({ id: item?.id, status: 422 })) } }),
      ['unknown', 'unknown'],
    ],
    ['an answer without a list', () => ({ rows: {} }), ['unknown', 'unknown']],
    ['half an answer', () => ({ rows: { responses: [] }, cutAt: 8 }), ['unknown', 'unknown']],
    ['no answer', () => ({ resets: true }), ['unknown', 'unknown']],
    ['an error of the server', () => ({ status: 502, rows: {} }), ['unknown', 'unknown']],
    ['a page', () => ({ body: '<html>', headers: { 'content-type': 'text/html' } }), ['unknown', 'unknown']],
    ['too many calls', () => ({ status: 429, rows: {} }), ['notSent', 'notSent']],
    ['refused credentials', () => ({ status: 401, rows: {} }), ['notSent', 'notSent']],
  ])('R11: by %s', async (_what, reply, expected) => {
    whole = reply;
    expect(kinds(await together(open(jsonBatch('/batch')), ['1', '2']))).toEqual(expected);
    expect(source.asked).toHaveLength(2);
  });

  test('R11: that is refused as a whole was not done: each is sent alone', async () => {
    whole = () => ({ status: 404, rows: { message: 'no batches here' } });
    expect(kinds(await together(open(jsonBatch('/batch')), ['1', '2']))).toEqual(['applied', 'applied']);
    expect([...asked()].sort()).toEqual(['PATCH /visits/1', 'PATCH /visits/2', 'PATCH /visits/first', 'POST /batch']);
  });
});

describe('a batch that is done whole or not at all', () => {
  const ATOMIC = jsonBatch('/batch', { atomic: true, members: { group: 'transaction' } });

  test('R11: is refused for one of its writes: each is sent alone, so that only that one is', async () => {
    each = ({ url }) =>
      url.endsWith('/2') ? { status: 422, body: {} } : { status: 200, body: { id: url.split('/').at(-1) } };
    whole = (items) => ({
      rows: { responses: items.map(({ id, url }) => ({ id, status: url.endsWith('/2') ? 422 : 424 })) },
    });
    expect(kinds(await together(open(ATOMIC), ['1', '2', '3']))).toEqual(['applied', 'refused', 'applied']);
    const { requests } = JSON.parse(source.asked[1]?.body ?? '') as { readonly requests: readonly object[] };
    expect(requests.map((one) => (one as { readonly transaction: string }).transaction)).toEqual(['all', 'all', 'all']);
  });

  test.each<readonly [string, readonly number[], readonly string[]]>([
    ['all of it was done', [200, 204, 201], ['applied', 'applied', 'applied']],
    ['some of it was done', [200, 422, 200], ['unknown', 'unknown', 'unknown']],
    ['an error of the server', [500, 424, 424], ['unknown', 'unknown', 'unknown']],
  ])('R11: is what it says of all: %s', async (_what, statuses, expected) => {
    whole = (items) => ({
      rows: {
        responses: items.map(({ id, url }, at) => ({
          id,
          status: statuses[at],
          ...(statuses[at] === 204 ? {} : { body: { id: url.split('/').at(-1) } }),
        })),
      },
    });
    expect(kinds(await together(open(ATOMIC), ['1', '2', '3']))).toEqual(expected);
    expect(source.asked).toHaveLength(2);
  });
});

test('R11: whatever becomes of batches, what is told as done was done once, and what is told as not done was not', async () => {
  const fate = fc.constantFrom('well', 'refused', 'lost', 'lost before', 'server', 'left out');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { minLength: 3, maxLength: 6 }),
      fate,
      fc.boolean(),
      async (fates, ofWhole, atomic) => {
        source.asked.length = 0;
        gate = createGate();
        const times = new Map<string, number>();
        const keyOf = (url: string): string => url.split('/').at(-1) ?? '';
        const take = (key: string): void => void times.set(key, (times.get(key) ?? 0) + 1);
        const fateOf = (key: string): string => (key === 'first' ? 'well' : (fates[Number(key)] ?? 'well'));
        each = ({ url }) => {
          const key = keyOf(url);
          if (fateOf(key) === 'refused') return { status: 422, body: {} };
          if (fateOf(key) === 'server') return { status: 500, body: {} };
          take(key);
          return { status: 200, body: { id: key } };
        };
        whole = (items) => {
          if (ofWhole === 'refused') return { status: 400, rows: {} };
          if (ofWhole === 'lost before') return { resets: true };
          const isRefused = atomic && items.some(({ url }) => ['refused', 'server'].includes(fateOf(keyOf(url))));
          const responses = items.map((item) => ({ id: item.id, ...(isRefused ? { status: 424 } : each(item)) }));
          if (ofWhole === 'lost') return { resets: true };
          return { rows: { responses: responses.filter(({ id }) => fates[Number(id) - 1] !== 'left out') } };
        };
        const keys = fates.map((_fate, at) => String(at));
        const outcomes = await together(open(jsonBatch('/batch', { atomic })), keys);
        for (const [at, { kind }] of outcomes.entries()) {
          const done = times.get(String(at)) ?? 0;
          expect([kind, done]).toEqual([kind, kind === 'applied' ? 1 : kind === 'unknown' ? Math.min(done, 1) : 0]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe('OData', () => {
  test.each<readonly [string, Batch, number]>([
    ['JSON, each for itself', odataJsonBatch(), 0],
    ['JSON, in one group', odataJsonBatch({ atomic: true }), 3],
    ['multipart, each for itself', multipartBatch(), 0],
    ['multipart, in one change set', multipartBatch({ atomic: true }), 3],
  ])('R11: writes of several sets go in one $batch in %s', async (_what, batch, alone) => {
    const care = await startCare();
    try {
      for (const id of ['V-1', 'V-2'])
        care.service.store.put('Visits', [id], { Status: 'Planned', Note: 'old' }, false);
      const [visits, patients] = care.open({ visits: CARE_VISITS, patients: PATIENTS }, { batch }) as [
        SourceCollection,
        SourceCollection,
      ];
      const write = (id: string, guard: string | null, note: string): SourceWrite => ({
        kind: 'update',
        sourceKey: sourceKey([id]),
        fields: { note },
        current: null,
        guard,
        idempotencyKey: 'i',
      });
      await visits.readOne(sourceKey(['V-1']), NEVER);
      const etag = care.service.store.get('Visits', ['V-1'])?.etag ?? null;
      const create: SourceWrite = {
        ...write('', null, ''),
        kind: 'create',
        sourceKey: null,
        fields: { name: 'Änne — 👩‍⚕️' },
      };
      care.service.asked.length = 0;
      const outcomes = await Promise.all([
        visits.write(write('V-1', etag, 'naïve "quoted"\r\n--tidegate_batch'), NEVER),
        visits.write(write('V-2', 'W/"old"', 'lost'), NEVER),
        patients.write(create, NEVER),
      ]);
      expect(outcomes).toMatchObject([
        { kind: 'applied', observation: { sourceKey: 'V-1' } },
        { kind: 'stale' },
        { kind: 'applied' },
      ]);
      expect(care.service.store.get('Visits', ['V-1'])?.entity).toMatchObject({
        Note: 'naïve "quoted"\r\n--tidegate_batch',
      });
      expect(care.service.store.all('Patients').map(({ entity }) => entity['Name'])).toEqual(['Änne — 👩‍⚕️']);
      const sent = care.service.asked.filter(({ method }) => method !== 'GET').map(({ path }) => path);
      expect([sent[0], sent.length - 1]).toEqual(['/$batch', alone]);
    } finally {
      await care.close();
    }
  });

  test.each(['Content-Type: multipart/mixed', 'nothing', ''])(
    'R11: an answer in parts that is broken off proves nothing: %s',
    async (text) => {
      const care = await startCare();
      try {
        care.service.instead = ({ path }) =>
          path === '/$batch'
            ? { status: 200, headers: { 'content-type': 'multipart/mixed; boundary=x' }, text: `--x\r\n${text}\r\n` }
            : null;
        const patients = care.openOne(PATIENTS, { batch: multipartBatch() });
        const create = { kind: 'create', sourceKey: null, fields: { name: 'A' }, current: null, guard: null } as const;
        const both = ['1', '2'].map((idempotencyKey) => patients.write({ ...create, idempotencyKey }, NEVER));
        expect(kinds(await Promise.all(both))).toEqual(['unknown', 'unknown']);
      } finally {
        await care.close();
      }
    },
  );
});

describe('a batch is told', () => {
  test('by the plan, and gives the outbox more calls at once', () => {
    const visits = open(jsonBatch('/batch', { atomic: true, size: 7 }));
    expect(visits.facts).toMatchObject({ concurrency: 8, batch: { size: 7, isAtomic: true } });
    expect(planOf(visits)).toContain('up to 7 in one call (all of them or none, then each alone)');
  });

  test.each<readonly [string, object, readonly string[]]>([
    ['no path', jsonBatch('batch'), ['transport.batch.path: expected a path that begins with "/", got another text']],
    [
      'one write',
      jsonBatch('/batch', { size: 1 }),
      ['transport.batch.size: expected a whole number from 2 to 1000, got a number'],
    ],
    [
      'no duration',
      jsonBatch('/batch', { window: 'soon' as never }),
      ['transport.batch.window: expected a duration like "10ms", got another text'],
    ],
    [
      'no member',
      jsonBatch('/batch', { members: { id: '' } }),
      ['transport.batch.members.id: expected a name, got ""'],
    ],
    [
      'no headers for guard and key',
      jsonBatch('/batch', { members: { headers: null } }),
      [
        'visits.write.guard: expected { member }, since requests of a batch have no headers here (members.headers: null), got "ifMatch"',
        'visits.write.idempotencyKey: expected nothing, since requests of a batch have no headers here (members.headers: null), got the header "K"',
      ],
    ],
  ])('by what is wrong with it: %s', (_what, batch, lines) => {
    const opening = (): unknown => open(batch as Batch);
    expect(opening).toThrow(lines.map((line) => `connector clinic: ${line}`).join('\n'));
  });
});
