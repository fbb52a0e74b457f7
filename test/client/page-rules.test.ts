import { openFilledTablet, openTablet } from './device.js';
import { gone, upsert } from './scripted-gateway.js';

const PLANNED = { notes: 'as planned', status: 'planned' };
const idsOf = async (tablet: Awaited<ReturnType<typeof openTablet>>): Promise<readonly string[]> =>
  (await tablet.client.collection('visits').list()).map(({ id }) => id);

test('an initial sync that was interrupted goes on where it stood, also after a restart', async () => {
  const tablet = await openTablet();
  tablet.gateway.pages.push({ changes: [upsert('V-1', PLANNED)], checkpoint: 'half', hasMore: true, complete: false });
  const { pull } = tablet.gateway;
  tablet.gateway.pull = async (request) => {
    if (request.since === 'half') tablet.gateway.pullFault = 'UNAVAILABLE';
    return pull(request);
  };
  await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  tablet.gateway.pull = pull;
  const again = await tablet.reopen();
  again.gateway.pages.push({ changes: [upsert('V-2', PLANNED)] });
  await again.client.sync();
  expect(again.gateway.pulls.map(({ since }) => since)).toEqual([null, 'half', 'half']);
  expect(await idsOf(again)).toEqual(['V-1', 'V-2']);
});

test('R3: a page is applied only to the checkpoint that it continues', async () => {
  const tablet = await openFilledTablet();
  const { pull } = tablet.gateway;
  // While the page is under way another tab moves on.
  tablet.gateway.pull = async (request) => {
    const late = await pull(request);
    const state = tablet.contents.state;
    if (state !== null) tablet.contents.state = { ...state, revision: state.revision + 1, checkpoint: 'moved on' };
    return late;
  };
  tablet.gateway.pages.push({ changes: [gone('V-1'), upsert('V-9', PLANNED)], checkpoint: 'late' });
  await tablet.client.sync();
  expect(await idsOf(tablet)).toEqual(['V-1', 'V-2']);
  expect(tablet.contents.state?.checkpoint).toBe('moved on');
});

test('an edit that is made while a page is on its way is neither lost nor overwritten', async () => {
  const tablet = await openFilledTablet();
  const { pull } = tablet.gateway;
  tablet.gateway.pages.push({ changes: [upsert('V-1', { ...PLANNED, notes: 'office' }, { version: 'abcdefgh.5' })] });
  tablet.gateway.pull = async (request) => {
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.pull = pull;
    return pull(request);
  };
  await tablet.client.sync();
  expect(tablet.gateway.pushes[0]?.changes[0]).toMatchObject({ baseVersion: 'abcdefgh.1', json: { notes: 'mine' } });
});

test('F25: a reset keeps showing what is held until it came again, sweeps the rest at the end, and keeps unsent edits', async () => {
  const tablet = await openFilledTablet();
  await tablet.client
    .collection('visits')
    .put({ notes: 'not sent', status: null }, '00000000-0000-4000-8000-000000000001');
  tablet.gateway.answer = () => [];
  tablet.gateway.pages.push({
    reset: true,
    resetReason: 'EXPIRED',
    hasMore: true,
    complete: false,
    changes: [upsert('V-2', PLANNED)],
  });
  tablet.gateway.pages.push({ hasMore: true, complete: false, changes: [upsert('V-3', PLANNED)] });
  const seen: (readonly string[])[] = [];
  const { pull } = tablet.gateway;
  tablet.gateway.pull = async (request) => {
    seen.push(await idsOf(tablet));
    return pull(request);
  };
  await tablet.client.sync();
  const own = '00000000-0000-4000-8000-000000000001';
  expect(seen).toEqual([
    [own, 'V-1', 'V-2'],
    [own, 'V-1', 'V-2'],
    [own, 'V-1', 'V-2', 'V-3'],
  ]);
  expect(await idsOf(tablet)).toEqual([own, 'V-2', 'V-3']);
  expect(tablet.heard).toContain('reset EXPIRED');
});

test('F25: what a reset marked is swept although the app was killed in between', async () => {
  const tablet = await openFilledTablet();
  tablet.gateway.pages.push({ reset: true, hasMore: true, complete: false, changes: [upsert('V-2', PLANNED)] });
  const { pull } = tablet.gateway;
  tablet.gateway.pull = async (request) => {
    if (tablet.gateway.pulls.length === 2) tablet.gateway.pullFault = 'UNAVAILABLE';
    return pull(request);
  };
  await tablet.client.sync().catch(() => undefined);
  tablet.gateway.pull = pull;
  const again = await tablet.reopen();
  expect(await idsOf(again)).toEqual(['V-1', 'V-2']);
  await again.client.sync();
  expect(await idsOf(again)).toEqual(['V-2']);
});

