import { NOWHERE, type Place } from './place.js';

/** What the tabs of a client group must agree on. */
export type Agreed = Pick<Place, 'order' | 'done' | 'ahead'>;

/**
 * Tabs share Replicache's store, and each pulls by itself. Replicache takes the data of the cookie with the greatest `order` for all of them,
 * and cannot bear that it knows of fewer settled mutations than another's. So a pull takes its order here, as the last thing it does, and
 * only if no other pull did since its last round began: then it has all that those had.
 */
export interface Tabs {
  agreed(group: string): Promise<Agreed>;
  /** Puts `next` in the place of what was agreed, if that is still of this order. @returns false: it is not */
  agree(group: string, order: number, next: Agreed): Promise<boolean>;
}

/** Tabs of a browser by `localStorage`; where there is no page, all that runs is in this process. */
export function defaultTabs(): Tabs {
  const page = globalThis as unknown as Page;
  if (page.document === undefined || page.localStorage === undefined) return PROCESS;
  return storedTabs(page.localStorage, page.navigator?.locks);
}

/** What is used of a browser's page; of a secure one only, it has locks. */
interface Page {
  readonly document?: unknown;
  readonly localStorage?: TextStorage;
  readonly navigator?: { readonly locks?: TabLocks };
}

export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export interface TabLocks {
  request<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result>;
}

/** @param locks absent: a step is not interrupted within a tab, and tabs hardly ever take it in the same millisecond */
export function storedTabs(storage: TextStorage, locks?: TabLocks): Tabs {
  const keyOf = (group: string): string => `tidegate-replicache-${group}`;
  const read = (group: string): Agreed =>
    (JSON.parse(storage.getItem(keyOf(group)) ?? 'null') as Agreed | null) ?? NOWHERE;
  return {
    agreed: async (group) => read(group),
    async agree(group, order, next) {
      const step = (): boolean => {
        if (read(group).order !== order) return false;
        storage.setItem(keyOf(group), JSON.stringify({ order: next.order, done: next.done, ahead: next.ahead }));
        return true;
      };
      return locks === undefined ? step() : locks.request(keyOf(group), step);
    },
  };
}

const inProcess = new Map<string, string>();
const PROCESS = storedTabs({
  getItem: (key) => inProcess.get(key) ?? null,
  setItem: (key, value) => void inProcess.set(key, value),
});
