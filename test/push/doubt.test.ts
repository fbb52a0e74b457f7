import { randomUUID } from 'node:crypto';
import type { SourceKey } from '../../src/core/change.js';
import { createClinic, edit, PATIENCE_MS, removal, turns, type Clinic } from './pushing-clinic.js';
import type { PushResult } from '../../src/push/pushed-change.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

const HOUR_MS = 3_600_000;
/** No request lives longer here. */
const LIFETIME_MS = 10_000;
const KEY = { idempotencyKeyLifetimeMs: 24 * HOUR_MS, readOne: false, updateGuard: 'none' } as const;
const UNGUARDED = { updateGuard: 'none', deleteGuard: 'none', maxRequestLifetimeMs: LIFETIME_MS } as const;

async function fateOf(clinic: Clinic, changeId: string, wanted: string): Promise<PushResult['error'] | undefined> {
  await clinic.until(async () => (await clinic.fate(changeId)) === wanted);
  const { known } = await clinic.store.readChanges({ tenant: clinic.tenant, user: 'nurse', device: 'nurse-phone' }, [
    changeId,
  ]);
  return known[0]?.error;
}

describe('a call whose outcome is unknown', () => {
  test('R10, R11: is told as ACCEPTED when its outcome has to be waited for longer than anybody does, never as PARKED', async () => {
    const clinic = await createClinic({ facts: UNGUARDED });
    const version = await clinic.visit('17');
    clinic.source.script.push('applyUnanswered');
    const change = edit('17', version, { note: 'done' });
    const begun = clinic.clock.nowMs();
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED', error: null });
    expect(clinic.clock.nowMs() - begun).toBeLessThan(PATIENCE_MS);
    await fateOf(clinic, change.changeId, 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('F13: is not read back before the deadline of its call and the longest life of a request are over', async () => {
    const clinic = await createClinic({ facts: UNGUARDED });
    const version = await clinic.visit('17');
    clinic.source.script.push('loseRequest');
    const change = edit('17', version, { note: 'done' });
    const begun = clinic.clock.nowMs();
    await clinic.sendOne(change);
    await clinic.until(() => clinic.source.reads > 0);
    expect(clinic.clock.nowMs() - begun).toBeGreaterThanOrEqual(5_000 + LIFETIME_MS);
    await fateOf(clinic, change.changeId, 'APPLIED');
    expect(clinic.source.calls).toHaveLength(2);
  });

  test('F13: is waited for just as long when the time of day is set forward during its call', async () => {
    const clock = createManualClock();
    let setMs = 0;
    const clinic = await createClinic({
      facts: UNGUARDED,
      clock: { ...clock, nowMs: () => clock.nowMs() + setMs },
      store: createMemoryStore({ clock, chance: seededChance(7) }),
    });
    const version = await clinic.visit('17');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (...call) => {
      setMs = 60_000;
      return write(...call);
    };
    clinic.source.script.push('loseRequest');
    await clinic.sendOne(edit('17', version, { note: 'done' }));
    await clinic.until(() => clinic.source.reads > 0);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(5_000 + LIFETIME_MS);
  });

  test('F30: is not read back before a source that lags shows what it took', async () => {
    const clinic = await createClinic({ facts: { ...UNGUARDED, readAfterWriteMs: 20_000 } });
    const version = await clinic.visit('17');
    clinic.source.script.push('applyUnanswered');
    const begun = clinic.clock.nowMs();
    await clinic.sendOne(edit('17', version, { note: 'done' }));
    await clinic.until(() => clinic.source.reads > 0);
    expect(clinic.clock.nowMs() - begun).toBeGreaterThanOrEqual(5_000 + LIFETIME_MS + 20_000);
  });

  test('R11: is sent again under its idempotency key with exactly what was sent first, within the patience', async () => {
    const clinic = await createClinic({ facts: KEY });
    const version = await clinic.visit('17');
    clinic.source.script.push('loseRequest');
    expect(await clinic.sendOne(edit('17', version, { note: 'done' }))).toMatchObject({ status: 'APPLIED' });
    const [first, second] = clinic.source.calls;
    expect(second).toMatchObject({ ...first });
  });

  test('F3: a repeat that is answered with the record as it is by now makes its device the writer of what it sent only', async () => {
    const clinic = await createClinic({ facts: KEY });
    const version = await clinic.visit('17');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.script.push('applyUnanswered');
    clinic.source.write = async (one, ...rest) => {
      if (one.isRepeat !== true) return write(one, ...rest);
      clinic.source.edit('17', { note: 'theirs' });
      return { kind: 'applied', observation: clinic.source.showAs('17' as SourceKey) };
    };
    const change = edit('17', version, { note: 'mine', status: 'DONE' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
    const { stamps } = await clinic.view('17');
    expect([stamps['note']?.writer, stamps['status']?.writer]).toEqual(['source', 'device:nurse/nurse-phone']);
    expect(await clinic.sendOne(edit('17', version, { note: 'mine again' }))).toMatchObject({ status: 'CONFLICT' });
  });

  test('F3: a create that is found changed by the office leaves what differs to the source', async () => {
    const clinic = await createClinic({ facts: { createKey: 'source', lookUp: true } });
    clinic.source.script.push('applyUnanswered');
    const lookUp = async () => {
      clinic.source.edit('made-1', { note: 'theirs' });
      return clinic.source.showAs('made-1' as SourceKey);
    };
    Object.assign(clinic.source, { lookUp });
    const change = edit(randomUUID(), null, { note: 'mine', route: '7' });
    await clinic.sendOne(change);
    await fateOf(clinic, change.changeId, 'APPLIED');
    const { stamps } = await clinic.view(change.id);
    expect([stamps['note']?.writer, stamps['route']?.writer]).toEqual(['source', 'device:nurse/nurse-phone']);
  });

  test('R11: a create that is made again after a look-up that found nothing, and refused then, is looked up once more', async () => {
    const clinic = await createClinic({ facts: { readOne: false, lookUp: true } });
    clinic.source.script.push('applyUnanswered', 'refuse');
    const change = edit(randomUUID(), null, { note: 'mine', route: '7' });
    // The source shows nothing for a while, as one that is restarted may.
    const lookUp = async () =>
      clinic.source.calls.length < 2 ? ('absent' as const) : clinic.source.showAs(change.id as SourceKey);
    Object.assign(clinic.source, { lookUp });
    await clinic.sendOne(change);
    await fateOf(clinic, change.changeId, 'APPLIED');
    expect([clinic.source.calls.length, clinic.source.journal.length]).toEqual([2, 1]);
  });

  test('R12: that made a deleted record again is believed, whatever a copy that lags shows of it', async () => {
    const facts = { idempotencyKeyLifetimeMs: 24 * HOUR_MS };
    const clinic = await createClinic({ facts, declares: { deletedRecord: 'editWins' } });
    const version = await clinic.visit('17');
    await clinic.visit('18');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (one, ...rest) =>
      one.isRepeat === true
        ? { kind: 'applied', observation: clinic.source.showAs('17' as SourceKey) }
        : write(one, ...rest);
    clinic.source.script.push('applyUnanswered');
    const read = clinic.source.readOne.bind(clinic.source);
    clinic.source.readOne = async (key, signal) => (key === '17' ? 'absent' : read(key, signal));
    expect(await clinic.sendOne(edit('17', version, { note: 'mine' }))).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.view('17')).toMatchObject({ deleted: false, sourceKey: '17' });
  });

  test('R11: is not sent again when its key may be forgotten by now: it is parked with what is known of it', async () => {
    const clinic = await createClinic({ facts: { ...KEY, idempotencyKeyLifetimeMs: HOUR_MS } });
    const version = await clinic.visit('17');
    clinic.source.script.push('applyUnanswered');
    const change = edit('17', version, { note: 'done' });
    void clinic.push.push(clinic.session(), [change], null);
    await clinic.until(() => clinic.source.calls.length === 1);
    clinic.source.isBroken = true;
    clinic.clock.advance(HOUR_MS);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'PARKED');
    const error = await fateOf(clinic, change.changeId, 'PARKED');
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', retryable: false });
    expect(error?.message).toMatch(
      /^clinic: the update of 17 was sent at 2026-01-05T\S+Z: .*idempotency key is too old/,
    );
    expect(clinic.source.calls).toHaveLength(1);
  });

  test('R11: is not sent again when its key gets too old while it waits for its turn', async () => {
    // A repeat may arrive 70 s after it is noted: of the 90 s for which the key is relied on, 20 are left to begin one.
    const times = { idempotencyKeyLifetimeMs: 100_000, callTimeoutMs: 60_000, maxRequestLifetimeMs: LIFETIME_MS };
    const clinic = await createClinic({ facts: { ...KEY, ...times, concurrency: 1 } });
    const versions = [await clinic.visit('17'), await clinic.visit('18')] as const;
    clinic.source.script.push('loseRequest');
    const change = edit('17', versions[0], { note: 'done' });
    void clinic.push.push(clinic.session(), [change], null);
    await clinic.until(() => clinic.source.calls.length === 1);
    // Another call takes the only place.
    const letGo = clinic.source.hold();
    void clinic.push.push(clinic.session(), [edit('18', versions[1], { note: 'slow' })], null);
    await clinic.until(() => clinic.source.calls.length === 2);
    const waitsSinceMs = clinic.clock.monotonicMs();
    await clinic.until(() => clinic.clock.monotonicMs() - waitsSinceMs > 25_000);
    letGo();
    await fateOf(clinic, change.changeId, 'PARKED');
    expect(clinic.source.calls.filter(({ sourceKey }) => sourceKey === '17')).toHaveLength(1);
  });

  test('R11: stays in doubt while its source is down, its lane waits and everything else flows', async () => {
    const clinic = await createClinic({ facts: UNGUARDED });
    const versions = [await clinic.visit('17'), await clinic.visit('18')] as const;
    clinic.source.script.push('applyUnanswered');
    const [first, second] = [edit('17', versions[0], { note: 'first' }), edit('17', versions[0], { note: 'second' })];
    await clinic.send([first, second]);
    clinic.source.isBroken = true;
    clinic.clock.advance(HOUR_MS);
    await turns(60);
    expect((await clinic.view('17')).intents.map(({ state }) => state)).toEqual(['IN_DOUBT', 'PENDING']);
    expect(await clinic.fate(first.changeId)).toBe('ACCEPTED');
    clinic.source.isBroken = false;
    expect(await clinic.sendOne(edit('18', versions[1], { note: 'other' }))).toMatchObject({ status: 'APPLIED' });
    await fateOf(clinic, second.changeId, 'APPLIED');
    expect(clinic.source.journal).toHaveLength(3);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'second' });
  });

  test('F4: that was overwritten meanwhile is a CONFLICT which names both values, and the record is the source’s', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.script.push('applyUnanswered');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (...call) => {
      const outcome = await write(...call);
      clinic.source.edit('17', { note: 'theirs' });
      return outcome;
    };
    const change = edit('17', version, { note: 'mine' });
    await clinic.sendOne(change);
    expect(await fateOf(clinic, change.changeId, 'CONFLICT')).toMatchObject({
      code: 'CONFLICT',
      field: 'note',
      message: expect.stringContaining('note was sent as "mine", the source has "theirs"') as string,
    });
    expect(JSON.parse((await clinic.view('17')).body ?? '')).toMatchObject({ note: 'theirs' });
    expect(clinic.source.calls).toHaveLength(1);
  });

  test('F4: of a create, or under a policy that does not refuse, is parked where it cannot be told', async () => {
    const clinic = await createClinic({ policy: 'deviceWins', facts: UNGUARDED });
    const [version, id] = [await clinic.visit('17'), randomUUID()];
    clinic.source.script.push('applyUnanswered', 'applyUnanswered');
    const [edited, made] = [edit('17', version, { note: 'mine' }), edit(id, null, { note: 'mine', route: '7' })];
    void clinic.push.push(clinic.session(), [edited, made], null);
    await clinic.until(() => clinic.source.journal.length === 2);
    clinic.source.edit('17', { note: 'theirs' });
    clinic.source.edit(id, { note: 'theirs' });
    await fateOf(clinic, edited.changeId, 'PARKED');
    await fateOf(clinic, made.changeId, 'PARKED');
    expect(clinic.source.calls).toHaveLength(2);
  });

  test('F7: of a deletion is believed to be done only while another record still answers', async () => {
    const clinic = await createClinic({ facts: UNGUARDED });
    const version = await clinic.visit('17');
    await clinic.visit('18');
    clinic.source.script.push('loseRequest');
    const change = removal('17', version);
    await clinic.sendOne(change);
    // An application that is being redeployed: it has nothing for a while.
    const rows = new Map(clinic.source.rows);
    clinic.source.rows.clear();
    await clinic.until(() => clinic.source.reads > 10);
    expect(await clinic.fate(change.changeId)).toBe('ACCEPTED');
    for (const [key, row] of rows) clinic.source.rows.set(key, row);
    await fateOf(clinic, change.changeId, 'APPLIED');
    expect(clinic.source.calls).toHaveLength(2);
    expect(clinic.source.rows.has('17')).toBe(false);
  });

  test('R11: a second attempt that is refused because the first one came late after all is APPLIED', async () => {
    const clinic = await createClinic({ facts: { maxRequestLifetimeMs: 0 } });
    await clinic.visit('17');
    const id = randomUUID();
    clinic.source.script.push('loseRequest');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (...call) => {
      // Later than its source declares.
      if (clinic.source.calls.length === 1) await write(...call);
      return write(...call);
    };
    const change = edit(id, null, { note: 'made', route: '7' });
    await clinic.sendOne(change);
    await fateOf(clinic, change.changeId, 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('F4: of a create whose record others changed before it was refused as taken is parked, never REJECTED', async () => {
    const clinic = await createClinic({ facts: { maxRequestLifetimeMs: 0 } });
    await clinic.visit('17');
    const id = randomUUID();
    clinic.source.script.push('loseRequest');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (...call) => {
      if (clinic.source.calls.length === 1) {
        await write(...call);
        clinic.source.edit(id, { note: 'theirs' });
      }
      return write(...call);
    };
    const change = edit(id, null, { note: 'made', route: '7' });
    await clinic.sendOne(change);
    const error = await fateOf(clinic, change.changeId, 'PARKED');
    expect(error?.message).toMatch(/^clinic: the create of \S+ was sent at \S+ refused: .*may have made the record/);
    expect(clinic.source.journal).toHaveLength(1);
  });
});

describe('a change that meets newer versions', () => {
  test('R11: is counted over restarts: the fifth answer parks it', async () => {
    const clinic = await createClinic({ policy: 'deviceWins', isStarted: false });
    const version = await clinic.visit('17');
    const write = clinic.source.write.bind(clinic.source);
    let isAway = true;
    clinic.source.write = async (...call) => {
      // The process ends after the third answer, and its successor goes on.
      if (isAway && clinic.source.calls.length === 3) return new Promise(() => undefined);
      clinic.source.edit('17', { note: randomUUID() });
      return write(...call);
    };
    const change = edit('17', version, { note: 'mine' });
    const dying = clinic.another({ holder: 'dying' });
    void dying.push(clinic.session(), [change], null);
    await clinic.until(() => clinic.source.calls.length === 3);
    isAway = false;
    clinic.push.start();
    const error = await fateOf(clinic, change.changeId, 'PARKED');
    expect(error?.message).toContain('held another version at each of 5 attempts');
    expect(clinic.source.journal).toEqual([]);
    expect(clinic.source.calls.length).toBeLessThanOrEqual(6);
  });

  test('F30: is decided again only when a read shows what was written last', async () => {
    const clinic = await createClinic({ facts: { readAfterWriteMs: 10_000 } });
    const version = await clinic.visit('17');
    clinic.source.script.push('applySilently');
    const begun = clinic.clock.nowMs();
    const [first, second] = [edit('17', version, { note: 'first' }), edit('17', version, { status: 'DONE' })];
    await clinic.send([first, second]);
    await fateOf(clinic, second.changeId, 'APPLIED');
    expect(clinic.clock.nowMs() - begun).toBeGreaterThanOrEqual(10_000);
    expect(clinic.source.calls.map((call) => call.guard)).toEqual(['v1', 'v2']);
  });
});
