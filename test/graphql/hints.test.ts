import type { ExecutionResult } from 'graphql';
import type { Hint } from '../../src/realtime/hint-windows.js';
import { createAnsweringClinic, createClinicWorld, type AnsweringClinic } from './answering-clinic.js';

const HINTS = 'subscription ($collections: [String!]) { hints(collections: $collections) { collections at } }';
const AT = '2026-01-31T12:00:00.000Z';

describe.each([
  ['on', true],
  ['off', false],
])('hints over graphql-ws, introspection %s', (_, introspection) => {
  let clinic: AnsweringClinic;
  const asked: (readonly string[])[] = [];
  /** Instead of those below. */
  let handed: Hint[] | null = null;

  beforeAll(async () => {
    clinic = await createAnsweringClinic({
      world: await createClinicWorld(),
      fastPath: true,
      introspection,
      async *hints(_session, collections) {
        asked.push(collections);
        if (handed !== null) return yield* handed;
        yield { collections: ['visits'], at: AT };
        yield { collections, at: AT };
      },
    });
  });

  beforeEach(() => {
    asked.length = 0;
    handed = null;
  });

  async function listen(query: string, variables: Readonly<Record<string, unknown>> = {}) {
    const read = clinic.engine.readOperation({ query, variables });
    if ('errors' in read) return { errors: read.errors };
    return clinic.engine.subscribe({ ...read.args, contextValue: clinic.engine.contextFor(clinic.session()) });
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

  test('a hint is executed once for all who ask the same of it', async () => {
    let executed = 0;
    const hint = {
      collections: ['visits'],
      get at() {
        executed += 1;
        return AT;
      },
    };
    const subscribed = async (query: string, variables: Readonly<Record<string, unknown>>, told: Hint) => {
      const read = clinic.engine.readOperation({ query, variables });
      if ('errors' in read) throw new Error('expected an operation');
      handed = [told];
      const results = (await clinic.engine.subscribe({
        ...read.args,
        contextValue: clinic.engine.contextFor(clinic.session()),
      })) as AsyncIterableIterator<ExecutionResult>;
      return (await results.next()).value as unknown;
    };
    const [first, same] = [await subscribed(HINTS, {}, hint), await subscribed(HINTS, {}, hint)];
    expect(first).toEqual({ data: { hints: { collections: ['visits'], at: AT } } });
    expect(same).toBe(first);
    expect(executed).toBe(1);
    expect(await subscribed(HINTS, { collections: ['visits'] }, hint)).not.toBe(first);
    expect(await subscribed('subscription { hints { at } }', {}, hint)).toEqual({ data: { hints: { at: AT } } });
    expect(await subscribed(HINTS, {}, { collections: ['patients'], at: AT })).toEqual({
      data: { hints: { collections: ['patients'], at: AT } },
    });
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
