import type { PulledChange, PulledPage } from './gateway.js';
import type { HeldRecord, RecordName, StoreWrites, SyncRead, SyncState } from './local-store.js';
import { isApplied, nameOf, type OutboxEntry } from './outbox-entry.js';
import { askedAgain, ofNewDevice, outboxWrites, takeFates, withoutEffected } from './push-rules.js';

/** What a page was asked with. */
export interface AskedPage {
  readonly since: string | null;
  /** ChangeIds that were final by then. */
  readonly final: ReadonlySet<string>;
}

/** A page as it is to be written. */
export interface TakenPage {
  readonly writes: StoreWrites;
  /** Entries that were told something new. */
  readonly told: readonly OutboxEntry[];
}

/**
 * What a page makes of a device, in one transaction with its checkpoint. Null: the device does not stand any more where the page
 * goes on, and nothing of it may be applied.
 */
export function takePage(
  { entries, state }: SyncRead & { readonly state: SyncState },
  asked: AskedPage,
  page: PulledPage,
  nowMs: number,
  newId: () => string,
): TakenPage | null {
  if (state.checkpoint !== asked.since) return null;
  // Somebody else's records and edits are nobody's to see here (F24).
  const isWiped = page.resetReason === 'OTHER_USER';
  // The user's device was silent for too long: whether a repeat is one, nobody could tell any more (F11).
  const isEvicted = page.resetReason === 'DEVICE_EVICTED';
  const begins = page.reset || asked.since === null;
  const generation = state.generation + (begins ? 1 : 0);
  const told: OutboxEntry[] = [];
  let after: readonly OutboxEntry[] = isWiped ? [] : entries;
  if (isEvicted) {
    const renewed = ofNewDevice(after);
    after = renewed.entries;
    told.push(...renewed.told);
  } else if (begins) {
    // Receipts may have been forgotten together with the tombstones: a repeat is the other way to learn a fate.
    after = askedAgain(after);
  }
  const received = takeFates(after, page.receipts, true, newId);
  after = received.entries;
  told.push(...received.told);
  if (after.some(isApplied)) after = withoutEffected(after, effectsIn(page, asked.final));

  const isStale = state.isStale || page.reset;
  const { records, seen, gone } = sorted(page, generation);
  return {
    told,
    writes: {
      isWiped,
      state: {
        ...state,
        device: isEvicted ? newId() : state.device,
        checkpoint: page.checkpoint,
        epoch: page.epoch,
        generation,
        isStale: isStale && page.hasMore,
        lastSyncedAtMs: page.hasMore ? state.lastSyncedAtMs : nowMs,
      },
      records,
      gone,
      seen: { names: seen, generation },
      ...(isStale && !page.hasMore ? { sweepBelow: generation } : {}),
      ...outboxWrites(entries, after),
    },
  };
}

/**
 * Is the effect of a change here, once this page is? A state of its record has it that names it, that came with its receipt or behind it,
 * or, in the last page of a round, that was asked for when it was known: those before may have been read ahead. Without such a state the
 * end of a round has it that equals one snapshot. Nothing else does: an older state may be held, and the next one far behind. After a restore of
 * the gateway any state may be from before what was sent in the epoch before (F5).
 */
function effectsIn(page: PulledPage, final: AskedPage['final']): (entry: OutboxEntry) => boolean {
  const taken = page.changes.filter(({ kind, json }) => kind !== 'UPSERT' || json !== null);
  const states = new Map(taken.map((change) => [nameOf(change), change]));
  return (entry) => {
    const state = states.get(nameOf(entry));
    const isKnown = entry.hasReceipt || (!page.hasMore && final.has(entry.changeId));
    const isEnd = !page.hasMore && page.complete;
    const isLater = state !== undefined && entry.sentEpoch === page.epoch;
    return (isKnown && (isEnd || isLater)) || state?.mine?.includes(entry.changeId) === true;
  };
}

/** The place of a device that begins again: what it holds is stale until it comes again (F25); unsent edits stay. */
export function beginningAgain({ entries, state }: SyncRead & { readonly state: SyncState }): StoreWrites {
  return {
    state: { ...state, checkpoint: null, generation: state.generation + 1, isStale: true },
    ...outboxWrites(entries, askedAgain(entries)),
  };
}

function sorted(page: PulledPage, generation: number) {
  const records: HeldRecord[] = [];
  const seen: RecordName[] = [];
  const gone: RecordName[] = [];
  for (const { collection, id, version, kind, pending, json } of lastOfEach(page.changes)) {
    if (kind !== 'UPSERT') gone.push({ collection, id });
    // Its body cannot be read now: what is held of it stays, in a reset too (F29).
    else if (json === null) seen.push({ collection, id });
    else records.push({ collection, id, version, fields: json, isPending: pending, generation });
  }
  return { records, seen, gone };
}

/** A record that left one scope and entered another is in one page twice: what came last is what it is. */
function lastOfEach(changes: readonly PulledChange[]): Iterable<PulledChange> {
  if (changes.every(({ kind }) => kind === 'UPSERT')) return changes;
  return new Map(changes.map((change) => [nameOf(change), change])).values();
}
