import {
  checkNames,
  collection,
  collectionsOf,
  defineConnector,
  field,
  page,
  via,
} from '../../src/connectors/define.js';
import type { Duration } from '../../src/connectors/duration.js';
import { del, get, patch, post, put, rest, type RestOptions } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import { StartupError } from '../../src/core/errors.js';

const CHANGES = { param: 'since', precision: '1ms', inclusive: true, ordered: false, maxTransaction: '0s' } as const;
const GOOD = {
  type: 'Visit',
  key: 'id',
  version: 'rev',
  fields: { note: field.string(), state: field.enum(['open', 'done']) },
  read: { list: get('/visits'), one: get('/visits/{key}'), changes: CHANGES },
  write: { create: post('/visits'), update: patch('/visits/{key}'), remove: del('/visits/{key}'), guard: 'ifMatch' },
} as const;

/** The lines that a definition is refused with; none: it is fine. What is given is deliberately not typed. */
function linesOf(visits: object, transport: object = {}, more: object = {}): readonly string[] {
  const options = { baseUrl: 'http://clinic.example', ...transport } as RestOptions;
  const definition = { source: 'clinic', transport: rest(options), collections: { visits }, ...more };
  try {
    defineConnector(definition as unknown as Parameters<typeof defineConnector>[0]);
    return [];
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(StartupError);
    expect((thrown as StartupError).reason).toBe('config');
    return (thrown as Error).message.split('\n');
  }
}

const read = (change: object): object => ({ ...GOOD, read: { ...GOOD.read, ...change } });
const write = (change: object): object => ({ ...GOOD, write: { ...GOOD.write, ...change } });
const fields = (change: object): object => ({ ...GOOD, fields: { ...GOOD.fields, ...change } });
const changes = (change: object): object => read({ changes: { ...CHANGES, ...change } });

test('a definition whose facts go together is taken as it is', () => {
  expect(linesOf(GOOD)).toEqual([]);
  expect(linesOf(write({ update: put('/visits/{key.0}') }))).toEqual([]);
  expect(
    linesOf({ ...GOOD, key: ['a', 'b'], read: { list: get('/v'), one: get('/v/{key.0}/{key.1}') }, write: {} }),
  ).toEqual([]);
});

const TIME = 'expected a duration from "1ms" to "24d"';

