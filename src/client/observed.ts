/** Ends what began. Safe to repeat. */
export type Stop = () => void;

/** A value that can be looked at and listened to. */
export interface Observed<T> {
  get(): T;
  /** Called with the value now, and whenever it is another one. */
  observe(listener: (value: T) => void): Stop;
}

/** An observed value that its owner sets. */
export interface Cell<T> extends Observed<T> {
  set(value: T): void;
}

/** @param failed is told what a listener throws, which hears nothing more: the owner goes on, and so do the others */
export function createCell<T extends object>(first: T, failed: (thrown: unknown) => void): Cell<T> {
  let value = first;
  const listeners = new Set<{ readonly hear: (value: T) => void }>();
  return {
    get: () => value,
    set(next) {
      if (Object.keys(next).every((name) => next[name as keyof T] === value[name as keyof T])) return;
      value = next;
      for (const own of [...listeners]) {
        try {
          own.hear(value);
        } catch (thrown) {
          listeners.delete(own);
          failed(thrown);
        }
      }
    },
    observe(listener) {
      const own = { hear: listener };
      listeners.add(own);
      listener(value);
      return () => void listeners.delete(own);
    },
  };
}
