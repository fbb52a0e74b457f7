import fc from '../support/properties.js';
import {
  collectionsOf,
  defineConnector,
  field,
  keyFormsOf,
  type FieldSpec,
  type KeyForm,
} from '../../src/connectors/define.js';
import { compileMapping, type Mapping } from '../../src/connectors/mapping.js';
import { get, rest } from '../../src/connectors/rest.js';
import type { AnyCollectionDefinition, ConnectorDefinition } from '../../src/connectors/define.js';
import type { RecordMisfit } from '../../src/core/misfit.js';
import type { SourceKey } from '../../src/core/change.js';
import { SyncError } from '../../src/core/errors.js';

const NOTE = { fields: { note: field.string() }, read: { list: get('/visits') } };

/** @param textOnly as in SOAP, where everything is text */
function mappingOf(
  definition: Partial<AnyCollectionDefinition>,
  textOnly = false,
  ...others: readonly ConnectorDefinition[]
): Mapping {
  const one = { type: 'Visit', key: 'id', ...NOTE, ...definition };
  const connector = {
    source: 'clinic',
    transport: rest({ baseUrl: 'http://a.example' }),
    collections: { visits: one },
  };
  const defined = defineConnector(connector);
  return compileMapping(collectionsOf(defined)[0] as never, one, textOnly, keyFormsOf([defined, ...others]));
}

const valueOf = (spec: FieldSpec<never> | FieldSpec, value: unknown, textOnly = false): unknown =>
  mappingOf({ fields: { value: spec } }, textOnly).observe({ id: 'V-1', value }, null).fields?.value;

describe('a value is read by its declared type', () => {
  test.each<readonly [string, FieldSpec<never> | FieldSpec, unknown, unknown]>([
    ['a string', field.string(), 'grün', 'grün'],
    ['an empty string', field.string(), '', ''],
    ['a boolean', field.boolean(), false, false],
    ['an int', field.int(), -7, -7],
    ['a float', field.float(), 0.5, 0.5],
    ['a long as text', field.long(), '9007199254740993', '9007199254740993'],
    ['a long as number', field.long(), 42, '42'],
    ['a decimal as text', field.decimal(), '12.50', '12.50'],
    ['a decimal as number', field.decimal(), 12.5, '12.5'],
    ['a date', field.date(), '2026-02-28', '2026-02-28'],
    ['a moment with an offset', field.dateTime(), '2026-01-31T12:00:00+02:00', '2026-01-31T10:00:00.000Z'],
    ['an enum', field.enum(['open', 'done']), 'done', 'done'],
    ['json', field.json(), { a: [1, null] }, { a: [1, null] }],
    ['a reference by number', field.reference('visits'), 7, '7'],
    ['a reference by parts', field.reference('visits'), ['7', 'a:b'], '7:a%3Ab'],
    ['an empty reference', field.reference('visits'), '', null],
    ['a list', field.list(field.decimal()), [1, '2.0'], ['1', '2.0']],
    ['nothing', field.int(), undefined, null],
  ])('%s', (_what, spec, value, read) => {
    expect(valueOf(spec, value)).toEqual(read);
  });

  test.each<readonly [string, FieldSpec<never> | FieldSpec, unknown, unknown]>([
    ['an int', field.int(), ' 42 ', 42],
    ['a float', field.float(), '1.5e3', 1500],
    ['a long', field.long(), '+0042', '42'],
    ['a decimal', field.decimal(), '0012.50', '12.50'],
    ['a decimal of nothing', field.decimal(), '-0.00', '0.00'],
    ['true', field.boolean(), '1', true],
    ['false', field.boolean(), 'false', false],
    ['an empty date', field.date(), '', null],
    ['a list of one', field.list(field.int()), '5', [5]],
    ['no list', field.list(field.int()), undefined, []],
  ])('where everything is text, %s too', (_what, spec, value, read) => {
    expect(valueOf(spec, value, true)).toEqual(read);
  });
});

