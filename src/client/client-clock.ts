/** Time comes in through this port, so that tests set it. */
export interface ClientClock {
  /** Ms since 1970, as the device shows them. */
  nowMs(): number;
  /** Resolves after `ms`; rejects at once when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Chance comes in through this port: 0 <= n < 1. */
export type ClientChance = () => number;

/** The time of the machine. */
export const deviceClock: ClientClock = {
  nowMs: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(new Error('the wait was ended'));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (signal?.aborted === true) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** The machine's best chance: `crypto` where it is, which React Native has with a polyfill only. */
export const deviceChance: ClientChance = () => {
  const { crypto } = globalThis as { readonly crypto?: { getRandomValues(words: Uint32Array): Uint32Array } };
  return crypto === undefined ? Math.random() : (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 4_294_967_296;
};

/** A UUID (version 4) in lower case. */
export function uuidBy(chance: ClientChance): string {
  const digit = (most: number): string => Math.floor(chance() * most).toString(16);
  return 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'.replace(/[xy]/g, (place) =>
    place === 'x' ? digit(16) : (8 + Math.floor(chance() * 4)).toString(16),
  );
}
