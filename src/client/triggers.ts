import type { Stop } from './observed.js';

/**
 * What makes it worth to try at once: the network is back, or the app is in front again.
 *
 * @param wake may be called as often as it likes
 * @returns what ends the listening
 */
export type Triggers = (wake: () => void) => Stop;

interface EventSource {
  addEventListener?(name: string, listener: () => void): void;
  removeEventListener?(name: string, listener: () => void): void;
}

/** The events of a page: `online`, and that it is shown. Nothing where there are none: React Native's app gives its own. */
export const pageTriggers: Triggers = (wake) => {
  const page = globalThis as unknown as EventSource & {
    readonly document?: EventSource & { readonly visibilityState: string };
  };
  const { document } = page;
  const shown = (): void => {
    if (document?.visibilityState === 'visible') wake();
  };
  page.addEventListener?.('online', wake);
  document?.addEventListener?.('visibilitychange', shown);
  return () => {
    page.removeEventListener?.('online', wake);
    document?.removeEventListener?.('visibilitychange', shown);
  };
};
