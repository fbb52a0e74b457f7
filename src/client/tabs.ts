import type { LocalStore, RecordName } from './local-store.js';

/** The tabs of a browser that share one store. */
export interface Tabs {
  /** Runs work while no other tab does. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Tells the others what may be shown differently now; null: everything. */
  tell(names: readonly RecordName[] | null): void;
  close(): void;
}

interface Channel {
  onmessage: ((event: { readonly data: readonly RecordName[] | null }) => void) | null;
  postMessage(names: readonly RecordName[] | null): void;
  close(): void;
}

interface Browser {
  readonly navigator?: { readonly locks?: { request<T>(name: string, work: () => Promise<T>): Promise<T> } };
  readonly BroadcastChannel?: new (name: string) => Channel;
}

/** With Web Locks and a BroadcastChannel where the browser has them. A store that nobody shares needs neither. */
export function openTabs(store: LocalStore, heard: (names: readonly RecordName[] | null) => void): Tabs {
  const { navigator, BroadcastChannel } = globalThis as unknown as Browser;
  const name = `tidegate ${store.sharedAs}`;
  const locks = store.sharedAs === null ? undefined : navigator?.locks;
  const channel = store.sharedAs === null || BroadcastChannel === undefined ? null : new BroadcastChannel(name);
  if (channel !== null) channel.onmessage = ({ data }) => heard(data);
  return {
    alone: (work) => (locks === undefined ? work() : locks.request(name, work)),
    tell: (names) => channel?.postMessage(names?.map(({ collection, id }) => ({ collection, id })) ?? null),
    close: () => channel?.close(),
  };
}
