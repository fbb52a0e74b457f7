import type { AskedPollStore } from '../core/asked-poll-port.js';
import type { SourceKey } from '../core/change.js';
import type { FeedReader } from '../core/feed-port.js';
import type { Clock, HashText, Log } from '../core/ports.js';
import type { IngestStore, Restated } from '../core/ingest-port.js';
import type { OperatorStore } from '../core/operator-port.js';
import type { CommitContext, Recheck, RecordMark, RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import type { ReadingChange } from '../core/reading.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { Collection } from '../core/collection.js';
import type { Observation, ObservedBatch, SourceCollection } from '../core/source-port.js';
import { keyGivenUp, tombstone } from '../core/tombstone.js';
import { isOlderVersion } from '../core/version-order.js';
import { isPastDeleteLimit } from './delete-limit.js';
import { commitFenced } from './fenced-commit.js';
import { readHolding } from './held-observations.js';
import type { ObservationToken } from './observed-batches.js';
import type { Quarantine } from './quarantine.js';
import {
  appearance,
  hasScopes,
  movement,
  observedState,
  restatement,
  type ObservedState,
} from '../core/observed-state.js';
import { firstId, idsAgain } from './record-ids.js';
import type { SeenPages } from './seen-pages.js';
import { laggingForMs, staleReason } from './staleness.js';
import { noteGone, ofToldGone, type ToldGone } from './told-gone.js';
import { isDeletable } from './deletable.js';

/** What ingest needs of the store. */
export type IngestPorts = {
  readonly store: Pick<FeedReader, 'readHead'> &
    RecordStore &
    IngestStore &
    Pick<AskedPollStore, 'readAsked' | 'noteAnswered'> &
    Pick<OperatorStore, 'askScan'>;
  readonly clock: Clock;
  readonly hash: HashText;
  readonly log: Log;
  readonly references: ReferenceMap;
  readonly pages: SeenPages;
};

/** What all batches of a round share. */
export interface BatchContext {
  /** The poller's lease: every commit is made under it (R16). */
  readonly fence: NonNullable<CommitContext['fence']>;
  /** Keys on the recheck list: an observation that is applied or found equal takes them off it (F6). */
  readonly awaiting: ReadonlySet<SourceKey>;
  readonly quarantine: Quarantine;
  /** What was told to be gone while a scan goes on beside polls. Absent: none does. */
  readonly toldGone?: ToldGone;
  /** What changed in how the collection is read. Absent: nothing. */
  readonly reading?: ReadingChange;
}

/** What became of a batch. */
export interface IngestCounts {
  readonly observed: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Could not be applied yet: on the recheck list. */
  readonly rechecked: number;
  readonly deleted: number;
  /** Flagged as deleted, but past the limit of the hour: the collection is HELD. */
  readonly held: number;
  /** Shown in an older version than was known: the source may have been restored from a backup. */
  readonly older: number;
}

/** A key is read again after this long: the write that made its observation stale has settled by then. */
const RECHECK_AFTER_MS = 1_000;
/** And after this long if that was not enough. */
export const RECHECK_AGAIN_MS = 5_000;

/**
 * Brings one batch of observations into the feed: those equal to the last known source state make no change (R17), stale
 * ones go to the recheck list (R15), and changes, rechecks and cursor are one transaction under the poller's fence (R16). A
 * record flagged as deleted is read again by its key, or deleted where the source has no such read (R14). Safe to repeat.
 *
 * @throws FenceLost - another node took over
 */
export async function ingestBatch(
  ports: IngestPorts,
  tenant: string,
  source: Pick<SourceCollection, 'collection' | 'facts'>,
  batch: ObservedBatch,
  token: ObservationToken,
  context: BatchContext,
): Promise<IngestCounts> {
  const { collection } = source;
  noteGone(context, batch.observations);
  const sorted = await sortOut(ports, tenant, source, batch.observations, token, context);
  const applied = new Set([...sorted.settled, ...sorted.writes.map((write) => write.next?.sourceKey)]);
  const dropRechecks = [...context.awaiting].filter((key) => applied.has(key));
  const { writes, rechecks } = sorted;
  notePage(ports, collection, batch, sorted);
  let stale = 0;
  if (writes.length + rechecks.length + dropRechecks.length + sorted.held > 0 || batch.cursor !== undefined) {
    const outcomes = await commitFenced(ports, tenant, writes, context, {
      collection: collection.name,
      ...(batch.cursor === undefined ? {} : { cursor: batch.cursor }),
      ...(sorted.held === 0 ? {} : { state: 'HELD' }),
      ...(rechecks.length === 0 ? {} : { addRechecks: rechecks }),
      ...(dropRechecks.length === 0 ? {} : { dropRechecks }),
    });
    // The store has put them on the recheck list.
    stale = outcomes.filter((outcome, at) => outcome.kind !== 'written' && writes[at]?.next !== undefined).length;
    const doubted = ofToldGone(context, sorted.appeared, ports.clock.nowMs());
    const ingest = { collection: collection.name, addRechecks: doubted };
    if (doubted.length > 0) await commitFenced(ports, tenant, [], context, ingest);
  }
  const deleted = writes.filter((write) => write.next?.deleted === true).length;
  return {
    observed: batch.observations.length,
    changed: writes.filter((write) => write.next !== undefined).length - deleted - stale,
    unchanged: sorted.settled.length,
    rechecked: rechecks.length + stale,
    deleted,
    held: sorted.held,
    older: sorted.older,
  };
}

/** Remembers a page of which every record is there, fits, and is as known. */
function notePage(
  { pages }: IngestPorts,
  { name }: Collection,
  { digest, observations, misfits = [] }: ObservedBatch,
  { settled, writes, marks }: Sorted,
): void {
  const isAsKnown = misfits.length + writes.length === 0 && settled.length === observations.length;
  if (digest !== undefined && isAsKnown && marks.size === settled.length) pages.note(name, digest, marks);
}

interface Sorted {
  /** What was known, where every observation is as known; else nothing. */
  readonly marks: ReadonlyMap<SourceKey, RecordMark>;
  readonly writes: readonly RecordWrite[];
  /** Keys of `writes` that no record had. */
  readonly appeared: readonly SourceKey[];
  /** Equal to what is known, or gone as known: nothing is left to look at. */
  readonly settled: readonly SourceKey[];
  readonly rechecks: readonly Recheck[];
  readonly held: number;
  readonly older: number;
}

const NOTHING_SORTED: Sorted = {
  marks: new Map(),
  writes: [],
  appeared: [],
  settled: [],
  rechecks: [],
  held: 0,
  older: 0,
};

async function sortOut(
  ports: IngestPorts,
  tenant: string,
  source: Pick<SourceCollection, 'collection' | 'facts'>,
  observations: readonly Observation[],
  token: ObservationToken,
  context: BatchContext,
): Promise<Sorted> {
  const { store, clock } = ports;
  const { collection, facts } = source;
  // A key twice in a batch: the later one was read later.
  const latest = new Map(observations.map((one) => [one.sourceKey, one]));
  if (latest.size === 0) return NOTHING_SORTED;
  const [marks, { floor }] = await Promise.all([
    store.readHashes(tenant, collection.name, [...latest.keys()]),
    store.readCollection(tenant, collection.name),
  ]);
  const settled: SourceKey[] = [];
  const writes: RecordWrite[] = [];
  const rechecks: Recheck[] = [];
  const unknown: ObservedState[] = [];
  const different: ObservedState[] = [];
  const flagged: SourceKey[] = [];
  const unknownGone: SourceKey[] = [];
  let older = 0;
  // Scopes follow from a rule that may be another one now, also where nothing else of a record differs.
  const scopes =
    context.reading?.isAnew === true ? await store.readScopes(tenant, collection.name, [...latest.keys()]) : null;
  const isPlaced = (one: ObservedState): boolean => hasScopes(collection, one, marks, scopes);
  const again = (sourceKey: SourceKey, reason: string, afterMs: number): void => {
    const restMs = afterMs > 0 && context.awaiting.has(sourceKey) ? Math.max(RECHECK_AGAIN_MS, afterMs) : afterMs;
    rechecks.push({ sourceKey, reason, notBeforeMs: clock.nowMs() + restMs });
  };
  for (const observation of latest.values()) {
    const { sourceKey, sourceVersion, fields } = observation;
    const mark = marks.get(sourceKey);
    if (fields === null && (mark === undefined || mark.deleted)) {
      if (mark === undefined) unknownGone.push(sourceKey);
      else if (mark.inFlight) again(sourceKey, 'it is being made again', RECHECK_AFTER_MS);
      else settled.push(sourceKey);
      continue;
    }
    const stale = staleReason(facts, mark, token, floor);
    if (stale === null && mark !== undefined && isOlderVersion(sourceVersion, mark.sourceVersion)) older += 1;
    if (stale !== null) again(sourceKey, stale, RECHECK_AFTER_MS);
    else if (fields === null) {
      if (facts.readOne) again(sourceKey, 'flagged as deleted', 0);
      else if (facts.deletions === 'flag' || facts.deletions === 'feed' || facts.isFiltered === true)
        flagged.push(sourceKey);
    } else {
      const one = observedState(ports.hash, collection, { ...observation, fields });
      if (mark === undefined) unknown.push(one);
      else if (mark.hash !== one.hash || mark.deleted || !isPlaced(one)) different.push(one);
      else {
        settled.push(sourceKey);
        if (mark.sourceVersion !== sourceVersion)
          writes.push({ collection: collection.name, id: mark.id, expected: mark, sourceVersion });
      }
    }
  }
  // It may be the record of a create that is still under way: then its end comes before its beginning (F9).
  const isMaking = unknownGone.length > 0 && (await store.readCreates(tenant, collection.name)).inFlight;
  if (!isMaking) settled.push(...unknownGone);
  else for (const key of unknownGone) again(key, 'a create is in flight', RECHECK_AFTER_MS);
  if (unknown.length + different.length + flagged.length === 0)
    return { ...NOTHING_SORTED, marks, writes, settled, rechecks, older };

  const holding = await readHolding(ports, tenant, source, unknown, different);
  const isHeld = (one: ObservedState, reason: string | null): boolean => {
    if (reason !== null) again(one.observation.sourceKey, reason, RECHECK_AFTER_MS);
    return reason !== null;
  };
  const appearing = unknown.filter((one) => !isHeld(one, holding.ofUnknown(one) ?? holding.ofReferences(one)));
  const moving = different.filter((one) => !isHeld(one, holding.ofReferences(one)));
  const keys = [...moving.map(({ observation }) => observation.sourceKey), ...flagged];
  const views = keys.length === 0 ? NO_VIEWS : await store.readBySourceKey(tenant, collection.name, keys);
  // What moved between the two reads was decided on another state: it would come back stale anyway.
  const viewOf = (key: SourceKey): RecordView | undefined => {
    const view = views.get(key);
    const mark = marks.get(key);
    return view !== undefined && view.seq === mark?.seq && view.mark === mark.mark ? view : undefined;
  };
  const reborn = new Map<SourceKey, RecordView>();
  const restatements: Restated[] = [];
  for (const one of moving) {
    const { sourceKey } = one.observation;
    const view = viewOf(sourceKey);
    const restMs = view === undefined ? null : laggingForMs(facts, view, one, token, clock.nowMs());
    if (view === undefined) again(sourceKey, 'moved while it was decided', 0);
    else if (restMs !== null) again(sourceKey, 'the source may still show what was before our write', restMs);
    else if (view.deleted && facts.keysReused !== false) {
      reborn.set(sourceKey, view);
      appearing.push(one);
    } else {
      const restated = isPlaced(one) ? restatement(collection, view, one, holding.mapping) : null;
      if (restated === null) writes.push(movement(collection, view, one, holding.mapping));
      else {
        restatements.push(restated);
        settled.push(sourceKey);
        if (view.sourceVersion !== one.observation.sourceVersion)
          writes.push({
            collection: collection.name,
            id: view.id,
            expected: view,
            sourceVersion: one.observation.sourceVersion,
          });
      }
    }
  }
  await store.restate(tenant, collection.name, restatements);
  if (reborn.size > 0) await commitFenced(ports, tenant, [...reborn.values()].map(keyGivenUp), context);
  const ids = await idsAgain(store, tenant, collection.name, keysOfStates(appearing), reborn, context.awaiting);
  for (const one of appearing) {
    const id = ids.get(one.observation.sourceKey) ?? firstId(one.observation.sourceKey);
    writes.push(appearance(collection, one, id, holding.mapping));
  }
  let held = 0;
  const gone = flagged.map(viewOf).filter(isDeletable);
  if (gone.length > 0 && (await isPastDeleteLimit(ports, tenant, collection.name, gone.length, context.reading)))
    held = gone.length;
  else writes.push(...gone.map(tombstone));
  return { ...NOTHING_SORTED, writes, appeared: keysOfStates(appearing), settled, rechecks, held, older };
}

function keysOfStates(states: readonly ObservedState[]): readonly SourceKey[] {
  return states.map(({ observation }) => observation.sourceKey);
}

const NO_VIEWS: ReadonlyMap<SourceKey, RecordView> = new Map();
