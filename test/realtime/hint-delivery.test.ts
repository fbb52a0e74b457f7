import type { Seq } from '../../src/core/change.js';
import type { HintOutcome } from '../../src/core/phone-hint-port.js';
import type { TakenHint } from '../../src/core/phone-port.js';
import { createHintDelivery } from '../../src/realtime/hint-delivery.js';
import { createManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';
import fc from '../support/properties.js';
import {
  createPhoneWard,
  TENANTS,
  WINDOWS,
  type Answer,
  type PhoneWard,
  type SentHint,
  type WardPhone,
} from './phone-ward.js';

const RUNS = Number(process.env['PHONE_RUNS'] ?? 25);
/** Longest that nobody works: a lease that has to end, and a socket that counts as open. */
const TAKEOVER_MS = 70_000;
const SCOPES = ['a', 'b', 'elsewhere'] as const;

type Step =
  | { readonly what: 'commit'; readonly tenant: string; readonly scope: string }
  | { readonly what: 'push' | 'pull' | 'open' | 'close'; readonly phone: number }
  | { readonly what: 'answers'; readonly answer: Answer }
  | { readonly what: 'kill' };

const phone = fc.nat({ max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('commit' as const),
      tenant: fc.constantFrom(...TENANTS),
      scope: fc.constantFrom(...SCOPES),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('push' as const, 'pull' as const), phone }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('open' as const, 'close' as const), phone }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('answers' as const),
      answer: fc.constantFrom<Answer>('sent', 'quota', 'breaker', 'unreachable', 'none'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'kill' as const }) },
);
const schedule = fc.array(fc.tuple(step, fc.constantFrom(0, 1_000, 4_000, 20_000)), { maxLength: 20 });

/** Since when each phone has something to pull that it was not told; it may have been hinted. */
class Owed {
  readonly since = new Map<WardPhone, number>();
  readonly ever = new Set<WardPhone>();

  note(one: WardPhone, nowMs: number): void {
    this.since.set(one, nowMs);
    this.ever.add(one);
  }
}

