import {
  collection,
  collectionsOf,
  defineConnector,
  field,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { changeNumber } from '../../src/connectors/change-number.js';
import { get, patch, post, rest } from '../../src/connectors/rest.js';

const READ = { list: get('/v'), one: get('/v/{key}') };

function define(more: object): ConnectorDefinition {
  const fields = { note: field.string({ sealed: true }), ward: field.string() };
  const visits = { type: 'Visit', key: 'id', fields, read: READ, ...more } as unknown as Parameters<
    typeof collection
  >[0];
  return defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: 'http://clinic.example' }),
    collections: { visits: collection(visits) },
  });
}

const one = (spec: object, name = 'note'): object => ({ [name]: spec });

test.each<readonly [string, object, string]>([
  [
    'a reference',
    { fields: one(field.reference('visits', { sealed: true })) },
    '.fields.note: expected no sealed field, since references rest here as they are, got "note"',
  ],
  ['a key', { key: 'note' }, '.key: expected no sealed field, since keys rest here as they are, got "note"'],
  [
    'a part of a key',
    { key: ['a', 'NOTE'], fields: one(field.string({ from: 'NOTE', sealed: true })) },
    '.key: expected no sealed field, since keys rest here as they are, got "note"',
  ],
  [
    'a version',
    { version: 'note' },
    '.version: expected no sealed field, since versions rest here as they are, got "note"',
  ],
  [
    'a cursor',
    {
      fields: one(field.long({ sealed: true })),
      read: { ...READ, changes: changeNumber({ param: 'after', member: 'note', inclusive: false }) },
    },
    '.read.changes: expected no sealed field, since cursors rest here as they are, got "note"',
  ],
  [
    'a natural key',
    {
      fields: one(field.string({ sealed: true, required: true })),
      write: {
        create: post('/v'),
        update: patch('/v/{key}'),
        naturalKey: { fields: ['note'], lookUp: get('/v', { query: { note: '{note}' } }) },
      },
    },
    '.write.naturalKey: expected no sealed field, since records are looked up by its values as they are, got "note"',
  ],
  [
    'what gives scopes',
    { scopes: (record: { note: string }) => [record.note] },
    '.scopes: expected no sealed field, since names of scopes rest here as they are, got "note"',
  ],
  [
    'a collection of which no value is kept',
    { storage: 'metadataOnly' },
    '.fields.note: expected no "sealed", since storage "metadataOnly" keeps no value, got it',
  ],
])('F32: a sealed field cannot be %s, and the start says which', (_what, more, line) => {
  expect(() => define(more)).toThrow(`connector clinic: visits${line}`);
});

test('F32: a field of any type can be sealed, also one of a list and beside a rule that does not look at it', () => {
  const sealed = { sealed: true };
  const fields = {
    day: field.date(sealed),
    tags: field.list(field.string(), sealed),
    kind: field.enum(['a', 'b'], sealed),
    ward: field.string(),
  };
  const scopes = ({ ward, ...rest }: Record<string, unknown>): readonly string[] => [
    `${String(ward)} ${Object.keys(rest).length}`,
  ];
  const [visits] = collectionsOf(define({ fields, scopes }));
  expect(visits?.fields.map((one) => one.sealed)).toEqual([true, true, true, undefined]);
  expect(visits?.scopesOf({ ward: 'A', day: '2026-01-31', tags: [], kind: 'a' })).toEqual(['A 0']);
});

test('F32: a rule that looks at a sealed field of some records only fails for those', () => {
  const scopes = ({ ward, ...rest }: { ward: string | null; note?: string }): readonly string[] =>
    ward === null ? [] : [String(rest.note)];
  const looks = (record: { ward: string | null; note: string }): readonly string[] =>
    record.ward === null ? [] : [record.note];
  const [hidden] = collectionsOf(define({ scopes }));
  expect(hidden?.scopesOf({ ward: 'A', note: 'a diagnosis' })).toEqual(['undefined']);
  const [visits] = collectionsOf(define({ scopes: looks }));
  expect(() => visits?.scopesOf({ ward: 'A', note: 'a diagnosis' })).toThrow(
    'looks at no sealed field, got one that looks at "note"',
  );
});
