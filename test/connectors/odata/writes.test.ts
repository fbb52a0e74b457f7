import { collection, field, type AnyCollectionDefinition } from '../../../src/connectors/define.js';
import { entity, entitySet, insert, remove, update } from '../../../src/connectors/odata.js';
import type { Fields } from '../../../src/core/change.js';
import { sourceKey } from '../../../src/core/id.js';
import type { Observation, SourceCollection, SourceWriteOutcome } from '../../../src/core/source-port.js';
import { LINES, startCare, VISITS, type CareUnderTest } from './care-under-test.js';
import type { Asked, Reply } from './odata-service.js';

const NEVER = new AbortController().signal;
const KEY = sourceKey(['V-1']);

let care: CareUnderTest;
beforeEach(async () => {
  care = await startCare();
  care.service.store.put('Patients', [17], { Name: 'Anna' }, false);
  care.service.store.put(
    'Visits',
    ['V-1'],
    { Status: 'Planned', Note: 'old', Vitals: { Pulse: 70, Remark: 'calm' } },
    false,
  );
});
afterEach(() => care.close());

/** Visits with other ways to write. */
function writing(write: AnyCollectionDefinition['write']): AnyCollectionDefinition {
  return collection({ ...VISITS, write } as never);
}

async function seen(visits: SourceCollection): Promise<Observation> {
  const found = await visits.readOne(KEY, NEVER);
  if (found === 'absent') throw new Error('expected the visit to be there, got absent');
  return found;
}

async function write(
  visits: SourceCollection,
  kind: 'create' | 'update' | 'delete',
  fields: Fields = {},
  guard?: string | null,
): Promise<SourceWriteOutcome> {
  const isNew = kind === 'create';
  const version = isNew ? null : guard === undefined ? (await seen(visits)).sourceVersion : guard;
  const sourceKeyOf = isNew ? sourceKey(['V-2']) : KEY;
  const current = kind === 'delete' && guard === null ? (await seen(visits)).fields : { note: 'old' };
  return visits.write({ kind, sourceKey: sourceKeyOf, fields, current, guard: version, idempotencyKey: 'i' }, NEVER);
}

/** The writes that went out. */
const sent = (): readonly Asked[] => care.service.asked.filter(({ method }) => method !== 'GET');
const bodies = (): unknown[] => sent().map(({ body }) => JSON.parse(body) as unknown);
const stored = (): Fields => care.service.store.get('Visits', ['V-1'])?.entity as Fields;
const answerWrites = (reply: Reply): void => {
  care.service.instead = ({ method }) => (method === 'GET' ? null : reply);
};