test.each<readonly [string, object, string]>([
  ['get() as a create', write({ create: get('/visits') }), 'visits.write.create: expected post(…), got get(…)'],
  [
    'a key form of no case',
    { ...GOOD, keyForm: [{ case: 'title' }] },
    'visits.keyForm: expected { trim, case: "lower" or "upper", digits: 1 to 100 }, or a list of these, got a list of 1',
  ],
  [
    'more key forms than the key has parts',
    { ...GOOD, keyForm: [{ trim: true }, { digits: 1 }] },
    'visits.keyForm: expected one form, or one for each of 1 parts of the key, got 2',
  ],
  [
    'capital keys where devices make them',
    { ...GOOD, keyForm: { case: 'upper' }, write: { ...GOOD.write, create: post('/visits', { keyIn: 'id' }) } },
    'visits.keyForm.case: expected "lower", since write.create takes the ids that devices make as keys, got "upper"',
  ],
  [
    'get() as an update',
    write({ update: get('/visits/{key}') }),
    'visits.write.update: expected patch(…) or put(…) or post(…), got get(…)',
  ],
  [
    'get() as a remove',
    write({ remove: get('/visits/{key}') }),
    'visits.write.remove: expected del(…) or post(…), got get(…)',
  ],
  ['post() as a list', read({ list: post('/visits') }), 'visits.read.list: expected get(…), got post(…)'],
  ['del() as a single read', read({ one: del('/visits/{key}') }), 'visits.read.one: expected get(…), got del(…)'],
  [
    'post() as a list of changes',
    changes({ list: post('/visits') }),
    'visits.read.changes.list: expected get(…), got post(…)',
  ],
  [
    'a key in the path of a list',
    read({ list: get('/visits/{key}') }),
    'visits.read.list: expected a path without a key, since there is none yet, got "/visits/{key}"',
  ],
  [
    'a single read without a key',
    read({ one: get('/visits') }),
    'visits.read.one: expected {key} in the path, got "/visits"',
  ],
  [
    'a create that needs the key it will get',
    write({ create: post('/visits/{key}') }),
    'visits.write.create: expected a path without a key, since there is none yet, got "/visits/{key}"',
  ],
  [
    'one key for two parts',
    { ...GOOD, key: ['a', 'b'], write: {} },
    'visits.read.one: expected {key.0} and {key.1} in the path, got "/visits/{key}"',
  ],
  [
    'another brace',
    read({ one: get('/visits/{id}') }),
    'visits.read.one: expected {key} or {key.0} in the path, got "{id}"',
  ],
  [
    'a single record by its tag',
    read({ one: get('/visits/{key}', { tagged: true }) }),
    'visits.read.one: expected tagged of a list only: a tag that stays could hide a change from the read before a write, got true',
  ],
  [
    'a relative path',
    read({ list: get('visits') }),
    'visits.read.list: expected a path that begins with "/", got "visits"',
  ],
  [
    'a call of another kit',
    read({ list: call('ListVisits') }),
    'visits.read.list: expected a call of the rest kit, got one of the soap kit',
  ],
  [
    'no call',
    read({ list: '/visits' }),
    'visits.read.list: expected a call of a kit, like get(…) or call(…), got "/visits"',
  ],
  [
    'pages of no rows',
    read({ list: get('/v', { paging: page({ numberIn: 'page', size: 0 }) }) }),
    'visits.read.list: expected a page size of at least 1, got 0',
  ],
  [
    'a guard by argument',
    write({ guard: 'argument' }),
    'visits.write.guard: expected "ifMatch", since a REST call takes the version as a tag, got "argument"',
  ],
  [
    'a version in the body of what has none',
    { ...GOOD, write: { ...GOOD.write, guard: { member: 'version' } } },
    'visits.write.remove: expected post(…, { guarded: true }) or del(…, { guarded: false }), since a DELETE has no body that takes the version, got del(…)',
  ],
  [
    'a version in a member that devices write',
    { ...GOOD, write: { update: patch('/visits/{key}'), guard: { member: 'note' } } },
    'visits.write.guard.member: expected a member that devices do not write, got "note", which holds fields.note',
  ],
  [
    'a conflict that is a success',
    { ...GOOD, write: { update: patch('/visits/{key}'), guard: { member: 'version', conflict: 200 } } },
    'visits.write.guard.conflict: expected a status from 400 to 499, got 200',
  ],
  [
    'a guard by a date beside a tag',
    { ...GOOD, version: 'etag', write: { ...GOOD.write, guard: 'ifUnmodifiedSince' } },
    'visits.write.guard: expected "ifMatch", which takes the version "etag", got "ifUnmodifiedSince"',
  ],
  [
    'a guard by a tag beside a date',
    { ...GOOD, version: 'lastModified', write: { ...GOOD.write, guard: 'ifMatch' } },
    'visits.write.guard: expected "ifUnmodifiedSince", which takes the version "lastModified", got "ifMatch"',
  ],
  [
    'a guard without a version',
    { ...GOOD, version: undefined },
    'visits.version: expected the member that holds it (or "etag"), since write.guard needs it, got nothing',
  ],
  [
    'a guard that nothing takes',
    { ...GOOD, write: { create: post('/v'), guard: 'ifMatch' } },
    'visits.write.guard: expected an update or remove that takes it, got none',
  ],
  [
    'put() without a single read',
    { ...GOOD, read: { list: get('/v') }, write: { update: put('/v/{key}') } },
    "visits.read.one: expected it, since write.update lays changes over the source's own row, got nothing",
  ],
  [
    'etag without a single read',
    { ...GOOD, version: 'etag', read: { list: get('/v') } },
    'visits.read.one: expected it, since the version is a header of a single read, got nothing',
  ],
  [
    'map without unmap',
    { ...GOOD, map: () => ({}) },
    'visits.unmap: expected it beside map in a collection that can be written, got nothing',
  ],
  [
    'an enum without values',
    fields({ state: { type: 'enum', list: false, required: false } }),
    'visits.fields.state.values: expected at least one value, got nothing',
  ],
  [
    'an enum with a value twice',
    fields({ state: field.enum(['open', 'open']) }),
    'visits.fields.state.values: expected each value once',
  ],
  [
    'a reference to nowhere',
    fields({ of: { type: 'reference', list: false, required: false } }),
    'visits.fields.of.references: expected the name of a collection, got nothing',
  ],
  [
    'a field named id',
    fields({ id: field.string() }),
    'visits.fields.id: expected another name, every record has an id',
  ],
  [
    'a rule for a field that is none',
    { ...GOOD, rules: { fields: { nurse: () => true } } },
    'visits.rules.fields.nurse: expected a declared field, there is none of that name',
  ],
  [
    'scopes that are neither',
    { ...GOOD, scopes: 'patient' },
    'visits.scopes: expected a function, or via(…), got "patient"',
  ],
  [
    'scopes via a field that is not there',
    { ...GOOD, scopes: via('patient') },
    'visits.scopes: expected via the name of a field that is one reference, got "patient": nothing',
  ],
  [
    'scopes via a text',
    { ...GOOD, scopes: via('note') },
    'visits.scopes: expected via the name of a field that is one reference, got "note": string',
  ],
  [
    'scopes via several',
    {
      ...GOOD,
      fields: { ...GOOD.fields, staff: field.list(field.reference('people')) },
      scopes: via('staff'),
    },
    'visits.scopes: expected via the name of a field that is one reference, got "staff": a list of reference',
  ],
  ['no fields', { ...GOOD, fields: {} }, 'visits.fields: expected at least one field'],
  ['a precision of nothing', changes({ precision: '0s' }), `visits.read.changes.precision: ${TIME}, got "0s"`],
  ['a poll every 0 s', read({ pollEvery: '0s' }), `visits.read.pollEvery: ${TIME}, got "0s"`],
  [
    'a pause longer than a timer',
    read({ deletes: { kind: 'scan', every: '30d' } }),
    `visits.read.deletes.every: ${TIME}, got "30d"`,
  ],
  [
    'a zone that is none',
    changes({ zone: 'Mars/Base' }),
    'visits.read.changes.zone: expected a zone like "UTC" or "Europe/Berlin", got "Mars/Base"',
  ],
  ['an unknown key', read({ every: '5s' }), 'visits.read.every: expected no such key'],
  [
    'a type that is no name',
    { ...GOOD, type: '1Visit' },
    'visits.type: expected a GraphQL name: letters, digits and _, not beginning with a digit, got "1Visit"',
  ],
])('%s is refused at start, by connector, collection and key', (_what, visits, line) => {
  expect(linesOf(visits)).toContain(`connector clinic: ${line}`);
});

