import type { IngestStore } from '../core/ingest-port.js';
import type { Clock } from '../core/ports.js';

/** How many gateways there are is asked this often at most. */
const COUNT_EVERY_MS = 10_000;
/** After nobody took what was given, nothing is given for so long, or until gateways come or go: those that are there may serve other collections. */
const KEEP_MS = 600_000;

/** Which part of all polling is this process's, of all its tenants together, beside the other gateways on the database. */
export interface PollShare {
  /** This process polls the collection, or (false) another one does. */
  note(tenant: string, collection: string, isHere: boolean): void;
  /**
   * Is more polled here than an equal share of all there is? Then the collection counts as given to another gateway. Never throws: a store that does
   * not answer has nothing given.
   */
  give(tenant: string, collection: string): Promise<boolean>;
  /** What was given came back: nobody wanted it. */
  unwanted(): Promise<void>;
}

export function createPollShare({
  store,
  clock,
}: {
  readonly store: Pick<IngestStore, 'countGateways'>;
  readonly clock: Clock;
}): PollShare {
  const places = new Map<string, boolean>();
  let counted: Promise<number> = Promise.resolve(1);
  /** The count before that: one that comes for a moment takes nothing. */
  let before = 1;
  let countedAtMs = Number.NEGATIVE_INFINITY;
  /** Nothing is given meanwhile; null: what is too much is. */
  let keeping: { readonly untilMs: number; readonly beside: number } | null = null;

  /** Of the last two counts the smaller one. */
  async function gateways(): Promise<number> {
    if (clock.monotonicMs() - countedAtMs >= COUNT_EVERY_MS) {
      countedAtMs = clock.monotonicMs();
      before = await counted;
      counted = store.countGateways().catch(() => 1);
    }
    return Math.min(before, await counted);
  }

  return {
    note(tenant, collection, isHere) {
      places.set(placeOf(tenant, collection), isHere);
    },
    async give(tenant, collection) {
      const count = await gateways();
      if (keeping?.beside !== count || clock.monotonicMs() >= keeping.untilMs) keeping = null;
      if (keeping !== null) return false;
      const share = Math.ceil(places.size / count);
      const here = [...places.values()].filter((isHere) => isHere).length;
      const place = placeOf(tenant, collection);
      const isGiven = here > share && places.get(place) === true;
      if (isGiven) places.set(place, false);
      return isGiven;
    },
    async unwanted() {
      keeping = { untilMs: clock.monotonicMs() + KEEP_MS, beside: await gateways() };
    },
  };
}

function placeOf(tenant: string, collection: string): string {
  return JSON.stringify([tenant, collection]);
}
