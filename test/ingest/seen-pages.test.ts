import { collection, field, page } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { RecordMark } from '../../src/core/record-port.js';
import { createSeenPages } from '../../src/ingest/seen-pages.js';
import { startScripted, type ScriptedSource } from '../connectors/scripted-source.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, hash, notes, type IngestingClinic } from './ingesting-clinic.js';

const DAY_MS = 86_400_000;
const POLL_MS = 60_000;

let source: ScriptedSource;
/** What the source holds, in pages of two. */
let rows: { id: string; note: string }[];
/** Keys of rows that were mapped since the last round. */
let mapped: string[];
let clinic: IngestingClinic;

beforeEach(async () => {
  source = await startScripted();
  rows = ['a', 'b', 'c', 'd'].map((id) => ({ id, note: `${id} as it was` }));
  mapped = [];
  source.answer = ({ path, query }) => {
    const one = rows.find(({ id }) => path.endsWith(`/${id}`));
    if (path !== '/api/visits') return one === undefined ? { status: 404 } : { rows: one };
    const from = (Number(query.get('page')) - 1) * 2;
    return { rows: { items: rows.slice(from, from + 2) } };
  };
  clinic = await createIngestingClinic(
    source.open({
      [VISITS]: collection({
        type: 'Visit',
        key: 'id',
        fields: { note: field.string({ required: true }) },
        map(row: { readonly id: string; readonly note: unknown }) {
          mapped.push(row.id);
          return row;
        },
        read: {
          list: get('/visits', { rows: 'items', paging: page({ numberIn: 'page', size: 2 }) }),
          one: get('/visits/{key}'),
          pollEvery: '1m',
        },
      }),
    }),
  );
  // The second time they are as known, and remembered.
  await mappedByScan();
  await mappedByScan();
});

afterEach(() => source.close());

async function mappedByScan(): Promise<string> {
  mapped = [];
  source.advance(POLL_MS);
  clinic.clock.advance(POLL_MS);
  await clinic.poller.round(VISITS);
  return mapped.join('');
}

test('R17: pages that come again with the same bytes are not looked at, as long as the same is known of their records', async () => {
  expect(await mappedByScan()).toBe('');
  rows[2] = { id: 'c', note: 'c as it is' };
  expect(await mappedByScan()).toBe('cd');
  expect(await notes(clinic)).toMatchObject({ b: 'b as it was', c: 'c as it is' });
  expect(await mappedByScan()).toBe('cd');
  expect(await mappedByScan()).toBe('');
});

test('R14: what they show counts as shown, and what they do not show any more is gone', async () => {
  rows.length = 2;
  await mappedByScan();
  const told = clinic.log.filter(({ what }) => what === 'scan complete').at(-1);
  expect(told?.details).toMatchObject({ observed: 2, deleted: 2, kept: { count: 0 } });
  expect(Object.keys(await notes(clinic))).toEqual(['a', 'b']);
});

test('R17: a page is looked at where something else is known of one of its records by now', async () => {
  const sent = await clinic.send('a', { note: 'by a device' });
  await clinic.settle(sent, { note: 'by a device' });
  expect(await mappedByScan()).toBe('ab');
  expect(await notes(clinic)).toMatchObject({ a: 'a as it was' });
});

test('R15: and while a call for one of its records is under way', async () => {
  await clinic.send('a', { note: 'by a device' });
  expect(await mappedByScan()).toBe('ab');
  expect(await clinic.rechecks()).toMatchObject([{ sourceKey: 'a', reason: 'a write is in flight' }]);
});

test('F6: and where one of its records waits to be read again, which ends then', async () => {
  const { store, world } = clinic;
  const recheck = { sourceKey: 'd' as SourceKey, reason: 'doubt', notBeforeMs: Number.MAX_SAFE_INTEGER / 2 };
  await store.commit(world.tenant, [], { ingest: { collection: VISITS, addRechecks: [recheck] } });
  expect(await mappedByScan()).toBe('cd');
  expect(await clinic.rechecks()).toEqual([]);
});

test('and where a record of it does not fit: it stays in quarantine', async () => {
  rows[0] = { id: 'a', note: 7 as never };
  await mappedByScan();
  await mappedByScan();
  expect(await mappedByScan()).toBe('ab');
  expect(await clinic.store.readQuarantine(clinic.world.tenant, VISITS)).toMatchObject([{ sourceKey: 'a' }]);
});

test('once a day every page is looked at', async () => {
  source.advance(DAY_MS);
  expect(await mappedByScan()).toBe('abcd');
  expect(await mappedByScan()).toBe('');
});

describe('what is remembered', () => {
  const marksOf = (count: number): ReadonlyMap<SourceKey, RecordMark> =>
    new Map(
      Array.from({ length: count }, (_, at) => [
        `k${at}` as SourceKey,
        { hash: 'h', sourceVersion: null, deleted: false, inFlight: false } as RecordMark,
      ]),
    );

  test('is forgotten when two scans have not shown it', () => {
    const pages = createSeenPages(hash);
    pages.note(VISITS, 'one', marksOf(2));
    pages.note(VISITS, 'two', marksOf(2));
    pages.beginScan(VISITS);
    expect(pages.find(VISITS, 'one')?.keys).toEqual(['k0', 'k1']);
    pages.beginScan(VISITS);
    expect(pages.find(VISITS, 'two')).toBeNull();
    expect(pages.find(VISITS, 'one')).not.toBeNull();
    expect(pages.find('patients', 'one')).toBeNull();
  });

  test('is what was noted last, where something else became known of the same page', () => {
    const pages = createSeenPages(hash);
    pages.note(VISITS, 'one', marksOf(2));
    const before = pages.find(VISITS, 'one')?.states;
    pages.note(VISITS, 'one', marksOf(3));
    expect(pages.find(VISITS, 'one')?.states).not.toBe(before);
  });

  test('are 500,000 records of a collection at most', () => {
    const pages = createSeenPages(hash);
    pages.note(VISITS, 'one', marksOf(400_000));
    pages.note(VISITS, 'two', marksOf(100_001));
    pages.note(VISITS, 'three', marksOf(100_000));
    expect(['one', 'two', 'three'].filter((digest) => pages.find(VISITS, digest) !== null)).toEqual(['one', 'three']);
  });
});
