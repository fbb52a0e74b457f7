/** A request body that costs whoever reads it more than whoever sends it. */
export interface HostileRequest {
  readonly attack: number;
  readonly what: string;
  readonly body: string;
}

const many = (count: number, text: (at: number) => string, joint = ' '): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(joint);
const query = (text: string): string => JSON.stringify({ query: text });
/** Fragments of which each spreads the next one twice. */
const doubling = (count: number): string =>
  query(
    `{ ...F0 } ${many(count, (at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`)} fragment F${count} on Query { collections { name } }`,
  );

/** The bodies of attacks 2 to 5 and 25, and what fits into the limits of tokens and bytes and is worst for a validator. */
export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  { attack: 2, what: '10,000 aliases', body: query(`{ ${many(10_000, (at) => `a${at}: __typename`)} }`) },
  { attack: 2, what: 'a field 1,000 times', body: query(`{ ${many(1_000, () => 'collections { name }')} }`) },
  {
    attack: 2,
    what: 'a field 480 times, within 1,000 tokens',
    body: query(`{ pull { ${many(980, () => 'epoch')} } }`),
  },
  {
    attack: 2,
    what: 'a field with sub-fields 240 times, within 1,000 tokens',
    body: query(`{ ${many(240, () => 'pull { epoch }')} }`),
  },
  {
    attack: 2,
    what: '230 aliases of a field with sub-fields',
    body: query(`{ ${many(160, (at) => `a${at}: pull { epoch }`)} }`),
  },
  {
    attack: 2,
    what: '300 unknown fields',
    body: query(`{ ${many(900, (at) => `colections${at}`)} }`),
  },
  { attack: 2, what: 'a comment of 4 MB', body: query(`#${'x'.repeat(4_000_000)}\n{ __typename }`) },
  {
    attack: 2,
    what: 'a text of 4 MB in a document',
    body: query(`{ pull(since: "${'x'.repeat(4_000_000)}") { epoch } }`),
  },
  { attack: 2, what: 'a query of 2 MB', body: query(`{ pull { ${'epoch '.repeat(340_000)} } }`) },
  { attack: 3, what: '5,000 levels', body: query(`${'{ changes '.repeat(5_000)}{ id }${' }'.repeat(5_000)}`) },
  {
    attack: 3,
    what: '480 levels, within 1,000 tokens',
    body: query(`{ pull ${'{ changes '.repeat(325)}{ id }${' }'.repeat(325)} }`),
  },
  {
    attack: 3,
    what: 'a list of 490 levels for an argument',
    body: query(`{ pull(collections: ${'['.repeat(490)}${']'.repeat(490)}) { epoch } }`),
  },
  {
    attack: 4,
    what: 'fragments that go round',
    body: query(`{ ...F0 } ${many(130, (at) => `fragment F${at} on Query { ...F${(at + 1) % 130} }`)}`),
  },
  { attack: 4, what: '200 fragments that double', body: doubling(200) },
  { attack: 4, what: '70 fragments that double, within 1,000 tokens', body: doubling(70) },
  {
    attack: 4,
    what: '30 fragments that spread all others',
    body: query(
      `{ ...F0 } ${many(24, (at) => `fragment F${at} on Query { ${many(24, (to) => (to === at ? '__typename' : `...F${to}`), ' ')} }`)}`,
    ),
  },
  {
    attack: 4,
    what: '60 fragments with 3 fields each, spread at one place',
    body: query(
      `{ pull { ${many(60, (at) => `...F${at}`)} } } ${many(60, (at) => `fragment F${at} on Page { a: epoch b: hasMore c: reset }`)}`,
    ),
  },
  { attack: 5, what: '100 operations in a list', body: `[${many(100, () => query('{ __typename }'), ',')}]` },
  {
    attack: 25,
    what: 'variables of 1,000,000 levels',
    body: `{"query":"{ __typename }","variables":${'{"a":'.repeat(600_000)}1${'}'.repeat(600_000)}}`,
  },
  {
    attack: 25,
    what: '10,000 changes in a push',
    body: JSON.stringify({
      query: 'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { epoch } }',
      variables: {
        changes: Array.from({ length: 10_000 }, (_, at) => ({
          changeId: `many-${at}`,
          collection: 'items',
          id: `i-${at}`,
          kind: 'DELETE',
          changedAt: '2026-01-31T12:00:00Z',
        })),
      },
    }),
  },
  {
    attack: 25,
    what: '100,000 misfits in a push',
    body: JSON.stringify({
      query: 'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { epoch } }',
      variables: { changes: Array.from({ length: 100_000 }, () => ({ a: 1 })) },
    }),
  },
];
