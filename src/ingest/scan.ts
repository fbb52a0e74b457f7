import type { SourceKey } from '../core/change.js';
import type { SourceCollection, SourceFacts } from '../core/source-port.js';
import { readAgain } from './confirmation.js';
import { isPastDeleteLimit } from './delete-limit.js';
import { commitFenced } from './fenced-commit.js';
import { ingestBatch, type BatchContext, type IngestPorts } from './ingest.js';
import { knownStates } from './known-states.js';
import { observedBatches, readToken, type ObservationToken } from './observed-batches.js';
import { mayLag, tombstone } from '../core/tombstone.js';
import { isDeletable } from './deletable.js';

/** Candidates confirmed, or deleted, in portions of this many. */
const PORTION = 500;
/** Known keys are compared with the seen ones in portions of this many. */
const KEYS_PORTION = 5_000;
/** Keys of the scan's end that serve as canaries. */
const ALIVE_KEPT = 3;

/** What a full scan found. */
export interface ScanResult {
  readonly observed: number;
  readonly changed: number;
  readonly deleted: number;
  /** Records that the scan did not show and that were not deleted, and why not. */
  readonly kept: { readonly count: number; readonly reason: KeptReason };
  /** Nothing that was missing is left to be decided on: absences may be compared with this set from now on. */
  readonly isSettled: boolean;
}

export type KeptReason = 'none' | 'not observable' | 'mass delete' | 'not confirmed';

/**
 * Reads the whole collection, ingests what differs by hash, and finds what is gone by R14: a complete scan, candidates that
 * were known before it began and have no open intent, a confirming read of each with a canary behind them, or, where nothing can be read
 * by key, the whole collection once more, and the mass-delete limit. A scan that throws half-way has found no deletion. Safe to repeat.
 *
 * @throws SyncError SOURCE_UNAVAILABLE - the scan was not complete; VALIDATION - too much of what it read does not fit
 * @throws FenceLost - another node took over
 */
export async function scanCollection(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  context: BatchContext,
  signal: AbortSignal,
): Promise<ScanResult> {
  const { store, clock } = ports;
  const { collection } = source;
  const begun = await readToken(ports, tenant);
  const pass = await readThrough(ports, tenant, source, context, signal);
  const gone = await candidates(ports, tenant, source, begun, pass.shown);
  const end = await deleteGone(ports, tenant, source, { begun, gone, pass }, context, signal);
  await endQuarantine(ports, tenant, source, pass, context, signal);
  const nowMs = clock.nowMs();
  const isHeld = pass.held > 0 || end.kept.reason === 'mass delete';
  const polled = source.facts.changes === 'list' ? { polledAtMs: nowMs } : {};
  const progress = { collection: collection.name, scannedAtMs: nowMs, ...polled };
  await store.commit(tenant, [], {
    fence: context.fence,
    ingest: { ...progress, state: isHeld ? 'HELD' : 'READY' },
  });
  const isSettled = !isHeld && end.kept.reason !== 'not confirmed';
  const sum = { changed: pass.changed + end.changed, deleted: pass.deleted + end.deleted };
  return { ...end, ...sum, observed: pass.observed, isSettled };
}

/** The whole collection, read once and ingested. */
interface Pass {
  readonly observed: number;
  readonly changed: number;
  readonly deleted: number;
  readonly held: number;
  readonly shown: ReadonlySet<SourceKey>;
  /** The last living ones: canaries. */
  readonly alive: readonly SourceKey[];
  /** Records in quarantine that it did not show. */
  readonly unseenMisfits: readonly SourceKey[];
}

