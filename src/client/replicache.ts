import type { Puller, Pusher, ReadonlyJSONObject, ReadonlyJSONValue, ReadTransaction } from 'replicache';
import { deviceChance, deviceClock, uuidBy, type ClientChance, type ClientClock } from './client-clock.js';
import type { Fetch, Headers } from './exchange.js';
import { keepHintLine } from './hint-line.js';
import type { HintTransport } from './hints.js';
import { createHttpGateway } from './http-gateway.js';
import { createPortions } from './portions.js';
import { deviceOf, type ClientGroup } from './replicache/client-group.js';
import { changeIdOf, createFateBook, type OnFate } from './replicache/fate-book.js';
import {
  createMutators,
  originOf,
  type EditArguments,
  type EditMutators,
  type HeldRecord,
} from './replicache/mutators.js';
import { createPuller } from './replicache/puller.js';
import { createPusher, PUSH_LIMITS } from './replicache/pusher.js';
import { defaultTabs, type Tabs } from './replicache/tabs.js';
import { DEFAULT_PACE } from './sync-loop.js';

export { recordKey, type Edit, type HeldRecord } from './replicache/mutators.js';
export { type ToldFate } from './replicache/fate-book.js';

/** How Replicache syncs with a gateway. */
export interface ReplicacheSyncOptions<Collection extends string> {
  /** Of the gateway's `/graphql`. */
  readonly url: string;
  /** What is pulled. With another list, of a newer app, all is pulled anew. */
  readonly collections: readonly Collection[];
  /** Credentials of each request, like `authorization`. */
  readonly headers?: Headers;
  /** Absent: none; the app calls `rep.pull()` itself, or Replicache does every `pullInterval`. */
  readonly hints?: HintTransport;
  /**
   * Takes the fate of each edit that is final, parked or unanswered: REJECTED and CONFLICT are the app's to show. It may be called twice
   * with the same one; an edit counts as done only when it returned.
   */
  readonly onFate?: OnFate;
  /** An operator revoked this device for ever: what it held is gone already. Close Replicache and drop its database. */
  readonly onRevoked?: () => void;
  /** Most changes of one page, 1 to 5,000. Absent: 2,500. */
  readonly pageSize?: number;
  /** After which time a request is given up, ms. */
  readonly timeoutMs?: number;
  readonly fetch?: Fetch;
  /** Absent: tabs by localStorage, or one process. Workers of several tabs bring their own. */
  readonly tabs?: Tabs;
  readonly clock?: ClientClock;
  readonly chance?: ClientChance;
}

/** What is used of Replicache. */
interface ReplicacheLike<Collection extends string> {
  readonly clientGroupID: Promise<string>;
  readonly mutate: Readonly<Record<keyof EditMutators<Collection>, (edit: EditArguments) => Promise<void>>>;
  query<Result>(body: (tx: ReadTransaction) => Promise<Result>): Promise<Result>;
  pull(options?: { readonly now?: boolean }): Promise<void>;
  push(options?: { readonly now?: boolean }): Promise<void>;
}

/** Edits as an app makes them. Each resolves when it is kept on the device; its fate comes later. */
export interface Edits<Collection extends string> {
  /** @param id a lower-case UUID, made here unless given. @returns the id, for ever */
  create(collection: Collection, fields: ReadonlyJSONObject, id?: string): Promise<string>;
  /** @param record as the user saw it: the edit is made from that version. @param fields the changed ones only */
  update(collection: Collection, record: SeenRecord, fields: ReadonlyJSONObject): Promise<void>;
  delete(collection: Collection, record: SeenRecord): Promise<void>;
}

/** As much of a record as tells what the user saw. Its fields are left out: what Replicache makes of their type no compiler can follow. */
export type SeenRecord = Pick<HeldRecord, 'id' | 'version'>;

const NO_CREDENTIALS: Headers = () => ({});
/** Replicache takes a pull as a whole: pages only bound what a request that breaks off has to bring again. */
const PAGE_SIZE = 2_500;
/** Well over a push's patience, 2 s unless configured. */
const TIMEOUT_MS = 30_000;

