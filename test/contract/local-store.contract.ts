import type { HeldRecord, LocalStore, SyncState } from '../../src/client/local-store.js';
import { newEntry, type OutboxEntry } from '../../src/client/outbox-entry.js';
import { firstSyncState } from '../support/first-sync-state.js';

const STATE: SyncState = { ...firstSyncState('tablet'), user: 'nurse', collections: ['visits', 'patients'] };

function held(id: string, parts: Partial<HeldRecord> = {}): HeldRecord {
  const fields = { notes: `notes of ${id}`, tags: ['a', null], vitals: { pulse: 71.5 } };
  return {
    collection: 'visits',
    id,
    version: `abcdefgh.${id.length}`,
    fields,
    isPending: false,
    generation: 0,
    ...parts,
  };
}

function entry(changeId: string, parts: Partial<OutboxEntry> = {}): OutboxEntry {
  const edit = {
    changeId,
    collection: 'visits',
    id: 'V-1',
    kind: 'UPSERT',
    fields: { notes: changeId },
    isCreate: false,
    baseVersion: 'abcdefgh.1',
    changedAt: '2026-01-05T08:00:00.000Z',
  } as const;
  return { ...newEntry(edit), ...parts };
}

const byId = (a: HeldRecord, b: HeldRecord): number => (a.id < b.id ? -1 : 1);

/**
 * What a store of the client must do, whatever it stands on.
 *
 * @param open a new, empty store; the same name opens the same one again once it was closed
 */
