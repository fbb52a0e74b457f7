import { collection, deletesByFlag, field, type AnyCollectionDefinition } from '../../../src/connectors/define.js';
import { changedSince, entity, entitySet, findBy, insert, remove, update } from '../../../src/connectors/odata.js';
import { get } from '../../../src/connectors/rest.js';
import { sourceKey } from '../../../src/core/id.js';
import { scanned } from '../scripted-source.js';
import { startCare, VISITS, type CareUnderTest } from './care-under-test.js';

const NEVER = new AbortController().signal;

let care: CareUnderTest;
beforeAll(async () => (care = await startCare()));
afterAll(() => care.close());

/** A collection of visits, with other facts. */
function visits(facts: Partial<AnyCollectionDefinition>): AnyCollectionDefinition {
  return collection({ ...(VISITS as object), ...facts } as never);
}

/** What its first read says. */
async function said(definition: AnyCollectionDefinition): Promise<string> {
  try {
    await scanned(care.openOne(definition));
  } catch (thrown) {
    return (thrown as Error).message.replace('care.tried: ', '');
  }
  return 'all is well';
}

const LIST = entitySet('Visits');
const SINCE = { precision: '1ms', maxTransaction: '1s' } as const;
const of = (from: string, spec: { readonly type: string }): Partial<AnyCollectionDefinition> =>
  ({ fields: { tried: { ...spec, from } }, write: undefined }) as never;

test('facts that the service has are believed', async () => {
  expect(await said(VISITS)).toBe('all is well');
});

test.each<[string, Partial<AnyCollectionDefinition>, string]>([
  [
    'a set',
    { read: { list: entitySet('Visit') } },
    'expected one of the entity sets Visits, Patients, Lines, Rooms, got Visit',
  ],
  ['a key', { key: 'Id' }, 'key: expected one of the properties LastModified, ID'],
  ['a version', { version: 'Rev' }, 'version: expected one of the properties'],
  [
    'a flag',
    { read: { list: LIST, deletes: deletesByFlag({ member: 'Gone' }) } },
    'read.deletes.member: expected one of',
  ],
  [
    'a moment',
    { read: { list: LIST, changes: changedSince('Changed', SINCE) } },
    'read.changes.stamp: expected one of',
  ],
  [
    'a moment of another type',
    { read: { list: LIST, changes: changedSince('Minutes', SINCE) } },
    'read.changes.param: expected a property that holds a moment, got Minutes of Edm.Int32',
  ],
  [
    'the form of a moment',
    { read: { list: LIST, changes: changedSince('LastModified', { ...SINCE, format: 'date' }) } },
    'read.changes.format: expected iso or isoSeconds for Edm.DateTimeOffset, got "date"',
  ],
  [
    'a reference of another type',
    {
      write: { create: insert('Visits'), reference: { field: 'Minutes', lookUp: findBy('Visits', 'Minutes') } },
      fields: { note: field.string({ from: 'Note' }) },
    },
    'write.reference: expected a property of Edm.String, got Minutes of Edm.Int32',
  ],
  [
    'a name in select',
    { read: { list: entitySet('Visits', { select: ['ID', 'Notes'] }) } },
    'select: expected one of the properties',
  ],
  [
    'select without what is read',
    {
      ...of('Note', field.string()),
      version: 'etag',
      read: { list: entitySet('Visits', { select: ['ID'] }), one: entity('Visits') },
    },
    'select: expected it to have Note, which fields.tried reads, got ID',
  ],
  [
    'what does not lead anywhere',
    { read: { list: entitySet('Visits', { expand: ['Vitals'] }) } },
    'expand: expected a navigation property of Visits, got "Vitals"',
  ],
  ['another entity without expand', of('Lines', field.json()), "fields.tried: expected expand: ['Lines'] in the call"],
  ['a field', of('Notes', field.string()), 'fields.tried: expected one of the properties LastModified, ID, Note'],
  [
    'whole numbers of 64 bits',
    of('Serial', field.int()),
    'fields.tried: expected the type long or decimal or reference for Serial of Edm.Int64, got int',
  ],
  [
    'a decimal',
    of('Price', field.float()),
    'expected the type decimal or long or reference for Price of Care.Money, got float',
  ],
  ['a list', of('Tags', field.string()), 'expected a list or json for Tags of Collection(Edm.String), got string'],
  [
    'a single value',
    of('Note', field.list(field.string())),
    'expected a single value for Note of Edm.String, got a list of string',
  ],
  ['a complex value', of('Vitals', field.string()), 'expected the type json for Vitals of Care.Vitals, got string'],
  [
    'a member of an enum',
    of('Status', field.enum(['Planned', 'Lost'])),
    'expected values among Planned, Done, Missed of Care.Status, got "Lost"',
  ],
  ['a day', of('Day', field.dateTime()), 'expected the type date or string for Day of Edm.Date, got dateTime'],
])('what the service does not have is said with its place: %s', async (_what, facts, message) => {
  expect(await said(visits(facts))).toContain(message);
});

