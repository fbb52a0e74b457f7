import { Replicache } from 'replicache';
import { WebSocket } from 'ws';
import { webSocketHints } from '../../src/client/hints.js';
import { createReplicacheSync, type HeldRecord, type ToldFate } from '../../src/client/replicache.js';

/** A phone with a Replicache of its own, its data in memory. */
export interface ReplicacheReplica {
  readonly rep: Replicache;
  /** Fates as the app was told them, in order. */
  readonly fates: readonly ToldFate[];
  /** True once the app was told that its device is revoked. */
  readonly isRevoked: boolean;
  edit(id: string, fields: Partial<VisitFields>): Promise<void>;
  /** What the app shows: visits by id. */
  all(): Promise<ReadonlyMap<string, HeldRecord>>;
  note(id: string): Promise<unknown>;
  /** What waits for its fate. */
  pending(): Promise<number>;
  /** Pushes, then pulls. @returns did it come through, as Replicache sees it */
  sync(): Promise<boolean>;
  close(): Promise<void>;
}

interface VisitFields {
  readonly note: string | null;
  readonly route: string;
}

const MINUTE_MS = 60_000;
let opened = 0;

/**
 * @param options.name those of the same name are tabs of one phone, while one of them is open
 * @param options.hears listens for hints
 */
export function openReplicacheReplica(options: {
  readonly urlOf: () => string;
  readonly name?: string;
  readonly hears?: boolean;
  readonly pageSize?: number;
}): ReplicacheReplica {
  const { urlOf, name = `phone-${(opened += 1)}`, hears = false, pageSize = 1_000 } = options;
  const fates: ToldFate[] = [];
  let isRevoked = false;
  const sync = createReplicacheSync({
    url: `${urlOf()}/graphql`,
    collections: ['visits'],
    onFate: (fate) => void fates.push(fate),
    onRevoked: () => (isRevoked = true),
    pageSize,
    ...(hears ? { hints: webSocketHints(WebSocket) } : {}),
  });
  const { mutators, puller, pusher } = sync;
  const rep = new Replicache({
    name,
    mutators,
    puller,
    pusher,
    kvStore: 'mem',
    logSinks: [],
    // What a test does not ask for does not happen in between.
    pushDelay: hears ? 1 : MINUTE_MS,
    pullInterval: null,
    requestOptions: { minDelayMs: 10, maxDelayMs: hears ? 50 : MINUTE_MS },
  });
  rep.onClientStateNotFound = null;
  rep.onUpdateNeeded = null;
  const { edits, stop } = sync.connect(rep);

  async function all(): Promise<ReadonlyMap<string, HeldRecord>> {
    const held = await rep.query((tx) => tx.scan({ prefix: 'visits/' }).values().toArray());
    return new Map((held as unknown as readonly HeldRecord[]).map((visit) => [visit.id, visit]));
  }

  async function seen(id: string): Promise<HeldRecord> {
    const visit = (await all()).get(id);
    if (visit === undefined) throw new Error(`expected the replica to hold ${id}`);
    return visit;
  }

  return {
    rep,
    fates,
    get isRevoked() {
      return isRevoked;
    },
    edit: async (id, fields) => edits.update('visits', await seen(id), fields),
    all,
    note: async (id) => (await all()).get(id)?.fields['note'],
    pending: async () => (await rep.experimentalPendingMutations()).length,
    async sync() {
      await Promise.allSettled([rep.push({ now: true })]);
      await Promise.allSettled([rep.pull({ now: true })]);
      return rep.online;
    },
    async close() {
      stop();
      await rep.close();
    },
  };
}