async function play(ward: PhoneWard, steps: readonly (readonly [Step, number])[]): Promise<Owed> {
  const owed = new Owed();
  /** What a node did not note before it ended is as if the answer to the push had been lost: its author is hinted. */
  const mayEnd = steps.some(([one]) => one.what === 'kill' || (one.what === 'answers' && one.answer === 'none'));
  const seeing = (tenant: string, scope: string): readonly WardPhone[] =>
    ward.phones.filter(({ key, scopes }) => key.tenant === tenant && scopes.includes(scope));
  for (const [one, waitMs] of steps) {
    const nowMs = ward.clock.nowMs();
    const subject = 'phone' in one ? (ward.phones[one.phone] as WardPhone) : null;
    if (one.what === 'commit') {
      await ward.commit(one.tenant, one.scope);
      for (const other of seeing(one.tenant, one.scope)) owed.note(other, nowMs);
    } else if (one.what === 'answers') ward.answer = one.answer;
    else if (one.what === 'kill') ward.kill();
    else if (subject === null) continue;
    else if (one.what === 'push') {
      await ward.push(subject);
      if (mayEnd) owed.ever.add(subject);
      for (const other of seeing(subject.key.tenant, subject.scopes[0] as string)) {
        if (other !== subject) owed.note(other, nowMs);
      }
    } else if (one.what === 'pull') {
      await ward.pull(subject);
      owed.since.delete(subject);
    } else if (one.what === 'open') ward.open(subject);
    else ward.close(subject);
    await ward.pass(waitMs);
  }
  return owed;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const ofToken = (hints: readonly SentHint[], { token }: WardPhone): readonly SentHint[] =>
  hints.filter((hint) => hint.token === token);

describe('R18, F27, H1 to H6: sleeping phones', () => {
  test('whatever happens: who has something to pull is hinted in the end, none twice in its window, and nobody else', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, async (steps) => {
        const ward = await createPhoneWard();
        await ward.pass(1_000);
        const owed = await play(ward, steps);
        ward.answer = 'sent';
        for (const one of ward.phones) ward.close(one);
        await ward.pass(TAKEOVER_MS + 2 * WINDOWS.IOS);
        await ward.stop();
        for (const one of ward.phones) {
          const hints = ofToken(ward.hints, one);
          for (const { device } of hints) expect(device).toEqual(one.key);
          const sinceMs = owed.since.get(one);
          const arrived = hints.filter(({ answer }) => answer === 'sent');
          if (!owed.ever.has(one)) expect(hints).toEqual([]);
          if (sinceMs !== undefined) expect(arrived.some(({ sentAtMs }) => sentAtMs >= sinceMs)).toBe(true);
          const mayHaveArrived = hints.filter(({ answer }) => answer !== 'later');
          mayHaveArrived.slice(1).forEach(({ sentAtMs }, at) => {
            expect(sentAtMs - (mayHaveArrived[at]?.sentAtMs ?? 0)).toBeGreaterThanOrEqual(WINDOWS[one.platform]);
          });
        }
      }),
      { numRuns: RUNS },
    );
  });

  async function awakeFor(ms: number, work: (ward: PhoneWard) => Promise<void>): Promise<PhoneWard> {
    const ward = await createPhoneWard();
    await ward.pass(1_000);
    await work(ward);
    await ward.pass(ms);
    await ward.stop();
    return ward;
  }
  const users = ({ hints }: PhoneWard): readonly string[] => hints.map(({ device }) => device.user);
  const [ann, ben] = [0, 1] as const;
  const at = (ward: PhoneWard, n: number): WardPhone => ward.phones[n] as WardPhone;

  test('H4, H5: a commit is hinted within six seconds, at once and once more at the window’s end for what came in between', async () => {
    const ward = await awakeFor(45_000, async (one) => {
      const beganMs = one.clock.nowMs();
      await one.commit(TENANTS[0], 'a');
      await one.pass(6_000);
      expect([...users(one)].sort()).toEqual(['ann', 'ben']);
      expect(one.hints.every(({ sentAtMs }) => sentAtMs - beganMs <= 6_000)).toBe(true);
      for (let n = 0; n < 5; n++) await one.commit(TENANTS[0], 'a');
    });
    expect(users(ward).filter((user) => user === 'ann')).toHaveLength(2);
    const [first, second] = ofToken(ward.hints, at(ward, ann));
    expect((second?.sentAtMs ?? 0) - (first?.sentAtMs ?? 0)).toBeLessThanOrEqual(WINDOWS.ANDROID + 6_000);
    expect(first?.collections).toEqual(['visits']);
  });

  test('H6: the author is not hinted for its own change; others are', async () => {
    const ward = await awakeFor(20_000, async (one) => {
      await one.push(at(one, ann));
      // A moment in which it is not noted yet what the answer told.
      for (let n = 0; n < 5; n++) {
        one.clock.advance(1);
        await turn();
      }
      await one.pass(5_000);
    });
    expect(users(ward)).toEqual(['ben']);
  });

  test('H3: who is awake is not hinted, who is not any more is, and a half-open socket holds a hint back for half a minute', async () => {
    const ward = await awakeFor(0, async (one) => {
      one.open(at(one, ann));
      await one.pass(6_000);
      await one.commit(TENANTS[0], 'a');
      await one.pass(20_000);
      expect(users(one)).toEqual(['ben']);
      one.close(at(one, ann));
      await one.pass(45_000);
    });
    expect(users(ward)).toContain('ann');
  });

  test('H3: a pull takes back what is due', async () => {
    const ward = await awakeFor(60_000, async (one) => {
      await one.commit(TENANTS[0], 'a');
      await one.pass(6_000);
      await one.commit(TENANTS[0], 'a');
      for (const n of [ann, ben]) await one.pull(at(one, n));
    });
    expect([...users(ward)].sort()).toEqual(['ann', 'ben']);
  });

  test('H4, H5: a node that ends between commit and answer loses nothing: another one hints when its lease and the window are over', async () => {
    const ward = await awakeFor(TAKEOVER_MS + WINDOWS.IOS, async (one) => {
      one.answer = 'none';
      await one.commit(TENANTS[0], 'a');
      await one.pass(6_000);
      one.answer = 'sent';
    });
    for (const n of [ann, ben]) {
      const hints = ofToken(ward.hints, at(ward, n));
      expect(hints.map(({ answer }) => answer)).toEqual(['none', 'sent']);
    }
  });

  test.each([
    ['does not say whether it was sent, for the end of the window', 'unreachable', WINDOWS.ANDROID],
    ['says that it was not, for as long as it says', 'quota', 5_000],
    ['was never asked for, for as long as the breaker says', 'breaker', 5_000],
  ] as const)('H5: after an answer that %s, the next hint waits', async (_what, answer, leastMs) => {
    const ward = await awakeFor(WINDOWS.ANDROID + 10_000, async (one) => {
      one.answer = answer;
      await one.commit(TENANTS[0], 'a');
      await one.pass(6_000);
      one.answer = 'sent';
    });
    const [first, second] = ofToken(ward.hints, at(ward, ann));
    expect(first?.answer).not.toBe('sent');
    expect(second?.answer).toBe('sent');
    const waitedMs = (second?.sentAtMs ?? 0) - (first?.sentAtMs ?? 0);
    expect(waitedMs).toBeGreaterThanOrEqual(leastMs);
    expect(waitedMs).toBeLessThan(leastMs + 15_000);
  });

  test('who does not pull gets one notice that people see, and is stale in the end', async () => {
    const ward = await createPhoneWard({ afterMs: 100_000, staleAfterMs: 400_000, hasNotice: true });
    await ward.pass(1_000);
    await ward.commit(TENANTS[0], 'a');
    await ward.pass(600_000);
    await ward.stop();
    for (const n of [ann, ben]) {
      expect(ofToken(ward.hints, at(ward, n)).map(({ isNotice }) => isNotice)).toEqual([false, true]);
    }
    expect((await ward.store.countPhones(TENANTS[0])).stale).toBe(2);
    expect(ward.warnings).toContain('hints: phones are stale, they are hinted rarely');
  });

  test('a stop waits for what is being sent, also when the store fails beside it', async () => {
    const batches = [{ taken: [dueHint()], hasMore: false }, new Error('the store does not answer')];
    const settled: string[] = [];
    let answer = (_outcomes: readonly HintOutcome[]): void => undefined;
    const { delivery } = bareDelivery(
      {
        async takeDue() {
          const batch = batches.shift() ?? NOTHING;
          if (batch instanceof Error) throw batch;
          return batch;
        },
        settleHints: async (_tenant, all) => void settled.push(...all.map(({ kind }) => kind)),
      },
      () => new Promise((resolve) => (answer = resolve)),
    );
    delivery.start();
    await turn();
    let isStopped = false;
    const stopping = delivery.stop().then(() => (isStopped = true));
    await turn();
    expect(isStopped).toBe(false);
    answer([{ kind: 'sent' }]);
    await stopping;
    expect(settled).toEqual(['sent']);
  });

  describe('of forty batches that are due', () => {
    /** How many were taken by then; each hint of them is answered with this. */
    function forty(outcome: () => HintOutcome) {
      let left = 40;
      const world = bareDelivery({ takeDue: async () => ({ taken: [dueHint()], hasMore: --left > 0 }) }, async () => [
        outcome(),
      ]);
      return { ...world, taken: () => 40 - left };
    }

    test('while the push service takes nothing, one of each sender is tried; the others go as soon as it takes hints again', async () => {
      let outcome: HintOutcome = { kind: 'later', reason: 'breaker', afterMs: 5_000 };
      const due = forty(() => outcome);
      due.delivery.start();
      await due.pass(4_500);
      expect(due.taken()).toBe(4);
      await due.pass(5_000);
      expect(due.taken()).toBe(8);
      outcome = { kind: 'sent' };
      await due.pass(1_000);
      expect(due.taken()).toBeGreaterThanOrEqual(40);
      await due.delivery.stop();
    });

    test.each<HintOutcome>([
      { kind: 'later', reason: 'quota', afterMs: 5_000 },
      { kind: 'later', reason: 'unreachable', afterMs: 5_000 },
      { kind: 'gone', reason: 'unregistered' },
    ])('none waits for what is said of the phones of another one: $kind $reason', async (outcome) => {
      const due = forty(() => outcome);
      due.delivery.start();
      await due.pass(1_000);
      expect(due.taken()).toBeGreaterThanOrEqual(40);
      await due.delivery.stop();
    });

    test('a stop does not wait for a push service that takes nothing', async () => {
      const due = forty(() => ({ kind: 'later', reason: 'breaker', afterMs: 60_000 }));
      due.delivery.start();
      await due.pass(1_000);
      await due.delivery.stop();
      expect(due.taken()).toBe(4);
    });
  });

  test('F27: a gateway that lost the lease takes nothing any more, and asks for it again', async () => {
    let fence: number | null = 1;
    let takings = 0;
    const world = bareDelivery({
      markDue: async () => (fence === null ? null : 0),
      takeDue: async () => {
        takings += 1;
        return NOTHING;
      },
    });
    world.delivery.start();
    await world.pass(7_000);
    fence = null;
    await world.pass(3_000);
    const before = takings;
    await world.pass(3_000);
    expect([takings, world.leases()]).toEqual([before, 1]);
    await world.pass(1_000);
    expect(world.leases()).toBe(2);
    await world.delivery.stop();
  });

  test('what was marked is taken at once', async () => {
    let marked = 0;
    let takings = 0;
    const world = bareDelivery({
      markDue: async () => marked++,
      takeDue: async () => {
        takings += 1;
        return NOTHING;
      },
    });
    world.delivery.start();
    await world.pass(1_000);
    const before = takings;
    await world.pass(1_000);
    expect([marked, takings]).toEqual([2, 2 * before]);
    await world.delivery.stop();
  });
});