test.each(['BAD_CHECKPOINT', 'CHECKPOINT_COLLECTIONS'] as const)(
  'F24: %s begins again from the start, in the same cycle, and sweeps what did not come again',
  async (code) => {
    const tablet = await openFilledTablet();
    tablet.gateway.pullFault = code;
    tablet.gateway.pages.push({ changes: [upsert('V-2', PLANNED)] });
    await tablet.client.sync();
    expect(tablet.gateway.pulls.slice(-2).map(({ since }) => since)).toEqual(['place 1', null]);
    expect(await idsOf(tablet)).toEqual(['V-2']);
  },
);

test('F5, F10: after a reset edits that have no receipt are sent again, with the epoch of their first time', async () => {
  const tablet = await openFilledTablet();
  await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
  tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => ({ changeId, status: 'ACCEPTED' }));
  await tablet.client.sync();
  tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' }));
  tablet.gateway.pages.push({
    reset: true,
    resetReason: 'NEW_EPOCH',
    epoch: 'zzzzzzzz',
    changes: [upsert('V-1', PLANNED)],
  });
  await tablet.client.sync();
  const [first, repeat] = tablet.gateway.pushes.map(({ changes }) => changes[0]);
  expect(repeat).toEqual({ ...first, sentEpoch: 'abcdefgh' });
});

test('F24: records and edits of another user are wiped, by the gateway’s word and before anything is shown', async () => {
  const tablet = await openFilledTablet({ user: 'nurse' });
  await tablet.client.collection('visits').patch('V-1', { notes: 'of the nurse' });
  const other = await tablet.reopen({ user: 'doctor' });
  expect(await idsOf(other)).toEqual([]);
  expect(await other.client.outbox.list()).toEqual([]);

  const told = await openFilledTablet();
  await told.client.collection('visits').patch('V-1', { notes: 'of the nurse' });
  told.gateway.answer = () => [];
  told.gateway.pages.push({ reset: true, resetReason: 'OTHER_USER', changes: [upsert('V-7', PLANNED)] });
  await told.client.sync();
  expect(await idsOf(told)).toEqual(['V-7']);
  expect(await told.client.outbox.list()).toEqual([]);
});

test('F11: a reset because the device was silent for too long gives it a new id', async () => {
  const tablet = await openFilledTablet({ device: 'drawer' });
  tablet.gateway.pages.push({ reset: true, resetReason: 'DEVICE_EVICTED' });
  await tablet.client.sync();
  await tablet.client.sync();
  expect(tablet.gateway.pulls.map(({ device }) => device).slice(0, 2)).toEqual(['drawer', 'drawer']);
  expect(tablet.gateway.pulls.at(-1)?.device).not.toBe('drawer');
});

test('R4: a record that left one scope and entered another within a page is what came last', async () => {
  const tablet = await openFilledTablet();
  tablet.gateway.pages.push({
    changes: [gone('V-1', 'REVOKE'), upsert('V-1', { notes: 'other route', status: null })],
  });
  await tablet.client.sync();
  expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('other route');
  tablet.gateway.pages.push({ changes: [upsert('V-1', PLANNED), gone('V-1', 'REVOKE')] });
  await tablet.client.sync();
  expect(await idsOf(tablet)).toEqual(['V-2']);
});

test('F29: a body that cannot be read now leaves the one that is held, in a reset too', async () => {
  const tablet = await openFilledTablet();
  const unavailable = { code: 'SOURCE_UNAVAILABLE' };
  tablet.gateway.pages.push({ reset: true, changes: [upsert('V-1', null, { unavailable, version: 'abcdefgh.9' })] });
  await tablet.client.sync();
  expect(await tablet.client.collection('visits').list()).toMatchObject([
    { id: 'V-1', version: 'abcdefgh.1', fields: PLANNED },
  ]);
});

test('another list of collections begins an initial sync', async () => {
  const tablet = await openFilledTablet({ collections: ['visits'] });
  const again = await tablet.reopen({ collections: ['visits', 'patients'] });
  again.gateway.pages.push({ changes: [upsert('V-1', PLANNED)] });
  await again.client.sync();
  expect(again.gateway.pulls.map(({ since }) => since)).toEqual([null, null]);
  expect(await idsOf(again)).toEqual(['V-1']);
});
