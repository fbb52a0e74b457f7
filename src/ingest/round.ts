import { SyncError } from '../core/errors.js';
import type { CollectionProgress } from '../core/ingest-port.js';
import type { SourceCollection } from '../core/source-port.js';
import { readAgain } from './confirmation.js';
import { FenceLost } from './fenced-commit.js';
import { ingestBatch, type BatchContext, type IngestPorts } from './ingest.js';
import { knownVersions } from './known-states.js';
import { observedBatches } from './observed-batches.js';
import { openQuarantine } from './quarantine.js';
import { noticeReading } from './reading-change.js';
import type { ToldGone } from './told-gone.js';
import { goesBeside, scanWhole } from './whole-scan.js';

/** Rechecks read in one round. */
const RECHECKS_PER_ROUND = 200;
/** Rechecks known to a round: what it observes of them takes them off the list. */
const RECHECKS_KNOWN = 10_000;
/** Rechecks never make the rounds follow each other faster than this. */
const LEAST_REST_MS = 1_000;

/** So many records in older versions than are known, in one poll, are no accident: a source that came back from a backup has lost others. */
const OLDER_VERSIONS = 3;
/** Where numbers turn out to be no versions, the scans for it come no more often than this. */
const BACKUP_SCANS_EVERY_MS = 3_600_000;

/** What a round is allowed, and asked, to do. */
export interface RoundTask {
  /** Poll although it is not time yet. */
  readonly now: boolean;
  /** False while a scan that failed rests, or goes on; the scan of a list-only source is its poll and is not asked. */
  readonly mayScan: boolean;
  /** What is told to be gone while a scan goes on beside the round, as in `BatchContext`. Absent: none does. */
  readonly toldGone?: ToldGone;
}

export interface RoundResult {
  /** What became of the scan behind the poll: why it failed, if it did. `due`: it is to be made beside the next rounds. */
  readonly scan: 'not due' | 'due' | 'complete' | SyncError;
  /**
   * The next round has something to do after this long: a poll, or a key that is due to be read again. A poll rests as long as it took:
   * polls keep a slow source busy for half of the time at most.
   */
  readonly restMs: number;
}

/**
 * One round of one collection under a lease: what changed since the cursor, a scan that is due and cannot be made beside, and what is due on
 * the recheck list. Safe to repeat, and to break off anywhere: what was committed stays true (R16).
 *
 * @throws SyncError SOURCE_UNAVAILABLE - the poll was not complete; VALIDATION - too much of what it read does not fit
 * @throws FenceLost - another node took over
 */
