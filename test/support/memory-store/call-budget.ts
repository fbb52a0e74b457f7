import type { CallBudget, CallBudgetStore } from '../../../src/core/call-budget-port.js';
import type { Clock } from '../../../src/core/ports.js';

/** The turns of each of a tenant's sources: when each of the last ones was taken. */
export function createCallBudget(clock: Clock): CallBudget {
  const taken = new Map<string, readonly number[]>();
  return {
    async takeTurns(source, { most, windowMs }, atMost) {
      const now = clock.nowMs();
      const recent = (taken.get(source) ?? []).filter((at) => at > now - windowMs);
      const free = Math.min(atMost, Math.max(0, most - recent.length));
      taken.set(source, [...recent, ...Array<number>(free).fill(now)]);
      return { taken: free, waitMs: free > 0 ? 0 : (recent[0] ?? now) + windowMs - now };
    },
  };
}

/** Each tenant's own. */
export function callBudgets(clock: Clock): CallBudgetStore {
  const budgets = new Map<string, CallBudget>();
  return {
    callBudget(tenant) {
      const budget = budgets.get(tenant) ?? createCallBudget(clock);
      budgets.set(tenant, budget);
      return budget;
    },
  };
}
