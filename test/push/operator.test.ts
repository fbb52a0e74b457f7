import { randomUUID } from 'node:crypto';
import { createClinic, edit, memoryOf, turns } from './pushing-clinic.js';
import { openDesk, receiptOf } from './operator-desk.js';

describe('the outbox', () => {
  test('R11: shows what is open, why, what it waits for and what was sent, oldest first', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const version = await clinic.visit('17');
    const [first, behind] = [edit('17', version, { note: 'done' }), edit('17', version, { status: 'DONE' })];
    const number = await park(first, {});
    expect(await clinic.sendOne(behind)).toMatchObject({ status: 'ACCEPTED', blockedBy: first.changeId });
    const request = { states: [], collection: null, after: null, limit: 10 };
    const { changes, hasMore } = await operator.outbox(clinic.tenant, request);
    expect(hasMore).toBe(false);
    expect(changes).toMatchObject([
      {
        intentNo: number,
        state: 'PARKED',
        device: { user: 'nurse', device: 'nurse-phone' },
        changeId: first.changeId,
        kind: 'UPSERT',
        fields: '{"note":"done"}',
        attempt: 1,
        guard: 'v1',
        error: { code: 'OUTCOME_UNKNOWN', message: 'clinic: connection reset' },
        blockedBy: null,
        known: expect.stringMatching(/^update of 17 \(note\) was sent once.* guarded by version v1.*connection reset$/),
      },
      {
        state: 'PENDING',
        changeId: behind.changeId,
        error: null,
        blockedBy: first.changeId,
        known: 'it was never sent',
      },
    ]);
    expect(changes[0]?.acceptedAtMs).toBeLessThanOrEqual(clinic.clock.nowMs());
    expect(await operator.counts(clinic.tenant)).toEqual({
      byState: new Map([
        ['PARKED', 1],
        ['PENDING', 1],
      ]),
      oldestAcceptedAtMs: changes[0]?.acceptedAtMs,
    });
  });

  test('is read page by page, and by state and collection', async () => {
    const clinic = await createClinic();
    const { operator } = openDesk(clinic);
    clinic.source.isBroken = true;
    await clinic.send(Array.from({ length: 5 }, () => edit(randomUUID(), null, { route: '7' })));
    const numbers: number[] = [];
    for (let after: number | null = null, hasMore = true; hasMore;) {
      const page = await operator.outbox(clinic.tenant, { states: ['PENDING'], collection: 'visits', after, limit: 2 });
      numbers.push(...page.changes.map(({ intentNo }) => intentNo));
      after = numbers.at(-1) ?? null;
      hasMore = page.hasMore;
    }
    expect(numbers).toHaveLength(5);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const none = { after: null, limit: 10, collection: null };
    expect((await operator.outbox(clinic.tenant, { ...none, states: ['PARKED'] })).changes).toEqual([]);
    expect((await operator.outbox(clinic.tenant, { ...none, states: [], collection: 'staff' })).changes).toEqual([]);
  });

  test('R13: of a tenant shows nothing of another', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    await clinic.store.openTenant('elsewhere');
    const request = { states: [], collection: null, after: null, limit: 10 };
    expect((await operator.outbox('elsewhere', request)).changes).toEqual([]);
    await expect(operator.reject('elsewhere', number, 'no')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(operator.retry('elsewhere', number, true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([0, -1, 1.5, 1_001])('a page of %d changes is refused', async (limit) => {
    const clinic = await createClinic();
    const asked = openDesk(clinic).operator.outbox(clinic.tenant, { states: [], collection: null, after: null, limit });
    await expect(asked).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', field: 'limit' });
  });
});

describe('a retry', () => {
  test('R11: is not sent before the operator says that it may take effect twice, and learns what is known', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    await expect(operator.retry(clinic.tenant, number, false)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      field: 'mayApplyTwice',
      message: expect.stringMatching(/update of 17 \(note\) was sent once.*connection reset/),
    });
    await turns();
    expect(clinic.source.calls).toEqual([]);
  });

  test('R11: sends the change again, its lane goes on behind it, and a repeat changes nothing', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const version = await clinic.visit('17');
    const [first, behind] = [edit('17', version, { note: 'done' }), edit('17', version, { status: 'DONE' })];
    const number = await park(first, {});
    await clinic.sendOne(behind);
    expect(clinic.source.calls).toEqual([]);
    const release = clinic.source.hold();
    const again = await operator.retry(clinic.tenant, number, true);
    expect(again).toMatchObject({ state: 'PENDING', error: null, known: expect.stringContaining('was sent once') });
    // At once: nobody waits for the next look at the outbox.
    await turns(30);
    expect(clinic.source.calls).toHaveLength(1);
    expect(await operator.retry(clinic.tenant, number, true)).toMatchObject({ state: 'SENT', intentNo: number });
    release();
    await clinic.until(async () => (await clinic.fate(behind.changeId)) === 'APPLIED');
    expect(await clinic.fate(first.changeId)).toBe('APPLIED');
    expect(clinic.source.journal).toHaveLength(2);
  });

  test('R11, F5: needs the same word where no call is remembered: a restore may have lost it', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const number = await park(change, null);
    await expect(operator.retry(clinic.tenant, number, false)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringMatching(/no call of it is remembered; clinic: connection reset$/),
    });
    expect(await operator.retry(clinic.tenant, number, true)).toMatchObject({ state: 'PENDING' });
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  });
});

