import { collection, defineConnector, field, page, type ConnectorDefinition } from '../../src/connectors/define.js';
import { del, get, patch, post, put, rest } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';

// What a connector says of its writes must go together; each line names key, what was expected and what came.

const SHAPE = { type: 'Visit', key: 'id', version: 'rev', fields: { note: field.string({ from: 'Note' }) } } as const;
const READ = { list: get('/v'), one: get('/v/{key}') };
const LOOK_UP = get('/v', { query: { ref: '{reference}' } });
const KEYED = { header: 'Idempotency-Key', lifetime: '24h' } as const;
const ALL = { create: post('/v'), update: patch('/v/{key}'), remove: del('/v/{key}') };

const CALLS = { list: call('List', { rows: 'v' }), one: call('Get', { keyIn: 'id' }) };
const SAVE = call('Save', { sends: 'changed', keyIn: 'id' });

function linesOf(definition: object): readonly string[] {
  try {
    defineConnector(definition as ConnectorDefinition);
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n');
  }
}

/** Deliberately not typed: the check is for those who write plain JavaScript, too. */
function restLines(write: object | undefined, more: object = {}, of: object = {}): readonly string[] {
  const visits = { ...SHAPE, read: READ, ...(write === undefined ? {} : { write }), ...more };
  const transport = rest({ baseUrl: 'http://clinic.example' });
  return linesOf({ source: 'clinic', transport, collections: { visits }, ...of });
}

function soapLines(write: object): readonly string[] {
  const transport = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example' });
  return linesOf({ source: 'clinic', transport, collections: { visits: { ...SHAPE, read: CALLS, write } } });
}

test('facts that go together are taken as they are', () => {
  const all = { ...ALL, guard: 'ifMatch', idempotencyKey: KEYED, reference: { field: 'ref', lookUp: LOOK_UP } };
  expect(restLines({ ...all, maxRequestLifetime: '0s' }, { deletedRecord: 'editWins', policy: 'ask' })).toEqual([]);
  const byPath = { field: 'ref', lookUp: get('/v/of/{reference}') };
  expect(restLines({ create: post('/v'), reference: byPath })).toEqual([]);
  const finding = call('Find', { referenceIn: 'ref', rows: 'v' });
  const idempotencyKey = { argument: 'requestId', lifetime: '1h' };
  expect(
    soapLines({ create: SAVE, update: SAVE, idempotencyKey, reference: { field: 'ref', lookUp: finding } }),
  ).toEqual([]);
  const maintenance = [{ days: ['sun'], from: '22:00', to: '02:30', zone: 'Europe/Berlin' }];
  expect(restLines(undefined, {}, { maintenance })).toEqual([]);
});

