import type { RecordName } from './local-store.js';
import type { Stop } from './observed.js';
import { nameOf } from './outbox-entry.js';
import { isSame } from './overlay.js';

/** A question to the store whose answer is told whenever it is another one. */
interface LiveQuery {
  readonly collection: string;
  /** Null: any record of the collection concerns it. */
  readonly id: string | null;
  readonly run: () => void;
}

/** Everything that is being looked at. */
export interface LiveQueries {
  /**
   * Tells the answer now, and again whenever it differs; an own edit that comes back from the gateway differs in nothing (R5).
   *
   * @param id the one record that concerns it; null: any of the collection
   */
  observe<T>(
    name: { readonly collection: string; readonly id: string | null },
    ask: () => Promise<T>,
    listener: (answer: T) => void,
  ): Stop;
  /** These records may be other ones now; null: all may. */
  changed(names: readonly RecordName[] | null): void;
  stop(): void;
}

/** @param failed is told what a question or a listener throws */
export function createLiveQueries(failed: (thrown: unknown) => void): LiveQueries {
  const queries = new Set<LiveQuery>();
  return {
    observe(name, ask, listener) {
      let isRunning = false;
      let isDue = false;
      let last: { readonly answer: Awaited<ReturnType<typeof ask>> } | null = null;
      const tell = async (): Promise<void> => {
        if (isRunning) return;
        isRunning = true;
        while (isDue && queries.has(query)) {
          isDue = false;
          try {
            const answer = await ask();
            if (!queries.has(query) || (last !== null && isSame(last.answer, answer))) continue;
            last = { answer };
            listener(answer);
          } catch (thrown) {
            failed(thrown);
          }
        }
        // In the same turn in which it found nothing due: what comes a moment later begins anew.
        isRunning = false;
      };
      const query: LiveQuery = {
        ...name,
        run() {
          isDue = true;
          void tell();
        },
      };
      queries.add(query);
      query.run();
      return () => void queries.delete(query);
    },
    changed(names) {
      if (queries.size === 0) return;
      // No collection's name looks like that of a record.
      const moved = new Set(names?.flatMap((name) => [name.collection, nameOf(name)]));
      for (const { collection, id, run } of [...queries])
        if (names === null || moved.has(id === null ? collection : nameOf({ collection, id }))) run();
    },
    stop: () => queries.clear(),
  };
}
