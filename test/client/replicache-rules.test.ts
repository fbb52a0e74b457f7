import type { PullRequest, PullResponseOKV1, PushRequest } from 'replicache';
import { deviceClock } from '../../src/client/client-clock.js';
import { GatewayFault, type Fate, type Gateway, type PulledPage, type SentChange } from '../../src/client/gateway.js';
import { createPortions } from '../../src/client/portions.js';
import type { ClientGroup } from '../../src/client/replicache/client-group.js';
import { createFateBook, type ToldFate } from '../../src/client/replicache/fate-book.js';
import { aheadKey, ORIGIN_KEY, type Origin } from '../../src/client/replicache/mutators.js';
import { NOWHERE, placeOf, settle, type Place } from '../../src/client/replicache/place.js';
import { createPuller } from '../../src/client/replicache/puller.js';
import { createPusher, PUSH_LIMITS } from '../../src/client/replicache/pusher.js';
import { storedTabs } from '../../src/client/replicache/tabs.js';

const NOTHING = new Map<string, number>();
const over = (...ids: readonly number[]) => new Map([['tab', new Set(ids)]]);

describe('a place', () => {
  test('counts mutations as done by the last of a row without gaps, and keeps those behind a gap', () => {
    const first = settle(NOWHERE, NOWHERE, over(1, 3, 4), NOTHING, 0);
    expect([first.moved, first.ahead]).toEqual([{ tab: 1 }, { tab: [3, 4] }]);
    const second = settle({ done: first.done, ahead: first.ahead }, NOWHERE, over(2), NOTHING, 0);
    expect([second.moved, second.ahead]).toEqual([{ tab: 4 }, {}]);
  });

  test('knows what other tabs know, and never goes behind it', () => {
    const agreed = { done: { tab: [7, 0] as const }, ahead: { other: [2] } };
    const settled = settle({ done: { tab: [5, 0] }, ahead: {} }, agreed, over(6), NOTHING, 0);
    expect([settled.moved, settled.done['tab'], settled.ahead]).toEqual([{ tab: 7 }, [7, 0], { other: [2] }]);
    expect(settle({ done: { tab: [7, 0] }, ahead: {} }, { done: {}, ahead: {} }, over(6), NOTHING, 0).moved).toEqual(
      {},
    );
  });

  test('is the same when nothing is settled, and forgets clients that did nothing for a month', () => {
    const place = { done: { tab: [5, 0] as const }, ahead: { tab: [8] } };
    expect(settle(place, place, new Map(), NOTHING, 0)).toMatchObject({ isSame: true, moved: {} });
    const later = 31 * 86_400_000;
    expect(settle({ ...place, ahead: {} }, { done: {}, ahead: {} }, new Map(), NOTHING, later).done).toEqual({});
    expect(settle(place, place, new Map(), NOTHING, later).done).toEqual(place.done);
  });

  test('of another form begins anew, but not below the order that Replicache holds', () => {
    expect([placeOf(null), placeOf({ order: 12 }), placeOf('1')]).toEqual([
      NOWHERE,
      { ...NOWHERE, order: 12 },
      NOWHERE,
    ]);
  });
});

test('tabs: an order is given once, and only on top of the newest', async () => {
  const kept = new Map<string, string>();
  const tabs = storedTabs({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  });
  const next = { order: 1, done: { tab: [3, 0] as const }, ahead: {} };
  expect([await tabs.agree('g', 0, next), await tabs.agree('g', 0, { ...next, done: {} })]).toEqual([true, false]);
  expect([await tabs.agreed('g'), (await tabs.agreed('other')).order]).toEqual([next, 0]);
});

