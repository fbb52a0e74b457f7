import type { RecordId } from '../core/change.js';
import { retryDelayMs } from '../core/intent.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { CommitContext, RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Fates } from './fates.js';
import { wasForgotten } from './noted-call.js';
import { settleParked } from './settle.js';
import { settleTakenKey } from './taken-key.js';

/** Writes what became of an intent, and tells who waits for it. A lost fence ends silently: another holder acts. */
export interface Settling {
  /** One try. @returns false when the record moved, or its key is another record's: decide again. */
  once(intent: LeasedIntent, view: RecordView, write: RecordWrite): Promise<boolean>;
  /**
   * For what has happened already: written on whatever the record is by then, and repeated while the store is away, until
   * it is kept or the fence is lost. A repeat after a commit whose answer was lost finds the fence gone.
   *
   * @param source where a create may be answered with the key of another record (F9); absent: it is no create
   * @throws SyncError UNAVAILABLE - the store is away and `stopping` is aborted
   */
  untilDone(
    intent: LeasedIntent,
    view: RecordView,
    build: (view: RecordView) => Promise<RecordWrite> | RecordWrite,
    source?: Pick<SourceCollection, 'collection' | 'facts'>,
  ): Promise<void>;
}

export function createSettling(
  ports: {
    readonly store: RecordStore;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
    readonly fates: Fates;
    readonly references: ReferenceMap;
  },
  options: {
    readonly stopping: AbortSignal;
    /** An intent is settled: whoever waits for it may go on. `hasNext`: its lane has a next intent. */
    wakeDependants(intent: LeasedIntent, hasNext: boolean): void;
  },
): Settling {
  const { store, clock, chance, log, fates } = ports;

  async function write(
    intent: LeasedIntent,
    view: RecordView,
    one: RecordWrite,
  ): Promise<'done' | 'stale' | { readonly takenBy: RecordId }> {
    const [outcome] = await store.commit(intent.tenant, [one], readOnceMore(intent, one));
    if (outcome?.kind === 'stale') return 'stale';
    if (outcome?.kind === 'keyTaken') return { takenBy: outcome.by };
    if (outcome?.kind !== 'written' || one.settlement === undefined) return 'done';
    const { status, error } = one.settlement;
    fates.tell(intent.intentNo, { status, error });
    // Exact: whoever joined the lane meanwhile would have made this write stale. A parked intent holds its lane.
    if (status !== 'PARKED') options.wakeDependants(intent, view.intents.length > 1);
    return 'done';
  }

  /**
   * While nobody remembered a call of the change (F5), what others made of its record was taken in, and may be newer than what settles it: it
   * is read once more (F6). A key that is another record's is put on that list by the commit itself.
   */
  function readOnceMore(intent: LeasedIntent, { next, settlement }: RecordWrite): CommitContext {
    const key = next?.sourceKey ?? null;
    if (settlement?.inEffect !== true || key === null || !wasForgotten(intent)) return {};
    const recheck = { sourceKey: key, reason: 'nobody remembered what was sent', notBeforeMs: clock.nowMs() };
    return { ingest: { collection: intent.collection, addRechecks: [recheck] } };
  }

  async function readAgain(intent: LeasedIntent): Promise<RecordView> {
    const [view] = await store.readRecords(intent.tenant, [{ collection: intent.collection, id: intent.id }]);
    return view as RecordView;
  }

  /** @returns null when all is to be built again */
  async function takenKey(
    intent: LeasedIntent,
    view: RecordView,
    failed: RecordWrite,
    by: RecordId,
    source: Parameters<Settling['untilDone']>[3],
  ): Promise<RecordWrite | null> {
    if (source === undefined || view.sourceKey !== null) {
      return settleParked(view, intent, 'the source answered with the key of another record');
    }
    const instead = await settleTakenKey(ports, source, intent.tenant, failed, by);
    return typeof instead === 'string' ? null : instead;
  }

  return {
    once: async (intent, view, one) => (await write(intent, view, one)) === 'done',
    async untilDone(intent, seen, build, source) {
      let isSeen = true;
      let view = seen;
      for (let failures = 0; ;) {
        try {
          if (!isSeen) view = await readAgain(intent);
          const one = await build(view);
          let outcome = await write(intent, view, one);
          if (typeof outcome === 'object') {
            const instead = await takenKey(intent, view, one, outcome.takenBy, source);
            outcome = instead === null ? 'stale' : await write(intent, view, instead);
          }
          if (outcome === 'done') return;
          isSeen = false;
        } catch (thrown) {
          if (options.stopping.aborted) throw thrown;
          failures += 1;
          log.warn('a settled change is not kept yet', { intentNo: intent.intentNo, failures, reason: String(thrown) });
          await clock.wait(retryDelayMs(failures, chance()), options.stopping);
          isSeen = false;
        }
      }
    },
  };
}
