import { keepAccepted, type AcceptedChange } from '../../src/client/accepted-changes.js';
import type { Fetch } from '../../src/client/exchange.js';
import type { SentChange } from '../../src/client/gateway.js';
import { openGlueGateway, type ToldFate } from '../../src/client/glue-gateway.js';

function change(changeId: string, id: string, more: Partial<SentChange> = {}): SentChange {
  const json = { note: changeId };
  return { changeId, collection: 'visits', id, kind: 'UPSERT', baseVersion: null, changedAt: '', json, ...more };
}

type Told = 'ACCEPTED' | 'APPLIED' | 'CONFLICT' | 'NOT_FOUND' | 'RECORD_BLOCKED';

/** A phone whose accepted changes are on its disk, before a gateway that says what `answer` does; each is accepted by default. */
function phone() {
  const pushed: (readonly SentChange[])[] = [];
  const refused: string[] = [];
  const page = { changes: [], receipts: [] as readonly { changeId: string; status: string }[], hasMore: false };
  const ward = {
    epoch: 'monday',
    device: 'phone',
    reset: false,
    receipts: page.receipts,
    answer: (_changeId: string): Told => 'ACCEPTED',
    /** Happens while a push is under way. */
    meanwhile: async (): Promise<void> => undefined,
  };
  let disk = '[]';

  function result({ changeId }: SentChange): object {
    const told = ward.answer(changeId);
    if (told === 'ACCEPTED' || told === 'APPLIED') return { changeId, status: told, error: null, change: null };
    const error = { code: told, message: told, field: null, retryable: told === 'RECORD_BLOCKED' };
    return { changeId, status: told === 'CONFLICT' ? told : 'REJECTED', error, change: null };
  }
  const fetch: Fetch = async (_url, { body }) => {
    const { variables } = JSON.parse(body) as { variables: { changes?: readonly SentChange[]; epoch?: string } };
    const { changes } = variables;
    const { epoch, reset, receipts } = ward;
    if ((variables.epoch ?? epoch) !== epoch) {
      const extensions = { code: 'NEW_EPOCH' };
      return { status: 409, json: async () => ({ errors: [{ message: 'another epoch is in force', extensions }] }) };
    }
    if (changes === undefined)
      return {
        status: 200,
        json: async () => ({ data: { pull: { ...page, checkpoint: 'c', reset, receipts, epoch } } }),
      };
    pushed.push(changes);
    const results = changes.map(result);
    return { status: 200, json: async () => ({ data: { push: { results, epoch } } }) };
  };

  /** What is in memory is gone; the disk is not. */
  function start() {
    const glue = openGlueGateway(
      { url: 'http://ward.example/graphql', device: ward.device, fetch },
      { collections: ['visits'], limit: 10 },
    );
    const slow = {
      ...glue,
      async push(...asked: Parameters<typeof glue.push>) {
        const fates = await glue.push(...asked);
        await ward.meanwhile();
        return fates;
      },
    };
    const store = {
      read: async () => JSON.parse(disk) as readonly AcceptedChange[],
      write: async (accepted: readonly AcceptedChange[]) => void (disk = JSON.stringify(accepted)),
    };
    return keepAccepted(slow, store, (one, { status }: ToldFate) => void refused.push(`${one.id} ${status}`));
  }
  async function restored(gateway: ReturnType<typeof start>): Promise<void> {
    Object.assign(ward, { epoch: 'tuesday', reset: true });
    await gateway.pull('place');
    ward.reset = false;
  }
  const ids = (): readonly (readonly string[])[] => pushed.map((one) => one.map(({ changeId }) => changeId));
  return { ward, pushed, ids, refused, start, restored, kept: () => (JSON.parse(disk) as unknown[]).length };
}

test('F5: what was accepted goes out again to the letter after a restore, after a restart of the app and before all else', async () => {
  const { pushed, ids, start, restored, kept } = phone();
  const gateway = start();
  const [first, second] = [change('a', 'V-1', { sentEpoch: 'sunday' }), change('b', 'V-2', { kind: 'DELETE' })];
  await gateway.push([first, second]);
  await restored(gateway);
  const again = start();
  await again.push([change('c', 'V-3')]);
  expect(ids()).toEqual([['a', 'b'], ['a', 'b'], ['c']]);
  // What knew no epoch when it was sent names the one in which it was taken.
  expect(pushed[1]).toEqual([first, { ...second, sentEpoch: 'monday' }]);
  // They have their answer now.
  expect(await again.repeat()).toEqual({ answered: 0, waiting: null });
  expect([ids().length, kept()]).toEqual([3, 3]);
});

