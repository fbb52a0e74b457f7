import { collection, field } from '../../src/connectors/define.js';
import { get, patch, type RestOptions } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWriteOutcome } from '../../src/core/source-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { createGate, scanned, startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

const NOW = Date.UTC(2026, 0, 5, 8);
const NEVER = new AbortController().signal;
// Guarded by a version: other writes are compared with a read before them.
const VISITS_FACTS = { type: 'Visit', key: 'id', version: 'version', fields: { note: field.string() } } as const;
const VISITS = collection({
  ...VISITS_FACTS,
  read: { list: get('/visits'), one: get('/visits/{key}') },
  write: { update: patch('/visits/{key}'), guard: 'ifMatch' },
});
const BROKEN: Reply = { status: 500, rows: { message: 'out of order' } };

let source: ScriptedSource;
afterEach(() => source.close());

function open(options: Partial<RestOptions> = {}): SourceCollection {
  return source.open({ visits: VISITS }, options)[0] as SourceCollection;
}

function update(visits: SourceCollection): Promise<SourceWriteOutcome> {
  const fields = { note: 'ring twice' };
  const key = { sourceKey: 'V-1' as SourceKey, idempotencyKey: 'k', guard: '1' };
  return visits.write({ kind: 'update', fields, current: fields, ...key }, NEVER);
}

/** The source answers so, one after the other; the last for good. */
function answerInTurn(...replies: readonly Reply[]): void {
  const left = [...replies];
  source.answer = () => (left.length > 1 ? left.shift() : left[0]) as Reply;
}

/** How many requests the source got meanwhile. */
async function counted(work: () => Promise<unknown>): Promise<number> {
  const before = source.asked.length;
  await work();
  return source.asked.length - before;
}

const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'went well',
    (thrown: unknown) => (thrown as Error).message,
  );

