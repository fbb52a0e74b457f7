import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  type GraphQLArgument,
  type GraphQLNamedType,
} from 'graphql';
import { createSchema } from '../../src/graphql/schema.js';
import { CLINIC } from './clinic.js';

/** The static part of the API as clients depend on it: names, arguments, types and nullability. */
const CONTRACT: Readonly<Record<string, readonly string[]>> = {
  Query: [
    'pull(since: Checkpoint, collections: [String!], limit: Int = 1000): Page!',
    'collections: [CollectionInfo!]!',
    'outbox(states: [OpenState!], collection: String, after: ID, limit: Int = 100): OutboxPage!',
    'outboxCounts: OutboxCounts!',
    'conflicts(after: ID, limit: Int = 100): KeptConflictPage!',
    'epoch: String!',
    'devices(user: String, after: ID, limit: Int = 100): KnownDevicePage!',
    'check(since: Checkpoint!, collections: [String!]): Check!',
    'ingest: [IngestProgress!]!',
    'quarantine(collection: ID!): [QuarantinedRecord!]!',
    'audit(after: ID, limit: Int = 100): AuditPage!',
  ],
  Mutation: [
    'push(changes: [ChangeInput!]!, sentAt: DateTime, epoch: String): PushPayload!',
    'registerDevice(token: String!, platform: Platform!, collections: [String!]): Device!',
    'unregisterDevice: Boolean!',
    'retryChange(intentNo: ID!, mayApplyTwice: Boolean = false): OutboxChange!',
    'rejectChange(intentNo: ID!, reason: String!): PushResult!',
    'settleChange(intentNo: ID!, sourceKey: String): PushResult!',
    'dismissConflict(device: ID!, changeId: ID!, user: String): Boolean!',
    'reapplyConflict(device: ID!, changeId: ID!, user: String): PushResult!',
    'newEpoch(from: String!): String!',
    'revokeDevice(device: ID!, user: String): KnownDevice!',
    'eraseRecords(collection: ID!, ids: [ID!]!): Erasure!',
    'eraseUser(user: String!): Erasure!',
    'scanNow(collection: ID!): IngestProgress!',
    'allowDeletions(collection: ID!, upTo: Int!): IngestProgress!',
  ],
  Subscription: ['hints(collections: [String!]): Hint!'],
  KnownDevice: [
    'user: String!',
    'device: ID!',
    'state: DeviceState!',
    'platform: Platform',
    'pulledAt: DateTime',
    'hintedAt: DateTime',
    'isStale: Boolean!',
    'seenAt: DateTime!',
    'revokedAt: DateTime',
  ],
  Erasure: ['erased: Erased!', 'unknown: [ID!]!', 'refused: [RefusedErasure!]!', 'remains: [Remaining!]!'],
  Erased: [
    'states: Int!',
    'keys: Int!',
    'marks: Int!',
    'answers: Int!',
    'keptEdits: Int!',
    'listed: Int!',
    'devices: Int!',
    'registrations: Int!',
    'scopes: Int!',
  ],
  RefusedErasure: ['id: ID!', 'error: PushError!'],
  Remaining: ['what: String!', 'until: String!'],
  Check: ['isCurrent: Boolean!', 'collections: [CollectionCheck!]!'],
  CollectionCheck: ['collection: ID!', 'count: Int!', 'hash: String!'],
  KnownDevicePage: ['devices: [KnownDevice!]!', 'next: ID'],
  DeviceState: ['ACTIVE', 'EVICTED', 'REVOKED'],
  ResetReason: ['NEW_EPOCH', 'EXPIRED', 'OTHER_USER', 'DEVICE_EVICTED'],
  Page: [
    'changes: [Change!]!',
    'receipts: [Receipt!]!',
    'checkpoint: Checkpoint!',
    'hasMore: Boolean!',
    'reset: Boolean!',
    'resetReason: ResetReason',
    'complete: Boolean!',
    'epoch: String!',
  ],
  Change: [
    'collection: String!',
    'id: ID!',
    'version: Version!',
    'changedAt: DateTime!',
    'kind: ChangeKind!',
    'pending: Boolean!',
    'mine: [ID!]!',
    'json: JSONObject',
    'unavailable: Unavailable',
  ],
  Unavailable: ['code: String!', 'retryable: Boolean!'],
  ChangeKind: ['UPSERT', 'DELETE', 'REVOKE'],
  Receipt: [
    'changeId: ID!',
    'status: PushStatus!',
    'change: Change',
    'error: PushError',
    'blockedBy: ID',
    'conflict: Conflict',
  ],
  PushStatus: ['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED', 'ACCEPTED', 'PARKED'],
  PushError: ['code: String!', 'message: String!', 'field: String', 'retryable: Boolean!', 'fields: [FieldError!]'],
  FieldError: ['field: String', 'message: String!'],
  ChangeInput: [
    'changeId: ID!',
    'collection: String!',
    'id: ID!',
    'kind: PushKind!',
    'baseVersion: Version',
    'changedAt: DateTime!',
    'json: JSONObject',
    'sentEpoch: String',
    'record: RecordInput',
  ],
  PushKind: ['UPSERT', 'DELETE'],
  PushPayload: ['results: [PushResult!]!', 'serverTime: DateTime!', 'epoch: String!'],
  PushResult: [
    'changeId: ID!',
    'status: PushStatus!',
    'change: Change',
    'error: PushError',
    'blockedBy: ID',
    'conflict: Conflict',
  ],
  Conflict: ['kind: PushKind!', 'baseVersion: Version', 'fields: [String!]!', 'yours: JSONObject', 'theirs: Change'],
  KeptConflict: [
    'user: String!',
    'device: ID!',
    'changeId: ID!',
    'collection: String!',
    'id: ID!',
    'error: PushError',
    'conflict: Conflict!',
  ],
  KeptConflictPage: ['conflicts: [KeptConflict!]!', 'next: ID'],
  OpenState: ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED'],
  OutboxChange: [
    'intentNo: ID!',
    'changeId: ID!',
    'user: String!',
    'device: ID!',
    'collection: String!',
    'id: ID!',
    'kind: PushKind!',
    'state: OpenState!',
    'error: PushError',
    'blockedBy: ID',
    'fields: JSONObject',
    'call: SourceCall',
    'known: String!',
    'attempts: Int!',
    'acceptedAt: DateTime!',
    'editedAt: DateTime!',
    'dueAt: DateTime',
  ],
  OutboxPage: ['changes: [OutboxChange!]!', 'next: ID'],
  QuarantinedRecord: [
    'collection: ID!',
    'sourceKey: ID!',
    'field: String',
    'reason: String!',
    'firstSeenAt: DateTime!',
    'lastSeenAt: DateTime!',
  ],
  IngestProgress: [
    'collection: ID!',
    'source: String!',
    'state: CollectionState!',
    'records: Int!',
    'heldDeletions: Int!',
    'allowedDeletions: Int!',
    'quarantined: Int!',
    'polledAt: DateTime',
    'scannedAt: DateTime',
    'isScanAsked: Boolean!',
  ],
  AuditPage: ['tenant: String!', 'rows: [AuditRow!]!', 'next: ID', 'anchor: AuditPlace!', 'head: AuditPlace!'],
  AuditPlace: ['no: ID!', 'hash: String!'],
  AuditRow: [
    'no: ID!',
    'at: DateTime!',
    'user: String',
    'device: ID',
    'action: String!',
    'collection: String',
    'subject: String',
    'outcome: String!',
    'count: Int!',
    'outcomeOf: ID',
    'previous: String!',
    'hash: String!',
  ],
  OutboxCounts: ['pending: Int!', 'sent: Int!', 'inDoubt: Int!', 'parked: Int!', 'oldestAcceptedAt: DateTime'],
  SourceCall: ['kind: SourceCallKind!', 'sourceKey: String', 'fields: JSONObject!', 'guard: String'],
  SourceCallKind: ['create', 'update', 'delete'],
  Hint: ['collections: [String!]!', 'at: DateTime!'],
  Device: ['id: ID!', 'platform: Platform!', 'registeredAt: DateTime!'],
  Platform: ['ANDROID', 'IOS', 'WEB'],
  CollectionInfo: [
    'name: String!',
    'type: String!',
    'source: String!',
    'state: CollectionState!',
    'fields: [FieldInfo!]!',
    'policy: Policy!',
    'storage: Storage!',
    'recordCount: Int!',
    'lastPolledAt: DateTime',
  ],
  CollectionState: ['PRIMING', 'READY', 'HELD'],
  Storage: ['snapshot', 'metadataOnly'],
  Policy: ['sourceWins', 'deviceWins', 'newestWins', 'mergeFields', 'ask'],
  FieldInfo: [
    'name: String!',
    'type: FieldType!',
    'list: Boolean!',
    'required: Boolean!',
    'writable: Boolean!',
    'references: String',
    'values: [String!]',
  ],
  FieldType: ['string', 'boolean', 'int', 'float', 'long', 'decimal', 'date', 'dateTime', 'enum', 'json', 'reference'],
};
const SCALARS = ['Checkpoint', 'Version', 'DateTime', 'JSONObject', 'Date', 'Long', 'Decimal', 'JSON'];
const BUILT_IN = ['String', 'Boolean', 'Int', 'Float', 'ID'];

