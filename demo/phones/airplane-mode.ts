import type { Fetch } from 'tidegate/client';
import { webSocketHints, type HintTransport } from 'tidegate/client/hints';

/** The radio of one phone: while it is off, nothing leaves and nothing comes, and what is under way breaks off. */
export interface AirplaneMode {
  readonly fetch: Fetch;
  readonly hints: HintTransport;
  /** Called when the network is back. @returns what ends the listening */
  readonly triggers: (wake: () => void) => () => void;
  isOn(): boolean;
  set(isOn: boolean): void;
}

/** The code of a connection that broke off. */
const BROKEN_OFF = 1006;

/** @param heard told of each hint that came in */
export function createAirplaneMode(heard: (collections: readonly string[]) => void): AirplaneMode {
  let radio = new AbortController();
  const back = new Set<() => void>();
  const overTheAir = webSocketHints();

  return {
    async fetch(url, request) {
      radio.signal.throwIfAborted();
      return fetch(url, { ...request, signal: AbortSignal.any([radio.signal, request.signal]) });
    },
    hints(session, listener, clock) {
      const { signal } = radio;
      if (signal.aborted) {
        queueMicrotask(() => listener.down(BROKEN_OFF));
        return () => undefined;
      }
      const overheard = {
        ...listener,
        hint(collections: readonly string[]) {
          heard(collections);
          listener.hint(collections);
        },
      };
      const hangUp = overTheAir(session, overheard, clock);
      const breakOff = (): void => {
        hangUp();
        listener.down(BROKEN_OFF);
      };
      signal.addEventListener('abort', breakOff, { once: true });
      return () => {
        signal.removeEventListener('abort', breakOff);
        hangUp();
      };
    },
    triggers(wake) {
      back.add(wake);
      return () => back.delete(wake);
    },
    isOn: () => radio.signal.aborted,
    set(isOn) {
      if (isOn) return radio.abort(new TypeError('airplane mode'));
      radio = new AbortController();
      for (const wake of back) wake();
    },
  };
}
