import {
  collection,
  field,
  type AnyCollectionDefinition,
  type CollectionDefinition,
} from '../../../src/connectors/define.js';
import { entity, entitySet, trackedChanges } from '../../../src/connectors/odata.js';
import { sourceKey } from '../../../src/core/id.js';
import type { ObservedBatch, SourceCollection } from '../../../src/core/source-port.js';
import fc from '../../support/properties.js';
import { brokenRead } from '../scripted-source.js';
import { LINES, PATIENTS, startCare, TRACKED, type CareUnderTest } from './care-under-test.js';

const NEVER = new AbortController().signal;
const NOTES = collection({
  type: 'Visit',
  key: 'ID',
  version: 'etag',
  read: {
    list: entitySet('Visits'),
    one: entity('Visits'),
    delta: trackedChanges('Visits', { filter: "Note ne 'hidden'" }),
  },
  fields: { note: field.string({ from: 'Note' }) },
});

let care: CareUnderTest;
beforeEach(async () => {
  care = await startCare();
  for (let n = 10; n < 20; n += 1) put(`V-${n}`, `n ${n}`);
});
afterEach(() => care.close());

function put(id: string, Note: string): void {
  care.service.store.put('Visits', [id], { Status: 'Planned', Note }, true);
}

/** What a poll shows: notes by key, null for what is to be looked at by its key; and the cursor that it ends with. */
async function poll(visits: SourceCollection, cursor: string | null) {
  const batches: ObservedBatch[] = [];
  for await (const batch of visits.readChanges(cursor, NEVER)) batches.push(batch);
  const observations = batches.flatMap((batch) => batch.observations);
  return {
    shown: new Map(
      observations.map(({ sourceKey: key, fields }) => [
        decodeURIComponent(key),
        fields === null ? null : (fields['note'] ?? 'no note'),
      ]),
    ),
    cursor: batches.findLast((batch) => batch.cursor !== undefined)?.cursor ?? cursor,
    needsScan: batches.some((batch) => batch.needsScan === true),
  };
}

const answerLists = (body: object): void => {
  care.service.instead = ({ path }) => (path === '/Visits' ? { status: 200, body } : null);
};
const DELTA = { '@odata.context': '$metadata#Visits/$delta', '@odata.deltaLink': 'Visits?$deltatoken=9' };

test('R16: a full read brings a delta link, which shows what changed since it began, and the next one', async () => {
  const visits = care.openOne(TRACKED);
  const first = await poll(visits, null);
  expect(first.shown.size).toBe(10);
  const asked = care.service.asked.filter(({ path }) => path === '/Visits');
  expect(asked.map(({ headers }) => headers.prefer)).toEqual([
    'odata.maxpagesize=7, odata.track-changes',
    'odata.maxpagesize=7',
  ]);
  expect(await poll(visits, first.cursor)).toEqual({ ...first, shown: new Map() });
  for (let n = 10; n < 19; n += 1) put(`V-${n}`, `edit ${n}`);
  care.service.store.remove('Visits', ['V-19']);
  const second = await poll(visits, first.cursor);
  expect([...second.shown]).toEqual([
    ...Array.from({ length: 9 }, (_, n) => [`V-${n + 10}`, `edit ${n + 10}`]),
    ['V-19', null],
  ]);
  expect(await poll(visits, first.cursor)).toEqual(second);
  expect((await poll(visits, second.cursor)).shown.size).toBe(0);
});

test('R14: what left the filter is no deletion: it is looked at by its key, and is there', async () => {
  const visits = care.openOne(NOTES);
  const { cursor } = await poll(visits, null);
  put('V-11', 'hidden');
  care.service.store.remove('Visits', ['V-12']);
  expect([...(await poll(visits, cursor)).shown]).toEqual([
    ['V-11', null],
    ['V-12', null],
  ]);
  expect(await visits.readOne(sourceKey(['V-11']), NEVER)).toMatchObject({ fields: { note: 'hidden' } });
  expect(await visits.readOne(sourceKey(['V-12']), NEVER)).toBe('absent');
});

test('R14: a link that the service no longer knows is a full read, and a scan is asked for', async () => {
  const visits = care.openOne(TRACKED);
  const { cursor } = await poll(visits, null);
  care.service.store.remove('Visits', ['V-12']);
  care.service.expireDeltaLinks();
  put('V-11', 'new');
  const again = await poll(visits, cursor);
  expect([again.shown.size, again.shown.get('V-11'), again.needsScan]).toEqual([9, 'new', true]);
  expect((await poll(visits, again.cursor)).shown.size).toBe(0);
});

