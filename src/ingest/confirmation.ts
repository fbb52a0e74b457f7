import type { SourceKey } from '../core/change.js';
import { RecordMisfit } from '../core/misfit.js';
import type { RecordView } from '../core/record-port.js';
import type { Observation, SourceCollection } from '../core/source-port.js';
import { isPastDeleteLimit } from './delete-limit.js';
import { commitFenced } from './fenced-commit.js';
import { ingestBatch, RECHECK_AGAIN_MS, type BatchContext, type IngestPorts } from './ingest.js';
import { readToken } from './observed-batches.js';
import { askCanary, isObservation, readEach, type Answer } from './keyed-reads.js';
import { noteGone } from './told-gone.js';
import { mayLag, tombstone } from '../core/tombstone.js';
import { isDeletable } from './deletable.js';

/** What reading keys again came to. */
export interface Confirmed {
  /** Found, and different from what was known. */
  readonly changed: number;
  readonly deleted: number;
  /** Gone at the source, but past the limit of the hour: the collection is HELD. */
  readonly held: number;
  /** Neither found nor proven to be gone: they stay on the recheck list, or are candidates of the next scan. */
  readonly undecided: number;
}

/** Keys that are gone but past the limit, have a parked change, do not fit, or are the only ones are read again after this long: somebody looks first. */
const HELD_AGAIN_MS = 600_000;

/**
 * Reads records by their keys and believes what the source says of each: found ones are ingested; gone ones are deleted if,
 * behind their 404s, a record that is known to be alive still answers and they are 404 once more (F7), and if the limit of the
 * hour allows it (R14). An answer that does not come leaves its record as it is.
 *
 * @param alive keys that were seen alive lately, the newest last
 * @throws FenceLost - another node took over
 */
export async function readAgain(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  keys: readonly SourceKey[],
  alive: readonly SourceKey[],
  context: BatchContext,
  signal: AbortSignal,
): Promise<Confirmed> {
  const { store } = ports;
  const { name } = source.collection;
  const token = await readToken(ports, tenant);
  // Before the reads: whatever happens to a record from here on makes its deletion stale.
  const views = await store.readBySourceKey(tenant, name, keys);
  const answers = await readEach(source, keys, signal);
  const shown = [...answers.values()].filter(isObservation);
  const found = shown.filter((one) => one.fields !== null);
  // A record that answers with the flag of its deletion needs no canary: it is the source's own word.
  const flagged = shown.filter((one) => one.fields === null);
  const absent = [...answers].flatMap(([key, answer]) => (answer === 'absent' ? [key] : []));
  noteGone(
    context,
    absent.map((sourceKey) => ({ sourceKey, fields: null })),
  );
  // It is there, and nothing of it is believed: it waits in quarantine, and on the recheck list if it was on it (F6).
  const misfits = [...answers.values()].flatMap((one) => (one instanceof RecordMisfit ? [one.record] : []));
  const isMisfit = new Set(misfits.map((one) => one.sourceKey));
  await context.quarantine.see({ observations: shown, misfits }, 'read.one');
  const counts = await ingestBatch(ports, tenant, source, { observations: found }, token, context);

  const isKnown = (key: SourceKey): boolean => isAlive(views.get(key));
  const gone = absent.filter(isKnown);
  // Seen once, held, and not kept yet: the cursor is past them, so that a blank answer that is believed would lose them.
  const awaited = absent.filter((key) => !isKnown(key) && context.awaiting.has(key));
  const doubted = [...gone, ...awaited];
  const lately = [...alive, ...keysOf(found)];
  const canary = doubted.length === 0 ? 'nobody' : await askCanary(ports, tenant, source, doubted, lately, signal);
  // Once more: an outage that ended between the 404 and the canary would have made both of them.
  const goneStill = canary === 'answers' ? await readEach(source, doubted, signal) : new Map<SourceKey, Answer>();
  const proven = [...keysOf(flagged).filter(isKnown), ...gone.filter((key) => goneStill.get(key) === 'absent')];
  const deletable = proven
    .map((key) => views.get(key))
    .filter(isDeletable)
    .filter((view) => !mayLag(source.facts, view, token.askedMs));
  const isHeld =
    deletable.length > 0 && (await isPastDeleteLimit(ports, tenant, name, deletable.length, context.reading));
  const isGone = new Set([...gone, ...proven]);
  const unknown = [...absent, ...keysOf(flagged)].filter((key) => !isKnown(key));
  const claimed = await claimedKeys(ports, tenant, name, unknown);
  const unsure = new Set(awaited.filter((key) => goneStill.get(key) !== 'absent'));
  const forgotten = unknown.filter((key) => !claimed.has(key) && !unsure.has(key));
  const isLeft = (key: SourceKey): boolean => !answers.has(key) || isGone.has(key) || isMisfit.has(key);
  const deleted = await commitJudgement(ports, tenant, name, context, {
    deletions: isHeld ? [] : deletable,
    held: isHeld ? deletable.length : 0,
    forgotten,
    undecided: undecidedOf(
      keys.filter((key) => isLeft(key) || claimed.has(key) || unsure.has(key)),
      views,
      isMisfit,
      canary === 'nobody' ? unsure : NO_KEYS,
    ),
  });
  await context.quarantine.release(isHeld ? forgotten : [...forgotten, ...keysOfViews(deletable)]);
  const settled = forgotten.length + deleted + (isHeld ? deletable.length : 0);
  return {
    changed: counts.changed,
    deleted,
    held: isHeld ? deletable.length : 0,
    undecided: keys.length - found.length - settled,
  };
}

