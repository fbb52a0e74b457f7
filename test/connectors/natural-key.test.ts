import { collection, createSource, defineConnector, field, type WriteFacts } from '../../src/connectors/define.js';
import { entity, entitySet, findAlike, insert, update } from '../../src/connectors/odata.js';
import { get, post, rest } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import type { Fields } from '../../src/core/change.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { guaranteesOf } from '../../src/server/guarantees.js';
import { planOf } from '../../src/server/plan.js';
import { startCare } from './odata/care-under-test.js';
import { startScripted, type Reply, type ScriptedSource } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';
import { answered, startNotes } from './soap/notes-source.js';

// Records are found by the fields that together name them. What is not one of them is a fault: it would be taken for ours, or hide ours.

const NEVER = new AbortController().signal;
const FIELDS = {
  patient: field.reference('visits', { from: 'patientId', required: true }),
  startsAt: field.dateTime({ from: 'start', required: true }),
  rank: field.int({ required: true }),
  tags: field.list(field.string(), { required: true }),
  note: field.string(),
};
const LOOK_UP = get('/visits', { query: { patient: '{patient}', at: '{startsAt}', open: 1 }, rows: 'items' });
const VISIT = { type: 'Visit', key: 'id', fields: FIELDS, read: { list: get('/visits') } } as const;

const visitsWith = (naturalKey: object, more: WriteFacts = {}) =>
  collection({
    ...VISIT,
    write: {
      create: post('/visits'),
      ...more,
      naturalKey: { fields: ['patient', 'startsAt'], lookUp: LOOK_UP, ...naturalKey },
    },
  });

const SENT: Fields = { patient: sourceKey(['P 1']), startsAt: '2026-01-05T08:00:00.000Z', rank: 3, note: 'mine' };
const ROW = { id: 17, patientId: 'P 1', start: '2026-01-05T09:00:00+01:00', rank: 3, tags: [], note: 'theirs' };

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

async function find(reply: Reply, visits = visitsWith({})) {
  source.answer = () => reply;
  return await (source.open({ visits })[0] as SourceCollection).findAlike?.(SENT, NEVER);
}

describe('records with a natural key', () => {
  test('R11: are found by a list that is filtered for each of its fields, by their values', async () => {
    const found = await find({ rows: { items: [ROW, { ...ROW, id: 18 }] } });
    expect(found?.map(({ sourceKey }) => sourceKey)).toEqual(['17', '18']);
    expect(Object.fromEntries(source.asked[0]?.query ?? [])).toEqual({
      patient: 'P 1',
      at: SENT['startsAt'],
      open: '1',
    });
  });

  test('R11: are found by a path that names it; 404 says that there are none', async () => {
    const lookUp = get('/patients/{patient}/visits/{startsAt}', { rows: 'items' });
    const visits = visitsWith({ lookUp });
    expect(await find({ rows: { items: ROW } }, visits)).toHaveLength(1);
    expect(source.asked[0]?.path).toBe('/api/patients/P%201/visits/2026-01-05T08%3A00%3A00.000Z');
    expect(await find({ status: 404, rows: {} }, visits)).toEqual([]);
  });

  test.each<readonly [string, Reply, RegExp]>([
    [
      'another record among them',
      { rows: { items: [ROW, { ...ROW, id: 18, patientId: 'P 2' }] } },
      /got 18 with another patient/,
    ],
    ['no list', { rows: { message: 'try later' } }, /expected a record, got nothing/],
    ['404 for a list', { status: 404, rows: {} }, /expected a list at .visits, got none/],
    ['an error of the server', { status: 500 }, /it says 500/],
  ])('R11: are not told by an answer with %s', async (_what, reply, message) => {
    await expect(find(reply)).rejects.toThrow(message);
  });

  test('R11: are not told by one page of them', async () => {
    const lookUp = get('/visits', { query: { patient: '{patient}', at: '{startsAt}' }, rows: 'items', total: 'total' });
    await expect(find({ rows: { items: [ROW], total: 2 } }, visitsWith({ lookUp }))).rejects.toThrow(
      'all of 2 records',
    );
  });

  test('R11: OData: are filtered for by the properties of its fields, each as its type wants it', async () => {
    const care = await startCare();
    try {
      care.service.store.put('Patients', [1], { Name: "Anna O'Hara" }, false);
      care.service.store.put('Patients', [2], { Name: 'Berta' }, false);
      const patients = care.openOne(
        collection({
          type: 'Patient',
          key: 'ID',
          read: { list: entitySet('Patients'), one: entity('Patients') },
          write: {
            create: insert('Patients'),
            update: update('Patients'),
            naturalKey: { fields: ['name'], lookUp: findAlike('Patients') },
          },
          fields: { name: field.string({ from: 'Name', required: true }) },
        }),
      );
      expect(await patients.findAlike?.({ name: "Anna O'Hara" }, NEVER)).toMatchObject([{ sourceKey: '1' }]);
      expect(await patients.findAlike?.({ name: 'Carla' }, NEVER)).toEqual([]);
      expect(care.service.asked.at(-1)?.query.get('$filter')).toBe("Name eq 'Carla'");
    } finally {
      await care.close();
    }
  });

  test('R11: SOAP: are asked for by an argument for each of its fields', async () => {
    const notes = await startNotes();
    try {
      notes.answer = () => ({
        body: answered('FindNotes', '<notes><note><id>7</id><title>New &amp; old</title></note></notes>'),
      });
      const lookUp = call('FindNotes', { fieldsIn: { title: 'ref' }, rows: 'notes.note' });
      const definition = collection({
        type: 'Note',
        key: 'id',
        read: { list: call('FindNotes', { rows: 'notes.note' }) },
        write: { create: call('SaveNote', { bodyIn: 'note' }), naturalKey: { fields: ['title'], lookUp } },
        fields: { title: field.string({ required: true }) },
      });
      const transport = soap({ wsdl: `${notes.url}/notes?wsdl`, endpoint: `${notes.url}/notes` });
      const office = defineConnector({ source: 'office', transport, collections: { notes: definition } });
      const opened = createSource(office, eagerDeps());
      const [one] = opened.collections;
      expect(await one?.findAlike?.({ title: 'New & old' }, NEVER)).toMatchObject([{ sourceKey: '7' }]);
      await opened.close();
      expect(notes.asked.at(-1)?.body).toContain('<n1:FindNotes><n1:ref>New &amp; old</n1:ref></n1:FindNotes>');
    } finally {
      await notes.close();
    }
  });
});

