import type { World } from './world.js';

const LONG_MS = 600_000;

/** The turns of a source that limits its calls. */
export function budgetPromises(begin: () => Promise<World>): void {
  test('as many turns are taken as are wanted and left; then it says how long none is', async () => {
    const { store, tenant } = await begin();
    const budget = store.callBudget(tenant);
    const source = 'erp';
    const rate = { most: 5, windowMs: LONG_MS };
    expect(await budget.takeTurns(source, rate, 3)).toEqual({ taken: 3, waitMs: 0 });
    expect(await budget.takeTurns(source, rate, 3)).toEqual({ taken: 2, waitMs: 0 });
    const { taken, waitMs } = await budget.takeTurns(source, rate, 3);
    expect(taken).toBe(0);
    expect(waitMs).toBeGreaterThan(LONG_MS / 2);
    expect(waitMs).toBeLessThanOrEqual(LONG_MS);
  });

  test('what was taken before the window counts no more', async () => {
    const { store, tenant } = await begin();
    const budget = store.callBudget(tenant);
    const source = 'erp';
    await budget.takeTurns(source, { most: 2, windowMs: LONG_MS }, 2);
    expect(await budget.takeTurns(source, { most: 2, windowMs: 0 }, 1)).toEqual({ taken: 1, waitMs: 0 });
  });

  test('whoever asks at the same time: together they get no more than there are', async () => {
    const { store, tenant } = await begin();
    const budget = store.callBudget(tenant);
    const source = 'erp';
    const asking = Array.from({ length: 12 }, () => budget.takeTurns(source, { most: 17, windowMs: LONG_MS }, 4));
    const taken = (await Promise.all(asking)).map((one) => one.taken);
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(17);
    expect(Math.max(...taken)).toBe(4);
  });

  test('sources do not share', async () => {
    const { store, tenant } = await begin();
    const budget = store.callBudget(tenant);
    const rate = { most: 1, windowMs: LONG_MS };
    for (const source of ['erp', 'crm']) {
      expect(await budget.takeTurns(source, rate, 9)).toEqual({ taken: 1, waitMs: 0 });
    }
  });

  test('tenants do not share the turns of sources of one name', async () => {
    const rate = { most: 1, windowMs: LONG_MS };
    for (const { store, tenant } of [await begin(), await begin()]) {
      expect(await store.callBudget(tenant).takeTurns('erp', rate, 9)).toEqual({ taken: 1, waitMs: 0 });
    }
  });
}
