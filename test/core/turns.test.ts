import { createTurns, inTurn } from '../../src/core/turns.js';
import fc from '../support/properties.js';

const USERS = ['nurse', 'doctor', 'flooder'] as const;
type User = (typeof USERS)[number];

/** Somebody comes, or one of those who have a turn gives it back. */
type Step = { readonly comes: User } | { readonly leaves: number };

const steps = fc.array(
  fc.oneof(
    fc.record({ comes: fc.constantFrom(...USERS, 'flooder' as const) }),
    fc.record({ leaves: fc.nat({ max: 50 }) }),
  ),
  { maxLength: 60, size: 'max' },
);

/** Who came and entered, by number of their coming, while the steps are taken. */
async function play(atOnce: number, taken: readonly Step[], look: (at: Table) => void): Promise<void> {
  const turns = createTurns(atOnce);
  const came: User[] = [];
  const entered: number[] = [];
  const under: { readonly one: number; readonly leave: () => void }[] = [];
  for (const step of taken) {
    if ('comes' in step) {
      const one = came.push(step.comes) - 1;
      void turns.enter(step.comes).then((leave) => {
        entered.push(one);
        under.push({ one, leave });
      });
    } else if (under.length > 0) {
      const [left] = under.splice(step.leaves % under.length, 1);
      left?.leave();
      left?.leave();
    }
    await settled();
    look({ came, entered, under: under.map(({ one }) => one), waiting: (user) => turns.waiting(user) });
  }
  while (under.length > 0) {
    under.shift()?.leave();
    await settled();
  }
  // Nobody waits for ever.
  expect(entered.toSorted((a, b) => a - b)).toEqual(came.map((_user, one) => one));
}

interface Table {
  readonly came: readonly User[];
  readonly entered: readonly number[];
  readonly under: readonly number[];
  readonly waiting: (user: User) => number;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('for all patterns of coming and going, of each user as many have a turn as may, those who came first, whatever the others do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, (atOnce, taken) =>
      play(atOnce, taken, ({ came, entered, under, waiting }) => {
        for (const user of USERS) {
          const of = came.flatMap((one, at) => (one === user ? [at] : []));
          const has = under.filter((one) => came[one] === user).length;
          expect(has).toBeLessThanOrEqual(atOnce);
          // A turn stays free only while nobody of that user waits.
          expect(waiting(user)).toBe(of.length - entered.filter((one) => came[one] === user).length);
          expect(has === atOnce || waiting(user) === 0).toBe(true);
          // In the order of coming.
          expect(entered.filter((one) => came[one] === user)).toEqual(of.slice(0, of.length - waiting(user)));
        }
      }),
    ),
    { numRuns: 60 },
  );
});

test('for all floods, who comes with nothing under way is served after at most as many of each other user as may have a turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      steps,
      async (atOnce, places, taken) => {
        const turns = createTurns(atOnce);
        const connections = createTurns(places);
        const served: User[] = [];
        const ends: (() => void)[] = [];
        const read = (user: User): Promise<void> =>
          inTurn(turns.enter(user), () =>
            inTurn(connections.enter('any'), async () => {
              served.push(user);
              await new Promise<void>((resolve) => ends.push(resolve));
            }),
          );
        for (const step of taken) {
          if ('leaves' in step) ends.splice(step.leaves % Math.max(1, ends.length), 1)[0]?.();
          else if (step.comes !== 'nurse') void read(step.comes);
          await settled();
        }
        const before = served.length;
        void read('nurse');
        await settled();
        while (!served.includes('nurse')) {
          ends.shift()?.();
          await settled();
        }
        expect(served.indexOf('nurse') - before).toBeLessThanOrEqual(atOnce * (USERS.length - 1));
      },
    ),
    { numRuns: 60 },
  );
});

test('a turn ends with its work, also when that fails, and nobody has one who was refused', async () => {
  const turns = createTurns(1);
  await expect(inTurn(turns.enter('nurse'), () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  await expect(inTurn(Promise.reject(new Error('too many')), () => Promise.resolve(1))).rejects.toThrow('too many');
  expect(await inTurn(turns.enter('nurse'), () => Promise.resolve('read'))).toBe('read');
});

test('without a limit nobody waits', async () => {
  const turns = createTurns(Infinity);
  await Promise.all(Array.from({ length: 1_000 }, () => turns.enter('developer')));
  expect(turns.waiting('developer')).toBe(0);
});
