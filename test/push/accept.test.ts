import { randomUUID } from 'node:crypto';
import type { Fields } from '../../src/core/change.js';
import { SyncError } from '../../src/core/errors.js';
import { deviceOf, type DeviceKey } from '../../src/core/session.js';
import { createClinic, edit, memoryOf, removal } from './pushing-clinic.js';

describe('accept', () => {
  test('R7: a repeat gets the stored answer and is not delivered again', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const first = await clinic.sendOne(change);
    expect(first).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.sendOne(change)).toEqual(first);
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R7: a repeat that comes while the first is on its way is one change', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const both = await Promise.all([clinic.sendOne(change), clinic.sendOne(change)]);
    expect(both.map((one) => one.status)).toContain('APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R7: a final answer is remembered, also when the change would be fine by now', async () => {
    const clinic = await createClinic();
    await clinic.visit('17');
    const late = edit('18', 'aaaaaaaa.1', { note: 'early' });
    const first = await clinic.sendOne(late);
    expect(first).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
    await clinic.visit('18');
    expect(await clinic.sendOne(late)).toEqual(first);
  });

  test('R7, attack 23: the same id with another body is KEY_REUSED, and the first change stays as it is', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    await clinic.sendOne(change);
    const other = { ...change, fields: { note: 'other' } };
    expect(await clinic.sendOne(other)).toMatchObject({ status: 'REJECTED', error: { code: 'KEY_REUSED' } });
    const twice = edit('17', await clinic.version('17'), { note: 'a' });
    const results = await clinic.send([twice, { ...twice, fields: { note: 'b' } }, twice]);
    expect(results.map((one) => one.error?.code ?? one.status)).toEqual(['APPLIED', 'KEY_REUSED', 'APPLIED']);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'a' });
  });

  test('R7, attack 23: the change ids of one device say nothing about those of another', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'nurse' });
    await clinic.sendOne(change);
    const other = { ...change, baseVersion: await clinic.version('17'), fields: { note: 'doctor' } };
    expect(await clinic.sendOne(other, clinic.session('doctor'))).toMatchObject({ status: 'APPLIED' });
  });

  test('R7: an evicted device is told so, and a request without a device, too', async () => {
    const clinic = await createClinic();
    const session = clinic.session();
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    memoryOf(clinic).evictDevice(deviceOf(session) as DeviceKey);
    await expect(clinic.send([change])).rejects.toMatchObject({ code: 'DEVICE_EVICTED' });
    await expect(clinic.send([change], { ...session, device: null })).rejects.toMatchObject({
      code: 'DEVICE_REQUIRED',
    });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R8: bad changes have results of their own and block nobody', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const results = await clinic.send([
      edit('17', version, { note: 7 }),
      edit('17', version, { note: 'fine' }),
      edit('17', version, { colour: 'red' }),
      { ...edit('17', version, {}), collection: 'nothing' },
      { ...edit('17', version, {}), changeId: ' ' },
      edit('not there', version, { note: 'x' }),
      edit('17', 'never.1', { note: 'x' }),
      edit(randomUUID(), null, { note: 'new', route: '7' }),
    ]);
    expect(results.map((one) => one.error?.field ?? one.error?.code ?? one.status)).toEqual([
      'note',
      'APPLIED',
      'colour',
      'collection',
      'changeId',
      'id',
      'baseVersion',
      'APPLIED',
    ]);
  });

  test('R8: a scope rule that breaks on one change blocks no other, and the change may come again', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const { scopesOf } = clinic.source.collection;
    Object.assign(clinic.source.collection, {
      scopesOf(fields: Fields) {
        if (fields['note'] === 'boom') throw new TypeError('a fault of the rule');
        return scopesOf(fields);
      },
    });
    const broken = edit(randomUUID(), null, { note: 'boom', route: '7' });
    const tooLong = edit(randomUUID(), null, { note: 'x', route: 'x'.repeat(300) });
    const results = await clinic.send([broken, tooLong, edit('17', version, { note: 'fine' })]);
    expect(results).toMatchObject([
      { status: 'REJECTED', error: { code: 'INTERNAL', message: 'unexpected fault', retryable: true } },
      { status: 'REJECTED', error: { code: 'VALIDATION', retryable: false } },
      { status: 'APPLIED' },
    ]);
    expect(await clinic.fate(broken.changeId)).toBeUndefined();
    expect(await clinic.fate(tooLong.changeId)).toBe('REJECTED');
  });

  test('R8: changes of one record keep their order, each on top of the one before', async () => {
    const clinic = await createClinic();
    const id = randomUUID();
    const changes = [
      edit(id, null, { note: 'made', route: '7' }),
      edit(id, null, { note: 'edited' }),
      removal(id, null),
      edit(id, null, { note: 'too late' }),
    ];
    const release = clinic.source.hold();
    const answer = clinic.send(changes);
    await clinic.until(() => clinic.source.calls.length === 1);
    release();
    const results = await answer;
    expect(results.map((one) => one.status)).toEqual(['APPLIED', 'APPLIED', 'APPLIED', 'CONFLICT']);
    expect(clinic.source.calls.map((call) => call.kind)).toEqual(['create', 'update', 'delete']);
  });

  test('R8: past the most open changes of one record, a change and what follows it come back as RECORD_BLOCKED', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    const many = Array.from({ length: 102 }, (_none, n) => edit('17', version, { note: `note ${n}` }));
    const results = await clinic.send([...many, edit('17', version, { note: 'last' })]);
    expect(results.slice(0, 100).every((one) => one.status === 'ACCEPTED')).toBe(true);
    expect(results.slice(1, 3).map((one) => one.blockedBy)).toEqual(many.slice(0, 2).map((one) => one.changeId));
    const blocked = { status: 'REJECTED', error: { code: 'RECORD_BLOCKED', retryable: true } };
    expect(results.slice(100)).toMatchObject([blocked, blocked, blocked]);
    expect(await clinic.fate(many[100]?.changeId ?? '')).toBeUndefined();
  });

  test('R9: a change from a version that is no longer current conflicts, whatever its clock says', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const old = await clinic.visit('17');
    await clinic.visit('17', { note: 'moved', status: 'OPEN', route: '7' });
    const change = edit('17', old, { note: 'mine' }, { changedAt: '2099-01-01T00:00:00.000Z' });
    expect(await clinic.sendOne(change)).toMatchObject({
      status: 'CONFLICT',
      error: { code: 'CONFLICT', field: 'note' },
    });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R9: an open change of another device counts at accept', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    expect(await clinic.sendOne(edit('17', version, { note: 'nurse' }))).toMatchObject({ status: 'ACCEPTED' });
    const doctor = clinic.session('doctor');
    expect(await clinic.sendOne(edit('17', version, { note: 'doctor' }), doctor)).toMatchObject({ status: 'CONFLICT' });
    expect(await clinic.sendOne(edit('17', version, { status: 'DONE' }), doctor)).toMatchObject({ status: 'ACCEPTED' });
  });

  test('R9, attack 24: newestWins compares corrected times, and no edit is newer than now', async () => {
    const clinic = await createClinic({ policy: 'newestWins', isStarted: false });
    const old = await clinic.visit('17');
    const now = clinic.clock.nowMs();
    clinic.clock.advance(60_000);
    await clinic.visit('17', { note: 'moved at 60 s', status: 'OPEN', route: '7' });
    clinic.clock.advance(60_000);
    // A device an hour ahead, which edited at our 30 s and at our 90 s.
    const at = (seconds: number): string => new Date(now + 3_600_000 + seconds * 1000).toISOString();
    const sentAtMs = now + 3_600_000 + 120_000;
    const early = edit('17', old, { note: 'early' }, { changedAt: at(30) });
    const late = edit('17', old, { note: 'late' }, { changedAt: at(90) });
    const [first, second] = await clinic.send([early, late], clinic.session(), sentAtMs);
    expect([first?.status, second?.status]).toEqual(['CONFLICT', 'APPLIED']);
    await clinic.visit('17', { note: 'moved again', status: 'OPEN', route: '7' });
    const future = edit('17', old, { note: 'from the future' }, { changedAt: '2099-01-01T00:00:00.000Z' });
    expect(await clinic.sendOne(future)).toMatchObject({ status: 'CONFLICT' });
  });

  test('R13, attack 20: only declared, writable fields of the right type are accepted', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const results = await clinic.send([
      edit('17', version, { number: 5 }),
      edit('17', version, { __proto__x: 1 }),
      edit('17', version, { route: null }),
      edit('17', version, {}),
      edit(randomUUID(), null, { note: 'no route' }),
      edit('not-a-uuid', null, { route: '7' }),
    ]);
    expect(results.map((one) => `${one.error?.code} ${one.error?.field}`)).toEqual([
      'VALIDATION number',
      'VALIDATION __proto__x',
      'VALIDATION route',
      'VALIDATION json',
      'VALIDATION route',
      'VALIDATION id',
    ]);
    expect(clinic.source.calls).toEqual([]);
  });

  test('R13, attacks 18 and 19: a record outside the scopes answers as if it did not exist, before and after the change', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const stranger = clinic.session('stranger', { kind: 'listed', scopes: ['route:9'] });
    const [hidden, absent] = await clinic.send(
      [edit('17', version, { note: 'x' }), edit('no-such', version, { note: 'x' })],
      stranger,
    );
    expect(hidden?.error).toEqual({ ...absent?.error, message: absent?.error?.message.replace('no-such', '17') });
    expect(hidden).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['route:7'] });
    const out = await clinic.sendOne(edit('17', version, { route: '9' }), nurse);
    expect(out).toMatchObject({ status: 'REJECTED', error: { code: 'FORBIDDEN' } });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R13: a create on an id that is taken says the same whether its record may be seen or not', async () => {
    const clinic = await createClinic();
    const id = randomUUID();
    await clinic.visit(id);
    const taken = edit(id, null, { route: '9' });
    const stranger = clinic.session('stranger', { kind: 'listed', scopes: ['route:9'] });
    const [seen, unseen] = [await clinic.sendOne(taken), await clinic.sendOne(taken, stranger)];
    expect(seen).toMatchObject({ status: 'CONFLICT', error: { code: 'CONFLICT', field: 'id' } });
    expect(unseen).toEqual(seen);
  });

  test('F5: a change that was first sent before a restore is parked, not sent again', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch: 'oldepoch' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R8: a record that moves between decision and commit is decided again', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    let moves = 0;
    const push = clinic.another({
      store: {
        ...clinic.store,
        async commit(tenant, writes, context) {
          if (writes[0]?.acceptance && moves++ < 2) await clinic.visit('17', { note: `move ${moves}`, route: '7' });
          return clinic.store.commit(tenant, writes, context);
        },
      },
    });
    const [result] = await push.push(clinic.session(), [edit('17', version, { note: 'mine' })], null);
    expect(result).toMatchObject({ status: 'CONFLICT' });
    expect(moves).toBe(3);
  });

  test('R8: a record that never stands still comes back as RECORD_BLOCKED, which is not remembered', async () => {
    const clinic = await createClinic({ isStarted: false, policy: 'deviceWins' });
    const version = await clinic.visit('17');
    const push = clinic.another({
      store: {
        ...clinic.store,
        async commit(tenant, writes, context) {
          if (writes[0]?.acceptance) await clinic.visit('17', { note: randomUUID(), route: '7' });
          return clinic.store.commit(tenant, writes, context);
        },
      },
    });
    const change = edit('17', version, { note: 'mine' });
    const [result] = await push.push(clinic.session(), [change], null);
    expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'RECORD_BLOCKED', retryable: true } });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
  });

  test('R10: when the store is away the whole push is UNAVAILABLE, and the repeat finds what was accepted', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    let commits = 0;
    const push = clinic.another({
      store: {
        ...clinic.store,
        async commit(tenant, writes, context) {
          if (writes[0]?.acceptance && ++commits === 2) throw new SyncError('UNAVAILABLE', 'the store does not answer');
          return clinic.store.commit(tenant, writes, context);
        },
      },
    });
    const both = [edit('17', version, { note: 'first' }), edit('17', version, { note: 'second' })];
    await expect(push.push(clinic.session(), both, null)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await clinic.until(() => clinic.source.journal.length === 1);
    expect((await clinic.send(both)).map((one) => one.status)).toEqual(['APPLIED', 'APPLIED']);
    expect(clinic.source.calls.map((call) => call.fields)).toEqual([{ note: 'first' }, { note: 'second' }]);
  });
});