/** A client group before a gateway that says what the test tells it to say. */
function scripted(answers: {
  pages?: (Partial<PulledPage> | GatewayFault | (() => Promise<Partial<PulledPage>>))[];
  fates?: (change: SentChange) => Partial<Fate>;
}) {
  const { pages = [], fates = () => ({}) } = answers;
  const told: ToldFate[] = [];
  const sent: { device: string; changes: readonly SentChange[]; epoch: string | null }[] = [];
  const asked: (string | null)[] = [];
  const kept = new Map<string, string>();
  const fateBook = createFateBook((fate) => void told.push(fate));
  const portions = createPortions(PUSH_LIMITS, () => 0);
  const group: ClientGroup = { id: 'group', fates: fateBook, portions, generation: 0, epoch: null };
  let pulls = 0;
  let inForce: string | null = null;
  let origin: Origin | undefined = { epoch: 'e1', generation: 0 };
  const unsent = new Set<string>();
  const gateway: Gateway = {
    async pull({ since }) {
      asked.push(since);
      const next = pages.shift() ?? {};
      const page = typeof next === 'function' ? await next() : next;
      if (page instanceof GatewayFault) throw page;
      const none = { changes: [], receipts: [], hasMore: false, reset: false, resetReason: null, complete: true };
      return { ...none, checkpoint: since ?? 'c0', epoch: 'e1', ...page };
    },
    async push(device, changes, _sentAt, epoch = null) {
      sent.push({ device, changes, epoch });
      if (inForce !== null && epoch !== inForce) throw new GatewayFault('NEW_EPOCH', `${inForce} is in force`);
      return changes.map((change) => ({ changeId: change.changeId, status: 'APPLIED', ...fates(change) }));
    },
    check: () => Promise.reject(new Error('never asked')),
  };
  const parts = {
    gateway,
    collections: ['visits'],
    pageSize: 1_000,
    clock: deviceClock,
    tabs: storedTabs({ getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) }),
    groupOf: () => group,
    held: async (key: string) =>
      key === ORIGIN_KEY ? origin : { id: key, version: 'held', isPending: false, fields: {} },
    pushAgain: () => undefined,
    pullSoon: () => void (pulls += 1),
    onRevoked: () => undefined,
    unsent,
  };
  const [puller, pusher] = [createPuller(parts), createPusher(parts)];
  return {
    told,
    sent,
    asked,
    tabs: parts.tabs,
    unsent,
    group,
    askedToPull: () => pulls,
    /** The gateway was restored. */
    restore: (epoch: string) => void (inForce = epoch),
    /** What the app's store says of the last pull. */
    holds: (held: Origin | undefined) => void (origin = held),
    async pull(cookie: Place | null): Promise<PullResponseOKV1 & { readonly cookie: Place }> {
      const request = {
        pullVersion: 1,
        clientGroupID: 'group',
        cookie,
        profileID: '',
        schemaVersion: '',
      } as PullRequest;
      const { response, httpRequestInfo } = await puller(request, '');
      if (response === undefined) throw new Error(httpRequestInfo.errorMessage);
      return response as PullResponseOKV1 & { readonly cookie: Place };
    },
    async push(...edits: readonly { id: number; record?: string; origin?: object; name?: string }[]): Promise<number> {
      const mutations = edits.map(({ id, record = `V-${id}`, origin = { epoch: 'e1', generation: 0 }, name }) => ({
        clientID: 'tab',
        id,
        name: name ?? 'visits.update',
        timestamp: 17.5,
        args: { id: record, base: 'v1', fields: { note: `note ${id}` }, at: '2026-01-01T08:00:00.000Z', origin },
      }));
      const request = { pushVersion: 1, clientGroupID: 'group', mutations, profileID: '', schemaVersion: '' };
      return (await pusher(request as unknown as PushRequest, '')).httpRequestInfo.httpStatusCode;
    },
  };
}

const upsert = (id: string) =>
  ({ collection: 'visits', id, version: 'v2', kind: 'UPSERT', pending: false, json: {} }) as const;