describe('a write', () => {
  test('says what it is, under the version that it was decided on, and what it wants to see', async () => {
    const visits = care.openOne(VISITS);
    const { sourceVersion } = await seen(visits);
    await write(visits, 'update', { note: 'new' });
    expect(sent()[0]).toMatchObject({
      method: 'PATCH',
      path: "/Visits('V-1')",
      body: '{"Note":"new"}',
      headers: {
        'if-match': sourceVersion,
        'odata-version': '4.0',
        prefer: 'return=representation',
        'content-type': 'application/json;odata.metadata=minimal;IEEE754Compatible=true',
      },
    });
    await write(visits, 'delete');
    expect(sent()[1]).toMatchObject({ method: 'DELETE', body: '' });
    expect(sent()[1]?.headers).not.toHaveProperty('prefer');
    await write(visits, 'create', { status: 'Planned' });
    expect(sent()[2]).toMatchObject({ method: 'POST', path: '/Visits', body: '{"Status":"Planned","ID":"V-2"}' });
    expect(sent()[2]?.headers).not.toHaveProperty('if-match');
  });

  test('writes each value in the form of its type: numbers of 64 bits and decimals as texts, references as they are keyed', async () => {
    const fields = {
      price: '1234567890123456789.5',
      serial: '9007199254740993',
      weight: 1.5,
      patient: '17',
      tags: ['a'],
    };
    expect(await write(care.openOne(VISITS), 'update', fields)).toMatchObject({
      kind: 'applied',
      observation: { fields },
    });
    expect(bodies()).toEqual([
      { Price: '1234567890123456789.5', Serial: '9007199254740993', Weight: 1.5, PatientID: 17, Tags: ['a'] },
    ]);
  });

  test('R10: with a value that a property cannot hold is refused with our field, and not sent', async () => {
    const outcome = await write(care.openOne(VISITS), 'update', { patient: 'P-17' });
    expect(outcome).toMatchObject({
      kind: 'refused',
      field: 'patient',
      message: 'expected a value of Edm.Int32 in PatientID, got "P-17"',
    });
    expect(sent()).toEqual([]);
  });

  test('R8: of a complex value means the whole of it: members that it no longer has are emptied', async () => {
    expect(await write(care.openOne(VISITS), 'update', { vitals: { Pulse: 80 } })).toMatchObject({ kind: 'applied' });
    expect(stored()['Vitals']).toEqual({ Pulse: 80, Remark: null });
  });

  test('R8: by PUT sends what the source itself shows, with the changes laid over it, and none of its notes', async () => {
    const visits = care.openOne(writing({ update: update('Visits', { method: 'PUT' }), guard: 'ifMatch' }));
    await write(visits, 'update', { note: 'new' });
    expect(sent()[0]?.method).toBe('PUT');
    expect(bodies()[0]).toMatchObject({
      ID: 'V-1',
      Note: 'new',
      Status: 'Planned',
      Vitals: { Pulse: 70, Remark: 'calm' },
      Tags: [],
    });
    expect(Object.keys(bodies()[0] as object).filter((name) => name.includes('@'))).toEqual([]);
  });

  test('R11: of a record that is gone makes none, also without a guard', async () => {
    const visits = care.openOne(writing({ update: update('Visits'), remove: remove('Visits') }));
    care.service.store.remove('Visits', ['V-1']);
    const changed = { kind: 'update', sourceKey: KEY, fields: { note: 'new' }, current: null, guard: null } as const;
    expect(await visits.write({ ...changed, idempotencyKey: 'i' }, NEVER)).toEqual({ kind: 'stale' });
    expect(sent()).toEqual([]);
    // A repeat is not compared with a read before.
    expect(await visits.write({ ...changed, idempotencyKey: 'i', isRepeat: true }, NEVER)).toEqual({ kind: 'stale' });
    expect(sent()[0]?.headers['if-match']).toBe('*');
    expect(care.service.store.get('Visits', ['V-1'])).toBeUndefined();
  });

  test('R11: without a guard is taken by a service that wants an ETag with each', async () => {
    const visits = care.openOne(writing({ remove: remove('Visits') }));
    expect(await write(visits, 'delete', {}, null)).toEqual({ kind: 'applied', observation: null });
    expect(care.service.store.get('Visits', ['V-1'])).toBeUndefined();
  });

  test('R9: under an ETag that is not current is stale, and changes nothing', async () => {
    expect(await write(care.openOne(VISITS), 'update', { note: 'new' }, 'W/"0"')).toEqual({ kind: 'stale' });
    expect(stored()['Note']).toBe('old');
  });

  test('R12: of a key with two parts goes to the one record', async () => {
    care.service.store.put('Lines', ["V'/1", 2], { Sku: 'A' }, false);
    const lines = care.openOne(LINES);
    const key = sourceKey([2, "V'/1"]);
    const found = await lines.readOne(key, NEVER);
    const guard = found === 'absent' ? null : found.sourceVersion;
    const update = {
      kind: 'update',
      sourceKey: key,
      fields: { sku: 'B' },
      current: null,
      guard,
      idempotencyKey: 'i',
    } as const;
    expect(await lines.write(update, NEVER)).toMatchObject({
      kind: 'applied',
      observation: { sourceKey: key, fields: { sku: 'B' } },
    });
    expect(sent()[0]?.path).toBe("/Lines(Number=2,VisitID='V''%2F1')");
  });
});

