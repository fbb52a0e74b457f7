import fc from '../support/properties.js';
import type { Collection } from '../../src/core/collection.js';
import { patients, visits } from './clinic.js';

/** A request that a client might send, and whether it selects records in another form than they are kept in. */
export interface PullOperation {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly isProjected: boolean;
}

interface Piece {
  readonly text: string;
  readonly isProjected: boolean;
}

const CHANGE_FIELDS = ['collection', 'id', 'version', 'changedAt', 'kind', 'pending', 'mine', 'json', '__typename'];
const PAGE_FIELDS = ['checkpoint', 'hasMore', 'reset', 'resetReason', 'complete', 'epoch', '__typename'];
const RECEIPTS = [
  'receipts { changeId status blockedBy error { code message field retryable } }',
  'receipts { __typename blockedBy error { retryable __typename code } s: status again: status }',
  'receipts { error { message fields { field m: message __typename } } ... on Receipt { changeId } }',
];

const always = (text: string): Piece => ({ text, isProjected: false });

/** A field under its own name or another one, there or not there. */
const named = (field: string): fc.Arbitrary<Piece> =>
  fc
    .record({
      alias: fc.option(fc.constantFrom('a', 'b', 'ü', 'count', 'changes2', '_').map((name) => name.replace('ü', 'ue'))),
      directive: fc.constantFrom(
        '',
        '',
        '',
        '@include(if: $on)',
        '@skip(if: $on)',
        '@skip(if: false)',
        '@include(if: $off)',
      ),
    })
    .map(({ alias, directive }) => always(`${alias === null ? '' : `${alias}_${field}: `}${field} ${directive}`));

/** Some of these fields in any order, some of them twice. */
const someOf = (fields: readonly string[]): fc.Arbitrary<readonly Piece[]> =>
  fc.array(fc.constantFrom(...fields).chain(named), { minLength: 1, maxLength: 8 });

/** The record of a collection: whole as it is kept, or in another form. */
function record({ type, fields }: Collection): fc.Arbitrary<Piece> {
  const names = fields.map((field) => field.name);
  const whole = names.join(' ');
  const kept = [
    whole,
    `__typename ${whole}`,
    `${whole} __typename`,
    `t: __typename __typename ${whole}`,
    `...Whole${type}`,
  ];
  const others = [
    names.slice(1).join(' '),
    names.slice(0, -1).join(' '),
    [...names].reverse().join(' '),
    `renamed: ${whole}`,
    `${names[0]} __typename ${names.slice(1).join(' ')}`,
    // Under each other's names: the keys are those of the whole record.
    whole.replace('mood notes', 'mood: notes notes: mood').replace('id name', 'id: name name: id'),
    '__typename',
    `${whole} again: ${names[0]}`,
    `${names[0]} ...Whole${type}`,
  ];
  const some = someOf([...names, '__typename']).map((pieces) => pieces.map((piece) => piece.text).join(' '));
  return fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...kept).map((text) => always(`record { ${text} }`)) },
    {
      weight: 3,
      arbitrary: fc
        .oneof(fc.constantFrom(...others), some, some)
        .map((text) => ({ text: `record { ${text} }`, isProjected: true })),
    },
  );
}

const typed = (collection: Collection): fc.Arbitrary<Piece> =>
  fc
    .tuple(record(collection), fc.constantFrom('', '', '@include(if: $on)'), fc.constantFrom('', 'id', 'k: kind json'))
    .map(([{ text, isProjected }, directive, more]) => ({
      text: `... on ${collection.type}Change ${directive} { ${more} ${text} }`,
      isProjected: isProjected && directive === '',
    }));

const wrapped = (pieces: readonly Piece[]): fc.Arbitrary<Piece> =>
  fc.constantFrom('', '... on Change', '... @include(if: $on)', '... @skip(if: $off)').map((head) => {
    const text = pieces.map((piece) => piece.text).join(' ');
    return {
      text: head === '' ? text : `__typename ${head} { ${text} }`,
      isProjected: pieces.some((piece) => piece.isProjected),
    };
  });

/** The selection of `changes`; directives may empty it. */
const changes: fc.Arbitrary<Piece> = fc
  .tuple(
    someOf(CHANGE_FIELDS).chain(wrapped),
    fc.option(typed(visits)),
    fc.option(typed(patients)),
    fc.constantFrom('', '...Basics', '... on Change { ...Basics }'),
  )
  .chain(([generic, visit, patient, spread]) =>
    fc
      .shuffledSubarray(
        [generic, visit, patient, always(spread), always('id')].filter((piece) => piece !== null),
        {
          minLength: 1,
        },
      )
      .map((pieces) => ({
        text: `{ id @include(if: $on) ${pieces.map((piece) => piece.text).join(' ')} }`,
        isProjected: pieces.some((piece) => piece.isProjected),
      })),
  );

const FRAGMENTS = [
  'fragment Basics on Change { version ...More kind @skip(if: $off) }',
  'fragment More on Change { mine id }',
  ...[visits, patients].map(
    ({ type, fields }) => `fragment Whole${type} on ${type} { ${fields.map((field) => field.name).join(' ')} }`,
  ),
];

/** Unused fragments are refused. */
const fragmentsOf = (text: string): string => {
  const used = FRAGMENTS.filter((fragment) => text.includes(`...${fragment.split(' ')[1]}`));
  const inner = FRAGMENTS.filter((fragment) => used.some((one) => one.includes(`...${fragment.split(' ')[1]} `)));
  return [...new Set([...used, ...inner])].join('\n');
};

/** @param checkpoints of the same world, to go on from */
export function pullOperations(checkpoints: readonly string[]): fc.Arbitrary<PullOperation> {
  const selection = fc
    .tuple(
      changes,
      someOf(PAGE_FIELDS),
      fc.option(fc.constantFrom(...RECEIPTS)),
      fc.constantFrom('', 'rows: '),
      fc.nat(9),
    )
    .map(([changed, page, receipts, alias, at]) => {
      const pieces = [...page.map((piece) => piece.text), ...(receipts === null ? [] : [receipts])];
      pieces.splice(at % (pieces.length + 1), 0, `${alias}changes ${changed.text}`);
      return { text: `{ ${pieces.join(' ')} }`, isProjected: changed.isProjected };
    });
  return fc
    .record({
      selected: selection,
      root: fc.constantFrom('pull', 'page: pull', '__typename pull', 'q: __typename p: pull'),
      since: fc.constantFrom<string | null | undefined>(undefined, null, ...checkpoints),
      collections: fc.constantFrom(undefined, null, ['visits'], ['patients', 'visits']),
      limit: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      operationName: fc.constantFrom(null, 'Sync'),
      on: fc.boolean(),
    })
    .map(({ selected, root, since, collections, limit, operationName, on }) => {
      const other = operationName === null ? '' : 'query Other { collections { name } }';
      const body = `${root}(since: $since, collections: $collections, limit: $limit) ${selected.text}`;
      const text = `${body}\n${other}`;
      const query = `query Sync($since: Checkpoint, $collections: [String!], $limit: Int = 7, $on: Boolean!, $off: Boolean = false) { ${body} checks: __typename @include(if: $on) @skip(if: $off) }\n${other}\n${fragmentsOf(text)}`;
      const variables = { since, collections, limit, on };
      return {
        query,
        operationName,
        variables: JSON.parse(JSON.stringify(variables)),
        isProjected: selected.isProjected,
      };
    });
}
