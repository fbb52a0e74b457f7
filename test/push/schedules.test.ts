import { runEveryWay } from '../support/choices.js';
import { faultOf, live, type Trial } from './schedules.js';

type Offer = Pick<Trial, 'facts' | 'showsVersions'>;
const KEY = { idempotencyKeyLifetimeMs: 86_400_000 } as const;
const GUARDED = { updateGuard: 'version', deleteGuard: 'version' } as const;

const OFFERS = {
  'an idempotency key': { facts: { ...KEY, readOne: false }, showsVersions: false },
  'an idempotency key that it checks first': {
    facts: { ...KEY, readOne: false, checksKeyFirst: true },
    showsVersions: false,
  },
  'an idempotency key and versions': { facts: { ...KEY, ...GUARDED, createKey: 'source' }, showsVersions: true },
  'conditional writes': { facts: GUARDED, showsVersions: true },
  'versions to read back': { facts: {}, showsVersions: true },
  'reads without versions': { facts: {}, showsVersions: false },
  'a look-up': { facts: { createKey: 'source', lookUp: true }, showsVersions: true },
  nothing: { facts: { createKey: 'source', readOne: false }, showsVersions: false },
} as const satisfies Record<string, Offer>;
type OfferName = keyof typeof OFFERS;

const KINDS = ['create', 'update', 'delete'] as const;
const cases = (Object.keys(OFFERS) as OfferName[]).flatMap((name) => {
  const kinds = name === 'a look-up' ? (['create'] as const) : KINDS;
  return kinds.map((kind) => [kind, name] as const);
});

/** Lives through every schedule of a trial. @returns how many there were, and how each of them ended */
async function tryEveryWay(
  trial: Trial,
): Promise<{ readonly runs: number; readonly statuses: ReadonlySet<string | undefined>; readonly faults: string[] }> {
  const statuses = new Set<string | undefined>();
  const faults: string[] = [];
  const runs = await runEveryWay(async (choose) => {
    const ending = await live(trial, choose);
    statuses.add(ending.status);
    const fault = faultOf(ending);
    if (fault !== null) faults.push(fault);
  });
  return { runs, statuses, faults };
}

describe('a change, whatever becomes of requests, replies and processes', () => {
  let schedules = 0;

  test.each(cases)('R11, F4, F13: %s at a source with %s: once, or parked with its reason', async (kind, name) => {
    const requests = await tryEveryWay({ ...OFFERS[name], kind, attempts: 3, kills: false });
    const kills = await tryEveryWay({ ...OFFERS[name], kind, attempts: 1, kills: true });
    expect([...requests.faults, ...kills.faults]).toEqual([]);
    schedules += requests.runs + kills.runs;
  });

  test.each(['conditional writes', 'versions to read back', 'reads without versions'] as const)(
    'F4: under a policy that may refuse, what cannot be told at a source with %s is a CONFLICT that names both values',
    async (name) => {
      const trial = { ...OFFERS[name], kind: 'update', policy: 'mergeFields', attempts: 3, kills: false } as const;
      const { runs, statuses, faults } = await tryEveryWay(trial);
      expect(faults).toEqual([]);
      expect(statuses).toEqual(new Set(['APPLIED', 'CONFLICT', 'REJECTED']));
      schedules += runs;
    },
  );

  test('were tried in thousands of ways', () => {
    expect(schedules).toBeGreaterThan(2_000);
  });
});

describe('a broken rule is seen by the schedules', () => {
  const broken: readonly (readonly [string, string, Trial])[] = [
    [
      'R11: what is in doubt is sent again',
      'applied twice',
      {
        ...OFFERS['versions to read back'],
        kind: 'update',
        attempts: 1,
        kills: false,
        breakRule: ({ store }) => ({ leaveInDoubt: (intent, lookInMs) => store.releaseIntent(intent, lookInMs) }),
      },
    ],
    [
      'F13: requests live longer than the wait',
      'applied twice',
      { facts: { maxRequestLifetimeMs: 0 }, showsVersions: true, kind: 'update', attempts: 1, kills: false },
    ],
    [
      'F4: states are compared without their versions',
      'applied twice',
      {
        ...OFFERS['versions to read back'],
        kind: 'update',
        attempts: 1,
        kills: false,
        breakRule({ source }) {
          source.lies.keepsVersions = true;
          return {};
        },
      },
    ],
    [
      'R11: a source does not keep the idempotency keys that it declares',
      'applied twice',
      {
        ...OFFERS['an idempotency key'],
        kind: 'update',
        attempts: 1,
        kills: false,
        breakRule({ source }) {
          source.lies.forgetsKeys = true;
          return {};
        },
      },
    ],
  ];
  test.each(broken)('%s', async (_rule, fault, trial) => {
    const { faults } = await tryEveryWay(trial);
    expect(faults.some((one) => one.startsWith(fault))).toBe(true);
  });
});
