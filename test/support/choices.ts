/** Picks one of `options` ways to go on: 0 <= choice < options. */
export type Choose = (options: number) => number;

/**
 * Runs something once for every way that its choices can go, depth first: what is chosen later may depend on what was chosen
 * before. Deterministic, if the run is.
 *
 * @returns how many runs there were
 */
export async function runEveryWay(run: (choose: Choose) => Promise<void>): Promise<number> {
  let prefix: readonly number[] = [];
  for (let runs = 1; ; runs++) {
    const taken: { readonly choice: number; readonly options: number }[] = [];
    await run((options) => {
      const choice = prefix[taken.length] ?? 0;
      taken.push({ choice, options });
      return choice;
    });
    let last = taken.pop();
    while (last !== undefined && last.choice + 1 === last.options) last = taken.pop();
    if (last === undefined) return runs;
    prefix = [...taken.map(({ choice }) => choice), last.choice + 1];
  }
}
