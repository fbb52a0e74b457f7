import type { RecordId, Seq } from '../core/change.js';
import type { KeepingStore, OwedBody } from '../core/keeping.js';
import { forgiving, layerOf, nextState } from '../core/overlay.js';
import type { Chance } from '../core/ports.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import { readLive, type LiveBody, type LiveCollection, type LivePorts } from './live-bodies.js';

/** Brings records again whose bodies could not be shown when they were pulled (F29). Harmless on several nodes at once. */
export interface OwedBodies {
  start(): void;
  /** One look at what is due: for tests and tools. @throws SyncError UNAVAILABLE */
  look(): Promise<void>;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
/** Bodies looked for in one look at a collection. */
const MOST_AT_ONCE = 100;
/** What its source does not show as it is known here is for the next poll, or a recheck, to bring; after this long it is looked at again. */
const DIFFERENT_AGAIN_MS = 30_000;
/** So is what cannot be read. */
const UNREAD_AGAIN_MS = 5_000;
const MOVED_AGAIN_MS = 0;

/** What is to be done about an owed body. */
type Next = 'settled' | 'touch' | 'different' | 'unread';

export function createOwedBodies(
  ports: LivePorts & {
    readonly chance: Chance;
    readonly store: Pick<RecordStore, 'readRecords' | 'commit'> &
      Pick<KeepingStore, 'dueBodies' | 'deferBodies' | 'settleBodies'>;
  },
  options: { readonly tenant: string; readonly live: readonly LiveCollection[] },
): OwedBodies {
  const { store, clock, chance, log } = ports;
  const { tenant } = options;
  const stopping = new AbortController();
  let loop: Promise<void> | null = null;

  async function lookAt(one: LiveCollection): Promise<void> {
    // Whoever is down is not asked record by record; its guard says when a call may find out.
    if (one.source.isDown()) return;
    const { name } = one.kept;
    const due = await store.dueBodies(tenant, name, MOST_AT_ONCE);
    if (due.length === 0) return;
    const named = due.map(({ collection, id }) => ({ collection, id: id as RecordId }));
    const views = await store.readRecords(tenant, named);
    const open = views.filter((view, at) => isStillOwed(view, due[at] as OwedBody));
    const bodies = await readLive(
      ports,
      one,
      open.flatMap(({ sourceKey }) => sourceKey ?? []),
    );
    const by: Record<Next, { readonly owed: OwedBody; readonly view: RecordView }[]> = {
      settled: [],
      touch: [],
      different: [],
      unread: [],
    };
    due.forEach((owed, at) => {
      const view = views[at] as RecordView;
      const next = isStillOwed(view, owed) ? nextOf(view, bodies.get(view.sourceKey as never)) : 'settled';
      by[next].push({ owed, view });
    });
    await touch(one, by.touch);
    await recheck(
      name,
      by.different.map(({ view }) => view),
    );
    await store.settleBodies(tenant, by.settled.map(numberOf));
    await store.deferBodies(tenant, by.different.map(numberOf), DIFFERENT_AGAIN_MS * (1 + chance()));
    await store.deferBodies(tenant, by.unread.map(numberOf), UNREAD_AGAIN_MS * (1 + chance()));
  }

  /** The same state under a new seq: everybody in its scopes is told of it again, and can read it now. */
  async function touch(
    { kept }: LiveCollection,
    ready: readonly { readonly owed: OwedBody; readonly view: RecordView }[],
  ): Promise<void> {
    if (ready.length === 0) return;
    const writes = ready.map(({ view }) => ({
      collection: view.collection,
      id: view.id,
      expected: { seq: view.seq, mark: view.mark },
      next: nextState(forgiving(kept), layerOf(view), view.intents),
    }));
    const outcomes = await store.commit(tenant, writes);
    const isDone = (at: number): boolean => outcomes[at]?.kind === 'written';
    // A process that ends here has brought them twice.
    await store.settleBodies(tenant, ready.filter((_, at) => isDone(at)).map(numberOf));
    await store.deferBodies(tenant, ready.filter((_, at) => !isDone(at)).map(numberOf), MOVED_AGAIN_MS);
    log.info('records come again with their bodies', { collection: kept.name, records: outcomes.length });
  }

  /** What the source shows otherwise is ingest's to see: a deletion takes more proof than one read (R14). */
  async function recheck(collection: string, views: readonly RecordView[]): Promise<void> {
    const addRechecks = views.flatMap(({ sourceKey }) =>
      sourceKey === null
        ? []
        : [{ sourceKey, reason: 'its body was not as it is known here', notBeforeMs: clock.nowMs() }],
    );
    if (addRechecks.length > 0) await store.commit(tenant, [], { ingest: { collection, addRechecks } });
  }

  async function look(): Promise<void> {
    for (const one of options.live) await lookAt(one);
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look().catch((thrown: unknown) =>
        log.warn('owed bodies could not be looked for, trying again', { reason: String(thrown) }),
      );
      await clock.wait(LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  }

  return {
    look,
    start() {
      if (options.live.length > 0) loop ??= work();
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await loop;
    },
  };
}

/** A later state has a place of its own in the feed, and is owed by itself if its body cannot be shown. */
function isStillOwed(view: RecordView, { seq }: OwedBody): boolean {
  return !view.deleted && view.aliasOf === null && view.body !== null && view.seq <= (seq as Seq);
}

function nextOf(view: RecordView, body: LiveBody | undefined): Next {
  if (body?.kind === 'shown') return body.hash === view.hash ? 'touch' : 'different';
  return body?.kind === 'gone' ? 'different' : 'unread';
}

function numberOf({ owed }: { readonly owed: OwedBody }): number {
  return owed.owedNo;
}