test.each<readonly [string, FieldSpec<never> | FieldSpec, unknown, string]>([
  ['string', field.string(), 5, 'a text from the source, got a number'],
  [
    'long string',
    field.string({ maxLength: 3 }),
    'grün',
    'a text of at most 3 characters from the source, got a text of length 4',
  ],
  ['boolean', field.boolean(), 'true', 'true or false from the source, got a text of length 4'],
  ['int', field.int(), '5', 'a whole number of 32 bits from the source, got a text of length 1'],
  ['int beyond 32 bits', field.int(), 2 ** 31, 'a whole number of 32 bits from the source, got a number'],
  ['float', field.float(), '5', 'a finite number from the source, got a text of length 1'],
  ['long that lost its digits', field.long(), 2 ** 53, 'a whole number of 64 bits as text'],
  [
    'decimal',
    field.decimal(),
    '12,50',
    'a decimal number as text, like "12.50" from the source, got a text of length 5',
  ],
  ['date', field.date(), '2026-02-30', 'a date like 2026-01-31 from the source, got a text of length 10'],
  ['moment without zone', field.dateTime(), '2026-01-31T12:00:00', 'a date and time with zone'],
  ['enum', field.enum(['open', 'done']), 'shut', 'one of open, done from the source, got a text of length 4'],
  ['reference', field.reference('visits'), {}, 'the id of a record of visits from the source, got an object'],
  ['list', field.list(field.int()), 5, 'a list of int from the source, got a number'],
  [
    'item of a list',
    field.list(field.int()),
    [5, 'x'],
    'a whole number of 32 bits from the source, got a text of length 1',
  ],
])('a %s that does not fit is told by collection, field and record', (_what, spec, value, expected) => {
  const thrown = caught(() => valueOf(spec, value));
  expect(thrown).toMatchObject({ code: 'VALIDATION', field: 'value' });
  expect(thrown.message).toMatch('visits.value: expected ');
  expect(thrown.message).toContain(expected);
  expect(thrown.message).toMatch(/\(record V-1\)$/);
});

describe('a record', () => {
  const misfitOf = (mapping: Mapping, row: object) => (caught(() => mapping.observe(row, null)) as RecordMisfit).record;

  test.each([
    ['control characters', 'V-1\u0007', 'V-1%07', 'expected a key without control characters, got one'],
    ['an unpaired surrogate', 'V-\ud800', 'V-%EF%BF%BD', 'expected a key of whole characters, got one that is not'],
    [
      'more characters than an id has',
      'x'.repeat(201),
      'x'.repeat(201),
      'expected a key of at most 200 characters, percent-encoded, got 201',
    ],
  ])('with %s in its key does not fit', (_what, id, sourceKey, reason) => {
    expect(misfitOf(mappingOf({}), { id, note: 'n' })).toEqual({ sourceKey, field: null, reason });
  });

  test('whose scope rule throws, or gives no scopes, does not fit', () => {
    const reason = 'expected scopes to name the scopes of a record, it failed';
    const throwing = mappingOf({ scopes: ({ note }: { note: string }) => [note.trim()] });
    const empty = mappingOf({ scopes: ({ note }: { note: string }) => [note] });
    expect(misfitOf(throwing, { id: 'V-1', note: null })).toEqual({ sourceKey: 'V-1', field: null, reason });
    expect(misfitOf(empty, { id: 'V-1', note: '' })).toEqual({ sourceKey: 'V-1', field: null, reason });
    expect(throwing.observe({ id: 'V-1', note: ' x ' }, null).fields).toEqual({ note: ' x ' });
  });

  test('that does not fit is told without any of its values', () => {
    const mapping = mappingOf({ fields: { value: field.enum(['open']) } });
    const thrown = caught(() => mapping.observe({ id: 'V-1', value: 'AIDS' }, null));
    expect(thrown.message).not.toContain('AIDS');
    expect(thrown.message).toContain('got a text of length 4');
  });
});

describe('a decimal that comes as a number', () => {
  test.each([
    [2 ** 53 - 1, '9007199254740991'],
    [1.5e-7, '0.00000015'],
    [-2.5e-21, '-0.0000000000000000000025'],
    [1e-37, `0.${'0'.repeat(36)}1`],
    [-0, '0'],
  ])('%p keeps its digits, without an exponent', (number, text) => {
    expect(valueOf(field.decimal(), number)).toBe(text);
  });

  test.each([2 ** 53, -1e21])(
    'is never taken as another one: %p, which JSON may have rounded, does not fit',
    (number) => {
      expect(() => valueOf(field.decimal(), number)).toThrow('visits.value: expected a decimal number');
    },
  );

  test('is never taken as zero: what has more digits than a decimal takes does not fit', () => {
    expect(() => valueOf(field.decimal(), 1e-40)).toThrow('visits.value: expected a decimal number');
  });

  test('is the very same number when it is read back', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-20, max: 1e37, noNaN: true }), fc.boolean(), (size, isNegative) => {
        const number = isNegative ? -size : size;
        const thrown = caughtOrNull(() => expect(Number(valueOf(field.decimal(), number))).toBe(number));
        // A decimal has 37 digits behind its point: a double near 1e-20 may have more.
        if (thrown !== null) expect(thrown).toBeInstanceOf(SyncError);
      }),
    );
  });
});

