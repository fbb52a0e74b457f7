import { callRate } from '../../src/connectors/call-rate.js';
import { collection, field } from '../../src/connectors/define.js';
import { get, patch, type RestOptions } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { Log } from '../../src/core/ports.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createPoller } from '../../src/ingest/poller.js';
import { createWorld } from '../contract/store/world.js';
import { hash } from '../ingest/ingesting-clinic.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { until } from '../support/until.js';
import { createGate, scanned, startScripted, type ScriptedSource } from './scripted-source.js';

// What the calls of one source share: its turns, its places, its breaker; and what they do not.

const NOW = Date.UTC(2026, 0, 5, 8);
const NEVER = new AbortController().signal;

function collectionOf<Type extends string>(type: Type, path: string) {
  return collection({
    type,
    key: 'id',
    version: 'version',
    fields: { note: field.string() },
    read: { list: get(path), one: get(`${path}/{key}`) },
    write: { update: patch(`${path}/{key}`), guard: 'ifMatch' },
  });
}

let clock: ManualClock;
let source: ScriptedSource;
beforeEach(async () => {
  clock = createManualClock(NOW);
  source = await startScripted(NOW, clock);
});
afterEach(() => source.close());

function open(options: Partial<RestOptions> = {}): readonly [SourceCollection, SourceCollection] {
  const collections = { visits: collectionOf('Visit', '/visits'), patients: collectionOf('Patient', '/patients') };
  return source.open(collections, options) as unknown as readonly [SourceCollection, SourceCollection];
}

/** A read of one record, and what became of it so far. */
function startRead(from: SourceCollection, key: string, signal = NEVER) {
  const read = { key, outcome: 'waits', ended: Promise.resolve() };
  read.ended = from.readOne(key as SourceKey, signal).then(
    () => void (read.outcome = 'read'),
    (thrown: unknown) => void (read.outcome = (thrown as Error).message),
  );
  return read;
}

/** The last parts of the paths that the source was asked for, once there are so many, and nothing moves any more. */
async function askedFor(count: number): Promise<readonly string[]> {
  await until(`the source is asked ${count} times`, async () => source.asked.length >= count);
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
  return source.asked.map(({ path }) => path.split('/').at(-1) as string);
}

function row(id: string) {
  return { id, note: 'ring twice' };
}

/** Answers every read of a record; those of the keys wait for their gates. */
function answerRecords(held: Readonly<Record<string, Promise<void>>> = {}): void {
  source.answer = ({ path }) => {
    const id = path.split('/').at(-1) as string;
    return { rows: row(id), after: held[id] ?? Promise.resolve() };
  };
}

test('calls of all collections together keep to the rate of their source in every second', async () => {
  answerRecords();
  const [visits, patients] = open({ limit: { perSecond: 2, concurrent: 10 } });
  const reads = ['1', '2', '3', '4', '5'].map((key, at) => startRead(at % 2 === 0 ? visits : patients, key));
  for (const [passedMs, count] of [
    [0, 2],
    [callRate(2).windowMs - 1, 2],
    [1, 4],
    [callRate(2).windowMs - 1, 4],
    [1, 5],
  ] as const) {
    clock.advance(passedMs);
    expect(await askedFor(count)).toHaveLength(count);
  }
  await Promise.all(reads.map(({ ended }) => ended));
  expect(reads.map(({ outcome }) => outcome)).toEqual(Array(5).fill('read'));
});

test('a request that is not on its way within its turn is not sent: it goes with another turn', async () => {
  answerRecords();
  const [visits] = open({ limit: { perSecond: 1, concurrent: 10 } });
  const read = startRead(visits, '1');
  // The connection is still being made.
  await Promise.resolve();
  clock.advance(26);
  expect(await askedFor(0)).toEqual([]);
  clock.advance(callRate(1).windowMs - 27);
  expect(await askedFor(0)).toEqual([]);
  clock.advance(1);
  expect(await askedFor(1)).toEqual(['1']);
  await read.ended;
  expect([read.outcome, visits.isDown()]).toEqual(['read', false]);
});

test('a write whose turn was over, and whose time is while it waits for another one, was not sent', async () => {
  const [visits] = open({ limit: { perSecond: 1, concurrent: 10 }, timeout: '500ms' });
  const write = {
    kind: 'update',
    sourceKey: '1' as SourceKey,
    fields: { note: 'a' },
    current: null,
    guard: '7',
  } as const;
  const told = visits.write({ ...write, idempotencyKey: 'one' }, NEVER);
  await Promise.resolve();
  clock.advance(26);
  await askedFor(0);
  clock.advance(500);
  expect(await told).toMatchObject({ kind: 'notSent' });
  expect(source.asked).toEqual([]);
});

test('a caller that gives up while it waits for the rate uses no turn up', async () => {
  answerRecords();
  const [visits] = open({ limit: { perSecond: 1, concurrent: 10 } });
  startRead(visits, '1');
  await askedFor(1);
  const impatient = new AbortController();
  const second = startRead(visits, '2', impatient.signal);
  startRead(visits, '3');
  impatient.abort();
  await second.ended;
  expect(second.outcome).toBe('clinic.visits read.one: the caller gave up: the call was never made');
  clock.advance(callRate(1).windowMs);
  expect(await askedFor(2)).toEqual(['1', '3']);
});

