import fc from '../support/properties.js';
import type { RecordId } from '../../src/core/change.js';
import { SyncError, type FieldError } from '../../src/core/errors.js';
import { acceptedFinal, settled, type World } from '../contract/store/world.js';
import {
  createAnsweringClinic,
  JSON_HEADERS,
  createClinicWorld,
  showPatient,
  showVisit,
  type AnsweringClinic,
} from './answering-clinic.js';
import { patients, visits } from './clinic.js';
import { pullOperations } from './operations.js';

const GENERIC = `query ($since: Checkpoint) { pull(since: $since) { changes { id kind json } checkpoint hasMore } }`;
const VISIT_MOOD = 'fragment V on VisitChange { record { mood } }';
const WHOLE = visits.fields.map((field) => field.name).join(' ');
const CONTROLS = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');

/** Records that would show a byte copied wrongly. */
async function fill(world: World): Promise<void> {
  await showVisit(world, 'plain', { notes: 'well', urgent: true, minutes: 0, temperature: 36.6, day: '2026-01-31' });
  await showVisit(world, 'texts', { notes: `"quoted" \\ / ${CONTROLS}\u007f\u2028\u2029 ä € 😀 ${'ß'.repeat(300)}` });
  await showVisit(world, 'halves', { notes: 'a lone \ud83d and a lone \ude00', tags: ['\ud800', '', '😀', '}],"'] });
  await showVisit(world, 'numbers', { temperature: -0.1e-7, minutes: -2147483648, serial: '9007199254740993' });
  await showVisit(world, 'large', { temperature: 1.7976931348623157e308, kilometres: '-12.50', status: 'PLANNED' });
  await showVisit(world, 'nested', {
    extra: { b: [1, [2, { a: null }]], __proto__x: {}, '10': 'ten', '2': 'two', __typename: 'Page', '': false },
  });
  await showVisit(world, 'literal', { extra: 'just a text', notes: '{"data":{"pull":null}}\u0000' });
  await showVisit(world, 'empty', {});
  await showVisit(world, 'moved', {});
  await showVisit(world, 'gone', { notes: 'soon gone' });
  await showPatient(world, 'patient:1', 'Ada "the first" Lovelace');
  await showPatient(world, 'patient:2', null);
}

async function move(world: World): Promise<void> {
  await world.show('moved', ['elsewhere'], { body: JSON.stringify({ id: 'moved' }) });
  await world.lose('gone');
  await showVisit(world, 'plain', { notes: 'better', mood: 'so-so' });
}

/** A pushed change that was settled: a receipt for the nurse, and `mine` where it took effect. */
async function settle(
  world: World,
  id: string,
  changeId: string,
  refused: boolean,
  fields?: readonly FieldError[],
): Promise<void> {
  const { seq, mark, body } = await world.view(id);
  const told = fields === undefined ? {} : { fields };
  const error = {
    code: 'CONFLICT' as const,
    message: 'expected "a", got \u2028 ü',
    field: null,
    retryable: false,
    ...told,
  };
  await world.write([
    {
      collection: visits.name,
      id: id as RecordId,
      expected: { seq, mark },
      ...(refused || body === null ? {} : { next: await nextOf(world, id, body) }),
      acceptance: acceptedFinal(world.nurse, changeId),
      settlement: settled(world.nurse, changeId, refused ? { status: 'CONFLICT', error, inEffect: false } : {}),
    },
  ]);
}

async function nextOf(world: World, id: string, body: string) {
  const { sourceKey, hash } = await world.view(id);
  const layer = { sourceKey, deleted: false, body, sourceVersion: 'v2', hash };
  return { ...layer, vis: null, pending: false, scopes: ['all'], throughUs: true };
}

