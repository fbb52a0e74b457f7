import type { LocalRecord } from '../../src/client/overlay.js';
import { openFilledTablet, openTablet, settled } from './device.js';
import { gone, refusal, upsert } from './scripted-gateway.js';

const PLANNED = { notes: 'as planned', status: 'planned' };

describe('records as the app shows them', () => {
  test('an edit is shown at once, without a network, and survives a restart', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    const { changeId } = await visits.patch('V-1', { notes: 'door code 4711' });
    expect(changeId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const shown = {
      id: 'V-1',
      version: 'abcdefgh.1',
      isPending: true,
      fields: { ...PLANNED, notes: 'door code 4711' },
    };
    expect(await visits.get('V-1')).toEqual(shown);
    const again = await tablet.reopen();
    expect(await again.client.collection('visits').get('V-1')).toEqual(shown);
    expect(again.client.status.get()).toMatchObject({ pendingCount: 1, isConnected: false });
  });

  test('only fields that differ are sent, from the version that was shown', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').put({ notes: 'as planned', status: 'done' }, 'V-1');
    await tablet.client.sync();
    expect(tablet.gateway.pushes[0]?.changes).toMatchObject([
      { collection: 'visits', id: 'V-1', kind: 'UPSERT', baseVersion: 'abcdefgh.1', json: { status: 'done' } },
    ]);
  });

  test('nothing that differs is nothing to send', async () => {
    const tablet = await openFilledTablet();
    expect(await tablet.client.collection('visits').patch('V-1', PLANNED)).toEqual({ id: 'V-1', changeId: null });
    expect(await tablet.client.outbox.list()).toEqual([]);
  });

  test('a new record has a UUID and all of its fields, and can be edited before it was ever sent', async () => {
    const tablet = await openTablet();
    const visits = tablet.client.collection('visits');
    const { id } = await visits.put({ notes: 'fell this morning', status: null });
    await visits.patch(id, { status: 'planned' });
    expect(await visits.get(id)).toEqual({
      id,
      version: null,
      isPending: true,
      fields: { notes: 'fell this morning', status: 'planned' },
    });
  });

  test('F8: a deletion hides the record here at once; there is nothing to patch or delete then', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    await visits.remove('V-1');
    expect(await visits.get('V-1')).toBeNull();
    expect((await visits.list()).map(({ id }) => id)).toEqual(['V-2']);
    await expect(visits.patch('V-1', { notes: '' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(visits.remove('V-9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a list is filtered and ordered as asked, edits included', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    await visits.patch('V-2', { status: 'done' });
    const done = await visits.list({ where: ({ fields }) => fields.status === 'done' });
    expect(done.map(({ id }) => id)).toEqual(['V-2']);
    expect((await visits.list({ order: (a, b) => (a.id > b.id ? -1 : 1) })).map(({ id }) => id)).toEqual([
      'V-2',
      'V-1',
    ]);
  });

  test('what the app changes in its own object later changes no edit', async () => {
    const tablet = await openFilledTablet();
    const fields = { notes: 'first', status: 'planned' };
    await tablet.client.collection('visits').put(fields, 'V-1');
    fields.notes = 'second';
    expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('first');
  });
});

describe('what is observed', () => {
  test('R5: an own edit that comes back raises no event', async () => {
    const tablet = await openFilledTablet();
    const seen: (string | null | undefined)[] = [];
    tablet.client.collection('visits').observe('V-1', (visit) => seen.push(visit?.fields.notes));
    await settled();
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    await settled();
    tablet.gateway.pages.push({ changes: [upsert('V-1', { ...PLANNED, notes: 'mine' }, { version: 'abcdefgh.2' })] });
    await tablet.client.sync();
    await settled();
    // The second 'mine' is the same record, confirmed: not pending any more.
    expect(seen).toEqual(['as planned', 'mine', 'mine']);
    expect(await tablet.client.outbox.list()).toEqual([]);
  });

  test('only what concerns a question asks it again', async () => {
    const tablet = await openFilledTablet();
    const [one, list, others]: [unknown[], unknown[], unknown[]] = [[], [], []];
    const asked: string[] = [];
    const read = tablet.store.readRecords.bind(tablet.store);
    Object.assign(tablet.store, {
      readRecords(...name: Parameters<typeof read>) {
        asked.push(name.join(' ').trim());
        return read(...name);
      },
    });
    tablet.client.collection('visits').observe('V-1', (visit) => one.push(visit));
    const stop = tablet.client.collection('visits').observeList((visits) => list.push(visits.length));
    tablet.client.collection('patients').observeList((patients) => others.push(patients.length));
    await settled();
    tablet.gateway.pages.push({ changes: [gone('V-2'), upsert('V-3', PLANNED)] });
    await tablet.client.sync();
    tablet.gateway.pages.push({ changes: [gone('V-3')] });
    await tablet.client.sync();
    await settled();
    expect([one.length, list, others]).toEqual([1, [2, 2, 1], [0]]);
    expect(asked).toEqual(['visits V-1', 'visits', 'patients', 'visits', 'visits']);
    stop();
    tablet.gateway.pages.push({ changes: [gone('V-1', 'REVOKE')] });
    await tablet.client.sync();
    await settled();
    expect([one.at(-1), list.length]).toEqual([null, 3]);
  });

  test('a listener that throws is told in the status and stops nobody else', async () => {
    const tablet = await openFilledTablet();
    const heard: LocalRecord<unknown>[][] = [];
    tablet.client.collection('visits').observeList(() => {
      throw new Error('the app has a fault');
    });
    tablet.client.collection('visits').observeList((visits) => heard.push([...visits]));
    await settled();
    expect(heard.length).toBe(1);
    expect(tablet.client.status.get().error?.message).toBe('the app has a fault');
  });

  test('the status says what happens, and each state once', async () => {
    const tablet = await openTablet();
    const states: string[] = [];
    tablet.client.status.observe(({ isSyncing, isConnected, pendingCount }) =>
      states.push(`${isSyncing ? 'syncing' : 'idle'} ${isConnected ? 'connected' : 'apart'} ${pendingCount}`),
    );
    await tablet.client.collection('visits').put({ notes: 'new', status: null });
    await tablet.client.sync();
    expect(states).toEqual([
      'idle apart 0',
      'idle apart 1',
      'syncing apart 1',
      'syncing connected 1',
      'syncing connected 0',
      'idle connected 0',
    ]);
    expect(tablet.client.status.get().lastSyncedAtMs).toBe(tablet.clock.nowMs());
  });
});

describe('refused edits', () => {
  test('a refused edit does not make the record vanish, and stays with its reason until it is discarded', async () => {
    const tablet = await openFilledTablet();
    tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => refusal(changeId, 'SOURCE_REFUSED'));
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { status: 'done' });
    await tablet.client.sync();
    expect((await tablet.client.collection('visits').get('V-1'))?.fields).toEqual(PLANNED);
    expect(tablet.heard).toEqual(['fate REJECTED', 'rejected V-1 SOURCE_REFUSED']);
    const again = await tablet.reopen();
    expect(await again.client.outbox.list()).toMatchObject([
      { changeId, status: 'REJECTED', error: { message: 'refused: SOURCE_REFUSED' }, fields: { status: 'done' } },
    ]);
    expect(again.client.status.get().pendingCount).toBe(0);
    await again.client.sync();
    expect(again.gateway.pushes.length).toBe(1);
    expect(await again.client.outbox.discard(changeId ?? '')).toBe(true);
    expect(await again.client.outbox.discard(changeId ?? '')).toBe(false);
    expect(await again.client.outbox.list()).toEqual([]);
  });

  test('of a conflict the app keeps theirs, or mine: the edit is made once more from the version that is now', async () => {
    const tablet = await openFilledTablet();
    const theirs = { version: 'abcdefgh.7', json: { ...PLANNED, notes: 'office' } };
    tablet.gateway.answer = ({ changes }) =>
      changes.map(({ changeId }) => ({
        changeId,
        status: 'CONFLICT',
        conflict: { kind: 'UPSERT', baseVersion: 'abcdefgh.1', fields: ['notes'], yours: { notes: 'mine' }, theirs },
      }));
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.pages.push({ changes: [upsert('V-1', theirs.json, { version: theirs.version })] });
    await tablet.client.sync();
    expect(tablet.heard).toEqual(['fate CONFLICT', 'conflict V-1']);
    expect(await tablet.client.outbox.conflicts()).toMatchObject([{ changeId, conflict: { theirs } }]);
    tablet.gateway.answer = ({ changes }) =>
      changes.map((change) => ({ changeId: change.changeId, status: 'APPLIED' }));
    const again = await tablet.client.outbox.retry(changeId ?? '');
    expect(again).not.toBe(changeId);
    await tablet.client.sync();
    expect(tablet.gateway.pushes.at(-1)?.changes).toMatchObject([
      { changeId: again, baseVersion: 'abcdefgh.7', json: { notes: 'mine' } },
    ]);
    await expect(tablet.client.outbox.retry(changeId ?? '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('a client that is closed syncs no more, and closing is safe to repeat', async () => {
  const tablet = await openFilledTablet();
  tablet.client.start();
  await Promise.all([tablet.client.close(), tablet.client.close()]);
  const pulls = tablet.gateway.pulls.length;
  tablet.clock.advance(10_000_000);
  await settled();
  await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'CLOSED' });
  expect(tablet.gateway.pulls.length).toBe(pulls);
});

test('diagnostics tell where a device stands and no field of any record', async () => {
  const tablet = await openFilledTablet({ device: 'tablet 7' });
  await tablet.client.collection('visits').patch('V-1', { notes: 'secret of the patient' });
  const told = await tablet.client.diagnostics();
  expect(told).toMatchObject({ device: 'tablet 7', epoch: 'abcdefgh', hasCheckpoint: true, outbox: { QUEUED: 1 } });
  expect(JSON.stringify(told)).not.toContain('secret');
});