describe('a natural key is told', () => {
  test('as what it buys, and what it does not', () => {
    const [may] = source.open({ visits: visitsWith({}) });
    const [stays] = source.open({ visits: visitsWith({ fixed: true }) });
    expect(may?.facts.naturalKey).toEqual({ fields: ['patient', 'startsAt'], isFixed: false });
    expect(planOf(may as SourceCollection)).toContain(
      'creates by patient and startsAt (a lost answer parks the change where no new record shows what was sent)',
    );
    expect(planOf(stays as SourceCollection)).toContain('creates exactly once by patient and startsAt');
    const writes = { create: true, update: false, delete: false };
    const until = 'by its natural key (an equal record that others make meanwhile is taken for it)';
    expect(guaranteesOf((stays as SourceCollection).facts, writes).guaranteed).toContain(
      `a create whose answer is lost is made once, ${until}`,
    );
    expect(guaranteesOf((may as SourceCollection).facts, writes).notGuaranteed).toContain(
      'a create whose answer is lost is parked for an operator where its natural key does not find it',
    );
  });
});

/** The lines that a definition is refused with. What is given is deliberately not typed. */
function linesOf(naturalKey: object, write: object = {}, more: object = {}): readonly string[] {
  const facts = { fields: ['patient', 'startsAt'], lookUp: LOOK_UP, ...naturalKey };
  const visits = { ...VISIT, write: { create: post('/visits'), ...write, naturalKey: facts }, ...more };
  const transport = rest({ baseUrl: 'http://clinic.example' });
  try {
    defineConnector({ source: 'clinic', transport, collections: { visits: visits } });
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n').map((line) => line.replace('connector clinic: visits.write.', ''));
  }
}

const PLAIN = 'expected single values that every create sends (required: true, not writable: false), got';
const KEYED = { lookUp: get('/visits', { query: { ref: '{reference}' } }), field: 'ref' };

test.each<readonly [string, readonly string[], readonly string[]]>([
  [
    'no fields',
    linesOf({ fields: [] }),
    ['naturalKey.fields: Too small: expected array to have >=1 items, got a list of 0'],
  ],
  [
    'a field that is none',
    linesOf({ fields: ['patient', 'at'] }),
    [
      'naturalKey.lookUp: expected {at} in the path or the query, got "/visits" without it',
      'naturalKey.fields: expected some of patient, startsAt, rank, tags, note, got "at"',
    ],
  ],
  [
    'a field that may be left out',
    linesOf({ fields: ['patient', 'startsAt', 'note'], lookUp: get('/{patient}{startsAt}{note}') }),
    [`naturalKey.fields: ${PLAIN} "note"`],
  ],
  [
    'a field that is a list',
    linesOf({ fields: ['tags'], lookUp: get('/{tags}') }),
    [`naturalKey.fields: ${PLAIN} "tags"`],
  ],
  [
    'another field in braces',
    linesOf({ lookUp: get('/{patient}/{startsAt}/{kind}') }),
    ['naturalKey.lookUp: expected one of patient, startsAt in braces, got {kind}'],
  ],
  [
    'a field twice',
    linesOf({ fields: ['patient', 'patient'], lookUp: get('/{patient}') }),
    ['naturalKey.fields: expected each field once'],
  ],
  [
    'no create',
    linesOf({}, { create: undefined }),
    ['naturalKey: expected write.create beside it, since what a create made is found by it, got nothing'],
  ],
  [
    'a reference beside it',
    linesOf({}, { reference: KEYED }),
    ['naturalKey: expected nothing beside write.reference, which tells for certain, got both'],
  ],
  [
    'an idempotency key beside it',
    linesOf({}, { idempotencyKey: { header: 'K', lifetime: '1d' } }),
    ['naturalKey: expected nothing beside write.idempotencyKey, which tells for certain, got both'],
  ],
  [
    "the device's key beside it",
    linesOf({}, { create: post('/visits', { keyIn: 'id' }) }),
    ["naturalKey: expected nothing beside the device's key in write.create, which tells for certain, got both"],
  ],
  ['a POST', linesOf({ lookUp: post('/visits') }), ['naturalKey.lookUp: expected get(…), got post(…)']],
])('a natural key with %s is refused', (_what, lines, expected) => {
  expect(lines).toEqual(expected);
});

test('a natural key is refused where no values are kept', () => {
  const lines = linesOf({}, {}, { storage: 'metadataOnly', read: { ...VISIT.read, one: get('/visits/{key}') } });
  expect(lines.join()).toContain('naturalKey: expected nothing, since what it finds is compared by its values');
});
