import { openFilledTablet, openTablet } from './device.js';
import { gone, refusal, type Pushed } from './scripted-gateway.js';

const refuse = ({ changes }: Pushed) => changes.map(({ changeId }) => refusal(changeId, 'SOURCE_REFUSED'));

describe('edits that are made at once', () => {
  test('each is made from what those before it left: what is taken back is an edit, too', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    const made = await Promise.all([
      visits.patch('V-1', { notes: 'mistyped' }),
      visits.patch('V-1', { notes: 'as planned' }),
    ]);
    expect(made.map(({ changeId }) => changeId)).not.toContain(null);
    expect((await visits.get('V-1'))?.fields.notes).toBe('as planned');
  });

  test('a new record that is put twice is made once', async () => {
    const tablet = await openTablet();
    const visits = tablet.client.collection('visits');
    const id = '00000000-0000-4000-8000-000000000001';
    await Promise.all([visits.put({ notes: 'a' }, id), visits.put({ notes: 'b' }, id)]);
    expect((await tablet.client.outbox.list()).map(({ isCreate }) => isCreate)).toEqual([true, false]);
  });

  test('F24: one that was begun before another user came is not kept', async () => {
    const tablet = await openFilledTablet({ user: 'nurse' });
    const read = tablet.store.readRecords.bind(tablet.store);
    Object.assign(tablet.store, {
      async readRecords(...given: Parameters<typeof read>) {
        Object.assign(tablet.store, { readRecords: read });
        const held = await read(...given);
        await openTablet({ user: 'other' }, tablet.contents, tablet.gateway);
        return held;
      },
    });
    await expect(tablet.client.collection('visits').patch('V-1', { notes: 'mine' })).rejects.toMatchObject({
      code: 'CLOSED',
    });
    expect(tablet.contents.entries.size).toBe(0);
  });
});

describe('a refused edit that is made once more', () => {
  test('is made once, however often and fast the user asks', async () => {
    const tablet = await openFilledTablet();
    tablet.gateway.answer = refuse;
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    await tablet.client.sync();
    const tries = [1, 2].map(() => tablet.client.outbox.retry(changeId ?? ''));
    const ends = await Promise.allSettled(tries);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await tablet.client.outbox.list()).toMatchObject([{ status: null }]);
  });

  test('is made once by two tabs, and takes the place of the old one in the same transaction', async () => {
    const tablet = await openFilledTablet();
    tablet.gateway.answer = refuse;
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    await tablet.client.sync();
    const tab = await openTablet({}, tablet.contents, tablet.gateway);
    const ends = await Promise.allSettled([tablet, tab].map(({ client }) => client.outbox.retry(changeId ?? '')));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await tablet.client.outbox.list()).toMatchObject([{ status: null }]);
  });

  test('of a record that is gone speaks of the version that it was made from, and is no create', async () => {
    const tablet = await openFilledTablet();
    tablet.gateway.answer = refuse;
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.pages.push({ changes: [gone('V-1')] });
    await tablet.client.sync();
    await tablet.client.outbox.retry(changeId ?? '');
    expect(await tablet.client.outbox.list()).toMatchObject([{ isCreate: false, baseVersion: 'abcdefgh.1' }]);
  });

  test('F19: what follows a refused create waits until that is made again', async () => {
    const tablet = await openFilledTablet();
    tablet.gateway.answer = refuse;
    const visits = tablet.client.collection('visits');
    const { id, changeId: create } = await visits.put({ notes: 'fell', status: null });
    const { changeId: patch } = await visits.patch(id, { status: 'planned' });
    await tablet.client.sync();
    const { outbox } = tablet.client;
    await expect(outbox.retry(patch ?? '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await outbox.retry(create ?? '');
    await outbox.retry(patch ?? '');
    expect((await outbox.list()).map(({ isCreate, status }) => [isCreate, status])).toEqual([
      [true, null],
      [false, null],
    ]);
  });
});