/**
 * Of keys that no record had before they were read: those that one has by now, and all of them while a create is under way that may
 * have made it. What ended before its beginning was known must be looked at again (F9).
 */
async function claimedKeys(
  { store }: IngestPorts,
  tenant: string,
  collection: string,
  keys: readonly SourceKey[],
): Promise<ReadonlySet<SourceKey>> {
  if (keys.length === 0) return new Set();
  // In this order: a create that settles in between has its record then.
  const { inFlight } = await store.readCreates(tenant, collection);
  if (inFlight) return new Set(keys);
  const marks = await store.readHashes(tenant, collection, keys);
  return new Set(keys.filter((key) => marks.get(key)?.deleted === false));
}

const NO_KEYS: ReadonlySet<SourceKey> = new Set();

interface Judgement {
  readonly deletions: readonly RecordView[];
  readonly held: number;
  /** Gone, and not known here either: nothing is left to look at. */
  readonly forgotten: readonly SourceKey[];
  /** To be read again later, those of `deletions` excepted. */
  readonly undecided: readonly {
    readonly sourceKey: SourceKey;
    readonly isParked: boolean;
    readonly isMisfit: boolean;
    /** Nothing else is known to be alive that could tell a deletion from a source that shows nothing. */
    readonly isAlone: boolean;
  }[];
}

function undecidedOf(
  keys: readonly SourceKey[],
  views: ReadonlyMap<SourceKey, RecordView>,
  misfits: ReadonlySet<SourceKey>,
  alone: ReadonlySet<SourceKey>,
): Judgement['undecided'] {
  return keys.map((sourceKey) => ({
    sourceKey,
    isParked: views.get(sourceKey)?.intents.some((intent) => intent.state === 'PARKED') ?? false,
    isMisfit: misfits.has(sourceKey),
    isAlone: alone.has(sourceKey),
  }));
}

/** @returns how many deletions were written; one that came back stale is on the recheck list (R16) */
async function commitJudgement(
  ports: IngestPorts,
  tenant: string,
  collection: string,
  context: BatchContext,
  { deletions, held, forgotten, undecided }: Judgement,
): Promise<number> {
  const deleting = new Set(deletions.map((view) => view.sourceKey));
  const dropRechecks = [...forgotten, ...deleting].filter((key): key is SourceKey =>
    context.awaiting.has(key as SourceKey),
  );
  const addRechecks = undecided
    .filter(({ sourceKey }) => context.awaiting.has(sourceKey) && !deleting.has(sourceKey))
    .map(({ sourceKey, isParked, isMisfit, isAlone }) => {
      const restMs = held > 0 || isParked || isMisfit || isAlone ? HELD_AGAIN_MS : RECHECK_AGAIN_MS;
      const reason = isMisfit ? 'it does not fit' : held > 0 ? 'its deletion is held' : 'its end is not confirmed';
      return { sourceKey, reason, notBeforeMs: ports.clock.nowMs() + restMs };
    });
  if (deletions.length + held + dropRechecks.length + addRechecks.length === 0) return 0;
  const outcomes = await commitFenced(ports, tenant, deletions.map(tombstone), context, {
    collection,
    ...(held === 0 ? {} : { state: 'HELD' }),
    ...(addRechecks.length === 0 ? {} : { addRechecks }),
    ...(dropRechecks.length === 0 ? {} : { dropRechecks }),
  });
  return outcomes.filter((outcome) => outcome.kind === 'written').length;
}

/** Does its source have it, as far as is known? What only devices see yet is not its to lose. */
function isAlive(view: RecordView | undefined): boolean {
  return view !== undefined && view.body !== null && !view.deleted;
}

function keysOfViews(views: readonly RecordView[]): readonly SourceKey[] {
  return views.flatMap(({ sourceKey }) => (sourceKey === null ? [] : [sourceKey]));
}

function keysOf(observations: readonly Observation[]): readonly SourceKey[] {
  return observations.map((one) => one.sourceKey);
}
