import type { Plan, Step } from './plan.js';

/**
 * A smaller plan that still fails: steps are taken away in ever smaller portions while what is left fails, then the noise.
 *
 * @param fails does this plan still show the fault?
 */
export async function minimise(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let smallest = plan;
  for (let portion = Math.ceil(plan.steps.length / 2); ; portion = Math.ceil(portion / 2)) {
    let at = 0;
    while (at < smallest.steps.length) {
      const fewer = { ...smallest, steps: without(smallest.steps, at, portion) };
      if (await fails(fewer)) smallest = fewer;
      else at += portion;
    }
    if (portion === 1) break;
  }
  for (const kind of ['trouble', 'loss', 'storeFault', 'delay'] as const) {
    const quieter = { ...smallest, noise: { ...smallest.noise, [kind]: 0 } };
    if (smallest.noise[kind] > 0 && (await fails(quieter))) smallest = quieter;
  }
  return smallest;
}

/** What is left happens when it happened before. */
function without(steps: readonly Step[], at: number, count: number): readonly Step[] {
  const gapMs = steps.slice(at, at + count).reduce((sum, step) => sum + step.gapMs, 0);
  const next = steps[at + count];
  const after = next === undefined ? [] : [{ ...next, gapMs: next.gapMs + gapMs }];
  return [...steps.slice(0, at), ...after, ...steps.slice(at + count + 1)];
}

/** The kind of a breach: what it begins with, without names and numbers. */
export function kindOf(breach: string): string {
  return (/^\([^)]+\) \D{0,12}|^\D{0,12}/.exec(breach)?.[0] ?? breach).trim();
}