test('F5: a receipt ends it, also one that a reset brings', async () => {
  const { ward, ids, start, restored, kept } = phone();
  const gateway = start();
  await gateway.push([change('a', 'V-1'), change('b', 'V-2')]);
  const parked = { changeId: 'b', status: 'PARKED', error: null, change: null } as const;
  const receipts: readonly ToldFate[] = [{ ...parked, changeId: 'a', status: 'APPLIED' }, parked];
  expect([...(await gateway.acceptedOf([...receipts, { ...parked, changeId: 'not ours' }])).keys()]).toEqual([
    'a',
    'b',
  ]);
  await restored(gateway);
  await gateway.settle(receipts);
  await gateway.repeat();
  expect([ids(), kept()]).toEqual([[['a', 'b'], ['b']], 1]);
  ward.answer = () => 'APPLIED';
  await restored(gateway);
  await gateway.repeat();
  expect(kept()).toBe(0);
});

test('F10: what is answered ACCEPTED to a push from before an initial sync goes out once more', async () => {
  const { ward, ids, start } = phone();
  const gateway = start();
  ward.meanwhile = async () => void (await gateway.pull(null));
  await gateway.push([change('a', 'V-1')]);
  ward.meanwhile = async () => undefined;
  await gateway.repeat();
  await gateway.repeat();
  expect(ids()).toEqual([['a'], ['a']]);
});

test('R8: behind what is not taken again nothing of its record goes out; others pass', async () => {
  const { ward, ids, start, restored } = phone();
  const gateway = start();
  await gateway.push([change('a', 'V-1')]);
  await restored(gateway);
  ward.answer = (changeId) => (changeId === 'a' ? 'RECORD_BLOCKED' : 'ACCEPTED');
  const fates = await gateway.push([change('b', 'V-1'), change('c', 'V-2')]);
  expect(fates.map(({ changeId, error }) => [changeId, error?.code, error?.retryable])).toEqual([
    ['b', 'RECORD_BLOCKED', true],
    ['c', undefined, undefined],
  ]);
  expect(await gateway.repeat()).toMatchObject({ answered: 0, waiting: { code: 'RECORD_BLOCKED' } });
  ward.answer = () => 'ACCEPTED';
  await gateway.push([change('b', 'V-1')]);
  expect(ids()).toEqual([['a'], ['a'], ['c'], ['a'], ['a'], ['b']]);
});

test('what is refused when it goes out again is told once; a deletion of what is not there is none', async () => {
  const { ward, refused, start, restored, kept } = phone();
  const gateway = start();
  await gateway.push([change('a', 'V-1'), change('b', 'V-2', { kind: 'DELETE' })]);
  await restored(gateway);
  ward.answer = (changeId) => (changeId === 'a' ? 'CONFLICT' : 'NOT_FOUND');
  await gateway.repeat();
  await gateway.repeat();
  expect([refused, kept()]).toEqual([['V-1 CONFLICT'], 0]);
});

test('F11: under a new device id nothing goes out again, and nothing waits for it', async () => {
  const { ward, ids, start, restored } = phone();
  const gateway = start();
  await gateway.push([change('a', 'V-1')]);
  ward.device = 'phone-2';
  const renewed = start();
  await restored(renewed);
  await renewed.push([change('b', 'V-1')]);
  expect(ids()).toEqual([['a'], ['b']]);
});

test('F5: an edit that is pushed before the first pull behind a restore goes out behind what was accepted below it', async () => {
  const { ward, ids, start } = phone();
  await start().push([change('made', 'V-1')]);
  // Restored; and the app is started anew, and knows of nothing.
  ward.epoch = 'tuesday';
  const gateway = start();
  const fates = await gateway.push([change('edited', 'V-1'), change('other', 'V-2')]);
  expect(ids()).toEqual([['made'], ['made'], ['edited', 'other']]);
  expect(fates.map(({ status }) => status)).toEqual(['ACCEPTED', 'ACCEPTED']);
  // It is known again: nothing goes out twice from then on.
  await gateway.push([change('later', 'V-1')]);
  expect(ids().slice(3)).toEqual([['later']]);
});

test('F5: where that is not taken yet, the edit waits, and others pass', async () => {
  const { ward, ids, start, kept } = phone();
  const gateway = start();
  await gateway.push([change('made', 'V-1')]);
  ward.epoch = 'tuesday';
  ward.answer = (changeId) => (changeId === 'made' ? 'RECORD_BLOCKED' : 'ACCEPTED');
  const fates = await gateway.push([change('edited', 'V-1'), change('other', 'V-2')]);
  expect(ids()).toEqual([['made'], ['made'], ['other']]);
  expect(fates.map(({ changeId, isHeldBack, status }) => [changeId, isHeldBack ?? status])).toEqual([
    ['edited', true],
    ['other', 'ACCEPTED'],
  ]);
  expect(kept()).toBe(2);
});