test.each<readonly [string, object, string]>([
  [
    'a timeout without unit',
    { timeout: '10' },
    '.timeout: expected a duration from "1ms" to "24d", like "30s", got "10"',
  ],
  [
    'a timeout that is a number',
    { timeout: 10 },
    '.timeout: expected a duration from "1ms" to "24d", like "30s", got 10',
  ],
  [
    'no time to connect',
    { connectTimeout: '0s' },
    '.connectTimeout: expected a duration from "1ms" to "24d", like "30s", got "0s"',
  ],
  [
    'no calls at once',
    { limit: { concurrent: 0 } },
    '.limit.concurrent: expected a whole number from 1 to 1000, got 0',
  ],
  [
    'half a call at once',
    { limit: { concurrent: 1.5 } },
    '.limit.concurrent: expected a whole number from 1 to 1000, got 1.5',
  ],
  ['no calls per second', { limit: { perSecond: 0 } }, '.limit.perSecond: expected a number above 0, got 0'],
  ['calls per second as a text', { limit: { perSecond: '5' } }, '.limit.perSecond: expected a number above 0, got "5"'],
  [
    'answers of no bytes',
    { maxAnswerBytes: -1 },
    '.maxAnswerBytes: expected a whole number from 1 to 9007199254740991, got -1',
  ],
])('%s is refused at start, by connector and key', (_what, transport, line) => {
  expect(linesOf(GOOD, transport)).toEqual([`connector clinic: transport${line}`]);
});

test('the SOAP kit refuses the same limits', () => {
  const transport = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example', timeout: 'soon' as Duration });
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: GOOD.fields,
    read: { list: call('List', { rows: 'v' }) },
  });
  expect(() => defineConnector({ source: 'office', transport, collections: { visits } })).toThrow(
    'connector office: transport.timeout: expected a duration from "1ms" to "24d", like "30s", got "soon"',
  );
});

