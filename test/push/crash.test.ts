import { SyncError } from '../../src/core/errors.js';
import type { RecordStore } from '../../src/core/record-port.js';
import { createClinic, edit, turns, type Clinic } from './pushing-clinic.js';

/** A store that answers until a call of this method has been made: what its process does then comes to nothing. */
function dyingAt(clinic: Clinic, method: keyof RecordStore, when: 'before' | 'after'): RecordStore {
  let isDead = false;
  const never = new Promise<never>(() => undefined);
  const dying = Object.entries(clinic.store).map(([name, call]) => [
    name,
    async (...values: unknown[]) => {
      const last = name === method && (name !== 'commit' || (values[1] as { settlement?: unknown }[])[0]?.settlement);
      if (last && when === 'before') isDead = true;
      if (isDead) return never;
      const answer: unknown = await (call as (...all: unknown[]) => unknown)(...values);
      if (last) isDead = true;
      return isDead ? never : answer;
    },
  ]);
  return Object.fromEntries(dying) as RecordStore;
}

describe('a process that ends', () => {
  test('R10: between accept and note leaves a change that another process delivers, once', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const dying = clinic.another({ store: dyingAt(clinic, 'noteSent', 'before'), holder: 'dying' });
    const change = edit('17', version, { note: 'done' });
    void dying.push(clinic.session(), [change], null);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'ACCEPTED');
    expect(clinic.source.calls).toEqual([]);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
  });

  test('R11, F4: between note and call leaves a change that is read back, and sent when it is proven that it was not', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const dying = clinic.another({ store: dyingAt(clinic, 'noteSent', 'after'), holder: 'dying' });
    const change = edit('17', version, { note: 'done' });
    void dying.push(clinic.session(), [change], null);
    // The lease, the time of the call and the longest life of a request.
    await clinic.until(() => clinic.source.reads === 1);
    expect(clinic.source.calls).toEqual([]);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
  });

  test('R11, F4: between call and settling leaves a change that is found at its source and never sent again', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const dying = clinic.another({ store: dyingAt(clinic, 'commit', 'before'), holder: 'dying' });
    const change = edit('17', version, { note: 'done' });
    void dying.push(clinic.session(), [change], null);
    await clinic.until(() => clinic.source.journal.length === 1);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    clinic.clock.advance(3_600_000);
    await turns(30);
    expect(clinic.source.calls).toHaveLength(1);
  });

  test('R7: after settling, before the answer, leaves a change whose repeat is answered as settled', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const dying = clinic.another({ store: dyingAt(clinic, 'commit', 'after'), holder: 'dying' });
    const change = edit('17', version, { note: 'done' });
    void dying.push(clinic.session(), [change], null);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.journal).toHaveLength(1);
  });
});

describe('a process that stands still', () => {
  test('R11: until its lease is over makes no call any more: the change is another process’s', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    let goOn = (): void => undefined;
    const pause = new Promise<void>((resolve) => (goOn = resolve));
    const slow = clinic.another({
      store: {
        ...clinic.store,
        async noteSent(tenant, notes) {
          await pause;
          return clinic.store.noteSent(tenant, notes);
        },
      },
    });
    const change = edit('17', version, { note: 'done' });
    void slow.push(clinic.session(), [change], null);
    await turns();
    clinic.push.start();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    goOn();
    await turns();
    await slow.stop();
    expect(clinic.source.calls).toHaveLength(1);
  });

  test('F13: past the deadline of its note makes no call, and gives the change back', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    let isSlow = true;
    const slow = clinic.another({
      store: {
        ...clinic.store,
        async noteSent(tenant, notes) {
          const noted = await clinic.store.noteSent(tenant, notes);
          if (isSlow) clinic.clock.advance(5_001);
          isSlow = false;
          return noted;
        },
      },
    });
    const change = edit('17', version, { note: 'done' });
    await slow.push(clinic.session(), [change], null);
    await turns();
    expect(clinic.source.calls).toEqual([]);
    slow.start();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(clinic.source.journal).toHaveLength(1);
    await slow.stop();
  });

  test('F13: is told by the source’s own look, in the tick in which the request would leave, what is left of its time', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    const left: number[] = [];
    clinic.source.write = async (_write, _signal, leftMs = () => Infinity) => {
      left.push(leftMs());
      clinic.clock.advance(5_000);
      left.push(leftMs());
      return { kind: 'notSent', reason: 'its time was over', retryAfterMs: null };
    };
    const change = edit('17', version, { note: 'done' });
    await clinic.sendOne(change);
    expect(left.slice(0, 2)).toEqual([5_000, 0]);
    expect(await clinic.fate(change.changeId)).toBe('ACCEPTED');
    expect((await clinic.view('17')).intents).toMatchObject([{ state: 'PENDING' }]);
  });
});

