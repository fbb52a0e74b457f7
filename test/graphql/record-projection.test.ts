import fc from '../support/properties.js';
import type { Fields, JsonValue } from '../../src/core/change.js';
import { renderBody, type Collection } from '../../src/core/collection.js';
import { createAnsweringClinic, createClinicWorld, type AnsweringClinic } from './answering-clinic.js';
import { field } from './clinic.js';

/** Names that begin each other, and nested values before, between and behind the others. */
const ODD: Collection = {
  name: 'odds',
  type: 'Odd',
  source: 'clinic',
  policy: 'sourceWins',
  writes: { create: false, update: false, delete: false },
  scopesOf: () => ['all'],
  fields: [
    field('any', 'json'),
    field('a', 'string'),
    field('ab', 'string', { list: true }),
    field('abc', 'json', { list: true }),
    field('kind', 'enum', { values: ['X', 'YY'] }),
    field('kinds', 'enum', { values: ['ONE', 'TWO'], list: true }),
    field('mood', 'enum', { values: ['so-so', ','] }),
    field('n', 'int'),
    field('f', 'float', { list: true }),
    field('flag', 'boolean'),
    field('flags', 'boolean', { list: true }),
    field('ref', 'reference', { references: 'odds' }),
    field('last', 'json'),
  ],
};
const NAMES = ODD.fields.map(({ name }) => name);

/** Texts that look like the text around them. */
const hostileText = fc.oneof(
  fc.constantFrom('', '"', '\\', '\\\\"', '"}', ',"a":', '","ab":"', '}],{"', 'null', '\u0001', '\u00011{', '\u0002'),
  fc.constantFrom('\u0000', '\ud800', '\u2028', 'ä€😀', '\u0081"', '{"any":null,"a":"b"}', '\\u0022', '"],"kind":"X"'),
  fc.string({ unit: 'binary' }),
);
const keys = fc.oneof(fc.constantFrom(...NAMES, '__typename', '', '"a"', '0', '10'), hostileText);
const hostileJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    hostileText,
    fc.constantFrom(null, true, false, -0.5, 1e300, 0, '}'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(keys, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

const listOf = <T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(items, { maxLength: 3 });
const hostileFields: fc.Arbitrary<Fields> = fc.record(
  {
    any: hostileJson,
    a: hostileText,
    ab: listOf(hostileText),
    abc: listOf(hostileJson.filter((item) => item !== null)),
    kind: fc.constantFrom('X', 'YY'),
    kinds: listOf(fc.constantFrom('ONE', 'TWO')),
    mood: fc.constantFrom('so-so', ','),
    n: fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0)),
    f: listOf(fc.double({ noNaN: true, noDefaultInfinity: true })),
    flag: fc.boolean(),
    flags: listOf(fc.boolean()),
    ref: hostileText,
    last: hostileJson,
  },
  { requiredKeys: [] },
);

/** Fields in any order, some twice, some under other names: also under names that other fields have. */
const selections = fc
  .array(fc.tuple(fc.constantFrom(...NAMES, '__typename'), fc.nat(3)), { minLength: 1, maxLength: 14 })
  .map((picked) => {
    const nameOf = new Map<string, string>();
    for (const [name, how] of picked) {
      const key = how < 2 ? name : how === 2 ? `${name}2` : (NAMES[name.length % NAMES.length] as string);
      if (!nameOf.has(key)) nameOf.set(key, name);
    }
    return [...nameOf].map(([key, name]) => (key === name ? name : `${key}: ${name}`)).join(' ');
  });

/** A clinic of odd records, whose ready texts are given; answered both ways. */
async function clinicOf(bodies: readonly string[]): Promise<Record<'fast' | 'plain', AnsweringClinic>> {
  const world = await createClinicWorld();
  for (const [number, body] of bodies.entries()) {
    await world.show(`odd ${number}`, ['all'], { collection: ODD.name, body });
  }
  const [fast, plain] = await Promise.all(
    [true, false].map((fastPath) => createAnsweringClinic({ world, fastPath, collections: [ODD] })),
  );
  return { fast: fast as AnsweringClinic, plain: plain as AnsweringClinic };
}

const queryOf = (selection: string): string =>
  `{ pull { changes { id ... on OddChange { record { ${selection} } } } checkpoint } }`;

