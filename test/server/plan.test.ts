import {
  changeNumber,
  deletesByLog,
  collection,
  createSource,
  defineConnector,
  field,
  sharedSecret,
  via,
  type ConnectorDefinition,
  type ReadFacts,
  type WriteFacts,
} from '../../src/connectors/define.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import { del, get, patch, post, rest } from '../../src/connectors/rest.js';
import { guaranteesOf } from '../../src/server/guarantees.js';
import { planOf, readPlans, timeInWords } from '../../src/server/plan.js';
import { eagerDeps } from '../connectors/soap/eager-deps.js';

const ONE = get('/visits/{key}');
const ALL = {
  create: post('/visits', { keyIn: 'id' }),
  update: patch('/visits/{key}'),
  remove: del('/visits/{key}'),
  guard: 'ifMatch',
} as const;
const LOOK_UP = { field: 'ref', lookUp: get('/visits', { query: { ref: '{reference}' } }) };

async function plan(
  write: WriteFacts | undefined,
  more: { readonly unreadable?: boolean; readonly maintained?: boolean } = {},
) {
  const window = { days: ['sun'], from: '22:00', to: '02:30', zone: 'Europe/Berlin' } as const;
  const source = createSource(
    defineConnector({
      source: 'clinic',
      transport: rest({ baseUrl: 'http://clinic.example' }),
      ...(more.maintained === true ? { maintenance: [window] } : {}),
      collections: {
        visits: collection({
          type: 'Visit',
          key: 'id',
          version: 'rev',
          fields: { note: field.string() },
          read: { list: get('/visits'), ...(more.unreadable === true ? {} : { one: ONE }) },
          ...(write === undefined ? {} : { write }),
        }),
      },
    }),
    eagerDeps(),
  );
  const [visits] = source.collections;
  await source.close();
  return visits === undefined ? '' : planOf(visits);
}

const READS = 'the whole list is read every 300 s; deletions by a scan every 21600 s, each confirmed by a read';
const GUARDED = 'writes: create, update guarded by version, delete guarded by version';

test.each<readonly [string, WriteFacts | undefined, string]>([
  ['nothing', undefined, `${READS}; read only`],
  [
    'an idempotency key',
    { ...ALL, idempotencyKey: { header: 'Idempotency-Key', lifetime: '24h' }, reference: LOOK_UP },
    `${READS}; ${GUARDED}; each exactly once by idempotency key, for 24 h`,
  ],
  [
    'a look-up',
    { ...ALL, create: post('/visits'), reference: LOOK_UP },
    `${READS}; ${GUARDED}; creates exactly once by look-up, updates and deletes exactly once by version and read-back`,
  ],
  [
    'versions and reads',
    ALL,
    `${READS}; ${GUARDED}; creates exactly once by the device's key and read-back, updates and deletes exactly once by version and read-back`,
  ],
  [
    'keys of the source, and no versions',
    { create: post('/visits'), update: patch('/visits/{key}') },
    `${READS}; writes: create, update UNGUARDED, read and compared before (lost update possible: the race is narrowed, not closed); creates (a lost answer parks the change), updates by read-back (a lost answer parks the change where that does not decide)`,
  ],
])('R11: the plan says what %s buys', async (_what, write, line) => {
  expect(await plan(write)).toBe(line);
});

test('R11: the plan says what a guard that counts seconds, and none, cannot rule out', async () => {
  const bySecond = { ...ALL, guard: 'ifUnmodifiedSince' } as const;
  expect(await plan(bySecond)).toContain(
    'update guarded by a time in seconds, read before when its second is over (lost update possible within one second if its clocks differ)',
  );
  expect(await plan(bySecond, { unreadable: true })).toContain(
    'update guarded by a time in seconds (lost update possible within one second), delete',
  );
  const inBody = { update: ALL.update, guard: { member: 'rev' } } as const;
  expect(await plan(inBody)).toContain('update guarded by version in its body; updates exactly once by version');
  const unguarded = { update: ALL.update, remove: ALL.remove };
  expect(await plan(unguarded, { unreadable: true })).toContain('delete UNGUARDED (lost update possible);');
});

test('R11: the plan says that a lost answer parks the change where nothing can be read', async () => {
  const told = await plan({ create: post('/visits'), remove: del('/visits/{key}') }, { unreadable: true });
  expect(told).toContain('creates and deletes (a lost answer parks the change)');
});

test('the plans of a configuration say what each collection costs in calls a day, and ask nobody', async () => {
  const visits = { type: 'Visit', key: 'id', fields: { note: field.string() } };
  const changes = { param: 'since', precision: '1s', inclusive: true, ordered: true, maxTransaction: '5s' } as const;
  const unreachable = rest({ baseUrl: 'http://nowhere.invalid' });
  const connector = defineConnector({
    source: 'clinic',
    transport: unreachable,
    collections: {
      visits: collection({ ...visits, read: { list: get('/visits'), changes, pollEvery: '10s' } }),
      staff: collection({ ...visits, type: 'Staff', read: { list: get('/staff'), pollEvery: '1h' } }),
    },
  });
  expect(await plansOf(connector)).toMatchObject([
    { source: 'clinic', collection: 'visits', callsPerDay: { polls: 8_640, scans: 4 } },
    {
      source: 'clinic',
      collection: 'staff',
      callsPerDay: { polls: 0, scans: 24 },
      says: expect.stringContaining('3600 s') as string,
    },
  ]);
});