test('everything that is wrong is told at once, and a definition of nothing too', () => {
  expect(linesOf({ ...write({ create: get('/v') }), fields: {} })).toHaveLength(2);
  expect(linesOf(GOOD, {}, { collections: {} })).toEqual(['connector clinic: collections: expected at least one']);
  expect(linesOf(GOOD, {}, { source: '' })[0]).toMatch(
    /^connector \(without a name\): source: expected a GraphQL name/,
  );
  expect(linesOf(GOOD, {}, { transport: {} })).toEqual([
    'connector clinic: transport: expected rest(…), odata(…) or soap(…), got an object',
  ]);
  expect(linesOf(GOOD, {}, { collections: { 'my-visits': GOOD } })[0]).toBe(
    'connector clinic: my-visits: expected a GraphQL name: letters, digits and _, not beginning with a digit, got "my-visits"',
  );
});

describe('over several connectors', () => {
  const of = (source: string, name: string, type: string, more: object = {}) =>
    collectionsOf(
      defineConnector({
        source,
        transport: rest({ baseUrl: 'http://a.example' }),
        collections: {
          [name]: collection({ type, key: 'id', fields: { a: field.string(), ...more }, read: { list: get('/') } }),
        },
      }),
    );

  test('a reference may point into the collection of another source', () => {
    const all = [...of('erp', 'orders', 'Order'), ...of('crm', 'calls', 'Call', { order: field.reference('orders') })];
    expect(() => checkNames(all, new Set())).not.toThrow();
  });

  const following = (source: string, name: string, type: string, of: string) =>
    collectionsOf(
      defineConnector({
        source,
        transport: rest({ baseUrl: 'http://a.example' }),
        collections: {
          [name]: collection({
            ...{ type, key: 'id', fields: { of: field.reference(of) } },
            scopes: via('of'),
            read: { list: get('/') },
          }),
        },
      }),
    );

  test('scopes may come from the collection of another source, over several steps', () => {
    const all = [
      ...of('erp', 'orders', 'Order'),
      ...following('crm', 'calls', 'Call', 'orders'),
      ...following('desk', 'notes', 'Note', 'calls'),
    ];
    expect(() => checkNames(all, new Set())).not.toThrow();
    expect(all.map((one) => one.via?.collection)).toEqual([undefined, 'orders', 'calls']);
  });

  test('scopes that come from each other in a circle are refused at start, each once', () => {
    const all = [
      ...following('crm', 'calls', 'Call', 'notes'),
      ...following('desk', 'notes', 'Note', 'calls'),
      ...following('desk2', 'tags', 'Tag', 'notes'),
      ...following('tree', 'nodes', 'Node', 'nodes'),
    ];
    const says = 'scopes: expected via references that end at scopes of their own, got';
    expect(() => checkNames(all, new Set())).toThrow(
      [
        `connector crm: calls.${says} calls -> notes -> calls`,
        `connector desk: notes.${says} notes -> calls -> notes`,
        `connector tree: nodes.${says} nodes -> nodes`,
      ].join('\n'),
    );
  });

  test.each<readonly [string, ReturnType<typeof of>, string]>([
    [
      'a collection of the same name',
      of('crm', 'orders', 'Call'),
      'connector crm: orders: expected a name of its own, connector erp: orders has the same',
    ],
    [
      'the same type',
      of('crm', 'calls', 'Order'),
      'connector crm: calls.type: expected a type of its own, Order belongs to connector erp: orders',
    ],
    [
      'a type that another one makes',
      of('crm', 'calls', 'OrderChange'),
      'connector crm: calls.type: expected a type of its own, OrderChange belongs to connector erp: orders',
    ],
    [
      'a type of the schema',
      of('crm', 'calls', 'Query'),
      'connector crm: calls.type: expected a type of its own, Query is part of the schema',
    ],
    [
      'a reference that nobody serves',
      of('crm', 'calls', 'Call', { of: field.reference('people') }),
      'connector crm: calls.fields.of.references: expected one of orders, calls, got "people"',
    ],
  ])('%s is refused at start', (_what, others, line) => {
    expect(() => checkNames([...of('erp', 'orders', 'Order'), ...others], new Set(['Query']))).toThrow(line);
  });
});