describe('a projection of records', () => {
  test('is, byte for byte, what GraphQL answers, whatever the values are', async () => {
    const records = fc.sample(hostileFields, { numRuns: 300, seed: 20 });
    const { fast, plain } = await clinicOf(records.map((fields) => renderBody(ODD, fields)));
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(selections, async (selection) => {
        const answered = await fast.ask(queryOf(selection));
        expect(answered.text).toBe((await plain.ask(queryOf(selection))).text);
        expect(answered.errors).toEqual([]);
        asked += 1;
        expect(fast.pulls).toEqual({ ready: asked, parsed: 0 });
      }),
      { numRuns: 60 },
    );
  });

  const declared: Fields = {
    any: { a: 1 },
    a: 'text',
    ab: ['b'],
    kind: 'X',
    kinds: ['ONE'],
    n: 1,
    f: [0.5],
    flag: true,
  };
  /** The ready text of `declared` with these values, whether they fit or not. */
  const bodyWith = (values: Readonly<Record<string, unknown>>): string => {
    const all = Object.fromEntries(NAMES.map((name) => [name, declared[name] ?? null]));
    return JSON.stringify({ ...all, ...values });
  };
  const without = (...names: readonly string[]): string =>
    JSON.stringify(
      Object.fromEntries(Object.entries(JSON.parse(bodyWith({})) as Fields).filter(([key]) => !names.includes(key))),
    );

  test.each([
    ['lacks a selected field', without('kind')],
    ['lacks a field before a selected one', without('any')],
    ['lacks every field', '{}'],
    ['has a field under an old name', bodyWith({}).replace('"kind":', '"sort":')],
    ['has a field more', bodyWith({}).replace('"kind":', '"old":{"kind":"YY"},"kind":')],
    ['has a field more at the beginning', bodyWith({}).replace('{', '{"old":",\\"a\\":",')],
    ['has its fields in another order', bodyWith({}).replace('"a":"text","ab":["b"]', '"ab":["b"],"a":"text"')],
    ['has a number where a text is declared', bodyWith({ a: 12 })],
    ['has a truth where a text is declared', bodyWith({ a: true })],
    ['has an object where a text is declared', bodyWith({ a: { a: 'b' } })],
    ['has a text where a number is declared', bodyWith({ n: '12' })],
    ['has a whole number of more than 32 bits', bodyWith({ n: 2 ** 31 })],
    ['has a fraction where a whole number is declared', bodyWith({ n: 1.5 })],
    ['has a number where a truth is declared', bodyWith({ flag: 1 })],
    ['has an enum value that is not declared', bodyWith({ kind: 'XY' })],
    ['has an enum value that is not declared in a list', bodyWith({ kinds: ['ONE', 'X'] })],
    ['has one value where a list is declared', bodyWith({ ab: 'b' })],
    ['has a list where one value is declared', bodyWith({ a: ['b'] })],
    ['has null in a list', bodyWith({ ab: ['a', null] })],
    ['has null in a list of JSON', bodyWith({ abc: [1, null] })],
    ['has a list in a list', bodyWith({ f: [[1]] })],
  ])('leaves a record that %s to GraphQL', async (_, stored) => {
    const { fast, plain } = await clinicOf([bodyWith({}), stored, bodyWith({})]);
    const query = queryOf('kind a ab abc kinds n f flag');
    const answered = await fast.ask(query);
    expect(answered).toEqual(await plain.ask(query));
    expect(fast.pulls.ready).toBe(1);
    expect(fast.pulls.parsed).toBeGreaterThan(0);
  });

  test.each([
    ['lacks fields behind the selected ones', without('kinds', 'mood', 'n', 'f', 'flag', 'flags', 'ref', 'last')],
    ['has more fields behind them', bodyWith({}).replace('"last":null', '"last":null,"old":"kind","more":[{"ab":[]}]')],
    ['has another type in a field that is not selected', bodyWith({ any: 'text', a: [{ ab: '"' }], n: [] })],
  ])('is not disturbed by a record that %s', async (_, stored) => {
    const { fast, plain } = await clinicOf([stored]);
    const query = queryOf('ab kind');
    const answered = await fast.ask(query);
    expect(answered.text).toBe((await plain.ask(query)).text);
    expect(fast.pulls).toEqual({ ready: 1, parsed: 0 });
  });
});
