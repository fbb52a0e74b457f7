import { randomBytes } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import { changedFields, parseBody, renderBody } from '../../src/core/collection.js';
import { isKeptBody, keptCollection } from '../../src/sealing/digests.js';
import { visitsCollection } from '../push/pushing-clinic.js';
import fc from '../support/properties.js';

const KEY = '17' as SourceKey;
const VISITS = visitsCollection();
const kept = keptCollection(VISITS, randomBytes(32));
const { keeping } = kept;
if (keeping === undefined) throw new Error('expected digests');

const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
const fields = fc.record({
  note: value,
  status: value,
  route: fc.string({ minLength: 1, maxLength: 5 }),
  number: value,
});

test('F29: kept states differ in exactly the fields in which the values do, and a part of a record as in the whole', () => {
  fc.assert(
    fc.property(fields, fields, (before, after) => {
      const [a, b] = [before, after].map((one) => parseBody(renderBody(kept, keeping.digestWhole(KEY, one))));
      expect(changedFields(kept, a as Fields, b as Fields)).toEqual(changedFields(VISITS, before, after));
      expect(keeping.digest(KEY, { note: after.note })).toEqual({ note: b?.['note'] });
      expect(isKeptBody(kept, renderBody(kept, b as Fields))).toBe(true);
    }),
  );
});

test('F29: a digest depends on the secret, the record, the field and the value', () => {
  const other = keptCollection(VISITS, randomBytes(32)).keeping;
  const digests = [
    keeping.digest(KEY, { note: 'x', status: 'x' }),
    keeping.digest('18' as SourceKey, { note: 'x' }),
    other?.digest(KEY, { note: 'x' }) ?? {},
    keeping.digest(KEY, { note: 'y' }),
  ].flatMap((one) => Object.values(one));
  expect(new Set(digests).size).toBe(5);
});

test('R13: the scopes of a kept record are those of its values, and so is what gave them', () => {
  expect(keeping.digestWhole(KEY, { note: 'x', route: '7' })['$']).toEqual({ scopes: ['route:7'], by: ['route'] });
  expect(kept.scopesOf(keeping.digestWhole(KEY, { route: '7' }))).toEqual(['route:7']);
  // What devices push for a new record is not kept yet: the rule itself is asked.
  expect(kept.scopesOf({ route: '8' })).toEqual(['route:8']);
  const asks = (scopesOf: (one: Fields) => readonly string[]): unknown =>
    keptCollection({ ...VISITS, scopesOf }, randomBytes(32)).keeping?.digestWhole(KEY, { note: 'x', route: '7' })['$'];
  expect(asks((one) => ('note' in one ? ['noted'] : []))).toEqual({ scopes: ['noted'], by: ['note'] });
  expect(asks((one) => Object.values(one).map(String))).toMatchObject({ by: ['note', 'status', 'route', 'number'] });
  expect(asks(({ note, ...rest }) => [`${String(note)} ${Object.keys(rest).length}`])).toMatchObject({
    by: ['note', 'status', 'route', 'number'],
  });
});

test('F29: a scope rule that throws tells no value', () => {
  const failing = keptCollection(
    {
      ...VISITS,
      scopesOf: ({ note }) => {
        throw new Error(String(note));
      },
    },
    randomBytes(32),
  );
  expect(failing.keeping?.digestWhole(KEY, { note: 'a diagnosis' })['$']).toEqual({ scopes: null, by: ['note'] });
  expect(failing.scopesOf({ note: 'a diagnosis' })).toEqual(['']);
});

test.each([
  ['a value', '{"note":"a diagnosis","$":{"scopes":[],"by":[]}}'],
  ['a number', '{"number":1,"$":{"scopes":[],"by":[]}}'],
  ['an unknown field', `{"other":"${'A'.repeat(22)}","$":{"scopes":[],"by":[]}}`],
  ['a whole body', '{"note":null}'],
])('a body with %s is none that may be kept', (_what, body) => {
  expect(isKeptBody(kept, body)).toBe(false);
});
