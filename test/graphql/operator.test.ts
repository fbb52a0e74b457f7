import type { RecordId } from '../../src/core/change.js';
import type { KeptEdit } from '../../src/core/intent.js';
import type { RecordWrite } from '../../src/core/record-port.js';
import type { World } from '../contract/store/world.js';
import { createAnsweringClinic, createClinicWorld, showVisit, type AnsweringClinic } from './answering-clinic.js';

const NUMBER = '"1"';
/** Every operation that is for operators only. */
const OPERATIONS: readonly string[] = [
  '{ outbox { next } }',
  '{ outboxCounts { parked } }',
  '{ conflicts { next } }',
  '{ epoch }',
  '{ ingest { state } }',
  '{ quarantine(collection: "visits") { sourceKey } }',
  'mutation { scanNow(collection: "visits") { state } }',
  'mutation { allowDeletions(collection: "visits", upTo: 50) { state } }',
  `mutation { retryChange(intentNo: ${NUMBER}, mayApplyTwice: true) { state } }`,
  `mutation { rejectChange(intentNo: ${NUMBER}, reason: "no") { status } }`,
  `mutation { settleChange(intentNo: ${NUMBER}) { status } }`,
  'mutation { dismissConflict(device: "tablet", changeId: "c1") }',
  'mutation { reapplyConflict(device: "tablet", changeId: "c1") { status } }',
  '{ devices { next } }',
  'mutation { revokeDevice(device: "tablet") { state } }',
  'mutation { eraseRecords(collection: "visits", ids: ["V-1"]) { unknown } }',
  'mutation { eraseUser(user: "nurse") { unknown } }',
  'mutation { newEpoch(from: "aaaaaaaa") }',
  '{ audit { next } }',
];

const OPERATOR = { session: { user: 'dispatcher', isOperator: true } } as const;

let world: World;
let clinic: AnsweringClinic;

async function open(fastPath: boolean): Promise<void> {
  world = await createClinicWorld();
  clinic = await createAnsweringClinic({ world, fastPath });
  await showVisit(world, 'V-1', { notes: 'as planned' });
}

/** The nurse's edit, accepted and settled so. */
async function settled(
  changeId: string,
  settlement: Pick<NonNullable<RecordWrite['settlement']>, 'status' | 'error' | 'kept'>,
) {
  const { intentNo } = await world.accept('V-1', changeId);
  const { seq, mark } = await world.view('V-1');
  const change = { device: world.nurse, changeId, inEffect: false, intent: { intentNo, fence: 0 } };
  const name = { collection: 'visits', id: 'V-1' as RecordId, expected: { seq, mark } };
  await world.write([{ ...name, settlement: { ...change, ...settlement } }]);
  return intentNo;
}

const park = (changeId: string): Promise<number> =>
  settled(changeId, {
    status: 'PARKED',
    error: { code: 'OUTCOME_UNKNOWN', message: 'clinic: connection reset', field: null, retryable: false },
  });

function conflict(changeId: string): Promise<number> {
  const kept: KeptEdit = {
    kind: 'UPSERT',
    fields: { notes: 'nurse' },
    baseSeq: 0 as KeptEdit['baseSeq'],
    conflicting: ['notes'],
  };
  const error = { code: 'CONFLICT', message: 'changed since: notes', field: 'notes', retryable: false } as const;
  return settled(changeId, { status: 'CONFLICT', error, kept: JSON.stringify(kept) });
}