test.each<readonly [string, readonly string[], string]>([
  [
    'a key without a header',
    restLines({ ...ALL, idempotencyKey: { lifetime: '24h' } }),
    'visits.write.idempotencyKey: expected a header that takes the key, got nothing',
  ],
  [
    'a header without a lifetime',
    restLines({ ...ALL, idempotencyKey: { header: 'Idempotency-Key' } }),
    'visits.write.idempotencyKey.lifetime: expected string, got nothing',
  ],
  [
    'a header that is none',
    restLines({ ...ALL, idempotencyKey: { ...KEYED, header: 'a key' } }),
    'visits.write.idempotencyKey.header: expected the name of a header, got "a key"',
  ],
  [
    'a key that is forgotten while its call is under way',
    restLines({ ...ALL, idempotencyKey: { ...KEYED, lifetime: '40s' } }),
    'visits.write.idempotencyKey.lifetime: expected more than the longest life of a call (timeout and write.maxRequestLifetime, 40000 ms), got "40s"',
  ],
  [
    'a key in an argument of REST',
    restLines({ ...ALL, idempotencyKey: { argument: 'key', lifetime: '24h' } }),
    'visits.write.idempotencyKey: expected a header, since a REST call takes the key as one, got the argument "key"',
  ],
  [
    'a key in two places',
    soapLines({ create: SAVE, idempotencyKey: { ...KEYED, argument: 'key' } }),
    'visits.write.idempotencyKey: expected a header or an argument, got both',
  ],
  [
    'a key in no place',
    soapLines({ create: SAVE, idempotencyKey: { lifetime: '24h' } }),
    'visits.write.idempotencyKey: expected a header or an argument that takes the key, got nothing',
  ],
  [
    'a key that no write sends',
    restLines({ idempotencyKey: KEYED }),
    'visits.write.idempotencyKey: expected a create, update or remove that sends it, got none',
  ],
  [
    'a key beside an update that is another one each time',
    restLines({ ...ALL, update: put('/v/{key}'), idempotencyKey: KEYED }),
    'visits.write.update: expected one that sends only what changed, since under write.idempotencyKey a repeat is the very same request, got one that sends what is merged',
  ],
  [
    'a reference without a look-up',
    restLines({ ...ALL, reference: { field: 'ref' } }),
    'visits.write.reference.lookUp: expected a call of a kit, like get(…) or call(…), got nothing',
  ],
  [
    'a look-up without a reference in it',
    restLines({ ...ALL, reference: { field: 'ref', lookUp: get('/v') } }),
    'visits.write.reference.lookUp: expected {reference} once, in the path or the query, got "/v"',
  ],
  [
    'a look-up by key',
    restLines({ ...ALL, reference: { field: 'ref', lookUp: get('/v/{key}') } }),
    'visits.write.reference.lookUp: expected {reference}, since the key is looked for, got "/v/{key}"',
  ],
  [
    'a look-up that writes',
    restLines({ ...ALL, reference: { field: 'ref', lookUp: post('/v/of/{reference}') } }),
    'visits.write.reference.lookUp: expected get(…), got post(…)',
  ],
  [
    'a look-up in pages',
    restLines({
      ...ALL,
      reference: {
        field: 'ref',
        lookUp: get('/v', { query: { ref: '{reference}' }, paging: page({ numberIn: 'p', size: 9 }) }),
      },
    }),
    'visits.write.reference.lookUp: expected one answer, since there is at most one such record, got pages',
  ],
  [
    'a look-up of SOAP without its argument',
    soapLines({ create: SAVE, reference: { field: 'ref', lookUp: call('Find') } }),
    'visits.write.reference.lookUp: expected referenceIn, the argument that takes the reference, got nothing',
  ],
  [
    'a reference in another call',
    soapLines({ create: call('Save', { referenceIn: 'ref' }) }),
    'visits.write.create: expected no referenceIn, which belongs to a look-up by reference, got "ref"',
  ],
  [
    'a reference in another path',
    restLines({ ...ALL, update: patch('/v/{reference}') }),
    'visits.write.update: expected no {reference}, which belongs to a look-up, got "/v/{reference}"',
  ],
  [
    'a reference that no create carries',
    restLines({ update: ALL.update, reference: { field: 'ref', lookUp: LOOK_UP } }),
    'visits.write.reference: expected write.create beside it, since a create carries the reference, got nothing',
  ],
  [
    'a reference in a field of the devices',
    restLines({ ...ALL, reference: { field: 'Note', lookUp: LOOK_UP } }),
    'visits.write.reference.field: expected a member that devices do not write, got "Note", which holds fields.note (writable: false there lets devices read it)',
  ],
  [
    'edits that win over a deletion where nothing can be made',
    restLines({ update: ALL.update }, { deletedRecord: 'editWins' }),
    'visits.deletedRecord: expected write.create beside "editWins", which makes the record again, got nothing',
  ],
  [
    'another visibility',
    restLines(ALL, { visibility: 'secret' }),
    'visits.visibility: expected one of "pending"|"confirmed", got "secret"',
  ],
  [
    'a lifetime that is none',
    restLines({ ...ALL, maxRequestLifetime: 'long' }),
    'visits.write.maxRequestLifetime: expected a duration like "500ms", "30s", "5m", "6h" or "1d", got "long"',
  ],
  [
    'a day that is none',
    restLines(ALL, {}, { maintenance: [{ days: ['sunday'], from: '22:00', to: '23:00', zone: 'UTC' }] }),
    'maintenance.0.days.0: expected one of "mon"|"tue"|"wed"|"thu"|"fri"|"sat"|"sun", got "sunday"',
  ],
  [
    'a time of day that is none',
    restLines(ALL, {}, { maintenance: [{ from: '24:00', to: '01:00', zone: 'UTC' }] }),
    'maintenance.0.from: expected a time of day like "22:00", got "24:00"',
  ],
  [
    'maintenance in no zone',
    restLines(ALL, {}, { maintenance: [{ from: '22:00', to: '23:00', zone: 'Mars/Base' }] }),
    'maintenance.0.zone: expected a zone like "UTC" or "Europe/Berlin", got "Mars/Base"',
  ],
  [
    'maintenance without length',
    restLines(ALL, {}, { maintenance: [{ from: '22:00', to: '22:00', zone: 'UTC' }] }),
    'maintenance.0.to: expected another time than from, got "22:00" for both',
  ],
])('%s is refused at start', (_what, lines, line) => {
  expect(lines).toEqual([`connector clinic: ${line}`]);
});

test('a collection reads a reference that devices do not write', () => {
  const fields = { note: field.string(), ref: field.string({ writable: false }) };
  const reference = { field: 'ref', lookUp: LOOK_UP };
  const visits = collection({ ...SHAPE, fields, read: READ, write: { ...ALL, reference } });
  expect(
    linesOf({ source: 'clinic', transport: rest({ baseUrl: 'http://a.example' }), collections: { visits } }),
  ).toEqual([]);
});
