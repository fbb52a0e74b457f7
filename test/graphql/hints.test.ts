import { subscribe, type ExecutionResult } from 'graphql';
import { createAnsweringClinic, createClinicWorld, type AnsweringClinic } from './answering-clinic.js';

const HINTS = 'subscription ($collections: [String!]) { hints(collections: $collections) { collections at } }';
const AT = '2026-01-31T12:00:00.000Z';

describe.each([
  ['on', true],
  ['off', false],
])('hints over graphql-ws, introspection %s', (_, introspection) => {
  let clinic: AnsweringClinic;
  const asked: (readonly string[])[] = [];

  beforeAll(async () => {
    clinic = await createAnsweringClinic({
      world: await createClinicWorld(),
      fastPath: true,
      introspection,
      async *hints(_session, collections) {
        asked.push(collections);
        yield { collections: ['visits'], at: AT };
        yield { collections, at: AT };
      },
    });
  });

  beforeEach(() => {
    asked.length = 0;
  });

  async function listen(query: string, variables: Readonly<Record<string, unknown>> = {}) {
    const read = clinic.engine.readOperation({ query, variables });
    if ('errors' in read) return { errors: read.errors };
    return subscribe({ ...read.args, contextValue: clinic.engine.contextFor(clinic.session()) });
  }

  async function heard(variables: Readonly<Record<string, unknown>>): Promise<readonly unknown[]> {
    const stream = (await listen(HINTS, variables)) as AsyncGenerator<ExecutionResult>;
    const results: unknown[] = [];
    for await (const result of stream) results.push(result.data?.['hints']);
    return results;
  }

  test('R18: a hint is collection names and a time, of all collections or those that were asked for', async () => {
    expect(await heard({})).toEqual([
      { collections: ['visits'], at: AT },
      { collections: ['visits', 'patients'], at: AT },
    ]);
    expect(await heard({ collections: ['patients'] })).toHaveLength(2);
    expect(asked).toEqual([['visits', 'patients'], ['patients']]);
  });

  test.each([
    ['a collection that is not there', HINTS, { collections: ['nothing'] }, /expected names among visits, patients/],
    ['a list with null', HINTS, { collections: [null] }, /String!/],
    ['a field that is not there', 'subscription { hints { when } }', {}, /Cannot query field "when"/],
    ['two at once', 'subscription { a: hints { at } b: hints { at } }', {}, /only one top level field/],
    ['half a document', 'subscription {', {}, /Syntax Error/],
    ['too deep a document', `{ ${'a { '.repeat(30)} a ${'} '.repeat(30)} }`, {}, /at most 20 levels/],
  ])('listening with %s is refused with a code', async (_what, query, variables, message) => {
    const { errors = [] } = (await listen(query, variables)) as ExecutionResult;
    const told = clinic.engine.formatErrors(errors);
    expect(told.map((error) => error.message).join('\n')).toMatch(message);
    for (const { extensions } of told) {
      expect(extensions).toMatchObject({ code: 'BAD_REQUEST', retryable: false, advice: expect.any(String) as string });
      expect(extensions).not.toHaveProperty('http');
    }
    expect(asked).toEqual([]);
    expect(clinic.faults).toEqual([]);
  });

  test('the schema is told and guessed at as far as over HTTP', async () => {
    const { errors = [] } = (await listen('subscription { hint { at } }')) as ExecutionResult;
    expect(errors[0]?.message.includes('Did you mean "hints"')).toBe(introspection);
    expect('errors' in clinic.engine.readOperation({ query: '{ __schema { types { name } } }' })).toBe(!introspection);
  });
});
