import { createAnsweringClinic, createClinicWorld, showVisit } from './answering-clinic.js';

const OPERATOR = { session: { user: 'dispatcher', isOperator: true } } as const;
const ERASE = `mutation ($ids: [ID!]!) { eraseRecords(collection: "visits", ids: $ids) {
  erased { states keys } unknown refused { id error { code retryable } } remains { what until } } }`;

test('records are erased and refused each by itself, and the audit log names them all', async () => {
  const world = await createClinicWorld();
  const clinic = await createAnsweringClinic({ world, fastPath: true });
  for (const id of ['V-1', 'V-2', 'V-3']) await showVisit(world, id, { notes: 'as planned' });
  await world.accept('V-2', 'c1');
  const erase = async (...ids: readonly string[]) => clinic.post({ query: ERASE, variables: { ids } }, OPERATOR);
  const { data, errors } = await erase('V-1', 'V-2', 'V-9', 'V-3', 'V-1');
  expect(errors).toEqual([]);
  const refusals = [
    { id: 'V-2', error: { code: 'RECORD_BLOCKED', retryable: true } },
    { id: 'V-9', error: { code: 'NOT_FOUND', retryable: false } },
  ];
  const remains = expect.arrayContaining([
    { what: 'devices that have not pulled since it was deleted', until: 'their next pull' },
  ]) as unknown;
  expect(data).toEqual({ eraseRecords: { erased: { states: 2, keys: 2 }, unknown: [], refused: refusals, remains } });
  expect((await erase('V-1')).data).toMatchObject({ eraseRecords: { erased: { states: 0, keys: 0 }, refused: [] } });

  const { rows } = await world.store.readAudit(world.tenant, { after: 1, limit: 100 });
  const told = rows.map(({ action, collection, subject, outcome }) => `${action} ${collection} ${subject} ${outcome}`);
  expect(told).toEqual(
    ['V-1 DONE', 'V-2 RECORD_BLOCKED', 'V-9 NOT_FOUND', 'V-3 DONE', 'V-1 NOTHING'].flatMap((ended) => [
      `eraseRecords visits ${ended.split(' ')[0]} BEGUN`,
      `eraseRecords visits ${ended}`,
    ]),
  );
});

test.each([
  ['none', []],
  ['101', Array.from({ length: 101 }, (_, at) => `V-${at}`)],
])('R13: %s at once are LIMIT_EXCEEDED', async (_many, ids) => {
  const clinic = await createAnsweringClinic({ world: await createClinicWorld(), fastPath: true });
  const { errors } = await clinic.post({ query: ERASE, variables: { ids } }, OPERATOR);
  expect(errors).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED', field: 'ids' } }]);
});

test('a fault of the store ends the request, and is no refusal of a record', async () => {
  const world = await createClinicWorld();
  const clinic = await createAnsweringClinic({ world, fastPath: true });
  await showVisit(world, 'V-1', { notes: 'as planned' });
  Object.assign(world.store, { eraseRecord: () => Promise.reject(new Error('gone')) });
  const { errors, data } = await clinic.post({ query: ERASE, variables: { ids: ['V-1'] } }, OPERATOR);
  expect([errors, data]).toMatchObject([[{ extensions: { code: 'INTERNAL' } }], null]);
});