test('R14: 410 says so whatever page comes with it', async () => {
  const visits = care.openOne(TRACKED);
  const { cursor } = await poll(visits, null);
  care.service.instead = ({ query }) =>
    query.has('$deltatoken') ? { status: 410, headers: { 'content-type': 'text/html' }, text: '<h1>Gone</h1>' } : null;
  expect(await poll(visits, cursor)).toMatchObject({ needsScan: true });
});

const text = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).filter((one) => one.isWellFormed());

test('R12: whatever its key, a removed record is named by its address', async () => {
  const ids = fc.sample(
    fc.oneof(
      text,
      fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom("'", '/', '?', '#', ')', '(', ',', '=', '%') }),
    ),
    120,
  );
  const visits = care.openOne(NOTES);
  for (const id of ids) put(id, 'x');
  const { cursor } = await poll(visits, null);
  for (const id of ids) care.service.store.remove('Visits', [id]);
  expect(new Set((await poll(visits, cursor)).shown.keys())).toEqual(new Set(ids));
});

test.each<[string, AnyCollectionDefinition, string, string]>([
  ['a number', PATIENTS, 'Patients(17)', '17'],
  ['parts by name', LINES, "Lines(VisitID='a%2Cb=''c',Number=2)", "2:a,b='c"],
  ['parts in another order', LINES, "https://inner/x/Lines(Number=2,VisitID='a/b(1)')", '2:a/b(1)'],
])('R12: the address of a removed record has %s', async (_what, definition, id, key) => {
  const set = /(\w+)\(/.exec(id)?.[1] ?? '';
  const read = { ...definition.read, changes: undefined, delta: trackedChanges(set) };
  const { changes: _changes, ...rest } = read;
  const tracked = care.openOne(collection({ ...(definition as CollectionDefinition), read: rest }));
  const value = [{ '@odata.context': `#${set}/$deletedEntity`, id, reason: 'deleted' }];
  care.service.instead = ({ path }) => (path === `/${set}` ? { status: 200, body: { ...DELTA, value } } : null);
  expect([...(await poll(tracked, null)).shown]).toEqual([[key, null]]);
});

describe('an entry of OData 4.01', () => {
  test.each<[string, object]>([
    ['with all that it had', { '@removed': { reason: 'deleted' }, ID: 'V-11', Note: 'x' }],
    ['with its key', { '@removed': { reason: 'deleted' }, ID: 'V-11' }],
    ['with its address', { '@removed': { reason: 'changed' }, '@id': "Visits('V-11')" }],
    ['by its longer names', { '@odata.removed': { reason: 'deleted' }, '@odata.id': "Visits('V-11')" }],
    ['that shows what changed only', { '@etag': 'W/"1"', ID: 'V-11' }],
  ])('R14: %s is looked at by its key', async (_what, row) => {
    answerLists({ ...DELTA, value: [row] });
    const { shown } = await poll(care.openOne(NOTES), null);
    expect([...shown]).toEqual([['V-11', null]]);
  });

  test('R17: that shows all that is read is the record itself, and links between records are none', async () => {
    const links = ['$link', '$deletedLink'].map((kind) => ({
      '@odata.context': `#Visits/${kind}`,
      source: 'Visits(1)',
    }));
    answerLists({
      ...DELTA,
      value: [{ '@etag': 'W/"1"', ID: 'V-11', Note: null }, ...links, { ID: 'V-12', Note: 'x' }],
    });
    const { shown } = await poll(care.openOne(NOTES), null);
    expect([...shown]).toEqual([
      ['V-11', 'no note'],
      ['V-12', 'x'],
    ]);
  });
});

test.each<[string, object, string]>([
  ['no delta link', { value: [] }, 'expected the last page to bring the link of what comes after, got none'],
  [
    'a delta link elsewhere',
    { ...DELTA, '@odata.deltaLink': 'https://other.example/d', value: [] },
    'expected the next page at http://127.0.0.1',
  ],
  [
    'an address of another set',
    { ...DELTA, value: [{ '@odata.context': '#Visits/$deletedEntity', id: 'Rooms(1)' }] },
    'expected the address of a record of Visits',
  ],
  ['no address', { ...DELTA, value: [{ '@removed': {} }] }, 'expected the address of a record of Visits'],
])('R14: a read that ends with %s moves no cursor', async (_what, body, message) => {
  answerLists(body);
  const { cursors, thrown } = await brokenRead(care.openOne(NOTES).readChanges(null, NEVER));
  expect([cursors, thrown.message]).toEqual([[], expect.stringContaining(message) as string]);
});

test('tracked changes need a read by key', () => {
  const { one: _one, ...read } = NOTES.read;
  expect(() => care.openOne(collection({ ...(NOTES as CollectionDefinition), read }))).toThrow(
    'tried.read.one: expected it',
  );
});