function dueHint(): TakenHint {
  const device = { tenant: 'clinic', user: 'ann', device: 'phone' };
  const due = { collections: [], dueAtMs: 0, dueSeq: 1 as Seq, claim: 1, takenAtMs: 0, isNotice: false };
  return { device, platform: 'ANDROID', token: 'ann', ...due };
}

const NOTHING = { taken: [] as readonly TakenHint[], hasMore: false };

type Ports = Parameters<typeof createHintDelivery>[0];

/** Of a tenant of which nothing is to be told, on a store that does as it is told. */
function bareDelivery(does: Partial<Ports['store']>, send: Ports['sender']['send'] = async () => []) {
  const clock = createManualClock();
  let leases = 0;
  const store: Ports['store'] = {
    markDue: async () => 0,
    takeDue: async () => NOTHING,
    settleHints: async () => undefined,
    findSilent: async () => ({ escalated: 0, stale: 0 }),
    readHead: async () => ({ epoch: 'e1', head: 1 }) as never,
    releaseLease: async () => undefined,
    onAdvance: () => () => undefined,
    ...does,
  };
  const leased: Ports['leased'] = {
    run: (name, controller, work) => work({ name, fence: ++leases }, controller.signal),
  };
  const delivery = createHintDelivery(
    { store, sender: { send }, leased, clock, chance: () => 0, log: silentLog, counts: null },
    {
      tenant: 'clinic',
      holder: 'node',
      collections: [],
      windows: WINDOWS,
      escalation: { afterMs: 1e9, staleAfterMs: 1e9, hasNotice: false },
    },
  );
  return {
    delivery,
    leases: () => leases,
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.advance(500);
        await turn();
      }
    },
  };
}