describe('the answer to a write', () => {
  test('R11: that shows nothing is read back', async () => {
    const visits = care.openOne(writing({ update: update('Visits', { answers: 'nothing' }), guard: 'ifMatch' }));
    const outcome = await write(visits, 'update', { note: 'new' });
    expect(sent()[0]?.headers.prefer).toBe('return=minimal');
    expect(outcome).toMatchObject({ kind: 'applied', observation: { fields: { note: 'new' } } });
  });

  test('R11: that shows nothing although it was asked for the record is read back, and nothing is wrong with it', async () => {
    answerWrites({ status: 204 });
    const outcome = await write(care.openOne(VISITS), 'update', { note: 'new' });
    expect(outcome).toMatchObject({ kind: 'applied', observation: { fields: { note: 'old' } } });
    expect(care.logged).toEqual([]);
  });

  test('R11: to a create that shows its address only tells the key, and is not taken for the record', async () => {
    const made = collection({ ...VISITS, write: { create: insert('Visits') } } as never);
    care.service.instead = ({ method }) => {
      if (method !== 'POST') return null;
      care.service.store.put('Visits', ['V-9'], { Status: 'Done', Note: 'kept' }, false);
      return { status: 204, headers: { 'odata-entityid': `${care.service.url}/Visits('V-9')` } };
    };
    const create = { kind: 'create', sourceKey: null, fields: { note: 'kept' }, current: null, guard: null } as const;
    const outcome = await care.openOne(made).write({ ...create, idempotencyKey: 'i' }, NEVER);
    expect(outcome).toMatchObject({
      kind: 'applied',
      observation: { sourceKey: 'V-9', fields: { note: 'kept', status: 'Done' } },
    });
  });

  test('R11: without what lies behind $expand is not taken for the record', async () => {
    const visits = collection({
      type: 'Visit',
      key: 'ID',
      version: 'etag',
      read: { list: entitySet('Visits', { expand: ['Lines'] }), one: entity('Visits', { expand: ['Lines'] }) },
      write: { update: update('Visits'), guard: 'ifMatch' },
      fields: { note: field.string({ from: 'Note' }), lines: field.json({ from: 'Lines', writable: false }) },
    });
    care.service.store.put('Lines', ['V-1', 1], { Sku: 'A' }, false);
    const outcome = await write(care.openOne(visits), 'update', { note: 'new' });
    expect(outcome).toMatchObject({
      kind: 'applied',
      observation: { fields: { note: 'new', lines: [{ Number: 1, Sku: 'A' }] } },
    });
  });

  const error = { code: 'E1', message: 'that will not do', target: 'in/Note' };

  test.each<[string, Reply, object]>([
    [
      'a refusal in OData form names our field',
      { status: 400, body: { error } },
      { kind: 'refused', message: 'that will not do', field: 'note' },
    ],
    [
      'each detail names its own',
      {
        status: 422,
        body: {
          error: {
            code: 'E',
            message: 'two faults',
            details: [
              { code: 'a', message: 'too long', target: '/Visits/Note' },
              { code: 'b', message: 'too late', target: 'Day' },
            ],
          },
        },
      },
      {
        kind: 'refused',
        message: 'two faults',
        field: 'note',
        fields: [
          { field: 'note', message: 'too long' },
          { field: 'day', message: 'too late' },
        ],
      },
    ],
    ['412 is stale', { status: 412, body: { error } }, { kind: 'stale' }],
    [
      '428 did nothing, and says what is missing',
      { status: 428, body: { error } },
      { kind: 'notSent', reason: expect.stringContaining("version: 'etag'") as string },
    ],
    ['429 did nothing', { status: 429, headers: { 'retry-after': '1' } }, { kind: 'notSent', retryAfterMs: 1_000 }],
    ['500 is in doubt', { status: 500, body: { error } }, { kind: 'unknown' }],
    [
      'Atom is in doubt',
      { status: 200, headers: { 'content-type': 'application/atom+xml' }, text: '<entry/>' },
      { kind: 'unknown', reason: expect.stringContaining('expected JSON, got application/atom+xml') as string },
    ],
    [
      'an error beside the status of a success is in doubt',
      { status: 200, body: { ID: 'V-1', error } },
      { kind: 'unknown' },
    ],
    ['another record is in doubt', { status: 200, body: { ID: 'V-2', Status: 'Done' } }, { kind: 'unknown' }],
    ['a promise to do it later is in doubt', { status: 202 }, { kind: 'unknown' }],
  ])('R11: %s', async (_what, reply, outcome) => {
    const visits = care.openOne(VISITS);
    const { sourceVersion } = await seen(visits);
    answerWrites(reply);
    expect(await write(visits, 'update', { note: 'new' }, sourceVersion)).toMatchObject(outcome);
    expect(sent()).toHaveLength(1);
  });

  test("R11: means what its connector says of it, who sees the service's own code", async () => {
    const classify = ({ code }: { readonly code: string | null }) =>
      code === 'E1' ? ({ kind: 'stale' } as const) : undefined;
    const visits = care.openOne(VISITS, {}, { classify });
    answerWrites({ status: 400, body: { error } });
    expect(await write(visits, 'update', { note: 'new' }, 'W/"1"')).toEqual({ kind: 'stale' });
  });

  test('R11: to a create without its address, whose key the service gives, leaves it in doubt', async () => {
    const made = collection({
      ...VISITS,
      read: { list: entitySet('Visits'), one: entity('Visits') },
      write: { create: insert('Visits') },
    } as never);
    answerWrites({ status: 204 });
    const create = { kind: 'create', sourceKey: null, fields: { note: 'x' }, current: null, guard: null } as const;
    expect(await care.openOne(made).write({ ...create, idempotencyKey: 'i' }, NEVER)).toMatchObject({
      kind: 'unknown',
    });
  });
});
