import type { Asking, Hint, HintWindow, HintWindows } from './hint-windows.js';

/** The hints of one listener: what is due merges into the one hint that waits to be taken. */
export interface HintStream {
  /** @param atMs when it was committed, by the clock that never goes back */
  offer(collection: string, atMs: number): void;
  end(): void;
  readonly hints: AsyncIterableIterator<Hint>;
}

const ENDED: IteratorResult<Hint> = { done: true, value: undefined };

/**
 * @param options.window shared by the listeners of a device
 * @param options.onSent how long ago what a hint tells was committed, once whoever took the hint comes for the next one
 * @param options.onEnd called once, however the stream ends
 */
export function createHintStream(options: {
  readonly windows: HintWindows;
  readonly window: HintWindow;
  readonly onSent: (sinceMs: number) => void;
  readonly onEnd: () => void;
}): HintStream {
  const { windows, window, onSent, onEnd } = options;
  let due: Set<string> | null = null;
  let dueSinceMs = 0;
  let sendingSinceMs: number | null = null;
  let isReleased = false;
  let isOver = false;
  /** Who waits for a hint. Two that wait at once get two hints, as the contract of iterators has it. */
  const takers: ((result: IteratorResult<Hint>) => void)[] = [];

  const asking: Asking = {
    window,
    release() {
      if (due === null) return;
      isReleased = true;
      giveOut();
    },
  };

  function giveOut(): void {
    if (!isReleased || due === null) return;
    const taker = takers.shift();
    if (taker === undefined) return;
    const value = windows.take(window, due);
    isReleased = false;
    due = null;
    sendingSinceMs = dueSinceMs;
    taker({ done: false, value });
  }

  function end(): void {
    if (isOver) return;
    isOver = true;
    due = null;
    for (const taker of takers.splice(0)) taker(ENDED);
    onEnd();
  }

  return {
    offer(collection, atMs) {
      if (isOver) return;
      if (due !== null) {
        due.add(collection);
        return;
      }
      due = new Set([collection]);
      dueSinceMs = atMs;
      windows.ask(asking);
    },
    end,
    hints: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next() {
        if (sendingSinceMs !== null) onSent(sendingSinceMs);
        sendingSinceMs = null;
        if (isOver) return Promise.resolve(ENDED);
        return new Promise((resolve) => {
          takers.push(resolve);
          giveOut();
        });
      },
      return() {
        end();
        return Promise.resolve(ENDED);
      },
      throw(thrown: unknown) {
        end();
        return Promise.reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    },
  };
}
