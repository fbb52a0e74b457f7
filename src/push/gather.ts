/**
 * Joins calls that wait together into one: while one call is under way the next ones gather, so that nothing waits when
 * nothing else is under way. What made a joint call fail is told to each of its callers.
 *
 * @param most items of one joint call
 */
export function gather<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  most: number,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    // Callers of this very turn of the event loop go together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const group = waiting.slice(0, most);
      waiting = waiting.slice(most);
      try {
        const results = await run(group.map((one) => one.item));
        group.forEach((one, at) => one.resolve(results[at] as Result));
      } catch (thrown) {
        for (const one of group) one.reject(thrown);
      }
    }
    isRunning = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isRunning) return;
      isRunning = true;
      void drain();
    });
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (thrown: unknown) => void;
}
