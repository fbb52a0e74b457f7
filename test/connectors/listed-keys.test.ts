import { changeNumber, collection, field, type ReadFacts } from '../../src/connectors/define.js';
import { get, patch } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, notes, type IngestingClinic } from '../ingest/ingesting-clinic.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';

// Lists that show keys only: each record is read by its own call, under the ETag that is known of it.

const START_MS = Date.UTC(2026, 0, 5, 8);
const DAY_MS = 86_400_000;
const NEVER = new AbortController().signal;

let source: ScriptedSource;
let rows: Map<string, { note: unknown; tag: string }>;
/** Answers to single reads instead of what is there. */
let instead: (key: string) => Reply | null;
/** Waits at its source while a test says so. */
let held: () => Promise<void>;
beforeEach(async () => {
  source = await startScripted(START_MS);
  [rows, instead, held] = [new Map(), () => null, () => Promise.resolve()];
  source.answer = (asked) => (asked.path === '/api/visits' ? list() : single(asked));
});
afterEach(() => source.close());

let list: () => Reply = () => ({ rows: [...rows.keys()] });

async function single({ path, headers, method }: Asked): Promise<Reply> {
  const key = path.replace('/api/visits/', '');
  const found = rows.get(key);
  await held();
  const other = instead(key);
  if (other !== null) return other;
  if (found === undefined) return { status: 404, rows: {} };
  if (method === 'PATCH') return { status: headers['if-match'] === found.tag ? 204 : 412, body: '' };
  if (headers['if-none-match'] === found.tag) return { status: 304, body: '' };
  return { headers: { etag: found.tag }, rows: { id: key, note: found.note, route: '1' } };
}

function visits(read: Partial<ReadFacts> = {}): SourceCollection {
  const one = collection({
    type: 'Visit',
    key: 'id',
    keysReused: false,
    version: 'etag',
    fields: { note: field.string(), route: field.string() },
    read: { list: get('/visits'), listed: 'keys', one: get('/visits/{key}'), ...read },
    write: { update: patch('/visits/{key}', { answers: 'nothing' }), guard: 'ifMatch' },
  });
  return source.open({ visits: one }, { limit: { concurrent: 3 } })[0] as SourceCollection;
}

async function clinicWith(one: SourceCollection, count = 6): Promise<IngestingClinic> {
  for (let n = 1; n <= count; n += 1) rows.set(`V-${n}`, { note: `visit ${n}`, tag: '"1"' });
  list = () => ({ rows: [...rows.keys()] });
  const clinic = await createIngestingClinic([one]);
  await clinic.poller.round(VISITS);
  return clinic;
}

/** The single reads since the last look: keys, with the tag under which each was asked for. */
function asked(): Readonly<Record<string, string | null>> {
  const reads = source.asked.splice(0).filter(({ path }) => path !== '/api/visits');
  return Object.fromEntries(
    reads.map(({ path, headers }) => [path.replace('/api/visits/', ''), headers['if-none-match'] ?? null]),
  );
}

test('each key is read by its call, no more at once than the source takes; later only under the tag that is known', async () => {
  let waiting: readonly (() => void)[] = [];
  let most = 0;
  // Each is answered when as many wait as may be asked at once: of three places one is the writes'.
  held = async () => {
    const turn = new Promise<void>((resolve) => (waiting = [...waiting, resolve]));
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, waiting.length);
    if (waiting.length >= 2) for (const go of waiting) go();
    if (waiting.length >= 2) waiting = [];
    await turn;
  };
  const clinic = await clinicWith(visits());
  held = () => Promise.resolve();
  expect(Object.keys(await notes(clinic))).toHaveLength(6);
  expect(Object.values(asked())).toEqual(Array(6).fill(null));
  expect(most).toBe(2);

  rows.set('V-2', { note: 'edited', tag: '"2"' });
  await clinic.poller.round(VISITS);
  expect(Object.values(asked())).toEqual(Array(6).fill('"1"'));
  expect(await notes(clinic)).toMatchObject({ 'V-1': 'visit 1', 'V-2': 'edited' });
  expect(clinic.log.findLast(({ what }) => what === 'scan complete')?.details).toMatchObject({
    observed: 6,
    changed: 1,
  });
  await clinic.poller.round(VISITS);
  expect(asked()).toMatchObject({ 'V-1': '"1"', 'V-2': '"2"' });
});