describe('a process that stops', () => {
  test('R10: ends the calls under way, begins no new one, and gives its leases back at once', async () => {
    const clinic = await createClinic({ facts: { concurrency: 1 }, isStarted: false });
    const versions = [await clinic.visit('17'), await clinic.visit('18')] as const;
    const release = clinic.source.hold();
    const changes = [edit('17', versions[0], { note: 'called' }), edit('18', versions[1], { note: 'waiting' })];
    const answer = clinic.push.push(clinic.session(), changes, null);
    await clinic.until(() => clinic.source.calls.length === 1);
    const stopped = clinic.push.stop();
    await turns();
    release();
    await stopped;
    expect(await clinic.fate(changes[0]?.changeId ?? '')).toBe('APPLIED');
    expect(clinic.source.calls).toHaveLength(1);
    const next = clinic.another();
    next.start();
    await turns();
    expect(await clinic.fate(changes[1]?.changeId ?? '')).toBe('APPLIED');
    clinic.clock.advance(5_000);
    expect((await answer).map((one) => one.status)).toEqual(['APPLIED', 'APPLIED']);
    await next.stop();
  });

  test('R10: still accepts what comes meanwhile, for others to deliver', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    await clinic.push.stop();
    expect(await clinic.push.push(clinic.session(), [edit('17', version, { note: 'late' })], null)).toMatchObject([
      { status: 'ACCEPTED' },
    ]);
    expect(clinic.source.calls).toEqual([]);
  });
});

describe('a store that is away for a moment', () => {
  test('R11: does not lose the outcome of a call: it is settled when the store is back', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    let failures = 3;
    const push = clinic.another({
      store: {
        ...clinic.store,
        async commit(tenant, writes, context) {
          const isSettling = writes[0]?.settlement !== undefined && writes[0].acceptance === undefined;
          if (isSettling && failures-- > 0) {
            // The last time the answer is lost, not the commit.
            if (failures === 0) await clinic.store.commit(tenant, writes, context);
            throw new SyncError('UNAVAILABLE', 'the store does not answer');
          }
          return clinic.store.commit(tenant, writes, context);
        },
      },
    });
    const change = edit('17', version, { note: 'done' });
    const answer = push.push(clinic.session(), [change], null);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    clinic.clock.advance(10_000);
    await answer;
    await push.stop();
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R11: before a note is known to be written no call is made, and the change is neither parked nor lost', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    let failures = 2;
    let releases = 0;
    const push = clinic.another({
      store: {
        ...clinic.store,
        async releaseIntent(intent, retryInMs) {
          // It is still away when the change is to be given back.
          if (releases++ % 3 < 2) throw new SyncError('UNAVAILABLE', 'the store does not answer');
          return clinic.store.releaseIntent(intent, retryInMs);
        },
        async noteSent(tenant, notes) {
          // One that is not written, then one whose answer is lost.
          if (failures-- === 1) await clinic.store.noteSent(tenant, notes);
          if (failures >= 0) throw new SyncError('UNAVAILABLE', 'the store does not answer');
          return clinic.store.noteSent(tenant, notes);
        },
      },
    });
    push.start();
    await clinic.push.stop();
    const change = edit('17', version, { note: 'done' });
    const answer = push.push(clinic.session(), [change], null);
    await turns();
    expect(clinic.source.calls).toEqual([]);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    await answer;
    expect(releases).toBe(6);
    expect(clinic.source.journal).toHaveLength(1);
    await push.stop();
  });
});