describe('the contract of the API', () => {
  const schema = createSchema(CLINIC);
  const typed = CLINIC.flatMap(({ type }) => [type, `${type}Change`, `${type}Input`, `${type}Status`]);
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));

  test.each(Object.entries(CONTRACT))('%s has these fields and no other', (name, members) => {
    expect([...membersOf(schema.getType(name))].sort()).toEqual([...members].sort());
  });

  test('there is no type besides, but those of the collections', () => {
    const known = [...Object.keys(CONTRACT), ...SCALARS, ...BUILT_IN, 'RecordInput', ...typed];
    expect(types.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
    expect(SCALARS.filter((name) => !isScalarType(schema.getType(name)))).toEqual([]);
  });

  test('the operations and every type say what they are', () => {
    const roots = ['Query', 'Mutation', 'Subscription'];
    const operations = roots.flatMap((name) => fieldsOf(schema.getType(name)));
    expect(operations.filter(({ description }) => !description).map(({ name }) => name)).toEqual([]);
    const silent = types.filter(({ name, description }) => !roots.includes(name) && !description);
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  test('fields that a name does not explain are described', () => {
    const silent = ['Page', 'CollectionInfo', 'Change', 'ChangeInput', 'Receipt', 'PushError'].flatMap((type) =>
      fieldsOf(schema.getType(type)).flatMap(({ name, description }) => (description ? [] : [`${type}.${name}`])),
    );
    // Their types describe themselves.
    expect(silent).toEqual([
      'CollectionInfo.state',
      'CollectionInfo.fields',
      'CollectionInfo.policy',
      'CollectionInfo.storage',
      'Change.kind',
      'ChangeInput.collection',
      'ChangeInput.kind',
      'Receipt.changeId',
      'Receipt.status',
      'Receipt.error',
    ]);
  });

  test('each argument is described, or its name and type say all', () => {
    const args = ['Query', 'Mutation', 'Subscription'].flatMap((name) =>
      fieldsOf(schema.getType(name)).flatMap((field) => field.args),
    );
    expect(args.filter(({ description }) => !description).map(({ name }) => name)).toEqual(['platform']);
  });
});

interface Member {
  readonly name: string;
  readonly description: string | null | undefined;
  readonly args: readonly GraphQLArgument[];
  readonly text: string;
}

function fieldsOf(type: GraphQLNamedType | undefined): readonly Member[] {
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map(({ name, description, type: of }) => {
      return { name, description, args: [], text: `${name}: ${String(of)}` };
    });
  }
  if (!isObjectType(type) && !isInterfaceType(type))
    throw new Error(`expected a type with fields, got ${String(type)}`);
  return Object.values(type.getFields()).map(({ name, description, args, type: of }) => {
    const listed = args.map((arg) => `${arg.name}: ${String(arg.type)}${defaultOf(arg)}`).join(', ');
    return { name, description, args, text: `${name}${listed === '' ? '' : `(${listed})`}: ${String(of)}` };
  });
}

function defaultOf({ defaultValue }: GraphQLArgument): string {
  return defaultValue === undefined ? '' : ` = ${JSON.stringify(defaultValue)}`;
}

function membersOf(type: GraphQLNamedType | undefined): readonly string[] {
  return isEnumType(type) ? type.getValues().map(({ name }) => name) : fieldsOf(type).map(({ text }) => text);
}