async function readThrough(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  context: BatchContext,
  signal: AbortSignal,
  isProof = false,
): Promise<Pass> {
  const sum = { observed: 0, changed: 0, deleted: 0, held: 0 };
  const shown = new Set<SourceKey>();
  const alive: SourceKey[] = [];
  const read = context.quarantine.beginRead('read.list');
  const known = knownStates(ports, tenant, source.collection.name, context);
  ports.pages.beginScan(source.collection.name);
  const scan = source.scan(signal, isProof, known);
  for await (const { token, batch } of observedBatches(ports, tenant, scan, signal)) {
    const { unchanged = [] } = batch;
    // What is flagged was shown too: its deletion is decided with its batch. So was what does not fit: it is there.
    for (const one of [...batch.observations, ...(batch.misfits ?? [])]) shown.add(one.sourceKey);
    for (const key of unchanged) shown.add(key);
    const living = batch.observations.filter((one) => one.fields !== null).map((one) => one.sourceKey);
    alive.push(...[...unchanged, ...living].slice(-ALIVE_KEPT));
    alive.splice(0, Math.max(0, alive.length - ALIVE_KEPT));
    const counts = await ingestBatch(ports, tenant, source, await read.see(batch), token, context);
    sum.observed += counts.observed + unchanged.length;
    sum.changed += counts.changed;
    sum.deleted += counts.deleted;
    sum.held += counts.held;
  }
  read.end();
  return { ...sum, shown, alive, unseenMisfits: read.unseen() };
}

/** Records that were known before the scan began and that it did not show. */
async function candidates(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  begun: ObservationToken,
  shown: ReadonlySet<SourceKey>,
): Promise<readonly SourceKey[]> {
  const { name } = source.collection;
  const gone: SourceKey[] = [];
  let after: SourceKey | null = null;
  for (;;) {
    const known: readonly SourceKey[] = await ports.store.knownKeys(tenant, name, begun.head, after, KEYS_PORTION);
    gone.push(...known.filter((key) => !shown.has(key)));
    after = known.at(-1) ?? null;
    if (after === null || known.length < KEYS_PORTION) return gone;
  }
}

/** What a complete scan leaves behind. */
interface ScanEnd {
  readonly begun: ObservationToken;
  readonly gone: readonly SourceKey[];
  readonly pass: Pass;
}

async function deleteGone(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  end: ScanEnd,
  context: BatchContext,
  signal: AbortSignal,
): Promise<Pick<ScanResult, 'changed' | 'deleted' | 'kept'>> {
  const { gone, pass } = end;
  const kept = (reason: KeptReason) => ({ changed: 0, deleted: 0, kept: { count: gone.length, reason } });
  const { clock } = ports;
  const { facts, collection } = source;
  // By keys of another form than the known ones nothing is found: then the operator's word stands in for the reads.
  const isRead = facts.readOne && context.reading?.isRekeyed !== true;
  const isProof = absenceProves(facts) || context.reading?.isRekeyed === true;
  if (facts.deletions === 'none' || (!isRead && !isProof)) return kept(gone.length === 0 ? 'none' : 'not observable');
  // Judged before anything is read: so many candidates alone say that something is wrong.
  if (gone.length > 0 && (await isPastDeleteLimit(ports, tenant, collection.name, gone.length, context.reading)))
    return kept('mass delete');
  // A record that a long transaction moves is in neither of its places until that ends (F7).
  if (gone.length > 0 && facts.maxTransactionMs) await clock.wait(facts.maxTransactionMs, signal);
  if (!isRead) return await deleteUnshown(ports, tenant, source, end, context, signal);
  let changed = 0;
  let deleted = 0;
  let held = 0;
  for (let at = 0; at < gone.length; at += PORTION) {
    const portion = gone.slice(at, at + PORTION);
    const confirmed = await readAgain(ports, tenant, source, portion, pass.alive, context, signal);
    changed += confirmed.changed;
    deleted += confirmed.deleted;
    held += confirmed.held;
  }
  const count = gone.length - deleted;
  return { changed, deleted, kept: { count, reason: held > 0 ? 'mass delete' : count > 0 ? 'not confirmed' : 'none' } };
}

