import fc from '../support/properties.js';
import type { Epoch, Seq } from '../../src/core/change.js';
import type { Announcer, FeedAdvance, TouchedPair } from '../../src/core/feed-port.js';
import { pairKey, scopeSet, type ScopeSet } from '../../src/core/scope.js';
import type { DeviceKey, ScopeGrant } from '../../src/core/session.js';
import type { Hint } from '../../src/realtime/hint-windows.js';
import { createHub, type Hub } from '../../src/realtime/hub.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';

const WINDOW_MS = 100;
const VISITS = 'visits';
const PATIENTS = 'patients';
const TABLET: DeviceKey = { tenant: 'clinic', user: 'nurse', device: 'tablet' };

/** A feed of which only its advances and the seqs of its pairs are known. */
class AnnouncedFeed implements Announcer {
  isBroken = false;
  readonly asked: (readonly [ScopeSet, Seq])[] = [];
  private head = 0;
  private readonly seqs = new Map<string, number>();
  private readonly listeners = new Set<(advance: FeedAdvance) => void>();

  get isHeard(): boolean {
    return this.listeners.size > 0;
  }

  onAdvance(listener: (advance: FeedAdvance) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  async changedPairs(_tenant: string, pairs: ScopeSet, after: Seq): Promise<ScopeSet> {
    this.asked.push([pairs, after]);
    if (this.isBroken) throw new Error('database away');
    return pairs.filter((pair) => (this.seqs.get(pairKey(pair)) ?? 0) > after);
  }

  /** A commit that touched these scopes of visits; it is not announced yet. */
  commit(scopes: readonly string[], change: Partial<FeedAdvance> & { readonly by?: DeviceKey } = {}): FeedAdvance {
    const { by = null, ...rest } = change;
    this.head += 1;
    const touched: TouchedPair[] = scopes.map((scope) => ({ collection: VISITS, scope, author: by }));
    for (const pair of touched) this.seqs.set(pairKey(pair), this.head);
    const after = (this.head - 1) as Seq;
    const head = this.head as Seq;
    return { tenant: 'clinic', epoch: 'epoch001' as Epoch, after, head, touched, receipts: [], ...rest };
  }

  announce(advance: FeedAdvance): void {
    for (const listener of this.listeners) listener(advance);
  }

  /** As another node tells it when the list would be too long. */
  announceUnknown(advance: FeedAdvance): void {
    this.announce({ ...advance, touched: null, receipts: [] });
  }
}

interface Listening {
  readonly hints: Hint[];
  readonly iterator: AsyncIterableIterator<Hint>;
}

let feed: AnnouncedFeed;
let clock: ManualClock;
let hub: Hub;
let warnings: string[];
let delays: number[];

beforeEach(() => {
  feed = new AnnouncedFeed();
  clock = createManualClock();
  warnings = [];
  delays = [];
  const log = { debug: () => undefined, info: () => undefined, error: () => undefined };
  hub = createHub({
    announcer: feed,
    clock,
    windowMs: WINDOW_MS,
    onSent: (sinceMs) => delays.push(clock.monotonicMs() - sinceMs),
    log: { ...log, warn: (what) => warnings.push(what) },
  });
});

function listen(
  scopes: readonly string[] | 'every',
  { device = null as string | null, user = 'nurse', tenant = 'clinic', collections = [VISITS, PATIENTS] } = {},
): Listening {
  const grant: ScopeGrant = scopes === 'every' ? { kind: 'every' } : { kind: 'listed', scopes };
  const iterator = hub.hints({ tenant, user, device, grant }, collections);
  const hints: Hint[] = [];
  void (async () => {
    for await (const hint of iterator) hints.push(hint);
  })();
  return { hints, iterator };
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await rest();
}

async function tell(advance: FeedAdvance): Promise<void> {
  feed.announce(advance);
  await rest();
}

const heard = (one: Listening): readonly string[] => one.hints.map((hint) => hint.collections.join(' '));

describe('a commit', () => {
  test('R18, attack 21: is hinted to those whose scopes it touched, and to nobody else', async () => {
    const [first, second, both, all] = [listen(['a']), listen(['b']), listen(['a', 'b']), listen('every')];
    const patients = listen(['a'], { collections: [PATIENTS] });
    const elsewhere = listen(['a'], { tenant: 'elsewhere' });
    await tell(feed.commit(['a']));
    expect([first, second, both, all].map(heard)).toEqual([[VISITS], [], [VISITS], [VISITS]]);
    expect([patients, elsewhere].map(heard)).toEqual([[], []]);
  });

  test('R18, attack 21: gives a hint that holds names and a time, and nothing else', async () => {
    const one = listen(['a']);
    await tell(feed.commit(['a']));
    expect(one.hints).toEqual([{ collections: [VISITS], at: new Date(clock.nowMs()).toISOString() }]);
  });

  test('R18: is not hinted to its author if the source took it as it was, but to the author’s other device', async () => {
    const author = listen(['a'], { device: 'tablet' });
    const other = listen(['a'], { device: 'phone' });
    const namesake = listen(['a'], { device: 'tablet', user: 'dispatcher' });
    await tell(feed.commit(['a'], { by: TABLET }));
    expect([author, other, namesake].map(heard)).toEqual([[], [VISITS], [VISITS]]);
  });

  test('R18: is hinted to the device for which it left a receipt, always, and for no collection it does not listen to', async () => {
    const author = listen(['a'], { device: 'tablet' });
    const outside = listen([], { device: 'tablet' });
    const patients = listen(['a'], { device: 'tablet', collections: [PATIENTS] });
    const other = listen([], { device: 'phone' });
    await tell(feed.commit(['a'], { by: TABLET, receipts: [{ device: TABLET, collection: VISITS }] }));
    expect([author, outside, patients, other].map(heard)).toEqual([[VISITS], [VISITS], [], []]);
  });
});

describe('a commit of which it is not known what it touched', () => {
  test('R18: is compared: whose pairs moved is hinted, and who sees every scope', async () => {
    const [first, second, all] = [listen(['a']), listen(['b']), listen('every')];
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    expect([first, second].map(heard)).toEqual([[VISITS], []]);
    expect(heard(all)).toEqual([`${PATIENTS} ${VISITS}`]);
    const listened = [VISITS, PATIENTS].flatMap((collection) => ['a', 'b'].map((scope) => ({ collection, scope })));
    expect(feed.asked).toEqual([[scopeSet(listened), 0]]);
  });

  test('R18: is compared from where comparing stood, so that what was told before is not told again', async () => {
    const [first, second] = [listen(['a']), listen(['b'])];
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    await pass(WINDOW_MS);
    feed.announceUnknown(feed.commit(['b']));
    await rest();
    expect([first, second].map(heard)).toEqual([[VISITS], [VISITS]]);
    expect(feed.asked.map(([, after]) => after)).toEqual([0, 1]);
  });

  test('R18: is hinted although a later one of this node was announced before it', async () => {
    const [first, second] = [listen(['a']), listen(['b'])];
    const theirs = feed.commit(['a']);
    await tell(feed.commit(['b']));
    feed.announceUnknown(theirs);
    await rest();
    expect(heard(first)).toEqual([VISITS]);
    expect(heard(second).length).toBeGreaterThanOrEqual(1);
  });

  test('R18: is hinted to everybody when comparing fails, and is told to the operator', async () => {
    const [first, second] = [listen(['a']), listen(['b'])];
    feed.isBroken = true;
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    expect([first, second].map(heard)).toEqual([[`${PATIENTS} ${VISITS}`], [`${PATIENTS} ${VISITS}`]]);
    expect(warnings).toHaveLength(1);
    feed.isBroken = false;
    await pass(WINDOW_MS);
    feed.announceUnknown(feed.commit(['b']));
    await rest();
    expect(feed.asked.at(-1)?.[1]).toBe(0);
  });

  test('R18: of a new epoch is compared from its beginning', async () => {
    const one = listen(['a']);
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    await pass(WINDOW_MS);
    feed.announceUnknown({ ...feed.commit(['a']), epoch: 'epoch002' as Epoch, head: 1 as Seq });
    await rest();
    expect(heard(one)).toEqual([VISITS, VISITS]);
  });
});

describe('hints of one listener', () => {
  test('R18: the first goes out at once, those of the window after it as one, at its end', async () => {
    const one = listen(['a']);
    await tell(feed.commit(['a']));
    expect(one.hints).toHaveLength(1);
    for (let n = 0; n < 5; n++) {
      await tell(feed.commit(['a']));
      await pass(10);
    }
    expect(one.hints).toHaveLength(1);
    await pass(WINDOW_MS - 51);
    expect(one.hints).toHaveLength(1);
    await pass(1);
    expect(one.hints).toHaveLength(2);
    await pass(10 * WINDOW_MS);
    expect(one.hints).toHaveLength(2);
    await tell(feed.commit(['a']));
    expect(one.hints).toHaveLength(3);
  });

  test('R18: merge while a slow consumer does not take them, and lose nothing', async () => {
    const iterator = hub.hints({ ...TABLET, device: null, grant: { kind: 'listed', scopes: ['a'] } }, [
      VISITS,
      PATIENTS,
    ]);
    for (let n = 0; n < 1_000; n++) feed.announce(feed.commit(['a']));
    feed.announce({ ...feed.commit([]), touched: [{ collection: PATIENTS, scope: 'a', author: null }] });
    expect((await iterator.next()).value).toMatchObject({ collections: [PATIENTS, VISITS] });
    const next = iterator.next();
    feed.announce(feed.commit(['a']));
    await pass(WINDOW_MS);
    expect((await next).value).toMatchObject({ collections: [VISITS] });
  });

  test('reach two that wait at once one after the other, and each is answered when it ends', async () => {
    const iterator = hub.hints({ ...TABLET, grant: { kind: 'listed', scopes: ['a'] } }, [VISITS]);
    const waiting = [iterator.next(), iterator.next(), iterator.next()];
    await tell(feed.commit(['a']));
    await tell(feed.commit(['a']));
    await pass(WINDOW_MS);
    await iterator.return?.();
    expect((await Promise.all(waiting)).map(({ done }) => done)).toEqual([false, false, true]);
  });
});

describe('one window', () => {
  const burst = async (): Promise<void> => {
    await tell(feed.commit(['a']));
    await tell({ ...feed.commit([]), touched: [{ collection: PATIENTS, scope: 'a', author: null }] });
  };

  test('R18: is for all that one device listens to', async () => {
    const visits = listen(['a'], { device: 'tablet', collections: [VISITS] });
    const patients = listen(['a'], { device: 'tablet', collections: [PATIENTS] });
    await burst();
    expect([visits, patients].map(heard)).toEqual([[VISITS], []]);
    await pass(WINDOW_MS);
    expect([visits, patients].map(heard)).toEqual([[VISITS], [PATIENTS]]);
  });

  test.each([
    ['two devices', 'phone', 'nurse'],
    ['two users with devices of one name', 'tablet', 'dispatcher'],
    ['sessions without a device', null, 'nurse'],
  ])('R18: is not for %s', async (_who, device, user) => {
    const visits = listen(['a'], { device: device && 'tablet', collections: [VISITS] });
    const patients = listen(['a'], { device, user, collections: [PATIENTS] });
    await burst();
    expect([visits, patients].map(heard)).toEqual([[VISITS], [PATIENTS]]);
  });
});

describe('a hint', () => {
  test('is one object for all who are told the same at the same time, also at the end of their windows', async () => {
    const [first, second] = [listen(['a']), listen(['a', 'b'])];
    const patients = listen(['a'], { collections: [PATIENTS] });
    await tell({
      ...feed.commit(['a']),
      touched: [VISITS, PATIENTS].map((collection) => ({ collection, scope: 'a', author: null })),
    });
    await tell(feed.commit(['a']));
    await pass(WINDOW_MS);
    expect([first, second, patients].map(heard)).toEqual([
      [`${PATIENTS} ${VISITS}`, VISITS],
      [`${PATIENTS} ${VISITS}`, VISITS],
      [PATIENTS],
    ]);
    expect(second.hints[0]).toBe(first.hints[0]);
    expect(second.hints[1]).toBe(first.hints[1]);
  });

  test('has left when whoever took it comes for the next one: how long it took from its commit is told then', async () => {
    const iterator = hub.hints({ ...TABLET, grant: { kind: 'listed', scopes: ['a'] } }, [VISITS]);
    await tell(feed.commit(['a']));
    clock.advance(30);
    await tell(feed.commit(['a']));
    await iterator.next();
    clock.advance(10);
    expect(delays).toEqual([]);
    void iterator.next();
    expect(delays).toEqual([40]);
  });
});

describe('who sees every scope', () => {
  test.each([
    ['by its author alone', [TABLET, TABLET], []],
    ['by its author and another device', [TABLET, { ...TABLET, device: 'phone' }], [VISITS]],
    ['by its author and a source', [TABLET, null], [VISITS]],
    ['by a source and its author', [null, TABLET], [VISITS]],
  ])('R18: is hinted of a commit that touched two scopes %s: %j', async (_how, [first, second], hinted) => {
    const author = listen('every', { device: 'tablet' });
    const touched = [
      { collection: VISITS, scope: 'a', author: first ?? null },
      { collection: VISITS, scope: 'b', author: second ?? null },
    ];
    await tell({ ...feed.commit([]), touched });
    expect(heard(author)).toEqual(hinted);
  });
});

test('R18: where more is listened to than can be compared, everybody is hinted, and the database is not asked', async () => {
  const scopes = Array.from({ length: 25_001 }, (_, n) => `route:${n}`);
  const [many, other] = [listen(scopes), listen(['a'])];
  feed.announceUnknown(feed.commit(['a']));
  await rest();
  expect([many, other].map(heard)).toEqual([[`${PATIENTS} ${VISITS}`], [`${PATIENTS} ${VISITS}`]]);
  expect(feed.asked).toEqual([]);
});

describe('the end', () => {
  test('of a listener leaves nothing behind, however often it is said', async () => {
    const some = [listen(['a', 'b'], { device: 'tablet' }), listen(['a']), listen('every')];
    expect(hub.listening()).toBe(3);
    for (const { iterator } of some) await iterator.return?.();
    await some[0]?.iterator.return?.();
    await rest();
    expect(hub.listening()).toBe(0);
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    expect(feed.asked).toEqual([]);
    expect(some.map(heard)).toEqual([[], [], []]);
  });

  test('of a listener leaves the others of its scopes listening', async () => {
    const [gone, stays] = [listen(['a']), listen(['a'])];
    await gone.iterator.return?.();
    feed.announceUnknown(feed.commit(['a']));
    await rest();
    expect([gone, stays].map(heard)).toEqual([[], [VISITS]]);
  });

  test('by throw is an end too, and gives the error back', async () => {
    const iterator = hub.hints({ ...TABLET, grant: { kind: 'every' } }, [VISITS]);
    await expect(iterator.throw?.(new Error('socket closed'))).rejects.toThrow('socket closed');
    expect(hub.listening()).toBe(0);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('of the hub ends all: those that wait for a hint, for their window, and those that come later', async () => {
    const [waits, rests] = [listen(['a']), listen(['b'])].map(({ iterator }) => iterator);
    await tell(feed.commit(['b']));
    feed.announce(feed.commit(['b']));
    await rest();
    hub.close();
    hub.close();
    const ended = { done: true, value: undefined };
    // No time passes: the one in its window is not waited for.
    expect(await Promise.all([waits?.next(), rests?.next()])).toEqual([ended, ended]);
    expect(await hub.hints({ ...TABLET, grant: { kind: 'every' } }, [VISITS]).next()).toEqual(ended);
    expect(hub.listening()).toBe(0);
    expect(feed.isHeard).toBe(false);
  });
});

test('R18: after any sequence of commits, announced late, twice, or without what they touched, nobody is left unhinted', async () => {
  const scopes = ['a', 'b', 'c'];
  const step = fc.record({
    scopes: fc.subarray(scopes, { minLength: 1 }),
    how: fc.constantFrom('now', 'late', 'unknown', 'lateUnknown', 'twice', 'broken'),
    passMs: fc.nat(2 * WINDOW_MS),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      feed = new AnnouncedFeed();
      clock = createManualClock();
      const silent = () => undefined;
      const log = { debug: silent, info: silent, warn: silent, error: silent };
      hub = createHub({ announcer: feed, clock, windowMs: WINDOW_MS, log });
      const listeners = [...fc.sample(fc.subarray(scopes), { numRuns: 4, seed: steps.length }), scopes].map(
        (granted) => ({
          granted,
          one: listen(granted),
          changedAtMs: -1,
        }),
      );
      const late: (() => void)[] = [];
      for (const { scopes: touched, how, passMs } of steps) {
        const advance = feed.commit(touched);
        for (const listener of listeners) {
          if (listener.granted.some((scope) => touched.includes(scope))) listener.changedAtMs = clock.nowMs();
        }
        feed.isBroken = how === 'broken';
        if (how === 'late') late.push(() => feed.announce(advance));
        else if (how === 'lateUnknown') late.push(() => feed.announceUnknown(advance));
        else if (how === 'now' || how === 'twice') feed.announce(advance);
        else feed.announceUnknown(advance);
        if (how === 'twice') feed.announce(advance);
        await pass(passMs);
        if (passMs % 3 === 0) late.shift()?.();
      }
      feed.isBroken = false;
      for (const announce of late) announce();
      await rest();
      await pass(WINDOW_MS);
      for (const { one, changedAtMs } of listeners) {
        if (changedAtMs < 0) continue;
        expect(Date.parse(one.hints.at(-1)?.at ?? '')).toBeGreaterThanOrEqual(changedAtMs);
      }
      hub.close();
    }),
    { numRuns: 100 },
  );
});