export function localStoreContract(open: (name: string) => Promise<LocalStore>): void {
  let store: LocalStore;
  let names = 0;
  let name = '';

  beforeEach(async () => {
    store = await open((name = `store-${++names}`));
  });
  afterEach(() => store.close());

  const recordsOf = async (collection: string, id?: string): Promise<readonly HeldRecord[]> =>
    [...(await store.readRecords(collection, id)).records].sort(byId);
  const idsOf = async (collection: string): Promise<readonly string[]> =>
    (await recordsOf(collection)).map(({ id }) => id);
  const changeIds = async (): Promise<readonly string[]> => (await store.readSync()).entries.map((one) => one.changeId);

  test('a new store has nothing, and its revision is 0', async () => {
    expect(await store.readSync()).toEqual({ state: null, entries: [] });
    expect(await store.readState()).toBeNull();
    expect(await store.readRecords('visits')).toEqual({ records: [], entries: [] });
    expect(await store.commit({ state: STATE }, 1)).toBe(false);
    expect(await store.commit({ state: STATE }, 0)).toBe(true);
    expect((await store.readSync()).state).toEqual(STATE);
    expect(await store.readState()).toEqual(STATE);
  });

  test('records come back as they were put in, and the later one counts', async () => {
    await store.commit({ records: [held('V-1'), held('V-2'), held('P-1', { collection: 'patients' })] }, null);
    await store.commit(
      { records: [held('V-2', { version: 'abcdefgh.9', isPending: true, fields: { notes: null } })] },
      null,
    );
    expect(await recordsOf('visits')).toEqual([
      held('V-1'),
      held('V-2', { version: 'abcdefgh.9', isPending: true, fields: { notes: null } }),
    ]);
    expect(await recordsOf('visits', 'V-1')).toEqual([held('V-1')]);
    expect(await recordsOf('visits', 'V-9')).toEqual([]);
    expect(await idsOf('patients')).toEqual(['P-1']);
  });

  test('names that look like others stay apart', async () => {
    const odd = ["o'Neil", 'V:1', 'V 1', 'ü', '__proto__', 'constructor'];
    await store.commit({ records: odd.map((id) => held(id)) }, null);
    await store.commit(
      { records: [held('V-1', { collection: 'visit' }), held('V-1', { collection: 'visitsx' })] },
      null,
    );
    expect(await idsOf('visits')).toEqual([...odd].sort());
    for (const id of odd) expect(await recordsOf('visits', id)).toEqual([held(id)]);
  });

  test('a page and its checkpoint land together, and only on the revision that they were decided on', async () => {
    await store.commit({ state: STATE }, 0);
    const page = { state: { ...STATE, revision: 2, checkpoint: 'c1', epoch: 'abcdefgh' }, records: [held('V-1')] };
    expect(await store.commit(page, 1)).toBe(true);
    const stale = { state: { ...STATE, revision: 2, checkpoint: 'c0' }, records: [held('V-2')], gone: [held('V-1')] };
    expect(await store.commit({ ...stale, added: [entry('c-1')], sweepBelow: 9 }, 1)).toBe(false);
    expect(await store.readSync()).toEqual({ state: page.state, entries: [] });
    expect(await idsOf('visits')).toEqual(['V-1']);
  });

  test('of two commits on one revision one is written', async () => {
    await store.commit({ state: STATE }, 0);
    const both = ['left', 'right'].map((checkpoint) =>
      store.commit({ state: { ...STATE, revision: 2, checkpoint }, records: [held(checkpoint)] }, 1),
    );
    const written = await Promise.all(both);
    expect([...written].sort()).toEqual([false, true]);
    expect(await idsOf('visits')).toEqual([written[0] === true ? 'left' : 'right']);
  });

  test('a commit that cannot be written leaves nothing behind', async () => {
    await store.commit({ state: STATE, added: [entry('c-1')] }, 0);
    // A changeId names one change for ever.
    const broken = { records: [held('V-1')], added: [entry('c-2'), entry('c-1', { id: 'V-2' })] };
    await expect(store.commit({ ...broken, state: { ...STATE, revision: 2 } }, 1)).rejects.toThrow();
    expect(await idsOf('visits')).toEqual([]);
    expect((await store.readSync()).state).toEqual(STATE);
    expect(await changeIds()).toEqual(['c-1']);
    expect(await store.commit({ records: [held('V-2')] }, 1)).toBe(true);
  });

  test('the outbox keeps its order, whatever becomes of its entries', async () => {
    const ids = Array.from({ length: 12 }, (_one, at) => `c-${at}`);
    for (const changeId of ids) await store.commit({ added: [entry(changeId)] }, null);
    await store.commit({ changed: [entry('c-3', { status: 'ACCEPTED', isSent: true })], dropped: ['c-5'] }, null);
    await store.commit({ added: [entry('c-a')] }, null);
    expect(await changeIds()).toEqual([...ids.filter((one) => one !== 'c-5'), 'c-a']);
    expect((await store.readSync()).entries[3]).toEqual(entry('c-3', { status: 'ACCEPTED', isSent: true }));
  });

  test('an entry that was let go does not come back by a change to it', async () => {
    await store.commit({ added: [entry('c-1')] }, null);
    await store.commit({ dropped: ['c-1'] }, null);
    await store.commit({ changed: [entry('c-1', { status: 'APPLIED' })], dropped: ['c-9'] }, null);
    expect(await changeIds()).toEqual([]);
  });

  test('records are read with their own edits, in the order in which they were made', async () => {
    const edits = [
      entry('c-2'),
      entry('c-1', { id: 'V-2' }),
      entry('c-0'),
      entry('c-9', { collection: 'patients', id: 'V-1' }),
    ];
    await store.commit({ records: [held('V-1')], added: edits }, null);
    expect((await store.readRecords('visits', 'V-1')).entries).toEqual([edits[0], edits[2]]);
    expect((await store.readRecords('visits')).entries.map(({ changeId }) => changeId)).toEqual(['c-2', 'c-1', 'c-0']);
    expect((await store.readRecords('visits', 'V-2')).records).toEqual([]);
  });

  test('F25: what did not come again is swept; what came without a body keeps the one that is held', async () => {
    await store.commit({ records: ['V-1', 'V-2', 'V-3'].map((id) => held(id)), added: [entry('c-1')] }, null);
    const seen = { names: [held('V-2'), held('V-9')], generation: 1 };
    await store.commit({ records: [held('V-1', { generation: 1 })], seen, sweepBelow: 1 }, null);
    expect(await recordsOf('visits')).toEqual([held('V-1', { generation: 1 }), held('V-2', { generation: 1 })]);
    expect(await changeIds()).toEqual(['c-1']);
  });

  test('what is gone goes, and nothing else', async () => {
    await store.commit({ records: [held('V-1'), held('V-2'), held('V-1', { collection: 'patients' })] }, null);
    await store.commit(
      {
        gone: [
          { collection: 'visits', id: 'V-1' },
          { collection: 'visits', id: 'V-7' },
        ],
      },
      null,
    );
    expect(await idsOf('visits')).toEqual(['V-2']);
    expect(await idsOf('patients')).toEqual(['V-1']);
  });

  test('a wipe takes everything, and what is written with it stays', async () => {
    await store.commit({ state: STATE, records: [held('V-1')], added: [entry('c-1')] }, 0);
    const state = { ...STATE, revision: 2, user: 'another' };
    expect(await store.commit({ isWiped: true, state, records: [held('V-2')] }, 1)).toBe(true);
    expect(await store.readSync()).toEqual({ state, entries: [] });
    expect(await idsOf('visits')).toEqual(['V-2']);
  });

  test('what was written is there when it is opened again', async () => {
    await store.commit({ state: STATE, records: [held('V-1')], added: [entry('c-1'), entry('c-2')] }, 0);
    await store.close();
    store = await open(name);
    expect(await store.readSync()).toEqual({ state: STATE, entries: [entry('c-1'), entry('c-2')] });
    await store.commit({ added: [entry('c-3')] }, null);
    expect(await changeIds()).toEqual(['c-1', 'c-2', 'c-3']);
    expect(await recordsOf('visits')).toEqual([held('V-1')]);
  });

  test('a page of a thousand records is one commit', async () => {
    const page = Array.from({ length: 1_000 }, (_one, at) => held(`V-${at}`));
    expect(await store.commit({ state: STATE, records: page }, 0)).toBe(true);
    expect((await idsOf('visits')).length).toBe(1_000);
  });
}