describe('pull', () => {
  test('R2: a round of several pages is one patch with one cookie, and nothing new is the very same cookie', async () => {
    const phone = scripted({
      pages: [
        { changes: [upsert('V-1')], checkpoint: 'c1', hasMore: true },
        { changes: [upsert('V-2')], checkpoint: 'c2' },
      ],
    });
    const first = await phone.pull(null);
    expect(first.patch.map((one) => ('key' in one ? one.key : one.op))).toEqual([
      'visits/V-1',
      'visits/V-2',
      ORIGIN_KEY,
    ]);
    expect([first.cookie.checkpoint, phone.asked]).toEqual(['c2', [null, 'c1']]);
    const second = await phone.pull(first.cookie);
    expect([second.cookie, second.patch, second.lastMutationIDChanges]).toEqual([first.cookie, [], {}]);
  });

  test('a round that broke off is gone on with, and what became final meanwhile counts in the next one', async () => {
    const phone = scripted({
      pages: [
        { changes: [upsert('V-1')], checkpoint: 'c1', hasMore: true },
        new GatewayFault('UNREACHABLE', 'a tunnel'),
        { changes: [upsert('V-2')], checkpoint: 'c2' },
      ],
    });
    await expect(phone.pull(null)).rejects.toThrow('a tunnel');
    await phone.push({ id: 1 });
    const { patch, cookie, lastMutationIDChanges } = await phone.pull(null);
    expect([phone.asked, patch.length, lastMutationIDChanges]).toEqual([[null, 'c1', 'c1'], 3, {}]);
    expect((await phone.pull(cookie)).lastMutationIDChanges).toEqual({ tab: 1 });
  });

  test('a pull that another tab overtook begins one more round, and then knows what that one knew', async () => {
    const overtaken = async (): Promise<Partial<PulledPage>> => {
      await phone.tabs.agree('group', 0, { order: 1, done: { other: [4, 0] }, ahead: {} });
      return { checkpoint: 'c1' };
    };
    const phone = scripted({ pages: [overtaken, { checkpoint: 'c2' }] });
    const { cookie, lastMutationIDChanges } = await phone.pull(null);
    expect([cookie.order, cookie.checkpoint, lastMutationIDChanges]).toEqual([2, 'c2', { other: 4 }]);
  });

  test('R10: a mutation is done in the first round that began after its fate was known, or that brings its receipt', async () => {
    const phone = scripted({ pages: [{ checkpoint: 'c1' }] });
    const { cookie } = await phone.pull(null);
    await phone.push({ id: 1 });
    expect((await phone.pull(cookie)).lastMutationIDChanges).toEqual({ tab: 1 });

    const other = scripted({ pages: [{ receipts: [{ changeId: 'tab:1', status: 'REJECTED' }], checkpoint: 'c1' }] });
    expect((await other.pull(null)).lastMutationIDChanges).toEqual({ tab: 1 });
    expect(other.told).toMatchObject([{ changeId: 'tab:1', status: 'REJECTED', edit: null }]);
  });

  test('R8: what is settled behind an open one is marked, and the mark goes with the gap', async () => {
    let status: Fate['status'] = 'ACCEPTED';
    const phone = scripted({ fates: ({ changeId }) => (changeId === 'tab:1' ? { status } : {}) });
    await phone.push({ id: 1 }, { id: 2 });
    const marked = await phone.pull(null);
    expect([marked.lastMutationIDChanges, marked.patch]).toMatchObject([
      {},
      [{ op: 'put', key: aheadKey('tab', 2) }, {}],
    ]);
    status = 'APPLIED';
    await phone.push({ id: 1 }, { id: 2 });
    expect(phone.sent.at(-1)?.changes.map(({ changeId }) => changeId)).toEqual(['tab:1']);
    const done = await phone.pull(marked.cookie);
    expect([done.lastMutationIDChanges, done.patch]).toEqual([{ tab: 2 }, [{ op: 'del', key: aheadKey('tab', 2) }]]);
  });

  test('F25, F29: a reset clears all but what came again; a body that cannot be read stays as it is held', async () => {
    const phone = scripted({
      pages: [
        { checkpoint: 'c1' },
        { reset: true, changes: [upsert('V-1'), { ...upsert('V-2'), json: null }], checkpoint: 'c9', epoch: 'e2' },
      ],
    });
    const { cookie } = await phone.pull(null);
    const { patch } = await phone.pull(cookie);
    expect(patch).toMatchObject([
      { op: 'clear' },
      { op: 'put', key: 'visits/V-1', value: { version: 'v2' } },
      { op: 'put', key: 'visits/V-2', value: { version: 'held' } },
      { op: 'put', key: ORIGIN_KEY, value: { epoch: 'e2' } },
    ]);
  });

  test('F24: a checkpoint that is of no use begins anew, and what is held is cleared', async () => {
    const phone = scripted({
      pages: [{ checkpoint: 'c1' }, new GatewayFault('BAD_CHECKPOINT', 'forged'), { checkpoint: 'c2' }],
    });
    const { cookie } = await phone.pull(null);
    expect((await phone.pull(cookie)).patch[0]).toEqual({ op: 'clear' });
    expect(phone.asked).toEqual([null, 'c1', null]);
  });
});

