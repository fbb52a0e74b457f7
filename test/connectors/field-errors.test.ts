import { collection, field, refused, type Classify, type WriteFacts } from '../../src/connectors/define.js';
import { get, patch } from '../../src/connectors/rest.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import fc from '../support/properties.js';
import { startScripted, type Reply, type ScriptedSource } from './scripted-source.js';
import { faulted, RETITLED, startNotes } from './soap/notes-source.js';

// A refusal says which field is wrong, in the source's names and in a form of its own; a device shows it beside its own fields.

const NEVER = new AbortController().signal;
const UPDATE: SourceWrite = {
  kind: 'update',
  sourceKey: sourceKey(['1']),
  fields: { note: 'new' },
  current: { note: 'old', startsAt: null, street: null },
  guard: null,
  idempotencyKey: 'i1',
};

function visitsWith(errors?: WriteFacts['errors']) {
  return collection({
    type: 'Visit',
    key: 'id',
    fields: {
      note: field.string({ from: 'Remark' }),
      startsAt: field.string({ from: 'begin_ts' }),
      street: field.json(),
    },
    read: { list: get('/visits'), one: get('/visits/{key}') },
    write: { update: patch('/visits/{key}'), ...(errors === undefined ? {} : { errors }) },
  });
}

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

async function refusal(reply: Reply, errors?: WriteFacts['errors'], classify?: Classify): Promise<Refusal> {
  source.answer = ({ method }) => (method === 'GET' ? { rows: { id: 1, Remark: 'old' } } : { status: 422, ...reply });
  const [visits] = source.open({ visits: visitsWith(errors) }, {}, classify === undefined ? {} : { classify });
  return (await visits?.write(UPDATE, NEVER)) as Refusal;
}
type Refusal = SourceWriteOutcome & { readonly kind: 'refused' };

const LATE = { field: 'startsAt', message: 'lies in the past' };
const LONG = { field: 'note', message: 'is too long' };

test.each<readonly [string, unknown, string]>([
  [
    'RFC 9457',
    {
      type: 'https://errors.example/invalid',
      title: 'not valid',
      errors: [
        { detail: 'is too long', pointer: '#/Remark' },
        { detail: 'lies in the past', pointer: '#/begin_ts' },
      ],
    },
    'not valid',
  ],
  ['texts by field', { title: 'no', errors: { Remark: ['is too long'], begin_ts: ['lies in the past'] } }, 'no'],
  ['one text by field', { message: 'no', errors: { remark: 'is too long', begin_ts: 'lies in the past' } }, 'no'],
  [
    'a list of fields',
    {
      errors: [
        { field: 'Remark', message: 'is too long' },
        { field: 'begin_ts', message: 'lies in the past' },
      ],
    },
    'is too long',
  ],
  [
    'OData',
    {
      error: {
        code: '400',
        message: 'no',
        details: [
          { code: 'L', target: 'Remark', message: 'is too long' },
          { code: 'P', target: 'visit/begin_ts', message: 'lies in the past' },
        ],
      },
    },
    'no',
  ],
  [
    'JSON:API',
    {
      errors: [
        { detail: 'is too long', source: { pointer: '/data/attributes/Remark' } },
        { detail: 'lies in the past', source: { pointer: '/data/attributes/begin_ts' } },
      ],
    },
    'is too long',
  ],
  [
    'steps to the field',
    {
      detail: [
        { loc: ['body', 'Remark'], msg: 'is too long', type: 'v' },
        { loc: ['body', 'begin_ts'], msg: 'lies in the past', type: 'v' },
      ],
    },
    'is too long',
  ],
  [
    'a bare list',
    [
      { message: 'is too long', errorCode: 'X', fields: ['Remark'] },
      { message: 'lies in the past', errorCode: 'Y', fields: ['begin_ts'] },
    ],
    'is too long',
  ],
])('a refusal tells its device which fields are wrong, in our names: %s', async (_form, rows, message) => {
  expect(await refusal({ rows })).toEqual({ kind: 'refused', message, field: 'note', fields: [LONG, LATE] });
});

test('a refusal keeps what it says of a field that is not ours, with its name', async () => {
  const { field: first, fields } = await refusal({
    rows: { errors: { Room: ['is taken'], 'street.zip': ['is unknown'] } },
  });
  expect(fields).toEqual([
    { field: null, message: 'Room: is taken' },
    { field: 'street', message: 'is unknown' },
  ]);
  expect(first).toBe('street');
});

test.each<readonly [string, unknown]>([
  ['the record', { message: 'no', visit: { name: 'Anna', field: 'x', description: 'tall' } }],
  ['the path of the request', { status: 400, error: 'Bad Request', message: 'no', path: '/api/Remark/1' }],
  ['an error that is none of a field', { message: 'no', errors: { code: 'E17', message: 'closed' } }],
  ['numbers', { message: 'no', errors: { Remark: 17 } }],
])('a refusal that shows %s says nothing of fields', async (_what, rows) => {
  expect(await refusal({ rows })).toEqual({ kind: 'refused', message: 'no', field: null });
});

