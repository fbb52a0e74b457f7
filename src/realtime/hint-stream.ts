import type { Clock } from '../core/ports.js';

/** "Something for you changed": collection names and a time, never data (R18). */
export interface Hint {
  readonly collections: readonly string[];
  /** ISO 8601 with milliseconds, the gateway's clock. */
  readonly at: string;
}

/** The hints of one listener: what is due merges into the one hint that waits to be taken. */
export interface HintStream {
  offer(collection: string): void;
  end(): void;
  readonly hints: AsyncIterableIterator<Hint>;
}

/**
 * @param windowMs at most one hint in this time: the first goes out at once, the next at the window's end
 * @param onEnd called once, however the stream ends
 */
export function createHintStream(clock: Clock, windowMs: number, onEnd: () => void): HintStream {
  const due = new Set<string>();
  const over = new AbortController();
  const ended: IteratorResult<Hint> = { done: true, value: undefined };
  let wake: (() => void) | null = null;
  let lastSentMs = Number.NEGATIVE_INFINITY;
  let tail: Promise<unknown> = Promise.resolve();

  function end(): void {
    if (over.signal.aborted) return;
    over.abort(new Error('no longer listening'));
    wake?.();
    onEnd();
  }

  async function next(): Promise<IteratorResult<Hint>> {
    while (due.size === 0 && !over.signal.aborted) {
      await new Promise<void>((resolve) => (wake = resolve));
      wake = null;
    }
    const restMs = lastSentMs + windowMs - clock.monotonicMs();
    if (restMs > 0 && !over.signal.aborted) await clock.wait(restMs, over.signal).catch(() => undefined);
    if (over.signal.aborted) return ended;
    const collections = [...due].sort();
    due.clear();
    lastSentMs = clock.monotonicMs();
    return { done: false, value: { collections, at: new Date(clock.nowMs()).toISOString() } };
  }

  return {
    offer(collection) {
      due.add(collection);
      wake?.();
    },
    end,
    hints: {
      [Symbol.asyncIterator]() {
        return this;
      },
      // One after the other, as the contract of iterators has it: two that wait at once get two hints.
      next() {
        const answer = tail.then(next);
        tail = answer;
        return answer;
      },
      return() {
        end();
        return Promise.resolve(ended);
      },
      throw(thrown: unknown) {
        end();
        return Promise.reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    },
  };
}