test('the plan says which collections webhooks hint at, and that they are polled as ever', async () => {
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string() },
    read: { list: get('/visits') },
  });
  const connector = defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: 'http://clinic.example' }),
    webhook: { proof: sharedSecret({ header: 'X-Token', secret: 'a secret of sixteen bytes' }), names: 'staff' },
    collections: { visits, staff: { ...visits, type: 'Staff', read: { list: get('/staff'), pollEvery: '1h' } } },
  });
  const [ofVisits, ofStaff] = await plansOf(connector);
  expect(ofVisits?.says).toMatch(/^the whole list is read every 300 s;/);
  expect(ofStaff).toMatchObject({ callsPerDay: { scans: 24 } });
  expect(ofStaff?.says).toMatch(/^webhook: a hint; the whole list is read every 3600 s;/);
});

test('the plan says when the source is not called', async () => {
  expect(await plan(undefined, { maintained: true })).toContain('; not called sun 22:00 to 02:30 Europe/Berlin');
});

async function readPlan(read: ReadFacts): Promise<string | undefined> {
  const transport = rest({ baseUrl: 'http://clinic.example' });
  const visits = collection({ type: 'Visit', key: 'id', fields: { note: field.string() }, read });
  const [plan] = await plansOf(defineConnector({ source: 'clinic', transport, collections: { visits } }));
  return plan?.says;
}

function plansOf(connector: ConnectorDefinition): ReturnType<typeof readPlans> {
  return readPlans({ connectors: [connector], acceptNewKeys: [], tenants: [] }, null);
}

const LINKED = get('/visits', { deltaLink: 'deltaLink' });
const REMOVED = { member: 'removed' };
const SINCE = { param: 'since', precision: '1s', inclusive: true, ordered: false, maxTransaction: '5s' } as const;

test.each<readonly [string, ReadFacts, string]>([
  [
    'a token',
    { list: LINKED, one: ONE, delta: { removed: REMOVED, replayable: true } },
    "the source's token is followed every 5 s; deletions are told, each confirmed by a read, and by a scan every 21600 s; read only",
  ],
  [
    'numbers',
    {
      list: get('/visits'),
      one: ONE,
      changes: changeNumber({ param: 'after', member: 'rev', inclusive: false, gap: 0 }),
    },
    'changes are asked for by number every 5 s; deletions by a scan every 21600 s, each confirmed by a read; read only',
  ],
  [
    'a filter of time, and deletions by a log',
    {
      list: get('/visits'),
      one: ONE,
      changes: SINCE,
      deletes: deletesByLog({ list: get('/deleted'), since: SINCE, keepsFor: '30d' }),
    },
    'changes are asked for every 5 s; deletions are told by a log (scanned after more than 30 days away), each confirmed by a read, and by ' +
      'a scan every 86400 s; read only',
  ],
  [
    'a list of keys',
    { list: get('/visits'), listed: 'keys', one: ONE },
    'the whole list is read, and each record of it by its key, under the version that is known every 300 s; deletions by a scan every 21600 s, ' +
      'each confirmed by a read; read only',
  ],
  [
    'a list with a tag',
    { list: get('/visits', { tagged: true }), one: ONE },
    'the whole list is read (where its tag says that it is unchanged, once a day) every 300 s; deletions by a scan every 21600 s, each confirmed by a read; read only',
  ],
  [
    'a token that is good once, of a source that does not tell deletions',
    { list: LINKED, one: ONE, delta: { replayable: false }, pollEvery: '1m' },
    "the source's token is followed (once each: a lost answer reads everything again) every 60 s; deletions by a scan every 21600 s, each confirmed by a read; read only",
  ],
])('R14, R16: the plan says how changes are found by %s', async (_what, read, says) => {
  expect(await readPlan(read)).toBe(says);
});

test('R4: the plan says whose scopes records have that have none of their own', async () => {
  const read = { list: get('/') };
  const fields = { patient: field.reference('patients') };
  const visits = collection({ type: 'Visit', key: 'id', fields, scopes: via('patient'), read });
  const patients = collection({ type: 'Patient', key: 'id', fields: { name: field.string() }, read });
  const transport = rest({ baseUrl: 'http://clinic.example' });
  const [first] = await plansOf(defineConnector({ source: 'clinic', transport, collections: { visits, patients } }));
  expect(first?.says).toMatch(/; scopes: those of the record that patient names$/);
});

test.each([
  [30 * 86_400_000, '30 days'],
  [36 * 3_600_000, '36 h'],
  [86_400_000, '24 h'],
  [1_200_000, '20 min'],
])('a length of time is told in a unit of which there are several: %d ms are %s', (ms, words) =>
  expect(timeInWords(ms)).toBe(words),
);

test('a log that keeps its entries for less than a day is told with its hours, not as 0 days', () => {
  const facts = { deletions: 'feed', deletionLogKeepsMs: 12 * 3_600_000, readOne: true } as SourceFacts;
  expect(guaranteesOf(facts, { create: false, update: false, delete: false }).guaranteed).toContain(
    'deletions of the last 12 h come with the next poll, older ones with a scan',
  );
});