describe('a key', () => {
  test.each<readonly [string, AnyCollectionDefinition['key'], object, string]>([
    ['of one member', 'id', { id: 7 }, '7'],
    ['with signs of its own', 'id', { id: 'a/b:c ü' }, 'a%2Fb%3Ac%20%C3%BC'],
    ['of several members', ['house', 'no'], { house: 'A:1', no: 2 }, 'A%3A1:2'],
    ['by a function', (row: { at: string }) => ['x', row.at], { at: 'y' }, 'x:y'],
  ])('%s is percent-encoded, its parts joined by a colon', (_what, key, row, text) => {
    expect(mappingOf({ key }).observe({ note: 'n', ...row }, null).sourceKey).toBe(text);
  });

  test.each([[{ id: '' }], [{ id: null }], [{ id: 1.5 }], [{ id: true }], [{}]])('%p is none', (row) => {
    expect(() => mappingOf({}).keyOf(row)).toThrow('expected a record of visits to have a key, got');
  });
});

describe('F20: a key that its source writes in several ways', () => {
  const keyOf = (keyForm: AnyCollectionDefinition['keyForm'], id: unknown): string =>
    mappingOf(keyForm === undefined ? {} : { keyForm }).keyOf({ id });

  test.each<readonly [KeyForm, readonly unknown[], string]>([
    [{ trim: true }, ['AB1', 'AB1   ', ' AB1\t'], 'AB1'],
    [{ case: 'lower' }, ['AB1', 'ab1', 'Ab1'], 'ab1'],
    [{ trim: true, case: 'upper' }, ['ab1  ', 'AB1'], 'AB1'],
    [{ digits: 1 }, [7, '7', '007'], '7'],
    [{ digits: 1 }, [0, '0', '000'], '0'],
    [{ digits: 5 }, [7, '7', '007', '0000007'], '00007'],
    [{ digits: 3 }, ['12345', '0012345'], '12345'],
    [{ digits: 3 }, ['A7'], 'A7'],
    [{}, ['AB1 '], 'AB1%20'],
  ])('in the form %j is one key', (keyForm, written, key) => {
    expect(written.map((id) => keyOf(keyForm, id))).toEqual(written.map(() => key));
  });

  test('is taken as it comes where no form is declared', () => {
    expect(['7', '007', 'abc', 'ABC '].map((id) => keyOf(undefined, id))).toEqual(['7', '007', 'abc', 'ABC%20']);
  });

  test('has a form for all of its parts, or one for each', () => {
    const of = (keyForm: AnyCollectionDefinition['keyForm']): string =>
      mappingOf({ key: ['house', 'no'], ...(keyForm === undefined ? {} : { keyForm }) }).keyOf({
        house: ' a',
        no: '07',
      });
    expect(of({ trim: true })).toBe('a:07');
    expect(of([{ trim: true, case: 'upper' }, { digits: 1 }])).toBe('A:7');
  });

  test('of which nothing is left is none', () => {
    expect(() => keyOf({ trim: true }, '   ')).toThrow('expected a record of visits to have a key, got');
  });

  test('is its own form: what was read once reads as the same', () => {
    const form = fc.record(
      {
        trim: fc.boolean(),
        case: fc.constantFrom('lower' as const, 'upper' as const),
        digits: fc.integer({ min: 1, max: 12 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(form, fc.stringMatching(/^[ 0-9a-zA-ZäÄß]{1,12}$/), (keyForm, id) => {
        fc.pre(id.trim() !== '');
        const key = keyOf(keyForm, id);
        expect(keyOf(keyForm, decodeURIComponent(key))).toBe(key);
      }),
    );
  });

  test('is referred to in the form of the collection that it belongs to, also in another connector', () => {
    const patients = { type: 'Patient', key: 'id', keyForm: { trim: true, digits: 4 }, ...NOTE };
    const ward = { source: 'ward', transport: rest({ baseUrl: 'http://b.example' }), collections: { patients } };
    const fields = { patient: field.reference('patients'), previous: field.reference('visits') };
    const mapping = mappingOf({ fields, keyForm: { case: 'upper' } }, false, ward);
    const read = (patient: unknown, previous: unknown): object =>
      mapping.observe({ id: 'v-2', patient, previous }, null).fields ?? {};
    expect(read('17 ', 'v-1')).toEqual({ patient: '0017', previous: 'V-1' });
    expect(read(17, ' ')).toEqual({ patient: '0017', previous: '%20' });
    expect(read('  ', '')).toEqual({ patient: null, previous: null });
  });
});

describe('a version', () => {
  const of = (version: string, row: object): string | null =>
    mappingOf({ version, read: { list: get('/v'), one: get('/v/{key}') } }).observe(
      { id: 1, note: null, ...row },
      { etag: '"t"', lastModified: 'Thu, 26 Nov 2026 07:00:00 GMT', dateMs: null },
    ).sourceVersion;

  test('is a member as text, or a header of a single read', () => {
    expect(of('rev', { rev: 3 })).toBe('3');
    expect(of('rev', {})).toBeNull();
    expect(of('etag', {})).toBe('"t"');
    expect(of('lastModified', { lastModified: 'no' })).toBe('Thu, 26 Nov 2026 07:00:00 GMT');
  });
});

describe('a flag of deletion', () => {
  const isDeleted = (flag: { value?: string | number | boolean }, gone: unknown): boolean =>
    mappingOf({ read: { list: get('/v'), deletes: { kind: 'flag', member: 'gone', every: '1d', ...flag } } }).observe(
      // A deleted row may have lost its other members.
      { id: 'V-1', note: 'n', gone },
      null,
    ).fields === null;

  test.each([[true], ['true'], [1], ['2026-01-31'], ['X']])('%p deletes', (gone) =>
    expect(isDeleted({}, gone)).toBe(true),
  );
  test.each([[false], ['false'], [0], [''], [null], [undefined]])('%p does not', (gone) =>
    expect(isDeleted({}, gone)).toBe(false),
  );
  test('with a value of its own is that value only, as text too', () => {
    expect([1, '1', true, 2, '0'].map((gone) => isDeleted({ value: 1 }, gone))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('names', () => {
  const fields = {
    note: field.string({ from: 'REMARK' }),
    at: field.reference('visits'),
    of: field.list(field.reference('visits')),
  };

  test("are the source's own on both ways, and a body holds the given fields only", () => {
    const mapping = mappingOf({ fields });
    expect(mapping.observe({ id: 1, REMARK: 'x', note: 'not this' }, null).fields).toEqual({
      note: 'x',
      at: null,
      of: null,
    });
    expect(mapping.bodyOf({ note: null })).toEqual({ REMARK: null });
    expect(mapping.ourName('REMARK')).toBe('note');
    expect(mapping.ourName('note')).toBeNull();
  });

  test('go through map and unmap, references as the source has them', () => {
    const mapping = mappingOf({
      fields,
      map: (row: { R: string; A: string[] }) => ({ note: row.R.trim(), at: row.A, of: [] }),
      unmap: (given: object) => ({ wrapped: given }),
    });
    expect(mapping.observe({ id: 1, R: ' x ', A: ['p', 'q'] }, null).fields).toEqual({ note: 'x', at: 'p:q', of: [] });
    expect(mapping.bodyOf({ at: 'p:a%3Ab', of: ['z%20'] })).toEqual({
      wrapped: { at: ['p', 'a:b'], of: ['z '] },
    });
  });

  test('a map that throws is told by its record, not as a fault of the source', () => {
    const mapping = mappingOf({ map: (row: { R: string }) => ({ note: row.R.trim() }) });
    const thrown = caught(() => mapping.observe({ id: 'V-9' }, null));
    expect(thrown).toMatchObject({ code: 'VALIDATION' });
    expect(thrown.message).toBe('visits: expected map to give the fields of a record, it threw (record V-9)');
  });
});

test('a key that is read as a reference is the key of the record that it points to', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string({ minLength: 1, unit: 'grapheme' }), fc.maxSafeInteger()), {
        minLength: 1,
        maxLength: 3,
      }),
      (parts) => {
        const mapping = mappingOf({ key: () => parts, fields: { of: field.json() } });
        const key: SourceKey = mapping.keyOf({});
        const thrown = caughtOrNull(() => expect(valueOf(field.reference('visits'), parts)).toBe(key));
        if (thrown !== null) expect(key.length).toBeGreaterThan(200);
      },
    ),
  );
});

function caughtOrNull(act: () => unknown): Error | null {
  try {
    act();
    return null;
  } catch (thrown) {
    return thrown as Error;
  }
}

function caught(act: () => unknown): Error {
  const thrown = caughtOrNull(act);
  if (thrown === null) throw new Error('expected a throw');
  return thrown;
}