describe('another try', () => {
  beforeEach(async () => {
    source = await startScripted(NOW);
  });

  test.each<readonly [string, (visits: SourceCollection) => Promise<unknown>]>([
    ['read.one', (visits) => visits.readOne('V-1' as SourceKey, NEVER)],
    ['read.list', (visits) => scanned(visits)],
  ])('what opens the breaker is told with source, collection and call: %s', async (call, read) => {
    answerInTurn(BROKEN);
    await read(open()).catch(() => undefined);
    const [told = ''] = source.logged.filter((line) => line.startsWith('source does not answer'));
    expect(told).toContain(`{"source":"clinic","collection":"clinic.visits","call":"${call}","reason":"it says 500`);
  });

  test('so is a write that opens it', async () => {
    answerInTurn(BROKEN);
    const visits = open();
    for (let n = 0; n < 3; n += 1) await update(visits);
    const [told = ''] = source.logged.filter((line) => line.startsWith('source does not answer'));
    expect(told).toContain('"collection":"clinic.visits","call":"write.update"');
  });

  const passing: readonly (readonly [string, Reply])[] = [
    ['500', BROKEN],
    ['502', { status: 502 }],
    ['503', { status: 503 }],
    ['429 and no pause', { status: 429, headers: { 'retry-after': '0' } }],
    ['a broken connection', { body: '[{"id":"V-1"}]', cutAt: 4 }],
  ];

  test.each(passing)('a read that meets %s is made again, three times at most', async (_what, reply) => {
    answerInTurn(reply, reply, { rows: [{ id: 'V-1', note: 'ring twice' }] });
    const visits = open();
    expect(await scanned(visits)).toMatchObject([{ sourceKey: 'V-1' }]);
    expect(source.asked).toHaveLength(3);
    answerInTurn(reply);
    expect(await counted(() => expect(scanned(visits)).rejects.toThrow('clinic.visits'))).toBe(3);
  });

  const definite: readonly (readonly [string, Reply])[] = [
    ...[302, 400, 401, 403, 404, 410, 422].map((status) => [String(status), { status, rows: {} }] as const),
    ['a login page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['half a list that claims to be whole', { body: '[{"id"' }],
  ];

  test.each(definite)('a read that is answered with %s is not made again', async (_what, reply) => {
    source.answer = () => reply;
    await expect(scanned(open())).rejects.toThrow('clinic.visits');
    expect(source.asked).toHaveLength(1);
  });

  test('a record that is not there is asked for once', async () => {
    source.answer = () => ({ status: 404 });
    expect(await open().readOne('V-1' as SourceKey, NEVER)).toBe('absent');
    expect(source.asked).toHaveLength(1);
  });

  test.each([
    ...passing,
    ...definite,
    ['429 and a short pause', { status: 429, headers: { 'retry-after': '1' } }] as const,
  ])('R11: a write that meets %s is sent once', async (_what, reply) => {
    source.answer = () => reply;
    expect((await update(open())).kind).not.toBe('applied');
    expect(source.asked.map(({ method }) => method)).toEqual(['PATCH']);
  });
});

describe('the breaker', () => {
  beforeEach(async () => {
    source = await startScripted(NOW);
  });

  test('three faults in a row open it, and an answer in between starts the count anew, even a no', async () => {
    const visits = open();
    const no: Reply = { status: 422, rows: { message: 'too long' } };
    answerInTurn(BROKEN, BROKEN, no, BROKEN, BROKEN, BROKEN);
    const down: boolean[] = [];
    for (let call = 0; call < 6; call++) {
      await update(visits);
      down.push(visits.isDown());
    }
    expect(down).toEqual([false, false, false, false, false, true]);
    expect(source.logged.filter((line) => line.startsWith('source does not answer'))).toHaveLength(1);
  });

  test('R11: calls fail at once without a request while it is open, and writes are told as not sent', async () => {
    source.answer = () => BROKEN;
    const visits = open();
    await messageOf(scanned(visits));
    expect(visits.isDown()).toBe(true);
    const reason = 'it has not answered lately, so no call was made';
    expect(await counted(() => expect(scanned(visits)).rejects.toThrow(`clinic.visits read.list: ${reason}`))).toBe(0);
    expect(
      await counted(async () =>
        expect(await update(visits)).toMatchObject({
          kind: 'notSent',
          reason: `clinic.visits write.update: ${reason}`,
        }),
      ),
    ).toBe(0);
  });

  test('each probe that fails doubles the wait, up to ten seconds', async () => {
    source.answer = () => BROKEN;
    const visits = open();
    await messageOf(scanned(visits));
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      source.advance(waitMs - 1);
      expect(visits.isDown()).toBe(true);
      expect(await counted(() => messageOf(scanned(visits)))).toBe(0);
      source.advance(1);
      expect(visits.isDown()).toBe(false);
      expect(await counted(() => messageOf(scanned(visits)))).toBe(1);
    }
  });

  test('one call alone probes; its answer closes it, and the waits begin anew', async () => {
    source.answer = () => BROKEN;
    const visits = open();
    await messageOf(scanned(visits));
    source.advance(1_000);
    await messageOf(scanned(visits));
    source.advance(2_000);
    const gate = createGate();
    source.answer = () => ({ rows: [], after: gate.opened });
    const before = source.asked.length;
    const calls = [1, 2, 3].map(() => messageOf(scanned(visits)));
    expect(await Promise.race(calls)).toContain('no call was made');
    await until('the probe is under way', async () => source.asked.length > before);
    expect(visits.isDown()).toBe(true);
    gate.open();
    expect((await Promise.all(calls)).filter((message) => message === 'went well')).toHaveLength(1);
    expect(source.asked).toHaveLength(before + 1);
    expect(visits.isDown()).toBe(false);
    expect(source.logged.at(-1)).toContain('source answers again');
    source.answer = () => BROKEN;
    expect(await counted(() => messageOf(scanned(visits)))).toBe(3);
    source.advance(1_000);
    expect(visits.isDown()).toBe(false);
  });
});

describe('a write to a source that was away', () => {
  beforeEach(async () => {
    source = await startScripted(NOW);
    source.answer = () => BROKEN;
  });

  async function openAfterOutage(visits = VISITS): Promise<SourceCollection> {
    const [opened] = source.open({ visits });
    await messageOf(scanned(opened as SourceCollection));
    source.advance(1_000);
    source.asked.length = 0;
    return opened as SourceCollection;
  }

  const asked = (): readonly string[] => source.asked.map(({ method, path }) => `${method} ${path}`);

  test('R11: is made after a read of its record has found the source back', async () => {
    const visits = await openAfterOutage();
    source.answer = () => ({ rows: { id: 'V-1', note: 'ring twice' } });
    expect(await update(visits)).toMatchObject({ kind: 'applied' });
    expect(asked()).toEqual(['GET /api/visits/V-1', 'PATCH /api/visits/V-1']);
    expect(await update(visits)).toMatchObject({ kind: 'applied' });
    expect(source.asked).toHaveLength(3);
  });

  test('R11: is made after a read of the list where there is no read of a record', async () => {
    const visits = await openAfterOutage(
      collection({
        ...VISITS_FACTS,
        read: { list: get('/visits') },
        write: { update: patch('/visits/{key}'), guard: 'ifMatch' },
      }),
    );
    source.answer = ({ method }) => ({ rows: method === 'GET' ? [] : { id: 'V-1', note: 'ring twice' } });
    expect(await update(visits)).toMatchObject({ kind: 'applied' });
    expect(asked()).toEqual(['GET /api/visits', 'PATCH /api/visits/V-1']);
  });

  test.each([
    ['does not know the record', 404],
    ['refuses our credentials', 401],
    ['has too much to do', 429],
  ])('R11: is made when the source %s: it answers', async (_what, status) => {
    const visits = await openAfterOutage();
    source.answer = ({ method }) => (method === 'GET' ? { status } : { rows: { id: 'V-1', note: 'ring twice' } });
    expect(await update(visits)).toMatchObject({ kind: 'applied' });
  });

  test('R11: is not sent while the source is still away', async () => {
    const visits = await openAfterOutage();
    expect(await update(visits)).toMatchObject({ kind: 'notSent' });
    expect(asked()).toEqual(['GET /api/visits/V-1']);
    expect(visits.isDown()).toBe(true);
  });
});

describe('a pause that the source asks for', () => {
  let clock: ManualClock & { readonly waits: readonly number[] };
  beforeEach(async () => {
    clock = watched(createManualClock(NOW));
    source = await startScripted(NOW, clock);
  });

  test.each([
    ['in seconds', '30', 30_000],
    ['as a date', new Date(NOW + 30_000).toUTCString(), 30_000],
    ['of a day, of which five minutes are kept', '86400', 300_000],
  ])('%s is kept: no request goes out until it is over', async (_how, retryAfter, pauseMs) => {
    source.answer = () => ({ status: 503, headers: { 'retry-after': retryAfter } });
    const visits = open();
    await expect(scanned(visits)).rejects.toThrow('it says 503');
    expect(source.asked).toHaveLength(1);
    clock.advance(10_000);
    expect(visits.isDown()).toBe(true);
    await expect(scanned(visits)).rejects.toThrow('clinic.visits read.list: it asked for a pause');
    const left = {
      kind: 'notSent',
      reason: 'clinic.visits write.update: it asked for a pause',
      retryAfterMs: pauseMs - 10_000,
    };
    expect(await update(visits)).toEqual(left);
    clock.advance(pauseMs - 10_001);
    expect(visits.isDown()).toBe(true);
    expect(source.asked).toHaveLength(1);
    clock.advance(1);
    expect(visits.isDown()).toBe(false);
    source.answer = () => ({ rows: [] });
    expect(await scanned(visits)).toEqual([]);
  });

  test('a read waits out a short one and is made again', async () => {
    answerInTurn({ status: 429, headers: { 'retry-after': '1' } }, { rows: [] });
    const read = scanned(open());
    await until('the read waits', async () => clock.waits.includes(1_001));
    expect(source.asked).toHaveLength(1);
    clock.advance(1_001);
    expect(await read).toEqual([]);
    expect(source.asked).toHaveLength(2);
  });
});

/** Notes how long was waited for. */
function watched(clock: ManualClock): ManualClock & { readonly waits: readonly number[] } {
  const waits: number[] = [];
  return {
    ...clock,
    waits,
    wait: (ms, signal) => {
      waits.push(ms);
      return clock.wait(ms, signal);
    },
  };
}