test('a refusal is told in plain text, one line each, whatever is in it', async () => {
  const text = 'must <b onclick="x()">not</b>\nbe <img src=x onerror=alert(1)> <<i>script>a < b';
  const { message, fields } = await refusal({ rows: { message: text, errors: { Remark: [text] } } });
  for (const told of [message, fields?.[0]?.message]) expect(told).toBe('must not be < script>a < b');
});

test('a refusal is not longer than a screen can show', async () => {
  const errors = Array.from({ length: 500 }, () => ({ field: 'Remark', message: 'x'.repeat(5_000) }));
  const told: Classify = ({ purpose }) => (purpose === 'update' ? refused('no', null, errors) : undefined);
  for (const classify of [undefined, told]) {
    const { fields } = await refusal({ rows: { message: 'no', errors } }, undefined, classify);
    expect(fields).toHaveLength(32);
    expect(Math.max(...(fields ?? []).map(({ message }) => message.length))).toBeLessThan(310);
  }
});

test('for all answers a refusal is told, bounded and without tags', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 9 }), fc.string(), async (inner, text) => {
      const rows = { errors: [{ field: 'Remark', message: `${text}<b>` }, inner], details: inner };
      const { kind, fields = [] } = await refusal({ rows });
      expect(kind).toBe('refused');
      expect(fields.length).toBeLessThanOrEqual(32);
      for (const { message } of fields) expect(message).not.toMatch(/<[a-z!/]|[\u0000-\u001f]/i);
    }),
    { numRuns: 60 },
  );
});

test('a form of its own is declared: where the list is, and how its entries say it', async () => {
  const errors = { at: 'result.messages', field: 'element.id', message: 'text', names: { BEGDA: 'startsAt' } };
  const messages = [{ element: { id: 'BEGDA' }, text: 'lies in the past' }, { text: 'locked by Bob' }, { element: 7 }];
  const rows = { message: 'no', result: { messages }, errors: { Remark: ['not looked for'] } };
  expect(await refusal({ rows }, errors)).toEqual({
    kind: 'refused',
    message: 'no',
    field: 'startsAt',
    fields: [LATE, { field: null, message: 'locked by Bob' }],
  });
});

test('a form of its own is declared: texts by field', async () => {
  const rows = { message: 'no', Remark: ['is too long'], begin_ts: 'lies in the past' };
  expect(await refusal({ rows: { said: rows } }, { at: 'said' })).toMatchObject({
    fields: [{ field: null }, LONG, LATE],
  });
  expect((await refusal({ rows })).fields).toBeUndefined();
});

test('what a connector says of an answer itself counts before what is found in it', async () => {
  const rows = { errors: { Remark: ['is too long'] } };
  const said = refused('no', 'begin_ts', [{ field: 'begin_ts', message: 'lies in the past' }]);
  const own: Classify = ({ purpose }) => (purpose === 'update' ? said : undefined);
  expect(await refusal({ rows, status: 400 }, undefined, own)).toEqual({
    kind: 'refused',
    message: 'no',
    field: 'startsAt',
    fields: [LATE],
  });
  const bare: Classify = ({ purpose }) => (purpose === 'update' ? refused('no') : undefined);
  expect(await refusal({ rows }, undefined, bare)).toMatchObject({ field: 'note', fields: [LONG] });
});

test('names that are none of our fields, and half of an entry, are refused at start', () => {
  expect(() => source.open({ visits: visitsWith({ at: '', names: { BEGDA: 'begin_ts' } }) })).toThrow(
    'connector clinic: visits.write.errors.names.BEGDA: expected one of note, startsAt, street, got "begin_ts"',
  );
  expect(() => source.open({ visits: visitsWith({ at: '', field: 'f' }) })).toThrow(
    'visits.write.errors: expected field and message of its entries, or neither',
  );
});

test('a SOAP fault tells in its detail which fields are wrong', async () => {
  const notes = await startNotes();
  try {
    const detail = `<detail><ValidationFault><violations>
      <violation><field>title</field><message>is taken</message></violation>
      <violation><field>tag</field><message>&lt;b&gt;too many&lt;/b&gt;</message></violation>
    </violations></ValidationFault></detail>`;
    notes.answer = ({ body }) =>
      body.includes('SaveNote') ? { status: 500, body: faulted('S:Client', 'not valid', detail) } : { status: 500 };
    const office = notes.open({ update: { sends: 'changed' } });
    expect(await office.write(RETITLED, NEVER)).toEqual({
      kind: 'refused',
      message: 'not valid',
      field: 'title',
      fields: [
        { field: 'title', message: 'is taken' },
        { field: 'tags', message: 'too many' },
      ],
    });
  } finally {
    await notes.close();
  }
});