/** The parts for `new Replicache({ name, mutators, puller, pusher })`, and what connects the two. */
export interface ReplicacheSync<Collection extends string> {
  readonly puller: Puller;
  readonly pusher: Pusher;
  readonly mutators: EditMutators<Collection>;
  /** Call it once, right after `new Replicache`: listens for hints, and pulls when something is settled. */
  connect(rep: ReplicacheLike<Collection>): { readonly edits: Edits<Collection>; readonly stop: () => void };
}

/**
 * Pull and push of Replicache (15) by those of a gateway, within the app: the gateway knows nothing of Replicache. A client group is a
 * device, a mutation is a change, and the cookie is the checkpoint with the fates that are not told yet. Give Replicache one `name` per user.
 */
export function createReplicacheSync<Collection extends string>(
  options: ReplicacheSyncOptions<Collection>,
): ReplicacheSync<Collection> {
  const {
    url,
    collections,
    headers = NO_CREDENTIALS,
    hints,
    onFate = () => undefined,
    onRevoked = () => undefined,
  } = options;
  const { pageSize = PAGE_SIZE, timeoutMs = TIMEOUT_MS, fetch = globalThis.fetch } = options;
  const { tabs = defaultTabs(), clock = deviceClock, chance = deviceChance } = options;
  const gateway = createHttpGateway({ url, headers, fetch, clock, timeoutMs });
  const groups = new Map<string, ClientGroup>();
  const unsent = new Set<string>();
  let rep: ReplicacheLike<Collection> | null = null;

  function groupOf(id: string): ClientGroup {
    const portions = createPortions(PUSH_LIMITS, () => clock.nowMs());
    const known = groups.get(id) ?? { id, fates: createFateBook(onFate), portions, generation: 0, epoch: null };
    groups.set(id, known);
    return known;
  }

  /** Replicache tells of faults itself, and tries again. */
  const pullSoon = (): void => void rep?.pull().catch(() => undefined);
  const pushAgain = (): void => void rep?.push().catch(() => undefined);
  const held = async (key: string): Promise<ReadonlyJSONValue | undefined> => rep?.query((tx) => tx.get(key));

  function editsOf(connected: ReplicacheLike<Collection>): Edits<Collection> {
    async function edit(name: keyof EditMutators<Collection>, what: Pick<EditArguments, 'id' | 'base' | 'fields'>) {
      const origin = await connected.query(originOf);
      const mutate: (edit: EditArguments) => Promise<void> = connected.mutate[name];
      await mutate({ ...what, at: new Date(clock.nowMs()).toISOString(), origin });
    }
    return {
      async create(collection, fields, id = uuidBy(chance)) {
        await edit(`${collection}.create`, { id, base: null, fields });
        return id;
      },
      update: (collection, { id, version }, fields) => edit(`${collection}.update`, { id, base: version, fields }),
      delete: (collection, { id, version }) => edit(`${collection}.delete`, { id, base: version }),
    };
  }

  function hintParts(connected: ReplicacheLike<Collection>, transport: HintTransport) {
    const session = async () => {
      const group = groupOf(await connected.clientGroupID);
      const device = deviceOf(group, group.generation);
      return { url: url.replace(/^http/, 'ws'), device, headers: await headers(), collections };
    };
    return { transport, session, clock, chance, connected: () => undefined, hinted: pullSoon };
  }

  return {
    mutators: createMutators(collections, (client, id) => void unsent.add(changeIdOf(client, id))),
    puller: createPuller({ gateway, collections, pageSize, tabs, groupOf, held, pushAgain, onRevoked, clock }),
    pusher: createPusher({ gateway, groupOf, unsent, held, pullSoon, clock }),
    connect(connected) {
      rep = connected;
      const line = hints === undefined ? null : keepHintLine({ ...hintParts(connected, hints), ...DEFAULT_PACE });
      return {
        edits: editsOf(connected),
        stop: () => {
          rep = null;
          line?.stop();
        },
      };
    },
  };
}
