import type { RecordStore } from '../../src/core/record-port.js';
import { createClinic, edit, PATIENCE_MS, turns } from './pushing-clinic.js';

describe('when an overlay is taken', () => {
  test('R10: an overlay is taken with the accepting commit, where no outcome is to be hoped for soon', async () => {
    const clinic = await createClinic({ facts: { readOne: false } });
    const [version, other] = [await clinic.visit('17'), await clinic.visit('18')];
    clinic.source.script.push('applyUnanswered');
    expect(await clinic.sendOne(edit('18', other, { note: 'done' }))).toMatchObject({ status: 'PARKED' });
    let commits = 0;
    const commit: RecordStore['commit'] = (...request) => {
      commits += 1;
      return clinic.store.commit(...request);
    };
    const counted = clinic.another({ store: { ...clinic.store, commit } });
    const head = async () => (await clinic.store.readHead(clinic.tenant)).head;
    const before = await head();
    // Its lane waits for an operator.
    await counted.push(clinic.session(), [edit('18', other, { status: 'DONE' })], null);
    expect([commits, await head()]).toEqual([1, before + 1]);
    expect(await clinic.view('18')).toMatchObject({
      pending: true,
      intents: [{ seq: before + 1 }, { seq: before + 1 }],
    });
    clinic.source.isBroken = true;
    await counted.push(clinic.session(), [edit('17', version, { note: 'seen' })], null);
    expect([commits, await head()]).toEqual([2, before + 2]);
    expect(await clinic.view('17')).toMatchObject({ seq: before + 2, intents: [{ seq: before + 2 }] });
  });

  test('R10: with it comes into view what was accepted before and is not shown yet', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const release = clinic.source.hold();
    void clinic.push.push(clinic.session(), [edit('17', version, { note: 'first' })], null);
    await turns();
    expect(await clinic.view('17')).toMatchObject({ vis: null, intents: [{ state: 'SENT', seq: null }] });
    clinic.source.isBroken = true;
    await clinic.push.push(clinic.session(), [edit('17', version, { status: 'DONE' })], null);
    const { seq, vis, intents } = await clinic.view('17');
    expect(JSON.parse(vis ?? '')).toMatchObject({ note: 'first', status: 'DONE' });
    expect(intents.map((one) => one.seq)).toEqual([seq, seq]);
    release();
  });

  test('R10: a change that is settled within the patience takes no overlay, on whatever node', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    const other = clinic.another();
    other.start();
    const before = (await clinic.store.readHead(clinic.tenant)).head;
    const release = clinic.source.hold();
    let settled: unknown;
    const change = edit('17', version, { note: 'done' });
    void clinic.push.push(clinic.session(), [change], null).then((results) => (settled = results));
    for (let passedMs = 0; passedMs < PATIENCE_MS - 100; passedMs += 100) {
      await turns();
      clinic.clock.advance(100);
    }
    release();
    await turns();
    expect(settled).toMatchObject([{ status: 'APPLIED' }]);
    expect((await clinic.store.readHead(clinic.tenant)).head).toBe(before + 1);
    await other.stop();
  });

  test('R10: a record that moves while it is to be shown is shown all the same', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    let moves = 0;
    const commit: RecordStore['commit'] = async (tenant, writes, context) => {
      if (writes[0]?.shown !== undefined && moves++ === 0) {
        clinic.source.edit('17', { status: 'LATE' });
        await clinic.observe('17');
      }
      return clinic.store.commit(tenant, writes, context);
    };
    const push = clinic.another({ store: { ...clinic.store, commit } });
    const release = clinic.source.hold();
    let isAnswered = false;
    const answer = push.push(clinic.session(), [edit('17', version, { note: 'mine' })], null);
    void answer.then(() => (isAnswered = true));
    await clinic.until(() => isAnswered);
    expect(await answer).toMatchObject([{ status: 'ACCEPTED' }]);
    const { pending, vis } = await clinic.view('17');
    expect([moves, pending]).toEqual([2, true]);
    expect(JSON.parse(vis ?? '')).toMatchObject({ note: 'mine', status: 'LATE' });
    release();
  });

  test('R10: a process that ends before it has shown what it accepted is stood in for by another one', async () => {
    const clinic = await createClinic({ isStarted: false });
    const version = await clinic.visit('17');
    // It accepts, and ends before its patience does.
    const dying = clinic.another({
      holder: 'dying',
      store: {
        ...clinic.store,
        leaseIntents: () => Promise.resolve([]),
        noteSent: () => new Promise(() => undefined),
        commit: (tenant, writes) =>
          writes.some(({ shown }) => shown !== undefined)
            ? new Promise(() => undefined)
            : clinic.store.commit(tenant, writes),
      },
    });
    void dying.push(clinic.session(), [edit('17', version, { note: 'seen' })], null);
    await turns();
    expect(await clinic.view('17')).toMatchObject({ pending: false, intents: [{ seq: null }] });
    clinic.source.isBroken = true;
    clinic.push.start();
    await clinic.until(async () => (await clinic.view('17')).pending);
    expect(JSON.parse((await clinic.view('17')).vis ?? '')).toMatchObject({ note: 'seen' });
    await clinic.push.stop();
  });
});