describe('a rejection', () => {
  test('R11: settles the change with the reason, tells its device, and what was behind it goes on', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const version = await clinic.visit('17');
    const [first, behind] = [edit('17', version, { note: 'done' }), edit('17', version, { status: 'DONE' })];
    const number = await park(first, {});
    await clinic.sendOne(behind);
    const error = { code: 'OPERATOR_REFUSED', message: 'phoned: not true', field: null, retryable: false };
    expect(await operator.reject(clinic.tenant, number, ' phoned: not true ')).toEqual({
      changeId: first.changeId,
      collection: 'visits',
      id: '17',
      status: 'REJECTED',
      error,
    });
    expect(await receiptOf(clinic, first.changeId)).toMatchObject({ status: 'REJECTED', error });
    // At once: the clock stands still, so that no nap of the outbox ends by itself.
    await turns(100);
    expect(await clinic.fate(behind.changeId)).toBe('APPLIED');
    expect(clinic.source.calls).toMatchObject([{ fields: { status: 'DONE' } }]);
  });

  test('F3: stamps its fields as the source, so that the same device does not overwrite what it never saw', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    await operator.reject(clinic.tenant, number, 'not true');
    const { seq, stamps, intents } = await clinic.view('17');
    expect(stamps['note']).toEqual({ seq, writer: 'source' });
    expect(intents).toEqual([]);
  });

  test('of a change that still waits for its source is possible, and the source never sees it', async () => {
    const clinic = await createClinic();
    const { operator } = openDesk(clinic);
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    await clinic.sendOne(edit('17', version, { note: 'done' }));
    const [open] = (await operator.outbox(clinic.tenant, { states: [], collection: null, after: null, limit: 1 }))
      .changes;
    await operator.reject(clinic.tenant, open?.intentNo ?? 0, 'not needed');
    clinic.source.isBroken = false;
    clinic.clock.advance(60_000);
    await turns(30);
    expect(clinic.source.calls).toEqual([]);
  });

  test('R11: of a change whose call is under way waits for the call', async () => {
    const clinic = await createClinic();
    const { operator } = openDesk(clinic);
    const version = await clinic.visit('17');
    const release = clinic.source.hold();
    const change = edit('17', version, { note: 'done' });
    await clinic.sendOne(change);
    const [open] = (await operator.outbox(clinic.tenant, { states: ['SENT'], collection: null, after: null, limit: 1 }))
      .changes;
    const number = open?.intentNo ?? 0;
    await expect(operator.reject(clinic.tenant, number, 'no')).rejects.toMatchObject({ code: 'RECORD_BLOCKED' });
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject({ code: 'RECORD_BLOCKED' });
    release();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  });

  test('R7: of a settled change says what became of it, of an unknown one that there is none', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const number = await park(change, {});
    await operator.reject(clinic.tenant, number, 'not true');
    const settled = {
      code: 'NOT_FOUND',
      message: expect.stringMatching(/visits 17 is settled as REJECTED: not true$/),
    };
    await expect(operator.reject(clinic.tenant, number, 'not true')).rejects.toMatchObject(settled);
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject(settled);
    await expect(operator.retry(clinic.tenant, number, true)).rejects.toMatchObject(settled);
    const unknown = { code: 'NOT_FOUND', message: expect.stringContaining('there never was one') };
    await expect(operator.reject(clinic.tenant, number + 1, 'x')).rejects.toMatchObject(unknown);
  });

  test.each([
    ['nothing', ''],
    ['blanks', '  '],
    ['two lines', 'a\nb'],
    ['a book', 'x'.repeat(1_001)],
  ])('needs a reason that can be shown: %s is none', async (_what, reason) => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    const refused = { code: 'VALIDATION', field: 'reason' };
    await expect(operator.reject(clinic.tenant, number, reason)).rejects.toMatchObject(refused);
    expect((await clinic.view('17')).intents).toMatchObject([{ state: 'PARKED' }]);
  });

  test('decides anew when the record moves while it is kept', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    const memory = memoryOf(clinic);
    const commit = memory.commit.bind(memory);
    let moves = 0;
    Object.assign(memory, {
      commit: async (...args: Parameters<typeof commit>) => {
        Object.assign(memory, { commit });
        clinic.source.edit('17', { status: 'DONE' });
        await clinic.observe('17');
        moves += 1;
        return commit(...args);
      },
    });
    await operator.reject(clinic.tenant, number, 'not true');
    expect(moves).toBe(1);
    expect(JSON.parse((await clinic.view('17')).body ?? '')).toMatchObject({ status: 'DONE', note: 'as planned' });
  });
});