/** `keyset` and `overlap` paging cannot pass over a record that moved; one answer with everything cannot either (F14). */
function absenceProves(facts: SourceFacts): boolean {
  return (facts.deletions === 'scan' || facts.deletions === 'feed') && facts.scanPaging !== 'offset';
}

/**
 * Nothing can be read by key: what the scan did not show is gone if the whole collection, read once more, does not show it either, and
 * shows others. A source that went blank in the middle of the scan shows an end that is none; by the second time it is all blank,
 * which proves nothing, or back.
 */
async function deleteUnshown(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  end: ScanEnd,
  context: BatchContext,
  signal: AbortSignal,
): Promise<Pick<ScanResult, 'changed' | 'deleted' | 'kept'>> {
  const { gone, pass: first } = end;
  const isMeant = gone.length > 0 && first.alive.length > 0;
  const second = isMeant ? await readThrough(ports, tenant, source, context, signal, true) : null;
  const isProven = second !== null && second.alive.length > 0;
  const still = isProven ? gone.filter((key) => !second.shown.has(key)) : [];
  let deleted = 0;
  for (let at = 0; at < still.length; at += PORTION)
    deleted += await deleteAbsent(ports, tenant, source, still.slice(at, at + PORTION), end, context);
  await forgetUnseen(ports, tenant, source, second === null ? [first] : [first, second], context);
  const count = gone.length - deleted;
  const isHeld = (second?.held ?? 0) > 0;
  const kept = { count, reason: isHeld ? 'mass delete' : count > 0 ? 'not confirmed' : 'none' } as const;
  return { changed: second?.changed ?? 0, deleted: deleted + (second?.deleted ?? 0), kept };
}

/** Absence is from the time of the scan: a record to which anything happened since it began stays (F14). */
async function deleteAbsent(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  keys: readonly SourceKey[],
  { begun }: ScanEnd,
  context: BatchContext,
): Promise<number> {
  const { name } = source.collection;
  const views = await ports.store.readBySourceKey(tenant, name, keys);
  const gone = [...views.values()]
    .filter(isDeletable)
    .filter((view) => view.seq <= begun.head && !mayLag(source.facts, view, begun.askedMs));
  if (gone.length === 0) return 0;
  const dropRechecks = gone.flatMap(({ sourceKey }) =>
    sourceKey !== null && context.awaiting.has(sourceKey) ? [sourceKey] : [],
  );
  const outcomes = await commitFenced(ports, tenant, gone.map(tombstone), context, {
    collection: name,
    ...(dropRechecks.length === 0 ? {} : { dropRechecks }),
  });
  return outcomes.filter((outcome) => outcome.kind === 'written').length;
}

/** What does not fit and is not shown any more is gone, or only moved: then its keyed read keeps it listed, or the next scan does. */
async function endQuarantine(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  { unseenMisfits, alive }: Pass,
  context: BatchContext,
  signal: AbortSignal,
): Promise<void> {
  if (unseenMisfits.length === 0) return;
  const isOverlong = (key: SourceKey): boolean => key.includes('~');
  const readable = source.facts.readOne ? unseenMisfits.filter((key) => !isOverlong(key)) : [];
  await context.quarantine.release(unseenMisfits.filter((key) => !readable.includes(key)));
  if (readable.length > 0) await readAgain(ports, tenant, source, readable, alive, context, signal);
}

/** Keys that wait to be read again, that no record here has and that no complete pass did show: they are nobody's. */
async function forgetUnseen(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  passes: readonly Pass[],
  context: BatchContext,
): Promise<void> {
  const { name } = source.collection;
  const unseen = [...context.awaiting].filter((key) => !passes.some(({ shown }) => shown.has(key)));
  if (unseen.length === 0) return;
  const marks = await ports.store.readHashes(tenant, name, unseen);
  const dropRechecks = unseen.filter((key) => marks.get(key)?.deleted ?? true);
  if (dropRechecks.length === 0) return;
  await ports.store.commit(tenant, [], { fence: context.fence, ingest: { collection: name, dropRechecks } });
}
