import { createAnsweringClinic, createClinicWorld, type AnsweringClinic } from './answering-clinic.js';

const PUSH = `mutation ($changes: [ChangeInput!]!) {
  push(changes: $changes) { results { changeId status error { code message retryable } } epoch serverTime }
}`;
const change = (changeId: string, rest: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  changeId,
  collection: 'visits',
  id: 'v1',
  kind: 'UPSERT',
  changedAt: '2026-01-31T12:00:00.000Z',
  ...rest,
});

describe.each([
  ['on', true],
  ['off', false],
])('pushed input with the fast path %s', (_, fastPath) => {
  let clinic: AnsweringClinic;

  beforeAll(async () => {
    clinic = await createAnsweringClinic({ world: await createClinicWorld(), fastPath });
  });

  beforeEach(() => {
    clinic.pushed.length = 0;
  });

  async function resultsOf(changes: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { data, errors } = await clinic.ask(PUSH, { changes });
    expect(errors).toEqual([]);
    return (data as { push: { results: readonly Readonly<Record<string, unknown>>[] } }).push.results;
  }

  test('a typed record and json hand over the same fields', async () => {
    const fields = { notes: 'ü', minutes: 5, tags: ['a'], extra: { n: [1, null] }, day: null };
    await resultsOf([change('c1', { json: fields }), change('c2', { record: { visits: fields } })]);
    expect(clinic.pushed).toEqual([
      [
        expect.objectContaining({ changeId: 'c1', fields, baseVersion: null, sentEpoch: null }),
        expect.objectContaining({ changeId: 'c2', fields, baseVersion: null, sentEpoch: null }),
      ],
    ]);
  });

  test.each([
    ['json and record', { json: {}, record: { visits: {} } }, /either json or record, got both/],
    ['neither json nor record', {}, /either json or record, got neither/],
    ['both as null', { json: null, record: null }, /got neither/],
    ["another collection's key", { collection: 'patients', record: { visits: {} } }, /expected the one key "patients"/],
    ['a collection that is none', { collection: 'constructor', record: { visits: {} } }, /the one key "constructor"/],
    ['fields for a DELETE', { kind: 'DELETE', json: {} }, /a DELETE carries neither/],
  ])('R8: %s costs that change and no other', async (_what, rest, message) => {
    const results = await resultsOf([
      change('before', { json: { notes: 'a' } }),
      change('wrong', rest),
      change('after', { kind: 'DELETE' }),
    ]);
    expect(results).toEqual([
      { changeId: 'before', status: 'ACCEPTED', error: null },
      {
        changeId: 'wrong',
        status: 'REJECTED',
        error: { code: 'VALIDATION', message: expect.stringMatching(message) as string, retryable: false },
      },
      { changeId: 'after', status: 'ACCEPTED', error: null },
    ]);
    expect(clinic.pushed.map((sent) => sent.map(({ changeId }) => changeId))).toEqual([['before', 'after']]);
  });

  test.each([
    ['two keys', { visits: { notes: 'a' }, patients: { name: 'b' } }],
    ['no key', {}],
    ['a key that is null', { visits: null }],
    ['a collection that devices cannot write', { patients: { name: 'b' } }],
    ['a field that is read only', { visits: { id: 'v2' } }],
    ['a field that is not there', { visits: { nothing: 1 } }],
    ['a value of another type', { visits: { minutes: 'five' } }],
    ['a value that is no enum value', { visits: { status: 'planned' } }],
    ['a list with a null', { visits: { tags: [null] } }],
  ])('a typed record that the schema does not know is refused before anything is pushed: %s', async (_what, record) => {
    const answered = await clinic.ask(PUSH, { changes: [change('c1', { record }), change('c2', { json: {} })] });
    expect(answered.status).toBe(400);
    expect(answered.errors.map((error) => error.extensions['code'])).toContain('BAD_REQUEST');
    expect(clinic.pushed).toEqual([]);
    expect(clinic.faults).toEqual([]);
  });

  test('a typed record can be written into the document, too', async () => {
    const ask = (record: string): ReturnType<AnsweringClinic['ask']> =>
      clinic.ask(
        `mutation { push(changes: [{ changeId: "c", collection: "visits", id: "v", kind: UPSERT, changedAt: "t", record: ${record} }]) { results { status } } }`,
      );
    expect((await ask('{ visits: { notes: "a", status: DONE } }')).errors).toEqual([]);
    expect(clinic.pushed[0]?.[0]?.fields).toEqual({ notes: 'a', status: 'DONE' });
    for (const wrong of ['{ visits: { notes: "a" }, patients: {} }', '{ }', '{ visits: null }']) {
      expect((await ask(wrong)).errors.map((error) => error.extensions['code'])).toContain('BAD_REQUEST');
    }
  });
});
