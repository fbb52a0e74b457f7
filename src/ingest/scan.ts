import type { SourceKey } from '../core/change.js';
import type { SourceCollection, SourceFacts } from '../core/source-port.js';
import { readAgain } from './confirmation.js';
import { isPastDeleteLimit } from './delete-limit.js';
import { FenceLost, ingestBatch, type BatchContext, type IngestPorts } from './ingest.js';
import { observedBatches, type ObservationToken } from './observed-batches.js';
import { isDeletable, mayLag, tombstone } from './tombstone.js';

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
}

export type KeptReason = 'none' | 'not observable' | 'mass delete' | 'not confirmed';

/**
 * Reads the whole collection, ingests what differs by hash, and finds what is gone by R14: a complete scan, candidates that
 * were known before it began and have no open intent, a confirming read of each, a canary behind them, and the mass-delete
 * limit. A scan that throws half-way has found no deletion. Safe to repeat.
 *
 * @throws SyncError SOURCE_UNAVAILABLE - the scan was not complete
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
  const begunMs = clock.nowMs();
  const begun = await store.readHead(tenant);
  const shown = new Set<SourceKey>();
  const alive: SourceKey[] = [];
  let observed = 0;
  let changed = 0;
  let deleted = 0;
  let held = 0;
  for await (const { token, batch } of observedBatches(store, tenant, source.scan(signal), signal)) {
    // What is flagged was shown too: its deletion is decided with its batch.
    for (const observation of batch.observations) shown.add(observation.sourceKey);
    const living = batch.observations.filter((one) => one.fields !== null).slice(-ALIVE_KEPT);
    alive.push(...living.map((one) => one.sourceKey));
    alive.splice(0, Math.max(0, alive.length - ALIVE_KEPT));
    const counts = await ingestBatch(ports, tenant, source, batch, token, context);
    observed += counts.observed;
    changed += counts.changed;
    deleted += counts.deleted;
    held += counts.held;
  }
  const gone = await candidates(ports, tenant, source, begun, shown);
  const end = await deleteGone(ports, tenant, source, { begun, begunMs, gone, shown, alive }, context, signal);
  const nowMs = clock.nowMs();
  const isHeld = held > 0 || end.kept.reason === 'mass delete';
  const progress = { collection: collection.name, scannedAtMs: nowMs, polledAtMs: nowMs };
  await store.commit(tenant, [], {
    fence: context.fence,
    ingest: { ...progress, state: isHeld ? 'HELD' : 'READY' },
  });
  return { observed, changed: changed + end.changed, deleted: deleted + end.deleted, kept: end.kept };
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
  readonly begunMs: number;
  readonly gone: readonly SourceKey[];
  readonly shown: ReadonlySet<SourceKey>;
  readonly alive: readonly SourceKey[];
}

async function deleteGone(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  end: ScanEnd,
  context: BatchContext,
  signal: AbortSignal,
): Promise<Pick<ScanResult, 'changed' | 'deleted' | 'kept'>> {
  const { gone, alive } = end;
  const kept = (reason: KeptReason) => ({ changed: 0, deleted: 0, kept: { count: gone.length, reason } });
  const { clock } = ports;
  const { facts, collection } = source;
  const isProof = absenceProves(facts);
  if (facts.deletions === 'none' || (!facts.readOne && !isProof))
    return kept(gone.length === 0 ? 'none' : 'not observable');
  // Judged before anything is read: so many candidates alone say that something is wrong.
  if (gone.length > 0 && (await isPastDeleteLimit(ports, tenant, collection.name, gone.length)))
    return kept('mass delete');
  // A record that a long transaction moves is in neither of its places until that ends (F7).
  if (gone.length > 0 && facts.readOne && facts.maxTransactionMs) await clock.wait(facts.maxTransactionMs, signal);
  let changed = 0;
  let deleted = 0;
  let held = 0;
  for (let at = 0; at < gone.length; at += PORTION) {
    const portion = gone.slice(at, at + PORTION);
    if (facts.readOne) {
      const confirmed = await readAgain(ports, tenant, source, portion, alive, context, signal);
      changed += confirmed.changed;
      deleted += confirmed.deleted;
      held += confirmed.held;
    } else if (alive.length > 0) deleted += await deleteAbsent(ports, tenant, source, portion, end, context);
  }
  if (!facts.readOne) await forgetUnseen(ports, tenant, source, end, context);
  const count = gone.length - deleted;
  return { changed, deleted, kept: { count, reason: held > 0 ? 'mass delete' : count > 0 ? 'not confirmed' : 'none' } };
}

/** `keyset` and `overlap` paging cannot pass over a record that moved; one answer with everything cannot either (F14). */
function absenceProves(facts: SourceFacts): boolean {
  return facts.deletions === 'scan' && facts.scanPaging !== 'offset';
}

/**
 * What the scan did show is the canary of an absence; a list without anything proves nothing. Absence is from the time of the
 * scan: a record to which anything happened since it began stays (F14).
 */
async function deleteAbsent(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  keys: readonly SourceKey[],
  { begun, begunMs }: ScanEnd,
  context: BatchContext,
): Promise<number> {
  const { name } = source.collection;
  const views = await ports.store.readBySourceKey(tenant, name, keys);
  const gone = [...views.values()]
    .filter(isDeletable)
    .filter((view) => view.seq <= begun.head && !mayLag(source.facts, view, begunMs));
  if (gone.length === 0) return 0;
  const dropRechecks = gone.flatMap(({ sourceKey }) =>
    sourceKey !== null && context.awaiting.has(sourceKey) ? [sourceKey] : [],
  );
  const outcomes = await ports.store.commit(tenant, gone.map(tombstone), {
    fence: context.fence,
    ingest: { collection: name, ...(dropRechecks.length === 0 ? {} : { dropRechecks }) },
  });
  if (outcomes.some((outcome) => outcome.kind === 'fenceLost')) throw new FenceLost(context.fence.name);
  return outcomes.filter((outcome) => outcome.kind === 'written').length;
}

/** Keys that wait to be read again, that no record here has and that a complete scan did not show: they are nobody's. */
async function forgetUnseen(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  { shown }: ScanEnd,
  context: BatchContext,
): Promise<void> {
  const { name } = source.collection;
  const unseen = [...context.awaiting].filter((key) => !shown.has(key));
  if (unseen.length === 0) return;
  const marks = await ports.store.readHashes(tenant, name, unseen);
  const dropRechecks = unseen.filter((key) => marks.get(key)?.deleted ?? true);
  if (dropRechecks.length === 0) return;
  await ports.store.commit(tenant, [], { fence: context.fence, ingest: { collection: name, dropRechecks } });
}