test.each<[string, AnyCollectionDefinition, string]>([
  ['another key', visits({ key: 'Serial' }), 'key: expected ID, the key of Visits, got Serial'],
  [
    'a part of a key',
    collection({
      type: 'Line',
      key: 'VisitID',
      read: { list: entitySet('Lines'), one: entity('Lines') },
      fields: { sku: field.string({ from: 'Sku' }) },
    }),
    'key: expected VisitID, Number, the key of Lines, got VisitID',
  ],
  [
    'what PUT would blank',
    visits({
      read: { list: LIST, one: entity('Visits', { select: ['ID'] }) },
      write: { update: update('Visits', { method: 'PUT' }), guard: 'ifMatch' },
    }),
    "select: expected 'all', since write.update lays changes over the whole entity",
  ],
])('a keyed read needs the whole key, and all that goes back: %s', async (_what, definition, message) => {
  const key = sourceKey(['1']);
  await expect(care.openOne(definition).readOne(key, NEVER)).rejects.toThrow(message);
});

test.each<[string, AnyCollectionDefinition, string]>([
  [
    'which is a number',
    collection({
      type: 'Patient',
      key: 'ID',
      read: { list: entitySet('Patients') },
      write: { create: insert('Patients', { keyIn: 'ID' }) },
      fields: { name: field.string({ from: 'Name' }) },
    }),
    'keyIn: expected a key of Edm.Guid or Edm.String',
  ],
  [
    'of which it is a part',
    collection({
      type: 'Line',
      key: ['VisitID', 'Number'],
      read: { list: entitySet('Lines') },
      write: { create: insert('Lines', { keyIn: 'VisitID' }) },
      fields: { sku: field.string({ from: 'Sku' }) },
    }),
    'keyIn: expected the only key property of Lines',
  ],
])('R11: a device cannot make a key %s: nothing is sent', async (_what, definition, message) => {
  const create = { kind: 'create', sourceKey: sourceKey(['1']), fields: {}, current: null, guard: null } as const;
  const outcome = await care.openOne(definition).write({ ...create, idempotencyKey: 'i' }, NEVER);
  expect(outcome).toMatchObject({ kind: 'notSent', reason: expect.stringContaining(message) as string });
});

test('an open type may have more than it declares', async () => {
  care.service.metadata = care.service.metadata.replace('Name="Room" ', 'Name="Room" OpenType="true" ');
  const rooms = collection({
    type: 'Room',
    key: 'ID',
    read: { list: entitySet('Rooms', { select: 'all' }) },
    fields: { more: field.string() },
  });
  expect(await said(rooms)).toBe('all is well');
});

test('what may go wrong is logged once: ETags that nobody uses, a value that a create may leave out', async () => {
  const { guard: _guard, ...unguarded } = { ...VISITS.write, guard: undefined };
  const visit = care.openOne(
    visits({ write: unguarded, fields: { ...VISITS.fields, status: field.string({ from: 'Status' }) } }),
  );
  const before = care.logged.length;
  await scanned(visit);
  await visit.readOne(sourceKey(['1']), NEVER);
  expect(care.logged.slice(before)).toEqual([
    expect.stringContaining("tried: Visits has ETags: version: 'etag' and write.guard: 'ifMatch'"),
    expect.stringContaining('tried: fields.status: Status must have a value'),
  ]);
});

describe('a connector is refused at start', () => {
  test.each<[string, Partial<AnyCollectionDefinition>, string]>([
    [
      'a call of another kind',
      { read: { list: entity('Visits') } },
      '.read.list: expected entitySet(…), got entity(…)',
    ],
    [
      'a call of another kit',
      { read: { list: get('/Visits') } },
      '.read.list: expected a call of the odata kit, got one of the rest kit',
    ],
    [
      'a path',
      { read: { list: entitySet('Visits/Lines') } },
      '.read.list: expected the name of an entity set, got "Visits/Lines"',
    ],
    [
      'a deletion by PATCH',
      { write: { remove: update('Visits') } },
      '.write.remove: expected remove(…), got update(…)',
    ],
    [
      'a page of none',
      { read: { list: entitySet('Visits', { pageSize: 0 }) } },
      '.read.list: expected a page size of at least 1, got 0',
    ],
    [
      'a version as an argument',
      { write: { ...VISITS.write, guard: 'argument' } },
      '.write.guard: expected "ifMatch", since an OData call takes the version as a tag',
    ],
  ])('%s', (_what, facts, message) => {
    expect(() => care.openOne(visits(facts))).toThrow(`connector care: tried${message}`);
  });

  test('a service URL that is none', () => {
    expect(() => care.open(undefined, { serviceUrl: 'care' })).toThrow('serviceUrl: expected an address like');
  });

  test('not for an ETag without a keyed read: lists show it as well', async () => {
    const { one: _one, ...read } = { ...VISITS.read, one: undefined };
    expect(await said(visits({ read: read, write: { remove: remove('Visits'), guard: 'ifMatch' } }))).toBe(
      'all is well',
    );
  });
});
