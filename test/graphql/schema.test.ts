import { buildSchema, graphqlSync, isInputObjectType, validate, parse } from 'graphql';
import type { Collection } from '../../src/core/collection.js';
import { createSchema, printTidegateSchema } from '../../src/graphql/schema.js';
import { CLINIC, patients, visits } from './clinic.js';

const renamed = (name: string, type = name): Collection => ({ ...patients, name, type });

describe('the schema of the collections', () => {
  const sdl = printTidegateSchema(CLINIC);

  test('has the operations of the contract, argument by argument', () => {
    expect(sdl).toContain('): Page!');
    const types = createSchema(CLINIC);
    const { pull } = types.getQueryType()?.getFields() ?? {};
    expect(String(pull?.args.map((arg) => `${arg.name}: ${String(arg.type)}`))).toBe(
      'since: Checkpoint,collections: [String!],limit: Int',
    );
    const signature = (type: 'Query' | 'Mutation' | 'Subscription'): readonly string[] =>
      Object.values(types.getType(type)?.toConfig() !== undefined ? rootFields(types, type) : []).map(String);
    expect(signature('Query')).toEqual([
      'pull: Page!',
      'collections: [CollectionInfo!]!',
      'outbox: OutboxPage!',
      'outboxCounts: OutboxCounts!',
      'conflicts: KeptConflictPage!',
      'epoch: String!',
      'ingest: [IngestProgress!]!',
      'quarantine: [QuarantinedRecord!]!',
      'devices: KnownDevicePage!',
      'audit: AuditPage!',
      'check: Check!',
    ]);
    expect(signature('Mutation')).toEqual([
      'push: PushPayload!',
      'registerDevice: Device!',
      'unregisterDevice: Boolean!',
      'retryChange: OutboxChange!',
      'rejectChange: PushResult!',
      'settleChange: PushResult!',
      'dismissConflict: Boolean!',
      'reapplyConflict: PushResult!',
      'newEpoch: String!',
      'scanNow: IngestProgress!',
      'allowDeletions: IngestProgress!',
      'revokeDevice: KnownDevice!',
      'eraseRecords: Erasure!',
      'eraseUser: Erasure!',
    ]);
    expect(signature('Subscription')).toEqual(['hints: Hint!']);
  });

  test('types every field of the closed list of field types', () => {
    expect(fieldsOf('Visit')).toEqual([
      'id: String',
      'patientId: ID',
      'status: VisitStatus',
      'mood: String',
      'notes: String',
      'urgent: Boolean',
      'minutes: Int',
      'temperature: Float',
      'kilometres: Decimal',
      'serial: Long',
      'day: Date',
      'startsAt: DateTime',
      'tags: [String!]',
      'extra: JSON',
    ]);
  });

  test('gives each collection a change type, and an input where devices may write', () => {
    expect(fieldsOf('VisitChange')).toEqual([
      'collection: String!',
      'id: ID!',
      'version: Version!',
      'changedAt: DateTime!',
      'kind: ChangeKind!',
      'pending: Boolean!',
      'mine: [ID!]!',
      'json: JSONObject',
      'unavailable: Unavailable',
      'record: Visit',
    ]);
    expect(fieldsOf('VisitInput')).not.toContain('id: String');
    expect(fieldsOf('RecordInput')).toEqual(['visits: VisitInput']);
    expect(fieldsOf('ChangeInput')).toContain('record: RecordInput');
  });

  test('holds that a typed input has exactly one key', () => {
    const recordInput = createSchema(CLINIC).getType('RecordInput');
    expect(isInputObjectType(recordInput) && recordInput.isOneOf).toBe(true);
    expect(sdl).toContain('input RecordInput @oneOf {');
  });

  test('is valid SDL that a client generator can read back', () => {
    const client = buildSchema(sdl);
    const document = parse(
      '{ pull(since: null) { changes { id ... on VisitChange { record { notes } } ... on PatientChange { record { name } } } } }',
    );
    expect(validate(client, document)).toEqual([]);
    expect(graphqlSync({ schema: client, source: '{ __typename }' }).errors).toBeUndefined();
  });

  test('describes every type, field and argument that a client developer meets', () => {
    const undescribed = Object.values(createSchema([]).getTypeMap()).filter(
      (type) =>
        !type.name.startsWith('__') &&
        (type.description ?? '') === '' &&
        !['Query', 'Mutation', 'Subscription'].includes(type.name),
    );
    expect(undescribed.map(String)).toEqual([]);
  });

  test('two configurations in one process do not know of each other', () => {
    createSchema(CLINIC);
    const other = printTidegateSchema([renamed('supplies', 'Supply')]);
    expect(other).toContain('SupplyChange');
    expect(other).not.toContain('Visit');
    expect(printTidegateSchema(CLINIC)).toBe(sdl);
  });

  function fieldsOf(type: string): readonly string[] {
    return rootFields(createSchema(CLINIC), type).map(String);
  }
});

describe('a configuration that makes no schema says which name is wrong at start', () => {
  test.each([
    [
      'a type that the gateway has',
      [renamed('pages', 'Page')],
      /clinic\.pages: type "Page" is taken by the gateway itself/,
    ],
    [
      'a type of another collection',
      [visits, renamed('calls', 'Visit')],
      /clinic\.calls: type "Visit" is taken by clinic\.visits/,
    ],
    [
      'a type that another one derives',
      [visits, renamed('calls', 'VisitChange')],
      /"VisitChange" is taken by clinic\.visits/,
    ],
    ['a collection name twice', [visits, renamed('visits', 'Call')], /collection "visits" is taken/],
    ['no GraphQL name', [renamed('home-visits', 'HomeVisit')], /"home-visits": expected a GraphQL name/],
    ['a reserved name', [renamed('secrets', '__Secret')], /"__Secret": expected a GraphQL name/],
    ['no field', [{ ...patients, fields: [] }], /clinic\.patients: expected at least one field/],
    [
      'a field name that is none',
      [{ ...patients, fields: [{ ...visits.fields[0], name: 'first name' }] } as Collection],
      /field "first name": expected a GraphQL name/,
    ],
  ])('%s', (_what, collections, message) => {
    expect(() => createSchema(collections)).toThrow(message);
  });
});

function rootFields(schema: ReturnType<typeof createSchema>, name: string): readonly string[] {
  const type = schema.getType(name);
  if (type === undefined || !('getFields' in type)) throw new Error(`no type ${name}`);
  return Object.values(type.getFields()).map((field) => `${field.name}: ${String(field.type)}`);
}
