const LOOK_EVERY_MS = 20;
const WITHIN_MS = 60_000;

/**
 * Waits for a fact about another process or about time that passes outside of a test.
 *
 * @throws Error naming the fact when it does not come true in time
 */
export async function until(fact: string, look: () => Promise<boolean>, withinMs: number = WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`expected within ${withinMs} ms: ${fact}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
