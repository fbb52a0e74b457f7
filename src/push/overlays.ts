import type { RecordId } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { forgiving, layerOf, nextState } from '../core/overlay.js';
import type { Clock, Log } from '../core/ports.js';
import type { RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';

/** The name of a record. */
interface RecordName {
  readonly collection: string;
  readonly id: RecordId;
}

/** Shows accepted changes that must wait to every device (lazy overlay, specification part 4). */
export interface Overlays {
  /**
   * Takes the overlays of these records' open intents. A record that moves meanwhile is tried again; what is settled by then
   * needs none. Never throws: what could not be shown now is found by a later look.
   */
  show(names: readonly RecordName[]): Promise<void>;
  /** Begins to look for intents whose push ended without showing them, since its process did. */
  start(): void;
  stop(): Promise<void>;
}

/** Records shown in one commit. */
const MOST_AT_ONCE = 200;
/** Times that a record is decided again because it moved meanwhile. */
const MAX_DECISIONS = 5;
const LOOK_EVERY_MS = 1_000;
/** A push that is still in its patience shows its own intents; this much later nobody does. */
const GRACE_MS = 1_000;

export function createOverlays(
  ports: {
    readonly store: Pick<RecordStore, 'readRecords' | 'commit' | 'readUnshown'>;
    readonly references: ReferenceMap;
    readonly clock: Clock;
    readonly log: Log;
  },
  options: { readonly tenant: string; readonly collections: readonly Collection[]; readonly patienceMs: number },
): Overlays {
  const { store, references, clock, log } = ports;
  const { tenant } = options;
  const shown = options.collections.filter(({ visibility }) => visibility !== 'confirmed');
  const collections = new Map(shown.map((collection) => [collection.name, collection]));
  const stopping = new AbortController();
  let loop: Promise<void> | null = null;

  async function showSome(names: readonly RecordName[]): Promise<void> {
    let left = names;
    for (let decisions = 0; left.length > 0 && decisions < MAX_DECISIONS; decisions++) {
      const views = await store.readRecords(tenant, left);
      const writes = (await Promise.all(views.map(showing))).filter((write) => write !== null);
      if (writes.length === 0) return;
      const outcomes = await store.commit(tenant, writes);
      left = writes.filter((_, at) => outcomes[at]?.kind === 'stale');
    }
  }

  async function showing(view: RecordView): Promise<RecordWrite | null> {
    const collection = collections.get(view.collection);
    const hidden = view.intents.filter((intent) => intent.seq === null);
    if (collection === undefined || hidden.length === 0) return null;
    const mapping = await references.mappingOf(tenant, collection, view, null);
    const intents = view.intents.map((intent) => ({ ...intent, seq: intent.seq ?? view.seq }));
    return {
      collection: view.collection,
      id: view.id,
      expected: { seq: view.seq, mark: view.mark },
      next: nextState(forgiving(collection), layerOf(view), intents, mapping),
      shown: hidden.map((intent) => intent.intentNo),
    };
  }

  /** @returns whether the store took part */
  async function show(names: readonly RecordName[]): Promise<boolean> {
    const unique = new Map(names.map((name) => [`${name.collection} ${name.id}`, name]));
    const all = [...unique.values()].filter(({ collection }) => collections.has(collection));
    try {
      for (let at = 0; at < all.length; at += MOST_AT_ONCE) await showSome(all.slice(at, at + MOST_AT_ONCE));
      return true;
    } catch (thrown) {
      log.warn('accepted changes could not be shown yet', { tenant, reason: String(thrown) });
      return false;
    }
  }

  /** @returns whether there is more that can be shown now */
  async function look(): Promise<boolean> {
    const olderThanMs = options.patienceMs + GRACE_MS;
    const limit = MOST_AT_ONCE;
    const found = await store.readUnshown({ tenant, collections: [...collections.keys()], olderThanMs, limit });
    return (await show(found)) && found.length === limit;
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      let hasMore = false;
      try {
        hasMore = await look();
      } catch (thrown) {
        log.warn('the outbox could not be looked through for what is not shown yet', { reason: String(thrown) });
      }
      if (!hasMore) await clock.wait(LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  }

  return {
    async show(names) {
      await show(names);
    },
    start() {
      if (collections.size > 0) loop ??= work();
    },
    async stop() {
      stopping.abort(new Error('the overlays are stopping'));
      await loop;
    },
  };
}