export async function runRound(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  fence: BatchContext['fence'],
  task: RoundTask,
  signal: AbortSignal,
): Promise<RoundResult> {
  const { store, clock } = ports;
  const { facts, collection } = source;
  const { name } = collection;
  const progress = await store.readCollection(tenant, name);
  const waiting = await store.dueRechecks(tenant, name, Number.MAX_SAFE_INTEGER, RECHECKS_KNOWN);
  const quarantine = await openQuarantine(ports, tenant, collection);
  const awaiting = new Set(waiting.map((recheck) => recheck.sourceKey));
  const reading = await noticeReading(store, tenant, source, progress);
  // Everything is read again at the pace of scans that fail.
  const isAnew = reading.isAnew && task.mayScan;
  const shared = { fence, awaiting, quarantine, ...(task.toldGone === undefined ? {} : { toldGone: task.toldGone }) };
  let context: BatchContext = { ...shared, reading };
  const restMs = (lastMs: number | null, everyMs: number): number => leftOf(everyMs, lastMs, clock.nowMs());
  const lastPollMs = facts.changes === 'list' ? progress.scannedAtMs : progress.polledAtMs;
  let scanAskedAtMs = progress.scanAskedAtMs;
  // Before anything is read: what is asked later is still to be answered.
  const askedNo = facts.webhookWindowMs !== undefined ? await store.readAsked(tenant, name) : null;
  const isListAsked = scanAskedAtMs !== null && facts.changes === 'list';
  const isAsked = task.now || askedNo !== null;
  const isPollDue = isAsked || isAnew || isListAsked || restMs(lastPollMs, facts.pollEveryMs) === 0;
  let outcome: RoundResult['scan'] = 'not due';
  const beganMs = clock.monotonicMs();
  let tookMs = 0;

  const scan = async (): Promise<void> => {
    const { isSettled } = await scanWhole(ports, tenant, source, { ...progress, scanAskedAtMs }, context, signal);
    if (isSettled) context = shared;
  };
  if (facts.changes === 'list') {
    if (isPollDue) await scan();
    tookMs = clock.monotonicMs() - beganMs;
  } else {
    if (isPollDue) {
      const cursor = isAnew ? null : progress.cursor;
      const { asksScan } = await poll(ports, tenant, source, { ...progress, cursor }, context, signal);
      tookMs = clock.monotonicMs() - beganMs;
      if (asksScan) ({ scanAskedAtMs } = await store.readCollection(tenant, name));
    }
    // The first load was a whole list: what it may have passed over is found by the next scan.
    const isScanDue = scanAskedAtMs !== null || isAnew || restMs(progress.scannedAtMs, facts.scanEveryMs) === 0;
    const isScanned = progress.state !== 'PRIMING' && task.mayScan && isScanDue;
    if (isScanned && goesBeside(facts, reading)) outcome = 'due';
    else if (isScanned) {
      try {
        await scan();
        outcome = 'complete';
      } catch (thrown) {
        if (thrown instanceof FenceLost || signal.aborted) throw thrown;
        outcome = SyncError.from(thrown);
      }
    }
  }
  if (askedNo !== null) await store.noteAnswered(tenant, name, askedNo);
  const due = await store.dueRechecks(tenant, name, clock.nowMs(), RECHECKS_PER_ROUND);
  if (facts.readOne && due.length > 0) {
    const keys = due.map((recheck) => recheck.sourceKey);
    await readAgain(ports, tenant, source, keys, [], { ...context, awaiting: new Set([...awaiting, ...keys]) }, signal);
  }
  const [next] = facts.readOne ? await store.dueRechecks(tenant, name, Number.MAX_SAFE_INTEGER, 1) : [];
  const untilPollMs = Math.max(tookMs, restMs(isPollDue ? clock.nowMs() : lastPollMs, facts.pollEveryMs));
  const untilRecheckMs = next === undefined ? untilPollMs : Math.max(LEAST_REST_MS, next.notBeforeMs - clock.nowMs());
  return { scan: outcome, restMs: Math.min(untilPollMs, untilRecheckMs) };
}

async function poll(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  progress: CollectionProgress,
  context: BatchContext,
  signal: AbortSignal,
): Promise<{ readonly asksScan: boolean }> {
  const { store, clock, log } = ports;
  const { name } = source.collection;
  let asksScan = false;
  let changed = 0;
  let deleted = 0;
  let held = 0;
  let older = 0;
  const changes = source.readChanges(progress.cursor, signal, knownVersions(store, tenant, name, context));
  const read = context.quarantine.beginRead(source.facts.changes === 'delta' ? 'read.delta' : 'read.changes');
  for await (const { token, batch } of observedBatches(ports, tenant, changes, signal)) {
    // Before its cursor is committed: a process that ends in between reads the same again, and asks again.
    if (batch.needsScan === true && !asksScan) {
      await store.askScan(tenant, name, null);
      asksScan = true;
    }
    const counts = await ingestBatch(ports, tenant, source, await read.see(batch), token, context);
    changed += counts.changed;
    deleted += counts.deleted;
    held += counts.held;
    older += counts.older;
  }
  if (
    older >= OLDER_VERSIONS &&
    leftOf(BACKUP_SCANS_EVERY_MS, progress.scannedAtMs, clock.nowMs()) === 0 &&
    !asksScan
  ) {
    log.warn('records came back in older versions: was the source restored? it is scanned', {
      collection: name,
      older,
    });
    await store.askScan(tenant, name, null);
    asksScan = true;
  }
  read.end();
  const polledAtMs = clock.nowMs();
  // Without a cursor the whole list was read: that is the first load.
  const ready = { state: held > 0 ? 'HELD' : 'READY', scannedAtMs: polledAtMs } as const;
  const primed = progress.state === 'PRIMING' ? ready : {};
  await store.commit(tenant, [], { fence: context.fence, ingest: { collection: name, polledAtMs, ...primed } });
  if (changed + deleted > 0) log.info('poll complete', { collection: name, changed, deleted });
  return { asksScan };
}

/** What is left of an interval; a clock that was set back must not keep a collection waiting. */
function leftOf(everyMs: number, lastMs: number | null, nowMs: number): number {
  return lastMs === null || nowMs < lastMs ? 0 : Math.max(0, everyMs - (nowMs - lastMs));
}
