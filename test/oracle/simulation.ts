import type { Clock } from '../../src/core/ports.js';

/** Where simulated time begins, ms since 1970. */
const BEGIN_MS = Date.UTC(2026, 0, 5, 8);

interface Due {
  readonly atMs: number;
  readonly order: number;
  wake: (() => void) | null;
}

/**
 * Simulated time: whatever waits is woken in the order of its time, one at a time, and everything that needs no time comes to
 * rest before the next. The same schedule gives the same run, to the last turn.
 */
export class Simulation {
  /** What goes on outside of simulated time, and has to end before the next moment begins: the queries of a real database. */
  outside: () => Promise<unknown> | null = () => null;
  private elapsedMs = 0;
  private orders = 0;
  /** A binary heap, the earliest first. */
  private readonly heap: Due[] = [];

  /** Ms since 1970, as the database's clock shows them. */
  nowMs(): number {
    return BEGIN_MS + this.elapsedMs;
  }

  /** Ms since the beginning. */
  get elapsed(): number {
    return this.elapsedMs;
  }

  /** @returns what takes it back */
  after(ms: number, wake: () => void): () => void {
    const due: Due = { atMs: this.elapsedMs + Math.max(0, ms), order: this.orders++, wake };
    this.push(due);
    return () => void (due.wake = null);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** A clock as one process has it: off by `skewMs`, and without an answer once the process is dead. */
  clock(isDead: () => boolean = () => false, skewMs = 0): Clock {
    return {
      nowMs: () => Math.floor(this.nowMs() + skewMs),
      monotonicMs: () => this.elapsedMs,
      wait: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted === true) {
            reject(signal.reason as Error);
            return;
          }
          const stop = (): void => {
            takeBack();
            if (!isDead()) reject(signal?.reason as Error);
          };
          const takeBack = this.after(ms, () => {
            signal?.removeEventListener('abort', stop);
            if (!isDead()) resolve();
          });
          signal?.addEventListener('abort', stop, { once: true });
        }),
    };
  }

  /** Lets so much time pass; `isOver` ends it early. */
  async pass(ms: number, isOver: () => boolean = () => false): Promise<void> {
    const untilMs = this.elapsedMs + ms;
    await this.rest();
    while (!isOver()) {
      const next = this.heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.pop();
      if (next.wake === null) continue;
      this.elapsedMs = next.atMs;
      next.wake();
      await this.rest();
    }
    if (!isOver()) this.elapsedMs = untilMs;
  }

  /** Everything that waits for no time goes on until it does: a turn of the event loop comes after all of it. */
  private async rest(): Promise<void> {
    await turn();
    for (let going = this.outside(); going !== null; going = this.outside()) {
      await going;
      await turn();
    }
  }

  private push(due: Due): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child += 1;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
