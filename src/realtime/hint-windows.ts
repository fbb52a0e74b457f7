import type { Clock } from '../core/ports.js';

/** "Something for you changed": collection names and a time, never data (R18). */
export interface Hint {
  readonly collections: readonly string[];
  /** ISO 8601 with milliseconds, the gateway's clock. */
  readonly at: string;
}

/** The time of one device in which it is hinted once at most. */
export interface HintWindow {
  /** When the next hint may go; by the clock that never goes back. */
  freeAtMs: number;
}

/** Somebody who is told when its window is over. */
export interface Asking {
  readonly window: HintWindow;
  /** May be told now. */
  release(): void;
}

/** When devices may be hinted: the first hint goes at once, the next ones as one, at the end of the window. */
export interface HintWindows {
  open(): HintWindow;
  /** Once for what is due; answered by `release`, by the next `flush` at the earliest. */
  ask(asking: Asking): void;
  /** Releases all whose window is over: after a commit everybody whom it concerns has asked. */
  flush(): void;
  /**
   * A hint of these names, now; begins the window anew. One object for all who are told the same in the same millisecond, so that what is made of it is made
   * once: a hint holds nothing that is for one device alone.
   */
  take(window: HintWindow, names: ReadonlySet<string>): Hint;
  close(): void;
}

/** @param windowMs at most one hint of a device in this time */
export function createHintWindows(clock: Clock, windowMs: number): HintWindows {
  const closing = new AbortController();
  let free: Asking[] = [];
  /** By the time at which their windows end; those who were told together come together again. */
  const later = new Map<number, Asking[]>();
  let madeAtMs = Number.NaN;
  let made = new Map<string, Hint>();

  function flush(): void {
    const released = free;
    free = [];
    for (const asking of released) asking.release();
  }

  async function releaseAt(atMs: number): Promise<void> {
    // A timer may be a fraction of a millisecond early.
    for (;;) {
      const restMs = atMs - clock.monotonicMs();
      if (restMs <= 0) break;
      await clock.wait(restMs, closing.signal);
    }
    free.push(...(later.get(atMs) ?? []));
    later.delete(atMs);
    flush();
  }

  return {
    open: () => ({ freeAtMs: Number.NEGATIVE_INFINITY }),
    ask(asking) {
      const { freeAtMs } = asking.window;
      if (freeAtMs <= clock.monotonicMs()) {
        free.push(asking);
        return;
      }
      const waiting = later.get(freeAtMs);
      if (waiting !== undefined) {
        waiting.push(asking);
        return;
      }
      later.set(freeAtMs, [asking]);
      releaseAt(freeAtMs).catch(() => undefined);
    },
    flush,
    take(window, names) {
      const nowMs = clock.nowMs();
      if (nowMs !== madeAtMs) {
        madeAtMs = nowMs;
        made = new Map();
      }
      window.freeAtMs = Math.ceil(clock.monotonicMs()) + windowMs;
      const collections = [...names].sort();
      const key = collections.join(' ');
      const known = made.get(key);
      if (known !== undefined) return known;
      const hint = { collections, at: new Date(nowMs).toISOString() };
      made.set(key, hint);
      return hint;
    },
    close() {
      closing.abort(new Error('nobody is hinted any more'));
      later.clear();
    },
  };
}
