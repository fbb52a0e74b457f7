import { ERROR_CATALOGUE, type ErrorCode } from '../../src/core/errors.js';
import { changeReaction, requestReaction } from '../../src/client/error-reactions.js';
import { GatewayFault } from '../../src/client/gateway.js';
import { openFilledTablet, openTablet } from './device.js';
import { EPOCH, refusal, type Pushed } from './scripted-gateway.js';

const applied = ({ changes }: Pushed) => changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' as const }));
const idsOf = ({ changes }: Pushed): readonly string[] => changes.map(({ id }) => id);
const fault = (code: ErrorCode | 'UNREACHABLE') => () => {
  throw new GatewayFault(code, 'as the test said');
};

describe('the outbox', () => {
  test('R7, R10: a reply that was lost is asked for again with the same id and body, and from the epoch of the first time', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'once' });
    tablet.gateway.answer = fault('UNREACHABLE');
    await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    tablet.gateway.answer = applied;
    const again = await tablet.reopen();
    await again.client.sync();
    const [first, repeat] = tablet.gateway.pushes.map(({ changes }) => changes[0]);
    // The first time there is no other epoch than the gateway's own (F5).
    expect(first?.sentEpoch).toBeUndefined();
    expect(repeat).toEqual({ ...first, sentEpoch: 'abcdefgh' });
  });

  test('that it may have been sent is kept before it is', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'once' });
    let wasKept: unknown;
    tablet.gateway.answer = (pushed) => {
      wasKept = [...tablet.contents.entries.values()][0];
      return applied(pushed);
    };
    await tablet.client.sync();
    expect(wasKept).toMatchObject({ isSent: true, sentEpoch: 'abcdefgh' });
  });

  test('R10: an edit that is ACCEPTED or PARKED stays until its receipt, and is not sent again', async () => {
    const tablet = await openFilledTablet();
    const { changeId = null } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.answer = ({ changes }) => changes.map((one) => ({ changeId: one.changeId, status: 'ACCEPTED' }));
    await tablet.client.sync();
    tablet.gateway.pages.push({ receipts: [{ changeId: changeId ?? '', status: 'PARKED' }] });
    await tablet.client.sync();
    expect(await tablet.client.outbox.list()).toMatchObject([{ status: 'PARKED', hasReceipt: false }]);
    expect((await tablet.client.collection('visits').get('V-1'))?.fields.notes).toBe('mine');
    tablet.gateway.pages.push({ receipts: [{ changeId: changeId ?? '', status: 'APPLIED' }] });
    await tablet.client.sync();
    expect(await tablet.client.outbox.list()).toEqual([]);
    expect(tablet.gateway.pushes.length).toBe(1);
    expect(tablet.heard).toEqual(['fate ACCEPTED', 'fate PARKED', 'parked V-1', 'fate APPLIED']);
  });

  test('R8: edits of one record go together, in order', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    for (const notes of ['a', 'b']) await visits.patch('V-1', { notes });
    await visits.patch('V-2', { notes: 'c' });
    await visits.patch('V-1', { notes: 'd' });
    await tablet.client.sync();
    const sent = tablet.gateway.pushes.map(({ changes }) => changes.map(({ id, json }) => `${id} ${json?.['notes']}`));
    expect(sent).toEqual([['V-1 a', 'V-1 b', 'V-2 c', 'V-1 d']]);
  });

  test('F19: what follows a create waits for its answer, and goes together from then on', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    const { id } = await visits.put({ notes: 'made', status: null });
    for (const notes of ['a', 'b']) await visits.patch(id, { notes });
    await visits.patch('V-2', { notes: 'c' });
    tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => ({ changeId, status: 'ACCEPTED' }));
    await tablet.client.sync();
    expect(tablet.gateway.pushes.map(idsOf)).toEqual([
      [id, 'V-2'],
      [id, id],
    ]);
  });

  test('F19: no more edits of one record are sent than a gateway keeps open, and those of others do not wait', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    for (let n = 1; n <= 130; n++) await visits.patch('V-1', { notes: `${n}` });
    await visits.patch('V-2', { notes: 'another record' });
    const first = tablet.contents.entries.keys().next().value;
    tablet.gateway.answer = ({ changes }) =>
      changes.map(({ changeId }) => ({ changeId, status: changeId === first ? 'ACCEPTED' : 'APPLIED' }));
    await tablet.client.sync();
    expect(tablet.gateway.pushes.map(({ changes }) => [changes.length, changes.at(-1)?.id])).toEqual([
      [101, 'V-2'],
      [30, 'V-1'],
    ]);
    expect((tablet.gateway.pushes[1]?.changes ?? []).map(({ json }) => json?.['notes'])).toEqual(
      Array.from({ length: 30 }, (_, at) => `${101 + at}`),
    );
  });

  test('R8: what is to be tried again keeps later edits of its record behind it, and nobody else', async () => {
    const tablet = await openFilledTablet({ limits: { changes: 1 } });
    const visits = tablet.client.collection('visits');
    await visits.patch('V-1', { notes: 'a' });
    await visits.patch('V-1', { notes: 'b' });
    await visits.patch('V-2', { notes: 'c' });
    await visits.patch('V-2', { notes: 'd' });
    tablet.gateway.answer = ({ changes }) =>
      changes.map(({ changeId, id }) =>
        id === 'V-1' ? refusal(changeId, 'UNKNOWN_REFERENCE') : { changeId, status: 'APPLIED' },
      );
    await tablet.client.sync();
    const sent = tablet.gateway.pushes.flatMap(({ changes }) => changes.map(({ json }) => json?.['notes']));
    expect(sent).toEqual(['a', 'c', 'd', 'a']);
    expect((await tablet.client.outbox.list()).map(({ status }) => status)).toEqual([null, null]);
    expect(tablet.heard).not.toContain('rejected V-1 UNKNOWN_REFERENCE');
  });

  test('F19: what follows a create that was refused is refused with it, and never makes half a record', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    const { id, changeId } = await visits.put({ notes: 'fell', status: 'unheard of' });
    await visits.patch(id, { notes: 'fell this morning' });
    await visits.patch('V-1', { notes: 'another record' });
    tablet.gateway.answer = (pushed) =>
      pushed.changes.map((one) =>
        one.changeId === changeId ? refusal(one.changeId, 'SOURCE_REFUSED') : { ...one, status: 'APPLIED' },
      );
    await tablet.client.sync();
    expect(tablet.gateway.pushes.flatMap(idsOf)).toEqual([id, 'V-1']);
    expect(await tablet.client.outbox.list()).toMatchObject([
      { changeId, status: 'REJECTED' },
      { id, status: 'REJECTED', error: { code: 'NO_SUCH_RECORD' }, blockedBy: changeId },
    ]);
    expect(tablet.heard).toContain(`rejected ${id} NO_SUCH_RECORD`);
  });

  test('a push stays within its limits of count and size; what is larger goes alone', async () => {
    const tablet = await openFilledTablet({ limits: { changes: 3, characters: 2_000 } });
    const visits = tablet.client.collection('visits');
    for (const notes of ['a', 'b', 'x'.repeat(5_000), 'c', 'd', 'e', 'f']) await visits.put({ notes, status: null });
    await tablet.client.sync();
    expect(tablet.gateway.pushes.map(({ changes }) => changes.length)).toEqual([2, 1, 3, 1]);
  });

  test.each(['LIMIT_EXCEEDED', 'PAYLOAD_TOO_LARGE', 'BAD_REQUEST', 'VALIDATION'] as const)(
    'one edit that makes whole requests fail with %s blocks no other record, is not given up, and is tried again later',
    async (code) => {
      const tablet = await openFilledTablet();
      const visits = tablet.client.collection('visits');
      for (const notes of ['a', 'b', 'poison', 'c', 'd']) await visits.put({ notes, status: null });
      tablet.gateway.answer = (pushed) =>
        pushed.changes.some(({ json }) => json?.['notes'] === 'poison') ? fault(code)() : applied(pushed);
      await tablet.client.sync();
      const left = await tablet.client.outbox.list();
      // An app can show what waits, and why.
      expect(left).toMatchObject([{ fields: { notes: 'poison' }, status: null, error: { code, retryable: true } }]);
      // Tried again in vain it is not told again.
      await tablet.client.sync();
      expect(tablet.heard.filter((told) => told === 'fate null')).toEqual(['fate null']);
      expect([...tablet.contents.entries.values()]).toMatchObject([{ error: { code } }]);
      const tries = tablet.gateway.pushes.length;
      tablet.client.start();
      await new Promise((resolve) => setImmediate(resolve));
      expect(tablet.gateway.pushes.length).toBe(tries);
      tablet.gateway.answer = applied;
      await tablet.client.sync();
      expect(await tablet.client.outbox.list()).toEqual([]);
      await tablet.client.close();
    },
  );

  test('INTERNAL is one change’s fault at most: less is sent each time, pulls go on, and nothing is given up', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    for (const notes of ['a', 'poison', 'b', 'c']) await visits.put({ notes, status: null });
    tablet.gateway.answer = (pushed) =>
      pushed.changes.some(({ json }) => json?.['notes'] === 'poison') ? fault('INTERNAL')() : applied(pushed);
    for (let tries = 0; tries < 6; tries++) {
      const pulls = tablet.gateway.pulls.length;
      await tablet.client.sync().catch(() => undefined);
      expect(tablet.gateway.pulls.length).toBeGreaterThan(pulls);
    }
    expect(await tablet.client.outbox.list()).toMatchObject([
      { fields: { notes: 'poison' }, status: null, error: { code: 'INTERNAL' } },
    ]);
  });

  test.each(['UNREACHABLE', 'UNAVAILABLE', 'FORBIDDEN', 'RATE_LIMITED', 'NOT_FOUND', 'UNAUTHENTICATED'] as const)(
    'only a verdict lets an edit go: %s does not',
    async (code) => {
      const tablet = await openFilledTablet();
      await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
      tablet.gateway.answer = fault(code);
      await expect(tablet.client.sync()).rejects.toMatchObject({ code });
      expect(await tablet.client.outbox.list()).toMatchObject([{ status: null }]);
      expect(tablet.client.status.get()).toMatchObject({ error: { code }, isConnected: code !== 'UNREACHABLE' });
    },
  );

  test('a store that fails after an answer is no failed send: the edit is sent again with its id', async () => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    const commit = tablet.store.commit.bind(tablet.store);
    let isFull = false;
    Object.assign(tablet.store, {
      commit: (...given: Parameters<typeof commit>) =>
        isFull ? Promise.reject(new Error('no room')) : commit(...given),
    });
    tablet.gateway.answer = (pushed) => {
      isFull = true;
      return applied(pushed);
    };
    await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'LOCAL_STORE', message: 'no room' });
    isFull = false;
    tablet.gateway.answer = applied;
    await tablet.client.sync();
    const [first, repeat] = tablet.gateway.pushes.map(({ changes }) => changes[0]?.changeId);
    expect([repeat, await tablet.client.outbox.list()]).toEqual([first, []]);
  });

  test('F5, R8: after a restore what the gateway lost is sent again first, and what was made since as if it had never left', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    const { id, changeId } = await visits.put({ notes: 'made and lost', status: null });
    tablet.gateway.answer = ({ changes }) => changes.map((one) => ({ changeId: one.changeId, status: 'ACCEPTED' }));
    await tablet.client.sync();
    await visits.patch(id, { notes: 'on top of it' });
    tablet.gateway.answer = (pushed) => (pushed.epoch === 'ijklmnop' ? applied(pushed) : fault('NEW_EPOCH')());
    tablet.gateway.pages.push({ reset: true, resetReason: 'NEW_EPOCH', epoch: 'ijklmnop' }, { epoch: 'ijklmnop' });
    await tablet.client.sync();
    const [, early, again, behind] = tablet.gateway.pushes;
    expect(early).toMatchObject({ epoch: EPOCH, changes: [{ json: { notes: 'on top of it' } }] });
    expect(again).toMatchObject({ epoch: 'ijklmnop', changes: [{ changeId, sentEpoch: EPOCH }] });
    // It may be refused as one of which nobody can tell whether it took effect, were it said to have been sent before.
    expect(behind).toEqual({ ...early, epoch: 'ijklmnop' });
    expect(await tablet.client.outbox.list()).toEqual([]);
    expect(tablet.client.status.get().error).toBeNull();
  });

  test('F5: nothing is sent before the epoch is known', async () => {
    const tablet = await openTablet();
    await tablet.client.collection('visits').put({ notes: 'before the first sync', status: null });
    await tablet.client.sync();
    expect(tablet.gateway.pulls.length).toBe(2);
    expect(tablet.contents.entries.size).toBe(0);
    expect(tablet.gateway.pushes.length).toBe(1);
  });
});

