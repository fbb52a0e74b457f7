import type { Change } from '../../src/core/change.js';
import type { Collection } from '../../src/core/collection.js';
import type { FeedReader } from '../../src/core/feed-port.js';
import type { ScopeGrant, Session } from '../../src/core/session.js';
import { fullShape } from '../../src/core/shape.js';
import { createPull, type Pull, type PullPage } from '../../src/pull/pull.js';
import { createWorld, PATIENTS, VISITS, type World } from '../contract/store/world.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { changesOf } from './model/device-model.js';
import { priming } from './priming.js';

type PullPorts = Parameters<typeof createPull>[0];

/** A clinic's store in memory, and devices that pull from it. */
export interface PullingClinic {
  readonly world: World;
  readonly store: MemoryStore;
  /** How often a snapshot was read. */
  readonly snapshots: () => number;
  /** A pull over these collections; the clinic has one over visits and patients. */
  open(ports?: Partial<Omit<PullPorts, 'collections'>> & { readonly collections?: readonly string[] }): Promise<Pull>;
  readonly pull: Pull;
  /** One page for the nurse. */
  page(since: string | null, ask?: Ask): Promise<PullPage>;
  /** Pages until `hasMore` is false. */
  round(since: string | null, ask?: Ask): Promise<Round>;
  session(grant: ScopeGrant, who?: Partial<Session>): Session;
}

export interface Ask {
  readonly limit?: number;
  readonly scopes?: readonly string[];
  readonly grant?: ScopeGrant;
  readonly collections?: readonly string[] | null;
  readonly pull?: Pull;
  readonly who?: Partial<Session>;
}

export interface Round {
  readonly pages: readonly PullPage[];
  readonly last: PullPage;
  /** `KIND id` of every change. */
  readonly said: readonly string[];
}

export const SHAPE = fullShape([VISITS, PATIENTS]);

export async function createPullingClinic(): Promise<PullingClinic> {
  const store = createMemoryStore({ clock: createManualClock(), chance: seededChance(7) });
  const world = await createWorld(store);
  let snapshots = 0;
  const counted: FeedReader = {
    ...store,
    snapshot: (tenant, read) => {
      snapshots++;
      return store.snapshot(tenant, read);
    },
  };
  const open: PullingClinic['open'] = ({ collections = [VISITS, PATIENTS], ...ports } = {}) =>
    createPull({
      store: counted,
      collections: collections.map(collectionNamed),
      readPriming: priming(store),
      ...ports,
    });
  const pull = await open();
  const session: PullingClinic['session'] = (grant, who = {}) => ({
    tenant: world.tenant,
    user: world.nurse.user,
    device: world.nurse.device,
    grant,
    ...who,
  });
  const page: PullingClinic['page'] = (since, ask = {}) => {
    const { limit = 1_000, scopes = ['route:1'], collections = null, grant = { kind: 'listed', scopes } } = ask;
    return (ask.pull ?? pull)(session(grant, ask.who), { since, collections, limit, shape: SHAPE });
  };
  return {
    world,
    store,
    snapshots: () => snapshots,
    open,
    pull,
    page,
    session,
    async round(since, ask) {
      const pages = [await page(since, ask)];
      while (pages.at(-1)?.hasMore === true) pages.push(await page(pages.at(-1)?.checkpoint as string, ask));
      return { pages, last: pages.at(-1) as PullPage, said: pages.flatMap(said) };
    },
  };
}

/** The changes of a page in short: `KIND id`. */
export function said(page: PullPage): readonly string[] {
  return changesOf(page).map((change: Change) => `${change.kind} ${change.id}`);
}

export function collectionNamed(name: string): Collection {
  return {
    name,
    type: name,
    source: 'clinic',
    fields: [],
    policy: 'mergeFields',
    writes: { create: true, update: true, delete: true },
    scopesOf: (fields) => [`route:${String(fields['route'])}`],
  };
}
