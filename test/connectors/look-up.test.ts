import { collection, field } from '../../src/connectors/define.js';
import { get, patch, post } from '../../src/connectors/rest.js';
import type { SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

// A record is found by the create that made it. Whoever hears "absent" creates again: it must be true.

const NEVER = new AbortController().signal;
const KEY = 'aa11';
const SHAPE = {
  type: 'Incident',
  key: 'id',
  version: 'rev',
  fields: { note: field.string() },
  read: { list: get('/incidents'), one: get('/incidents/{key}') },
} as const;

const writes = (lookUp = get('/incidents', { query: { open: 1, externalRef: '{reference}' }, rows: 'items' })) => ({
  create: post('/incidents'),
  update: patch('/incidents/{key}'),
  reference: { field: 'externalRef', lookUp },
});
const BY_LIST = collection({ ...SHAPE, write: writes() });
const BY_PATH = collection({ ...SHAPE, write: writes(get('/incidents/of/{reference}')) });
const MADE = { id: 17, rev: 2, note: 'fell', externalRef: KEY };
const SEEN = { sourceKey: '17', fields: { note: 'fell' }, sourceVersion: '2' };
const CREATE: SourceWrite = {
  kind: 'create',
  sourceKey: null,
  fields: { note: 'fell' },
  current: null,
  guard: null,
  idempotencyKey: KEY,
};

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

async function lookUp(reply: Reply, incidents = BY_LIST) {
  source.answer = () => reply;
  const [opened] = source.open({ incidents });
  return await opened?.lookUp?.(KEY, NEVER);
}

test('R11: a create carries our reference, and nothing else does', async () => {
  source.answer = () => ({ rows: MADE });
  const [incidents] = source.open({ incidents: BY_LIST });
  expect(incidents?.facts).toMatchObject({ lookUp: true, createKey: 'source' });
  expect(await incidents?.write(CREATE, NEVER)).toEqual({ kind: 'applied', observation: SEEN });
  await incidents?.write({ ...CREATE, kind: 'update', sourceKey: SEEN.sourceKey as never }, NEVER);
  const sent = source.asked.filter(({ method }) => method !== 'GET');
  const bodies = sent.map(({ body }) => JSON.parse(body) as unknown);
  expect(bodies).toEqual([{ note: 'fell', externalRef: KEY }, { note: 'fell' }]);
});

test('R11: the record of a create is found by a list that is filtered for its reference', async () => {
  expect(await lookUp({ rows: { items: [MADE] } })).toEqual(SEEN);
  expect(source.asked.map(({ path, query }) => `${path}?${query}`)).toEqual([
    `/api/incidents?open=1&externalRef=${KEY}`,
  ]);
});

test('R11: the record of a create is found by a path that names its reference', async () => {
  expect(await lookUp({ rows: MADE }, BY_PATH)).toEqual(SEEN);
  expect(source.asked.map(({ path }) => path)).toEqual([`/api/incidents/of/${KEY}`]);
});

test('R11: a record that was found in a list is read again where its version is a tag', async () => {
  source.answer = ({ path }) =>
    path === '/api/incidents/17' ? { rows: MADE, headers: { etag: '"x"' } } : { rows: { items: [MADE] } };
  const [incidents] = source.open({ incidents: collection({ ...SHAPE, version: 'etag', write: writes() }) });
  expect(await incidents?.lookUp?.(KEY, NEVER)).toEqual({ ...SEEN, sourceVersion: '"x"' });
});

test.each<readonly [string, Reply, typeof BY_LIST]>([
  ['an empty list', { rows: { items: [] } }, BY_LIST],
  ['404 for the path', { status: 404, rows: { message: 'no such incident' } }, BY_PATH],
  ['410 without a body', { status: 410, body: '' }, BY_PATH],
])('R11: a create is absent by %s', async (_what, reply, incidents) => {
  expect(await lookUp(reply, incidents)).toBe('absent');
});

test.each<readonly [string, Reply, RegExp, typeof BY_LIST]>([
  [
    'several records',
    { rows: { items: [MADE, { ...MADE, id: 18 }] } },
    /expected at most one record for a reference, got 2: 17, 18/,
    BY_LIST,
  ],
  [
    'all records, since it does not know the filter',
    { rows: { items: [1, 2, 3, 4, 5].map((id) => ({ ...MADE, id, externalRef: null })) } },
    /got 5: 1, 2, 3 …/,
    BY_LIST,
  ],
  [
    'a record with another reference',
    { rows: { items: [{ ...MADE, externalRef: 'bb22' }] } },
    /expected a record whose externalRef is our reference, got the record 17/,
    BY_LIST,
  ],
  [
    'a record without a reference',
    { rows: { ...MADE, externalRef: undefined } },
    /expected a record whose externalRef is our reference/,
    BY_PATH,
  ],
  ['an answer without the list', { rows: { message: 'try later' } }, /expected a record, got nothing/, BY_LIST],
  ['an error in a success', { rows: { error: 'locked' } }, /expected a record of incidents to have a key/, BY_PATH],
  ['nothing', { body: '' }, /expected a record, got nothing/, BY_PATH],
  ['204', { status: 204 }, /expected a record, got nothing/, BY_PATH],
  ['404 for a list', { status: 404, rows: {} }, /expected a list at .incidents, got none/, BY_LIST],
  [
    'a page that says 404, as an application that is being redeployed does',
    { status: 404, body: '<html>not found</html>', headers: { 'content-type': 'text/html' } },
    /it says 404/,
    BY_PATH,
  ],
  ['a login page', { body: '<html>', headers: { 'content-type': 'text/html' } }, /expected JSON/, BY_PATH],
  ['half a body', { body: '{"id":17' }, /broken or cut off/, BY_PATH],
  ['a broken connection', { rows: MADE, cutAt: 3 }, /broke off/, BY_PATH],
  ['500', { status: 500, rows: {} }, /it says 500/, BY_LIST],
  ['a redirect', { status: 302 }, /unexpected status 302/, BY_LIST],
])('R11: a create is not absent by %s', async (_what, reply, message, incidents) => {
  const looking = lookUp(reply, incidents);
  await expect(looking).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  await expect(looking).rejects.toThrow(message);
});

test('R11: a list that says that it has more than it shows proves nothing', async () => {
  const filter = { query: { externalRef: '{reference}' }, rows: 'items', total: 'count' };
  const incidents = collection({ ...SHAPE, write: writes(get('/incidents', filter)) });
  await expect(lookUp({ rows: { items: [], count: 3 } }, incidents)).rejects.toThrow(
    'expected all of 3 records, got 0',
  );
});

test('R11: a source that was away is looked up in as soon as it is back', async () => {
  source.answer = () => ({ status: 500 });
  const [incidents] = source.open({ incidents: BY_LIST }) as readonly [SourceCollection];
  await expect(incidents.lookUp?.(KEY, NEVER)).rejects.toThrow('it says 500');
  expect(incidents.isDown()).toBe(true);
  source.advance(1_000);
  source.answer = () => ({ rows: { items: [MADE] } });
  expect(await incidents.lookUp?.(KEY, NEVER)).toEqual(SEEN);
  expect(incidents.isDown()).toBe(false);
});
