/** The calls to one source that may run at once, given in the order in which they were asked for. */
export interface CallSlots {
  /** Waits for a slot; false: no call is to be begun any more. */
  take(): Promise<boolean>;
  /** Gives a taken slot back. */
  give(): void;
  /** Slots that nobody holds or waits for; negative while some wait. */
  free(): number;
  /** Nobody who waits gets a slot any more. */
  close(): void;
}

/** @param concurrency calls that may run at once, >= 1 */
export function createCallSlots(concurrency: number): CallSlots {
  let held = 0;
  let isClosed = false;
  let waiting: ((isTaken: boolean) => void)[] = [];
  let next = 0;

  return {
    take() {
      if (isClosed) return Promise.resolve(false);
      if (held < concurrency) {
        held += 1;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    give() {
      const first = waiting[next];
      if (first === undefined) {
        held -= 1;
        return;
      }
      next += 1;
      // Shifting an array of thousands moves all of them.
      if (next > 1_000 || next === waiting.length) {
        waiting = waiting.slice(next);
        next = 0;
      }
      first(true);
    },
    free: () => concurrency - held - (waiting.length - next),
    close() {
      isClosed = true;
      for (const resolve of waiting.slice(next)) resolve(false);
      waiting = [];
      next = 0;
    },
  };
}