describe('a revoked device', () => {
  test.each(['push', 'pull'] as const)('wipes what it holds when a %s says so, and stays so', async (what) => {
    const tablet = await openFilledTablet();
    await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    if (what === 'push') tablet.gateway.answer = fault('DEVICE_REVOKED');
    else tablet.gateway.pullFault = 'DEVICE_REVOKED';
    await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'DEVICE_REVOKED' });
    expect(tablet.heard.at(-1)).toBe('revoked');
    expect(await tablet.client.collection('visits').list()).toEqual([]);
    expect(await tablet.client.outbox.list()).toEqual([]);
    const pulls = tablet.gateway.pulls.length;
    const again = await tablet.reopen();
    again.client.start();
    await expect(again.client.sync()).rejects.toMatchObject({ code: 'DEVICE_REVOKED' });
    expect(again.gateway.pulls.length).toBe(pulls);
    expect(again.client.status.get().error?.code).toBe('DEVICE_REVOKED');
    await expect(again.client.collection('visits').put({ notes: '', status: null })).rejects.toMatchObject({
      code: 'DEVICE_REVOKED',
    });
  });
});

describe('the table of reactions', () => {
  test('sends a change again exactly where that can help, of every code of the catalogue', () => {
    for (const [code, { retryable }] of Object.entries(ERROR_CATALOGUE)) {
      const error = { code: code as ErrorCode, message: '', field: null, retryable };
      const reaction = code === 'KEY_REUSED' ? 'newDevice' : retryable ? 'again' : 'refused';
      expect([code, changeReaction(error)]).toEqual([code, reaction]);
    }
  });

  test('goes by what the gateway says of a code that this release does not know', () => {
    const error = { code: 'NEWER' as ErrorCode, message: '', field: null };
    expect(changeReaction({ ...error, retryable: true })).toBe('again');
    expect(changeReaction({ ...error, retryable: false })).toBe('refused');
    expect(changeReaction(null)).toBe('refused');
    // Waited for in vain, and kept as the answer for ever.
    expect(changeReaction({ ...error, code: 'UNKNOWN_REFERENCE', retryable: false })).toBe('refused');
    expect(requestReaction('NEWER' as ErrorCode)).toBe('later');
  });
});