describe('pages as ready texts', () => {
  let world: World;
  let fast: AnsweringClinic;
  let plain: AnsweringClinic;
  const checkpoints: string[] = [];

  beforeAll(async () => {
    world = await createClinicWorld();
    await fill(world);
    fast = await createAnsweringClinic({ world, fastPath: true });
    plain = await createAnsweringClinic({ world, fastPath: false });
    checkpoints.push(await checkpointAfter(null), await checkpointAfter(3));
    await move(world);
    await settle(world, 'texts', 'change "1"', false);
    await settle(world, 'numbers', 'change 2', true);
    await settle(world, 'numbers', 'change 3', true, [
      { field: null, message: '"x"' },
      { field: 'mood', message: 'no' },
    ]);
    checkpoints.push(await checkpointAfter(null));
  });

  async function checkpointAfter(limit: number | null): Promise<string> {
    const { data } = await plain.ask('query ($limit: Int) { pull(limit: $limit) { checkpoint } }', { limit });
    return (data as { pull: { checkpoint: string } }).pull.checkpoint;
  }

  beforeEach(() => {
    fast.pulls.ready = fast.pulls.parsed = 0;
  });

  test('are, byte for byte, what GraphQL answers to any operation', async () => {
    let projected = 0;
    await fc.assert(
      fc.asyncProperty(pullOperations([...checkpoints]), async ({ isProjected, ...body }) => {
        fast.pulls.ready = fast.pulls.parsed = 0;
        const expected = await plain.post(body);
        const answered = await fast.post(body);
        expect(answered.text).toBe(expected.text);
        expect(answered).toEqual(expected);
        expect(expected.errors.map((error) => error.extensions['code'])).not.toContain('INTERNAL');
        expect(fast.pulls).toEqual({ ready: 1, parsed: 0 });
        if (isProjected && expected.errors.length === 0) projected += 1;
      }),
      { numRuns: 150 },
    );
    expect(projected).toBeGreaterThan(12);
    expect(plain.pulls.ready).toBe(0);
    expect([...fast.faults, ...plain.faults]).toEqual([]);
  });

  test.each([
    ['generic', GENERIC],
    ['whole records', `{ pull { changes { id ... on VisitChange { record { ${WHOLE} } } } checkpoint } }`],
    ['some types only', `{ pull { changes { __typename ... on PatientChange { record { id name __typename } } } } }`],
    ['a fragment twice', '{ pull { changes { ...F ...F } } } fragment F on Change { id json }'],
    ['changes in two places', '{ pull { changes { id } epoch changes { json } } }'],
    ['half of a record', '{ pull { changes { id ... on VisitChange { record { notes day tags extra } } } } }'],
    ['swapped names', '{ pull { changes { ... on PatientChange { record { id: name name: id } } } } }'],
    ['no field of a record', '{ pull { changes { ... on VisitChange { record { __typename } } } } }'],
    [
      'three forms of a record',
      '{ pull { changes { json ... on VisitChange { a: record { mood } b: record { extra id } } } } }',
    ],
    [
      'a record in two places',
      `{ pull { changes { ...V ... on VisitChange { record { tags mood } } } } } ${VISIT_MOOD}`,
    ],
    ['nothing of a change', '{ pull { changes { id @skip(if: true) } } }'],
    ['nothing of a record', '{ pull { changes { ... on VisitChange { record { id @skip(if: true) } } } } }'],
    ['what a source says of fields', '{ pull { changes { id } receipts { error { fields { field message } } } } }'],
    ['receipts whose record is asked for', '{ pull(limit: 1) { changes { id } receipts { change { id } } } }'],
  ])('are taken for %s', async (_, query) => {
    const answered = await fast.ask(query);
    expect(fast.pulls).toEqual({ ready: 1, parsed: 0 });
    expect(answered).toEqual(await plain.ask(query));
    expect(answered.errors).toEqual([]);
  });

  test.each([
    ['two pulls', '{ a: pull { changes { id } } b: pull { changes { id } } }', 0],
    ['changes under two names', '{ pull { a: changes { id } b: changes { json } } }', 0],
    ['no changes', '{ pull { checkpoint } }', 0],
    ['another query beside it', '{ pull { changes { id } } collections { name } }', 0],
    [
      'receipts with their records',
      '{ pull(limit: 99) { changes { id } receipts { changeId change { id json } } } }',
      1,
    ],
  ])('are not taken for %s', async (_, query, ready) => {
    const answered = await fast.ask(query);
    expect(fast.pulls.ready).toBe(ready);
    expect(fast.pulls.parsed).toBeGreaterThan(0);
    expect(answered).toEqual(await plain.ask(query));
    expect(answered.errors).toEqual([]);
  });

  test('come with the content type that the client accepts', async () => {
    const accepts = [
      null,
      '*/*',
      'application/json',
      'application/graphql-response+json, application/json;q=0.9',
      'multipart/mixed;deferSpec=20220824, application/graphql-response+json, application/json',
      'application/json;q=0.1, application/graphql-response+json',
      'text/html',
    ];
    const types = new Set<string | undefined>();
    for (const accept of [...accepts, ...accepts]) {
      const headers = new Map([...JSON_HEADERS, ...(accept === null ? [] : [['accept', accept] as const])]);
      const answered = await fast.post({ query: GENERIC }, { headers });
      expect(answered).toEqual(await plain.post({ query: GENERIC }, { headers }));
      types.add(answered.headers['content-type']);
    }
    expect([...types]).toEqual(['application/json; charset=utf-8', 'application/graphql-response+json; charset=utf-8']);
    // Both times for text/html, which nobody can be given.
    expect(fast.pulls.parsed).toBe(2);
  });

  test('a pull that fails is asked for once, and its error is the one of GraphQL', async () => {
    for (const variables of [{ since: 'forged' }, { since: checkpoints[0] }]) {
      const query = 'query ($since: Checkpoint) { pull(since: $since, collections: ["visits"]) { changes { id } } }';
      fast.pulls.ready = 0;
      const answered = await fast.ask(query, variables);
      expect(answered).toEqual(await plain.ask(query, variables));
      expect(answered.status).toBe(400);
      expect(fast.pulls).toEqual({ ready: 1, parsed: 0 });
    }
  });

  test('a fault of the gateway is logged once and not told', async () => {
    const broken = await createAnsweringClinic({
      world,
      fastPath: true,
      pull: () => Promise.reject(new TypeError('secret detail')),
    });
    const { status, errors, text } = await broken.ask(GENERIC);
    expect(status).toBe(500);
    expect(errors.map((error) => error.extensions['code'])).toEqual(['INTERNAL']);
    expect(text).not.toContain('secret detail');
    expect(broken.faults).toEqual([expect.stringContaining('secret detail')]);
  });

  test('nobody is served who has no session', async () => {
    for (const clinic of [fast, plain]) {
      const refuse = async (): Promise<never> => {
        throw new SyncError('UNAUTHENTICATED', 'expected a bearer token, got none');
      };
      const request = { method: 'POST', headers: JSON_HEADERS, search: '', body: { query: GENERIC } };
      const { status, body } = await clinic.engine.answer(request, refuse);
      expect(status).toBe(401);
      expect(Buffer.concat(body).toString()).toContain('UNAUTHENTICATED');
    }
    expect(fast.pulls).toEqual({ ready: 0, parsed: 0 });
  });

  test.each([
    ['another method', { method: 'PUT' }],
    ['a form', { headers: new Map([['content-type', 'text/plain']]) }],
    ['no content type', { headers: new Map<string, string>() }],
    ['a list', { body: [{ query: GENERIC }] }],
    ['variables as text', { body: { query: GENERIC, variables: '{}' } }],
    ['a number as operation name', { body: { query: GENERIC, operationName: 1 } }],
    ['an operation that is not there', { body: { query: GENERIC, operationName: 'Nothing' } }],
    ['extensions as text', { body: { query: GENERIC, extensions: 'none' } }],
    ['a document that does not fit', { body: { query: '{ pull { changes { id nothing } } }' } }],
    ['half a document', { body: { query: '{ pull { changes { id ' } }],
    ['a variable of another type', { body: { query: GENERIC, variables: { since: 1 } } }],
  ])('a request with %s is refused as without them', async (_, how) => {
    const answered = await fast.post({ query: GENERIC }, how);
    expect(answered).toEqual(await plain.post({ query: GENERIC }, how));
    expect(answered.status).toBeGreaterThanOrEqual(400);
    expect(answered.errors.map((error) => error.extensions['code'])).toEqual(['BAD_REQUEST']);
    expect(fast.pulls).toEqual({ ready: 0, parsed: 0 });
  });
});

test('F29: a pull that asks for bodies which are not kept is executed, one that does not is ready', async () => {
  const world = await createClinicWorld();
  await showVisit(world, 'v1', { notes: 'here' });
  const collections = [visits, { ...patients, storage: 'metadataOnly' as const }];
  const clinic = await createAnsweringClinic({ world, fastPath: true, collections });
  const changes = '{ changes { id json unavailable { code } } }';
  const own = await clinic.ask(`{ pull(collections: ["visits"]) ${changes} }`);
  expect(clinic.pulls).toEqual({ ready: 1, parsed: 0 });
  expect(own.data).toMatchObject({ pull: { changes: [{ id: 'v1', unavailable: null }] } });
  await clinic.ask(`{ pull(collections: ["visits", "patients"]) ${changes} }`);
  await clinic.ask(`{ pull ${changes} }`);
  expect(clinic.pulls).toEqual({ ready: 1, parsed: 2 });
  await clinic.engine.stop();
});
