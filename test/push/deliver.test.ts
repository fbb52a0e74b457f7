import { randomUUID } from 'node:crypto';
import type { Policy } from '../../src/core/collection.js';
import { createClinic, edit, PATIENCE_MS, removal, turns } from './pushing-clinic.js';

describe('deliver', () => {
  test('R10: a change that the source takes within the patience is APPLIED at once', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    expect(await clinic.sendOne(change)).toEqual({
      changeId: change.changeId,
      status: 'APPLIED',
      error: null,
      blockedBy: null,
      collection: 'visits',
      id: '17',
    });
    expect(clinic.source.calls).toMatchObject([
      { kind: 'update', sourceKey: '17', fields: { note: 'done' }, guard: 'v1' },
    ]);
    const { body, intents, sourceVersion, written, seq, stamps } = await clinic.view('17');
    expect(JSON.parse(body ?? '')).toEqual({ note: 'done', status: 'OPEN', route: '7', number: 1 });
    expect({ intents, sourceVersion, written }).toEqual({ intents: [], sourceVersion: 'v2', written: seq });
    expect(stamps['note']).toEqual({ seq, writer: 'device:nurse/nurse-phone' });
  });

  test('R10: a new record is created under the id that its device made', async () => {
    const clinic = await createClinic();
    const id = randomUUID();
    expect(await clinic.sendOne(edit(id, null, { note: 'new', route: '7' }))).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.rows.get(id)?.fields).toMatchObject({ note: 'new' });
    expect(await clinic.view(id)).toMatchObject({ sourceKey: id, deleted: false });
  });

  test('a deletion that the source takes leaves a tombstone in the feed', async () => {
    const clinic = await createClinic();
    expect(await clinic.sendOne(removal('17', await clinic.visit('17')))).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.rows.has('17')).toBe(false);
    expect(await clinic.view('17')).toMatchObject({ deleted: true, intents: [] });
  });

  test('R10: past the patience the answer is ACCEPTED, and the source is waited for all the same', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const release = clinic.source.hold();
    const begun = clinic.clock.nowMs();
    const change = edit('17', version, { note: 'done' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED', error: null });
    // The clock moves in steps of 50 ms here.
    expect(clinic.clock.nowMs() - begun).toBeGreaterThanOrEqual(PATIENCE_MS);
    expect(clinic.clock.nowMs() - begun).toBeLessThanOrEqual(PATIENCE_MS + 50);
    release();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R10: what another process delivers within the patience is APPLIED, too', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    const other = clinic.another();
    clinic.source.script.push('notSent');
    const change = edit('17', version, { note: 'done' });
    const begunMs = clinic.clock.nowMs();
    other.start();
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED', error: null, blockedBy: null });
    expect(clinic.clock.nowMs() - begunMs).toBeLessThanOrEqual(PATIENCE_MS + 50);
    expect(clinic.source.calls).toHaveLength(2);
    expect((await clinic.view('17')).pending).toBe(false);
    await other.stop();
  });

  test('R10: a source that is down is not waited for at all', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    const change = edit('17', version, { note: 'done' });
    expect(await clinic.push.push(clinic.session(), [change], null)).toMatchObject([{ status: 'ACCEPTED' }]);
    await turns();
    expect(clinic.source.calls).toEqual([]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  });

  test('R10: no push waits until it is found out whether a source is back, and what it brought finds that out', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.isUnasked = true;
    const release = clinic.source.hold();
    const change = edit('17', version, { note: 'done' });
    expect(await clinic.push.push(clinic.session(), [change], null)).toMatchObject([{ status: 'ACCEPTED' }]);
    // Without a moment passing.
    await turns();
    expect(clinic.source.calls).toHaveLength(1);
    release();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  });

  test('R11: a call whose outcome nobody can find out is parked at once and never made again, and its lane waits', async () => {
    const clinic = await createClinic({ facts: { readOne: false } });
    const version = await clinic.visit('17');
    clinic.source.script.push('applyUnanswered');
    const [parked, behind] = [edit('17', version, { note: 'done' }), edit('17', version, { note: 'more' })];
    const results = await clinic.send([parked, behind]);
    expect(results).toMatchObject([
      { status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } },
      { status: 'ACCEPTED', blockedBy: parked.changeId },
    ]);
    clinic.clock.advance(3_600_000);
    await turns(30);
    expect(await clinic.sendOne(parked)).toMatchObject({ status: 'PARKED' });
    expect(clinic.source.calls).toHaveLength(1);
    const begun = clinic.clock.nowMs();
    expect(await clinic.sendOne(edit('17', version, { note: 'later' }))).toMatchObject({ status: 'ACCEPTED' });
    expect(clinic.clock.nowMs() - begun).toBeLessThan(PATIENCE_MS);
  });

  test.each(['hang', 'neverAnswer', 'throw'] as const)(
    'R11: a source that does not answer (%s) is in doubt',
    async (behaviour) => {
      const clinic = await createClinic({ facts: { readOne: false } });
      const version = await clinic.visit('17');
      clinic.source.script.push(behaviour);
      const change = edit('17', version, { note: 'done' });
      await clinic.sendOne(change);
      await clinic.until(async () => (await clinic.fate(change.changeId)) === 'PARKED');
      expect(clinic.source.calls).toHaveLength(1);
    },
  );

  test('R11: a call that certainly had no effect is made again, later and later', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.script.push('notSent', 'notSent', 'notSent');
    const change = edit('17', version, { note: 'done' });
    const begun = clinic.clock.nowMs();
    await clinic.sendOne(change);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(clinic.source.calls).toHaveLength(4);
    expect(clinic.source.journal).toHaveLength(1);
    // Half of 0.5 s, 1 s and 2 s at least.
    expect(clinic.clock.nowMs() - begun).toBeGreaterThan(1_750);
    expect(new Set(clinic.source.calls.map((call) => call.idempotencyKey)).size).toBe(1);
  });

  test('R11: a call that had no effect is made again when its time has come, however long the outbox was idle', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    for (let n = 0; n < 30; n++) {
      clinic.clock.advance(1_000);
      await turns(2);
    }
    clinic.source.script.push('notSent');
    const begun = clinic.clock.nowMs();
    expect(await clinic.sendOne(edit('17', version, { note: 'done' }))).toMatchObject({ status: 'APPLIED' });
    expect(clinic.clock.nowMs() - begun).toBeLessThan(1_000);
  });

  test('F3: a refusal by the source stamps every field, so that nobody overwrites unseen what the author believes', async () => {
    const clinic = await createClinic({ policy: 'mergeFields' });
    const version = await clinic.visit('17');
    clinic.source.script.push('refuse');
    const refused = await clinic.sendOne(edit('17', version, { note: 'done', status: 'DONE' }));
    expect(refused).toMatchObject({
      status: 'REJECTED',
      error: { code: 'SOURCE_REFUSED', message: 'the visit is closed', field: 'note', retryable: false },
    });
    const { stamps, seq, body } = await clinic.view('17');
    const stamp = { seq, writer: 'device:nurse/nurse-phone' };
    expect(stamps).toMatchObject({ note: stamp, status: stamp });
    expect(JSON.parse(body ?? '')).toMatchObject({ note: 'as planned', status: 'OPEN' });
    const other = await clinic.sendOne(edit('17', version, { note: 'doctor' }), clinic.session('doctor'));
    expect(other).toMatchObject({ status: 'CONFLICT' });
  });

  test('R7: what a source says of single fields is part of the result, and of every repeat of it', async () => {
    const clinic = await createClinic({});
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const fields = [{ field: 'note', message: 'is too long' }];
    clinic.source.write = async () => ({ kind: 'refused', message: 'not valid', field: 'note', fields });
    const told = { status: 'REJECTED', error: { code: 'SOURCE_REFUSED', message: 'not valid', field: 'note', fields } };
    expect(await clinic.sendOne(change)).toMatchObject(told);
    expect(await clinic.sendOne(change)).toMatchObject(told);
  });

  test('R9: a source that holds another version is read, and the change decided again: what does not clash is MERGED', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.edit('17', { note: 'changed in the office' });
    const result = await clinic.sendOne(edit('17', version, { note: 'mine', status: 'DONE' }));
    expect(result).toMatchObject({ status: 'MERGED', error: null });
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'changed in the office', status: 'DONE' });
    const { body, stamps } = await clinic.view('17');
    expect(JSON.parse(body ?? '')).toMatchObject({ note: 'changed in the office', status: 'DONE' });
    expect(stamps['note']?.writer).toBe('source');
    expect(clinic.source.calls.map((call) => call.guard)).toEqual(['v1', 'v2']);
  });

  const clashes: readonly (readonly [Policy, string, string])[] = [
    ['sourceWins', 'CONFLICT', 'CONFLICT'],
    ['deviceWins', 'APPLIED', 'APPLIED'],
    ['newestWins', 'CONFLICT', 'CONFLICT'],
    ['mergeFields', 'CONFLICT', 'CONFLICT'],
  ];
  test.each(clashes)(
    'R9: %s decides an edit of a field that moved at the source: %s; a deletion: %s',
    async (policy, ofEdit, ofDelete) => {
      const clinic = await createClinic({ policy });
      const versions = [await clinic.visit('17'), await clinic.visit('18')] as const;
      clinic.source.edit('17', { note: 'changed in the office' });
      clinic.source.edit('18', { note: 'changed in the office' });
      const results = await clinic.send([edit('17', versions[0], { note: 'mine' }), removal('18', versions[1])]);
      expect(results.map((one) => one.status)).toEqual([ofEdit, ofDelete]);
      expect(clinic.source.rows.get('17')?.fields['note']).toBe(
        ofEdit === 'APPLIED' ? 'mine' : 'changed in the office',
      );
      expect(clinic.source.rows.has('18')).toBe(ofDelete !== 'APPLIED');
    },
  );

  test('R9: newestWins takes an edit that is newer than what the source shows', async () => {
    const clinic = await createClinic({ policy: 'newestWins' });
    const old = await clinic.visit('17');
    await clinic.visit('17', { note: 'changed in the office', status: 'OPEN', route: '7' });
    clinic.clock.advance(1_000);
    const changedAt = new Date(clinic.clock.nowMs()).toISOString();
    expect(await clinic.sendOne(edit('17', old, { note: 'mine' }, { changedAt }))).toMatchObject({ status: 'APPLIED' });
  });

  test('R9: two devices on one field: the second conflicts, on another field both are applied', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const doctor = clinic.session('doctor');
    const [first, second, third] = await Promise.all([
      clinic.sendOne(edit('17', version, { note: 'nurse' })),
      clinic.sendOne(edit('17', version, { note: 'doctor' }), doctor),
      clinic.sendOne(edit('17', version, { status: 'DONE' }), doctor),
    ]);
    expect([first.status, second.status, third.status]).toEqual(['APPLIED', 'CONFLICT', 'APPLIED']);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'nurse', status: 'DONE' });
  });

  test('R11: a change that meets another version at every attempt is parked after five', async () => {
    const clinic = await createClinic({ policy: 'deviceWins' });
    const version = await clinic.visit('17');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = (...call) => {
      clinic.source.edit('17', { note: randomUUID() });
      return write(...call);
    };
    const result = await clinic.sendOne(edit('17', version, { note: 'mine' }));
    expect(result).toMatchObject({ status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(clinic.source.calls).toHaveLength(5);
    expect(clinic.source.journal).toEqual([]);
  });

  test('an edit of a record that the source keeps saying it does not have comes back as CONFLICT, without a tombstone', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.rows.delete('17');
    const change = edit('17', version, { note: 'mine' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'CONFLICT');
    expect(clinic.source.calls).toHaveLength(5);
    expect(await clinic.view('17')).toMatchObject({ deleted: false, intents: [] });
  });

  test('after an answer without a version the record is read in its lane before the next change', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.script.push('applySilently');
    const results = await clinic.send([
      edit('17', version, { note: 'first' }),
      edit('17', version, { status: 'DONE' }),
    ]);
    expect(results.map((one) => one.status)).toEqual(['APPLIED', 'APPLIED']);
    expect(clinic.source.reads).toBe(1);
    expect(clinic.source.calls.map((call) => call.guard)).toEqual(['v1', 'v2']);
  });

  test('R9: and read once more when another change of the record is accepted meanwhile: none goes without a guard', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.script.push('applySilently');
    expect(await clinic.sendOne(edit('17', version, { status: 'DONE' }))).toMatchObject({ status: 'APPLIED' });
    const seen = await clinic.version('17');
    clinic.source.edit('17', { note: 'of the office' });
    const readOne = clinic.source.readOne.bind(clinic.source);
    clinic.source.readOne = async (...read) => {
      clinic.source.readOne = readOne;
      void clinic.push.push(clinic.session('doctor'), [edit('17', seen, { status: 'OPEN' })], null);
      await turns();
      expect((await clinic.view('17')).intents).toHaveLength(2);
      return readOne(...read);
    };
    expect(await clinic.sendOne(edit('17', version, { note: 'of the nurse' }))).toMatchObject({ status: 'CONFLICT' });
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'of the office' });
  });

  test('a value that the source altered dates from the settling, what it changed beside is its own', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.alter = (fields) => ({ ...fields, note: String(fields['note']).toUpperCase(), number: 99 });
    await clinic.sendOne(edit('17', version, { note: 'done' }));
    const { stamps, seq, body } = await clinic.view('17');
    expect(JSON.parse(body ?? '')).toMatchObject({ note: 'DONE', number: 99 });
    expect(stamps).toMatchObject({
      note: { seq, writer: 'device:nurse/nurse-phone' },
      number: { seq, writer: 'source' },
    });
  });

  test('R8: the next change of a lane goes out as soon as the one before is settled, without a look at the clock', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    await turns();
    const changes = ['first', 'second', 'third'].map((note) => edit('17', version, { note }));
    const results = await clinic.push.push(clinic.session(), changes, null);
    expect(results.map((one) => one.status)).toEqual(['APPLIED', 'APPLIED', 'APPLIED']);
  });

  test('no more calls run at once than the source allows, over all pushes', async () => {
    const clinic = await createClinic({ facts: { concurrency: 3 } });
    const changes = Array.from({ length: 20 }, () => edit(randomUUID(), null, { route: '7' }));
    const release = clinic.source.hold();
    const answers = [clinic.send(changes.slice(0, 10)), clinic.send(changes.slice(10), clinic.session('doctor'))];
    await clinic.until(() => clinic.source.traffic.now === 3);
    release();
    const results = (await Promise.all(answers)).flat();
    expect(results.every((one) => one.status === 'APPLIED')).toBe(true);
    expect(clinic.source.traffic.most).toBe(3);
  });

  test('R10: past what a node can hold for a source, a change is left to whoever has its turn, and nobody waits for it', async () => {
    const clinic = await createClinic({ facts: { concurrency: 3 } });
    const release = clinic.source.hold();
    const many = Array.from({ length: 1_003 }, () => edit(randomUUID(), null, { route: '7' }));
    void clinic.push.push(clinic.session(), many, null);
    await clinic.until(() => clinic.source.traffic.now === 3);
    let answer: unknown;
    const one = edit(randomUUID(), null, { route: '7' });
    void clinic.push.push(clinic.session('doctor'), [one], null).then((results) => (answer = results));
    await turns(20);
    expect(answer).toMatchObject([{ status: 'ACCEPTED' }]);
    release();
    await clinic.until(async () => (await clinic.fate(one.changeId, clinic.session('doctor'))) === 'APPLIED');
  });
});
