/** Most of these moments (ms, in order) within any one second. */
export function mostPerSecond(atMs: readonly number[]): number {
  let most = 0;
  let from = 0;
  atMs.forEach((ms, at) => {
    while ((atMs[from] as number) <= ms - 1_000) from += 1;
    most = Math.max(most, at - from + 1);
  });
  return most;
}