test('a tag that stays although a record changed hides the change no longer than a day', async () => {
  const clinic = await clinicWith(visits());
  rows.set('V-2', { note: 'edited under the same tag', tag: '"1"' });
  await clinic.poller.round(VISITS);
  expect(await notes(clinic)).toMatchObject({ 'V-2': 'visit 2' });
  source.advance(DAY_MS);
  await clinic.poller.round(VISITS);
  expect(await notes(clinic)).toMatchObject({ 'V-2': 'edited under the same tag' });
});

test('R14: a record that is as it was is there; one that its list does not show, and its key does not find, is gone', async () => {
  const clinic = await clinicWith(visits());
  rows.delete('V-3');
  await clinic.poller.round(VISITS);
  expect(Object.keys(await notes(clinic))).toEqual(['V-1', 'V-2', 'V-4', 'V-5', 'V-6']);
});

test('R14: a key that is gone when it is read is not shown; a read that fails, or shows another record, ends the scan', async () => {
  const clinic = await clinicWith(visits());
  list = () => ({ rows: [...rows.keys(), 'V-9'] });
  await clinic.poller.round(VISITS);
  expect(Object.keys(await notes(clinic))).toHaveLength(6);
  instead = (key) => (key === 'V-2' ? { rows: { id: 'V-1', note: 'other', route: '1' } } : null);
  await expect(clinic.poller.round(VISITS)).rejects.toThrow('asked for the record V-2, got V-1');
  instead = (key) => (key === 'V-2' ? { status: 401, rows: {} } : null);
  rows.delete('V-3');
  await expect(clinic.poller.round(VISITS)).rejects.toThrow('it refuses our credentials (401)');
  expect(Object.keys(await notes(clinic))).toHaveLength(6);
});

test('a record that does not fit is set aside, and what is as it was counts as read', async () => {
  const clinic = await clinicWith(visits(), 430);
  // Less than a twentieth of what was read, so that it is not the connector that is wrong.
  const bad = Array.from({ length: 21 }, (_, n) => `V-${n + 1}`);
  for (const key of bad) rows.set(key, { note: 7, tag: '"2"' });
  await clinic.poller.round(VISITS);
  const listed = await clinic.store.readQuarantine(clinic.world.tenant, VISITS);
  expect(listed.map((one) => one.sourceKey).sort()).toEqual([...bad].sort());
  expect(await notes(clinic)).toMatchObject({ 'V-2': 'visit 2' });
  for (const [n, key] of bad.entries()) rows.set(key, { note: `visit ${n + 1}`, tag: '"1"' });
  await clinic.poller.round(VISITS);
  expect(await clinic.store.readQuarantine(clinic.world.tenant, VISITS)).toEqual([]);
});

test('R9: a write is guarded by the tag of the single read', async () => {
  const one = visits();
  const clinic = await clinicWith(one);
  rows.set('V-2', { note: 'edited', tag: '"2"' });
  await clinic.poller.round(VISITS);
  const { sourceVersion } = await clinic.record('V-2');
  expect(sourceVersion).toBe('"2"');
  const fields = { note: 'from a tablet' };
  const write = {
    kind: 'update',
    sourceKey: 'V-2' as SourceKey,
    fields,
    current: fields,
    idempotencyKey: 'k',
  } as const;
  expect(await one.write({ ...write, guard: sourceVersion }, NEVER)).toMatchObject({ kind: 'applied' });
  expect(await one.write({ ...write, guard: '"1"' }, NEVER)).toMatchObject({ kind: 'stale' });
});

test('a filter that shows keys with their numbers is followed by these, also where records are as they were', async () => {
  const one = visits({
    changes: changeNumber({ list: get('/visits'), param: 'after', member: 'rev', inclusive: true, gap: 0 }),
  });
  let revs = [1, 2, 3].map((rev) => ({ id: `V-${rev}`, rev }));
  for (const { id } of revs) rows.set(id, { note: 'first', tag: '"1"' });
  list = () => ({ rows: revs });
  const clinic = await createIngestingClinic([one]);
  await clinic.poller.round(VISITS);
  asked();
  rows.set('V-2', { note: 'second', tag: '"2"' });
  revs = [...revs.filter(({ id }) => id !== 'V-2'), { id: 'V-2', rev: 4 }];
  await clinic.poller.round(VISITS);
  expect(asked()).toEqual({ 'V-1': '"1"', 'V-3': '"1"', 'V-2': '"1"' });
  expect(await notes(clinic)).toEqual({ 'V-1': 'first', 'V-2': 'second', 'V-3': 'first' });
  expect(source.logged.join()).not.toContain('none of the highest numbers');
  expect((await clinic.store.readCollection(clinic.world.tenant, VISITS)).scanAskedAtMs).toBeNull();
});