test('reads of all collections leave one place free, which a write takes at once', async () => {
  const gate = createGate();
  source.answer = ({ path, method }) => ({
    rows: row(path.split('/').at(-1) as string),
    ...(method === 'GET' ? { after: gate.opened } : {}),
  });
  const [visits, patients] = open({ limit: { concurrent: 3 } });
  const reads = ['1', '2', '3', '4'].map((key, at) => startRead(at % 2 === 0 ? visits : patients, key));
  expect([...(await askedFor(2))].sort()).toEqual(['1', '2']);
  const write = { kind: 'update' as const, sourceKey: 'W' as SourceKey, guard: '1', idempotencyKey: 'k' };
  const fields = { note: 'ring twice' };
  expect(await visits.write({ ...write, fields, current: fields }, NEVER)).toMatchObject({ kind: 'applied' });
  expect(source.asked.map(({ method }) => method)).toEqual(['GET', 'GET', 'PATCH']);
  gate.open();
  await Promise.all(reads.map(({ ended }) => ended));
  expect(reads.map(({ outcome }) => outcome)).toEqual(Array(4).fill('read'));
});

test('a caller that gives up while it waits for a place takes none', async () => {
  const gate = createGate();
  answerRecords({ '1': gate.opened });
  const [visits] = open({ limit: { concurrent: 1 } });
  startRead(visits, '1');
  await askedFor(1);
  const impatient = new AbortController();
  const second = startRead(visits, '2', impatient.signal);
  startRead(visits, '3');
  impatient.abort();
  await second.ended;
  expect(second.outcome).toBe('clinic.visits read.one: the caller gave up: the call was never made');
  gate.open();
  expect(await askedFor(2)).toEqual(['1', '3']);
});

test('a deadline includes the wait for a place: a call that had to wait has less time left', async () => {
  const [first, never] = [createGate(), createGate()];
  answerRecords({ '1': first.opened, '2': never.opened });
  const [visits] = open({ limit: { concurrent: 1 }, timeout: '5s' });
  const one = startRead(visits, '1');
  await askedFor(1);
  clock.advance(1_000);
  const two = startRead(visits, '2');
  clock.advance(3_000);
  first.open();
  await one.ended;
  expect(await askedFor(2)).toEqual(['1', '2']);
  clock.advance(1_999);
  await askedFor(2);
  expect(two.outcome).toBe('waits');
  clock.advance(1);
  await two.ended;
  expect(two.outcome).toBe('clinic.visits read.one: no answer within 5000 ms');
  never.open();
  expect(await askedFor(2)).toHaveLength(2);
});

test('R11: a call whose deadline passes while it waits is never made, and says nothing about the source', async () => {
  const never = createGate();
  answerRecords({ '1': never.opened });
  const [visits] = open({ limit: { concurrent: 1 }, timeout: '5s' });
  const reads = ['1', '2', '3', '4'].map((key) => startRead(visits, key));
  await askedFor(1);
  clock.advance(5_000);
  await Promise.all(reads.map(({ ended }) => ended));
  const overdue = 'clinic.visits read.one: no answer within 5000 ms';
  expect(reads.map(({ outcome }) => outcome)).toEqual([
    overdue,
    ...Array<string>(3).fill(`${overdue}: the call was never made`),
  ]);
  expect(await askedFor(1)).toEqual(['1']);
  expect(visits.isDown()).toBe(false);
});

test('the trouble of a source is that of all its collections', async () => {
  source.answer = ({ path }) => (path.startsWith('/api/visits') ? { status: 500 } : { rows: row('P') });
  const [visits, patients] = open();
  const fields = { note: 'ring twice' };
  const write = { kind: 'update' as const, sourceKey: 'V' as SourceKey, guard: '1', idempotencyKey: 'k' };
  for (let call = 0; call < 3; call++) await visits.write({ ...write, fields, current: fields }, NEVER);
  expect(patients.isDown()).toBe(true);
  await expect(scanned(patients)).rejects.toThrow('clinic.patients read.list: it has not answered lately');
  expect(await askedFor(3)).toEqual(['V', 'V', 'V']);
});

test('what one collection is told for good does not hold up another of its source', async () => {
  source.answer = ({ path }) => (path === '/api/visits' ? { status: 403, rows: {} } : { rows: [row('P')] });
  const [visits, patients] = open();
  for (let call = 0; call < 5; call++) await expect(scanned(visits)).rejects.toThrow('it says 403');
  expect(patients.isDown()).toBe(false);
  expect(await scanned(patients)).toMatchObject([{ sourceKey: 'P' }]);
});

test('a row that does not fit stops neither the other rows nor the poll of another collection', async () => {
  let note: string | number = 7;
  let patient = 'walks';
  source.answer = ({ path }) =>
    path === '/api/visits' ? { rows: [{ id: 'V-1', note }, row('V-2')] } : { rows: [{ id: 'P-1', note: patient }] };
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  const world = await createWorld(store);
  const told: string[] = [];
  const write: Log['info'] = (what, details) => void told.push(`${what} ${JSON.stringify(details)}`);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const ports = { store, clock, hash, log, chance: seededChance(1) };
  const poller = createPoller(ports, { tenant: world.tenant, holder: 'node 1', sources: open() });
  const shows = (id: string, collection: string, text: string): Promise<void> =>
    until(`${id} shows "${text}"`, async () => (await world.view(id, collection)).body?.includes(text) === true);
  poller.start();
  try {
    await shows('V-2', 'visits', 'ring twice');
    await shows('P-1', 'patients', 'walks');
    await until('the misfit is told', async () => told.some((line) => line.includes('do not fit and are set aside')));
    await until('its collection is ready all the same', async () => {
      return (await store.readCollection(world.tenant, 'visits')).state === 'READY';
    });
    expect((await world.view('V-1', 'visits')).body).toBeNull();
    patient = 'runs';
    poller.pollNow('patients');
    await shows('P-1', 'patients', 'runs');
    note = 'fits now';
    poller.pollNow('visits');
    await shows('V-1', 'visits', 'fits now');
    await until('it leaves quarantine', async () => (await store.readQuarantine(world.tenant, 'visits')).length === 0);
  } finally {
    await poller.stop();
  }
});
