import { ERROR_CATALOGUE } from '../../src/core/errors.js';
import {
  createAnsweringClinic,
  createClinicWorld,
  JSON_HEADERS,
  showVisit,
  type AnsweringClinic,
} from './answering-clinic.js';

const REGISTER =
  'mutation ($token: String!, $platform: Platform!, $collections: [String!]) { registerDevice(token: $token, platform: $platform, collections: $collections) { id } }';
const PULL = `query ($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) { changes { id json } checkpoint }
}`;
const PUSH = 'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results { changeId status } } }';
const CHANGE = {
  changeId: 'c1',
  collection: 'visits',
  id: 'v1',
  kind: 'UPSERT',
  changedAt: '2026-01-31T12:00:00.000Z',
};
const nested = (depth: number): string => `${'{ changes '.repeat(depth)}{ id }${' }'.repeat(depth)}`;
const many = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');

describe.each([
  ['ready pages and compiled queries', true],
  ['plain GraphQL', false],
])('bad input with %s', (_, fastPath) => {
  let clinic: AnsweringClinic;
  let closed: AnsweringClinic;
  let foreign: string;

  beforeAll(async () => {
    const world = await createClinicWorld();
    await showVisit(world, 'v1', {});
    await showVisit(world, 'v2', {});
    clinic = await createAnsweringClinic({ world, fastPath });
    closed = await createAnsweringClinic({ world, fastPath, introspection: false });
    const { data } = await clinic.post({ query: PULL, variables: { limit: 1 } }, { session: { user: 'dispatcher' } });
    foreign = (data as { pull: { checkpoint: string } }).pull.checkpoint;
  });

  afterEach(() => {
    expect([...clinic.faults.splice(0), ...closed.faults.splice(0)]).toEqual([]);
    clinic.pushed.length = 0;
  });

  /** One error of the catalogue, whole, and its HTTP status. */
  async function refuses(
    answered: ReturnType<AnsweringClinic['post']>,
    code: keyof typeof ERROR_CATALOGUE,
    message: RegExp,
    status: number = ERROR_CATALOGUE[code].status,
  ): Promise<void> {
    const { errors, data, ...answer } = await answered;
    const { retryable, advice } = ERROR_CATALOGUE[code];
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error.extensions).toMatchObject({ code, retryable, advice });
    expect(errors.map((error) => error.message).join('\n')).toMatch(message);
    expect(data).toBeNull();
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.text).not.toContain('stacktrace');
  }

  test.each([
    [0, 'LIMIT_EXCEEDED', /limit: expected 1 to 5000, got 0/],
    [-1, 'LIMIT_EXCEEDED', /got -1/],
    [1_000_000_000, 'LIMIT_EXCEEDED', /got 1000000000/],
    [2_147_483_648, 'BAD_REQUEST', /32-bit/],
    [1.5, 'BAD_REQUEST', /non-integer/],
    ['x', 'BAD_REQUEST', /non-integer/],
    [Number.POSITIVE_INFINITY, 'BAD_REQUEST', /non-integer/],
    [[1], 'BAD_REQUEST', /non-integer/],
    [true, 'BAD_REQUEST', /non-integer/],
  ] as const)('attack 26: a limit of %j is refused', (limit, code, message) =>
    refuses(clinic.ask(PULL, { limit }), code, message),
  );

  test.each([
    [['nothing'], 'BAD_REQUEST', /expected some of patients, visits, got "nothing"/],
    [['__proto__'], 'BAD_REQUEST', /got "__proto__"/],
    [[], 'BAD_REQUEST', /expected at least one name/],
    [[null], 'BAD_REQUEST', /String!/],
    [{ name: 'visits' }, 'BAD_REQUEST', /String/],
    [[7], 'BAD_REQUEST', /String/],
  ] as const)('collections of %j are refused', (collections, code, message) =>
    refuses(clinic.ask(PULL, { collections }), code, message),
  );

  test.each([
    ['an empty one', ''],
    ['a word', 'forged'],
    ['half of one', 'eyJ2IjoxfQ'],
    ['two parts that are none', 'eyJ2IjoxfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ['a lone surrogate', '\ud800'],
    ['a very long one', 'x'.repeat(100_000)],
  ])('R3, attack 26: a checkpoint that is no checkpoint is BAD_CHECKPOINT: %s', (_what, since) =>
    refuses(clinic.ask(PULL, { since }), 'BAD_CHECKPOINT', /expected a checkpoint as pull gave it/),
  );

  test('R3: a forged checkpoint is BAD_CHECKPOINT, a foreign one starts over', async () => {
    const [body = '', mac = ''] = foreign.split('.');
    const payload = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify({ ...payload, s: 99 })).toString('base64url');
    await refuses(clinic.ask(PULL, { since: `${forged}.${mac}` }), 'BAD_CHECKPOINT', /one that was changed/);
    const { data, status } = await clinic.ask(
      'query ($since: Checkpoint) { pull(since: $since) { changes { id } reset } }',
      {
        since: foreign,
      },
    );
    expect(status).toBe(200);
    expect(data).toEqual({ pull: { changes: [{ id: 'v1' }, { id: 'v2' }], reset: true } });
  });

  test('a checkpoint of another type is refused before anything is read', () =>
    refuses(clinic.ask(PULL, { since: 12 }), 'BAD_REQUEST', /Checkpoint expects a text, got 12/));

  test.each([
    ['an unknown kind', { ...CHANGE, kind: 'PATCH', json: {} }, /PushKind/],
    ['no change id', { ...CHANGE, changeId: undefined, json: {} }, /changeId/],
    ['a field that ChangeInput has not', { ...CHANGE, json: {}, force: true }, /"force" is not defined/],
    ['json that is a list', { ...CHANGE, json: [] }, /JSONObject expects a JSON object, got a list/],
    ['json that is a text', { ...CHANGE, json: '{}' }, /JSONObject expects a JSON object/],
    ['a time that is a number', { ...CHANGE, json: {}, changedAt: 12 }, /DateTime expects a text, got 12/],
    ['a base version that is a number', { ...CHANGE, json: {}, baseVersion: 12 }, /Version expects a text/],
    ['null in place of a change', null, /ChangeInput!/],
  ])('a push with %s is refused as a whole', async (_what, change, message) => {
    await refuses(clinic.ask(PUSH, { changes: [change] }), 'BAD_REQUEST', message);
    expect(clinic.pushed).toEqual([]);
  });

  test('a push without a device is DEVICE_REQUIRED', () =>
    refuses(
      clinic.post({ query: PUSH, variables: { changes: [] } }, { session: { device: null } }),
      'DEVICE_REQUIRED',
      /Tidegate-Device/,
    ));

  test('attack 25: a push of more changes than the limit is LIMIT_EXCEEDED, and none of them is taken', async () => {
    const changes = Array.from({ length: 1_001 }, (_one, at) => ({ ...CHANGE, changeId: `c${at}`, json: {} }));
    await refuses(clinic.ask(PUSH, { changes }), 'LIMIT_EXCEEDED', /at most 1000 in one push, got 1001/);
    expect(clinic.pushed).toEqual([]);
    expect((await clinic.ask(PUSH, { changes: changes.slice(1) })).status).toBe(200);
    expect(clinic.pushed.map((sent) => sent.length)).toEqual([1_000]);
  });

  test('attack 25: a list of more items than a push may have is refused before its items are read, whatever they are', async () => {
    const items = (count: number): Readonly<Record<string, unknown>> => ({
      changes: Array.from({ length: count }, () => ({ a: 1 })),
    });
    await refuses(clinic.ask(PUSH, items(1_001)), 'LIMIT_EXCEEDED', /at most 1000 in one push, got 1001/);
    // Here their misfits are told, as far as GraphQL counts them, and are no fault of the gateway.
    await refuses(clinic.ask(PUSH, items(1_000)), 'BAD_REQUEST', /"a" is not defined[^]*Too many errors/);
  });

  test('a limit of changes is one of pushes only: lists of other variables are as long as they were', async () => {
    const strict = await createAnsweringClinic({ world: await createClinicWorld(), fastPath, maxChangesPerPush: 1 });
    const pull = 'query ($names: [String!]) { pull(since: null, collections: $names) { complete } }';
    const { data } = await strict.ask(pull, { names: ['visits', 'patients'] });
    expect(data).toEqual({ pull: { complete: true } });
    await refuses(strict.ask(PUSH, { changes: [CHANGE, CHANGE] }), 'LIMIT_EXCEEDED', /at most 1 in one push, got 2/);
    await strict.engine.stop();
  });

  test.each(['yesterday', '2026-13-01T00:00:00Z', '2026-01-31T12:00:00', '', '\ud800'])(
    'a time of sending of %j is refused',
    (sentAt) =>
      refuses(
        clinic.ask('mutation ($sentAt: DateTime) { push(changes: [], sentAt: $sentAt) { epoch } }', { sentAt }),
        'BAD_REQUEST',
        /sentAt: expected a date and time with zone/,
      ),
  );

  test('what a change says is for push to judge: odd values reach it as they are', async () => {
    const json = {
      nothing: 1,
      notes: '\ud800',
      minutes: Number.POSITIVE_INFINITY,
      extra: { deep: [[[]]] },
      __proto__x: 1,
    };
    const { status } = await clinic.ask(PUSH, { changes: [{ ...CHANGE, json, changedAt: 'never', baseVersion: '' }] });
    expect(status).toBe(200);
    expect(clinic.pushed[0]?.[0]).toMatchObject({ fields: json, changedAt: 'never', baseVersion: '' });
  });

  test.each([
    ['9007199254740993', false],
    ['-9007199254740993', false],
    ['123456789012345678901234567890', false],
    ['9007199254740992', true],
    ['-7', true],
  ])('a whole number that a double would round is refused in a document: %s', async (digits, fits) => {
    const query = `mutation { push(changes: [{ changeId: "c", collection: "visits", id: "v", kind: UPSERT, changedAt: "t", json: { extra: { n: [${digits}] } } }]) { epoch } }`;
    if (fits) expect((await clinic.ask(query)).status).toBe(200);
    else await refuses(clinic.ask(query), 'BAD_REQUEST', /send it as text/);
  });

  test.each([
    ['too deep', `{ pull ${nested(25)} }`, /at most 20 levels/],
    ['too many fields at the top', `{ ${many(11, (at) => `a${at}: __typename`)} }`, /at most 10 fields at the top/],
    ['pulls by the dozen', `{ ${many(12, (at) => `a${at}: pull { epoch }`)} }`, /at most 10 fields at the top/],
    ['whole records under many names', `{ pull { changes { ${many(60, (at) => `a${at}: json`)} } } }`, /names/],
    [
      'many names over merged selections',
      `{ pull { ${many(60, (at) => `changes { ...on Change { a${at}: json } }`)} } }`,
      /names/,
    ],
    [
      'fragments of fragments',
      `{ pull { changes { ...F0 } } } ${many(12, (at) => `fragment F${at} on Change { ${many(3, () => `...F${at + 1}`)} }`)} fragment F12 on Change { id json }`,
      /at most 2000 fields/,
    ],
    [
      'a cycle',
      '{ pull { changes { ...A } } } fragment A on Change { ...B } fragment B on Change { ...A }',
      /Cannot spread/,
    ],
    ['a cycle of itself', '{ pull { changes { ...A } } } fragment A on Change { id ...A }', /Cannot spread/],
    [
      'a cycle through fields',
      '{ ...A } fragment A on Query { a: pull { ...B } b: pull { ...B } } fragment B on Query { ...A }',
      /Cannot spread/,
    ],
    ['too many tokens', `{ pull { changes { ${many(1_100, () => 'id')} } } }`, /1000/],
    ['five thousand levels', `{ pull ${nested(5_000)} }`, /1000/],
    ['ten thousand aliases', `{ ${many(10_000, (at) => `a${at}: __typename`)} }`, /1000/],
    ['a field a thousand times', `{ ${many(1_000, () => 'collections { name }')} }`, /1000/],
    [
      'a chain of fragments that doubles sixty times',
      `{ ...F0 } ${many(60, (at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`)} fragment F60 on Query { collections { name } }`,
      /at most 2000 fields/,
    ],
    ['a comment of 100,000 characters', `#${'x'.repeat(100_000)}\n{ __typename }`, /at most 100000 characters/],
    ['nothing', '{ }', /Syntax Error/],
    ['no document', '  ', /Syntax Error/],
    ['a field that is not there', '{ pull { nothing } }', /Cannot query field "nothing"/],
    ['only fragments', 'fragment A on Change { id }', /never used|Must provide an operation/],
    ['an unknown directive', '{ pull @defer { epoch } }', /Unknown directive/],
    ['a NUL', '{ pull { epoch } } \u0000', /Syntax Error/],
  ])('attacks 2, 3 and 4: a document is refused: %s', (_what, query, message) =>
    refuses(clinic.ask(query), 'BAD_REQUEST', message),
  );

  test.each([
    [
      'a directive without its value',
      'query ($v: Boolean = true) { pull @include(if: $v) { changes { id } } }',
      { v: null },
    ],
    ['below', 'query ($v: Boolean = true) { pull { changes { id @skip(if: $v) } } }', { v: null }],
    ['an argument', 'mutation ($v: [ChangeInput!] = []) { push(changes: $v) { epoch } }', { v: null }],
    [
      'an enum from a variable of another type',
      'mutation ($v: String) { registerDevice(token: "t", platform: $v) { id } }',
      { v: 'IOS' },
    ],
  ])('null where a default made a variable fit is the request’s fault: %s', async (_what, query, variables) => {
    const { errors, status } = await clinic.ask(query, variables);
    expect(errors.map((error) => error.extensions['code'])).toEqual(['BAD_REQUEST']);
    expect([200, 400]).toContain(status);
  });

  test.each([
    ['no token', { token: '' }, 'VALIDATION', /1 to 1024 visible ASCII/],
    ['one that is too long', { token: 'x'.repeat(1_025) }, 'VALIDATION', /1 to 1024 visible ASCII/],
    ['one that no push service gives', { token: 'a b' }, 'VALIDATION', /1 to 1024 visible ASCII/],
    ['a platform that there is not', { platform: 'SYMBIAN' }, 'BAD_REQUEST', /SYMBIAN/],
    ['a collection that there is not', { collections: ['secrets'] }, 'BAD_REQUEST', /got "secrets"/],
    ['no collection', { collections: [] }, 'BAD_REQUEST', /at least one name/],
  ] as const)('a registration for hints is refused: %s', (_what, asked, code, message) =>
    refuses(clinic.ask(REGISTER, { token: 't', platform: 'WEB', collections: null, ...asked }), code, message),
  );

  test('a registration for hints takes tokens and collections as they are', async () => {
    const asked = { token: 'x'.repeat(1_024), platform: 'IOS', collections: ['visits'] };
    expect((await clinic.ask(REGISTER, asked)).errors).toEqual([]);
  });

  test('a subscription over HTTP is told where to go', () =>
    refuses(clinic.ask('subscription { hints { at } }'), 'BAD_REQUEST', /graphql-ws/));

  test.each([
    ['a name that no operation has', { query: PULL, operationName: 'Nothing' }, /Unknown operation named "Nothing"/],
    ['an empty name', { query: 'query A { __typename }', operationName: '' }, /Unknown operation named ""/],
    [
      'no name among several',
      { query: 'query A { __typename } query B { __typename }' },
      /Must provide operation name/,
    ],
    ['a list of operations', [{ query: PULL }], /batching disabled/],
    ['an empty list', [], /batching disabled/],
    ['no query', { variables: {} }, /non-empty `query`/],
    ['nothing', {}, /POST body missing/],
    ['null', null, /POST body missing/],
    ['a text', 'query', /POST body missing/],
    ['a query that is no text', { query: { kind: 'Document' } }, /must be strings/],
    ['variables that are a list', { query: PULL, variables: [] }, /must be an object/],
  ])('attack 5: a body is refused: %s', (_what, body, message) => refuses(clinic.post(body), 'BAD_REQUEST', message));

  test('attack 8: GET answers queries and no mutation', async () => {
    const get = (query: string): ReturnType<AnsweringClinic['post']> =>
      clinic.post(undefined, { method: 'GET', search: `?query=${encodeURIComponent(query)}`, headers: JSON_HEADERS });
    expect((await get('{ pull { changes { id } } }')).data).toEqual({
      pull: { changes: [{ id: 'v1' }, { id: 'v2' }] },
    });
    await refuses(get('mutation { unregisterDevice }'), 'BAD_REQUEST', /only support query operations/, 405);
  });

  test('attack 2: a document of a GET stands under the same limits', () =>
    refuses(
      clinic.post(undefined, {
        method: 'GET',
        search: `?query=${encodeURIComponent(`{ ${many(11, (at) => `a${at}: __typename`)} }`)}`,
        headers: JSON_HEADERS,
      }),
      'BAD_REQUEST',
      /at most 10 fields at the top/,
    ));

  test('attack 8: a request that a page of another origin could send is refused', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const headers = new Map([['content-type', type]]);
      await refuses(clinic.post({ query: PULL }, { headers }), 'BAD_REQUEST', /Cross-Site Request Forgery/);
    }
    const simple = clinic.post(undefined, { method: 'GET', search: '?query={__typename}', headers: new Map() });
    await refuses(simple, 'BAD_REQUEST', /Cross-Site Request Forgery/);
  });

  test('attack 6: without introspection the schema is not told, nor guessed at', async () => {
    expect((await clinic.ask('{ __schema { types { name } } }')).status).toBe(200);
    expect((await clinic.ask('{ pul { epoch } }')).text).toContain('Did you mean');
    await refuses(closed.ask('{ __schema { types { name } } }'), 'BAD_REQUEST', /introspection/i);
    await refuses(closed.ask('{ __type(name: "Visit") { name } }'), 'BAD_REQUEST', /introspection/i);
    for (const query of ['{ pul { epoch } }', '{ pull { changes { idd } } }', '{ pull(limt: 1) { epoch } }']) {
      const { text } = await closed.ask(query);
      expect(text).toContain('BAD_REQUEST');
      expect(text).not.toContain('Did you mean');
    }
    expect((await closed.ask('{ pull { changes { __typename } } }')).status).toBe(200);
  });
});