describe('push', () => {
  test('R7: a repeat says the same to the letter; the time is that of the edit, not of Replicache', async () => {
    const phone = scripted({ fates: () => ({ status: 'ACCEPTED' }) });
    await phone.push({ id: 1 });
    await phone.push({ id: 1 });
    const [first, second] = phone.sent.map(({ changes }) => changes[0]);
    expect(first).toEqual(second);
    expect(first).toMatchObject({ changeId: 'tab:1', changedAt: '2026-01-01T08:00:00.000Z', baseVersion: 'v1' });
  });

  test('F5: what may have been sent before says in which epoch; what was never handed to the network does not', async () => {
    const phone = scripted({ fates: () => ({ status: 'ACCEPTED' }) });
    phone.unsent.add('tab:1');
    await phone.push({ id: 1 }, { id: 2 });
    await phone.push({ id: 1 }, { id: 2 });
    expect(phone.sent.map(({ changes }) => changes.map(({ sentEpoch }) => sentEpoch))).toEqual([
      [undefined, 'e1'],
      ['e1', 'e1'],
    ]);
  });

  test('F5: a push names the epoch of the last pull; where another one is in force nothing was sent, and a pull goes first', async () => {
    const phone = scripted({ pages: [{ checkpoint: 'c1' }, { reset: true, checkpoint: 'c2', epoch: 'e2' }] });
    phone.unsent.add('tab:2');
    phone.restore('e2');
    // The page was opened anew: its store says where it stands.
    expect(await phone.push({ id: 1 }, { id: 2 })).toBe(503);
    expect([phone.sent[0]?.epoch, phone.askedToPull()]).toEqual(['e1', 1]);
    const { cookie } = await phone.pull(null);
    expect([await phone.push({ id: 1 }, { id: 2 }), phone.sent[1]?.epoch]).toEqual([503, 'e1']);
    await phone.pull(cookie);
    expect(await phone.push({ id: 1 }, { id: 2 })).toBe(200);
    expect(phone.sent[2]?.epoch).toBe('e2');
    // In order; and what nobody has seen is not taken for a repeat.
    expect(phone.sent[2]?.changes.map(({ changeId, sentEpoch }) => [changeId, sentEpoch])).toEqual([
      ['tab:1', 'e1'],
      ['tab:2', undefined],
    ]);
  });

  test('F5: without an epoch nothing is pushed: the first pull goes first', async () => {
    const phone = scripted({});
    phone.holds(undefined);
    expect([await phone.push({ id: 1 }), phone.sent.length, phone.askedToPull()]).toEqual([503, 0, 1]);
    await phone.pull(null);
    expect([await phone.push({ id: 1 }), phone.sent[0]?.epoch]).toEqual([200, 'e1']);
  });

  test('F11: after an eviction the device is another one; what may have been sent under the old one is told, and not sent', async () => {
    const phone = scripted({
      pages: [{ checkpoint: 'c1' }, { reset: true, resetReason: 'DEVICE_EVICTED', checkpoint: 'c2' }],
    });
    const { cookie } = await phone.pull(null);
    const evicted = await phone.pull(cookie);
    await phone.pull(evicted.cookie);
    phone.unsent.add('tab:2');
    const later = { epoch: 'e1', generation: 1 };
    await phone.push({ id: 1 }, { id: 2 }, { id: 3, origin: later });
    expect(phone.sent).toMatchObject([{ device: 'group.1', changes: [{ changeId: 'tab:2' }, { changeId: 'tab:3' }] }]);
    expect(phone.told[0]).toMatchObject({ changeId: 'tab:1', status: 'UNANSWERED', edit: { id: 'V-1' } });
    expect((await phone.pull(evicted.cookie)).lastMutationIDChanges).toEqual({ tab: 3 });
  });

  test('R8: one that is to be sent again holds back later ones of its record, and no others', async () => {
    const phone = scripted({
      fates: ({ changeId }) =>
        changeId === 'tab:1'
          ? { status: 'REJECTED', error: { code: 'RECORD_BLOCKED', message: '', field: null, retryable: true } }
          : {},
    });
    const many = Array.from({ length: 500 }, (_, at) => ({ id: at + 2 }));
    const status = await phone.push({ id: 1, record: 'V-x' }, ...many, { id: 502, record: 'V-x' }, { id: 503 });
    expect([status, phone.told.length]).toEqual([503, 501]);
    expect(phone.sent.flatMap(({ changes }) => changes).some(({ changeId }) => changeId === 'tab:502')).toBe(false);
  });

  test('a mutation of no collection is told REJECTED, so that it blocks nobody', async () => {
    const phone = scripted({});
    expect(await phone.push({ id: 1, name: 'doSomething' }, { id: 2 })).toBe(200);
    expect(phone.told).toMatchObject([
      { changeId: 'tab:1', status: 'REJECTED' },
      { changeId: 'tab:2', status: 'APPLIED' },
    ]);
  });
});