describe.each([
  ['the fast path', true],
  ['plain graphql-js', false],
])('operators, by %s', (_by, fastPath) => {
  beforeEach(() => open(fastPath));

  test.each(OPERATIONS)('R13: nobody else may: %s', async (query) => {
    await park('c1');
    const { errors, data } = await clinic.ask(query);
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(Object.values(data ?? {}).filter((value) => value !== null)).toEqual([]);
    expect(await world.store.countOutbox(world.tenant)).toEqual(new Map([['PARKED', 1]]));
  });

  test('attack 36: whatever an operator decides is in the audit log, before it is done', async () => {
    const mutations = OPERATIONS.filter((operation) => operation.startsWith('mutation'));
    await clinic.post({ query: '{ epoch }' }, OPERATOR);
    for (const query of mutations) {
      const { head } = await world.store.readAudit(world.tenant, { after: 0, limit: 1 });
      await clinic.post({ query }, OPERATOR);
      const { rows } = await world.store.readAudit(world.tenant, { after: head.no, limit: 9 });
      const action = /\{ (\w+)/.exec(query)?.[1];
      expect(rows).toMatchObject([
        { user: 'dispatcher', action, outcome: 'BEGUN' },
        { user: 'dispatcher', action, outcomeOf: head.no + 1 },
      ]);
    }
    const { rows } = await world.store.readAudit(world.tenant, { after: 0, limit: 1_000 });
    const dismissed = rows.find(({ action }) => action === 'dismissConflict');
    expect(dismissed?.subject).toBe('dispatcher/tablet c1');
    const all = Object.values(clinic.engine.schema.getMutationType()?.getFields() ?? {});
    const ofOperators = all
      .filter(({ description }) => description?.includes('For operators only'))
      .map(({ name }) => name);
    expect(mutations.map((query) => /\{ (\w+)/.exec(query)?.[1]).sort()).toEqual(ofOperators.sort());
  });

  test('see open changes page by page, and how many there are', async () => {
    const numbers = [await park('c1'), (await world.accept('V-1', 'c2')).intentNo];
    const query = `query ($after: ID) { outbox(after: $after, limit: 1) { next changes {
      intentNo changeId user device collection id kind state error { code message } blockedBy fields call { kind } known attempts
      acceptedAt editedAt dueAt } }
      outboxCounts { pending sent inDoubt parked oldestAcceptedAt } }`;
    const first = await clinic.post({ query, variables: {} }, OPERATOR);
    expect(first.errors).toEqual([]);
    expect(first.data).toMatchObject({
      outbox: {
        next: String(numbers[0]),
        changes: [
          {
            intentNo: String(numbers[0]),
            changeId: 'c1',
            user: 'nurse',
            device: 'tablet',
            collection: 'visits',
            id: 'V-1',
            kind: 'UPSERT',
            state: 'PARKED',
            error: { code: 'OUTCOME_UNKNOWN', message: 'clinic: connection reset' },
            blockedBy: null,
            call: null,
            attempts: 0,
            dueAt: null,
          },
        ],
      },
      outboxCounts: { pending: 1, sent: 0, inDoubt: 0, parked: 1, oldestAcceptedAt: expect.stringMatching(/Z$/) },
    });
    const { data } = await clinic.post({ query, variables: { after: numbers[0] } }, OPERATOR);
    expect(data).toMatchObject({ outbox: { next: null, changes: [{ changeId: 'c2', blockedBy: 'c1' }] } });
  });

  test.each(['', '0', '-1', '1.5', 'x', '99999999999999999999'])(
    'the number %j is a fault of the request',
    async (text) => {
      const query = 'mutation ($no: ID!) { retryChange(intentNo: $no) { state } }';
      const { errors } = await clinic.post({ query, variables: { no: text } }, OPERATOR);
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST', field: 'intentNo' } }]);
      const paged = await clinic.post(
        { query: 'query ($a: ID) { outbox(after: $a) { next } }', variables: { a: text } },
        OPERATOR,
      );
      expect(paged.errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST', field: 'after' } }]);
    },
  );

  test('F19: see kept conflicts with base, theirs and yours, and forget them for the user that they name', async () => {
    await conflict('c1');
    const query = `{ conflicts { next conflicts { user device changeId collection id error { code }
      conflict { kind baseVersion fields yours theirs { kind json } } } } }`;
    const { data } = await clinic.post({ query }, OPERATOR);
    expect(data).toEqual({
      conflicts: {
        next: null,
        conflicts: [
          {
            user: 'nurse',
            device: 'tablet',
            changeId: 'c1',
            collection: 'visits',
            id: 'V-1',
            error: { code: 'CONFLICT' },
            conflict: {
              kind: 'UPSERT',
              baseVersion: null,
              fields: ['notes'],
              yours: { notes: 'nurse' },
              theirs: { kind: 'UPSERT', json: expect.objectContaining({ notes: 'as planned' }) },
            },
          },
        ],
      },
    });
    const dismissed = async (user: string | null) => {
      const mutation = 'mutation ($u: String) { dismissConflict(device: "tablet", changeId: "c1", user: $u) }';
      return (await clinic.post({ query: mutation, variables: { u: user } }, OPERATOR)).data?.['dismissConflict'];
    };
    expect([await dismissed(null), await dismissed('nurse'), await dismissed('nurse')]).toEqual([false, true, false]);
  });

  test('F19: a receipt of a CONFLICT carries what met what, in one read for all of them, and others carry null', async () => {
    await conflict('c1');
    await conflict('c2');
    await park('c3');
    const reads: (readonly string[])[] = [];
    const readChanges = world.store.readChanges.bind(world.store);
    Object.assign(world.store, {
      readChanges: (...args: Parameters<typeof readChanges>) => {
        reads.push(args[1]);
        return readChanges(...args);
      },
    });
    const query = '{ pull { changes { id } receipts { changeId conflict { fields yours theirs { id } } } } }';
    const { data, errors } = await clinic.ask(query);
    expect(errors).toEqual([]);
    const met = { fields: ['notes'], yours: { notes: 'nurse' }, theirs: { id: 'V-1' } };
    expect((data?.['pull'] as { readonly receipts: unknown }).receipts).toEqual([
      { changeId: 'c1', conflict: met },
      { changeId: 'c2', conflict: met },
      { changeId: 'c3', conflict: null },
    ]);
    expect(reads).toEqual([['c1', 'c2']]);
  });

  test('R13: another device, and another user, learns nothing of a refused edit', async () => {
    await conflict('c1');
    const query = '{ pull { receipts { changeId conflict { yours } } } }';
    for (const session of [{ device: 'other' }, { user: 'doctor' }, { device: null }]) {
      const { data } = await clinic.post({ query }, { session });
      expect(data).toEqual({ pull: { receipts: [] } });
    }
  });
});
