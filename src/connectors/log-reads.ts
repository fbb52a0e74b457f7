import type { SourceKey } from '../core/change.js';
import type { KnownVersions, Observation, ObservedBatch } from '../core/source-port.js';
import type { Anchor } from './change-number.js';
import type { CollectionParts } from './collection-parts.js';
import { createLogCursors, isSamePlace, type DeletionLogFacts, type LogPlace } from './deletion-log.js';
import { durationMs } from './duration.js';
import { CallFault, isForgotten } from './fault.js';
import { logScale } from './log-scale.js';
import { beginRun, createMarks, type NumberRun } from './number-run.js';
import type { PageCalls } from './page-calls.js';
import type { PageAnswer, PageArguments } from './paging.js';
import { CLOCK_SLACK_MS } from './since-reads.js';
import type { ChangesReader } from './source-reads.js';
import { createToldEntries, type ToldRun } from './told-entries.js';

/** While a source has not told its time, its clock is taken to be no further behind ours than this. */
const CLOCKS_APART_MS = 86_400_000;
/** When a log was read last is noted in steps of this share of the time for which it keeps entries. */
const STEP_SHARE = 1 / 20;

/**
 * Changes, and behind them what the source's log says was deleted: each entry a claim, which is looked at before it is believed (R14).
 * Where the log may have forgotten what was not read, or lost what was, a scan is asked for.
 */
export function createLogReads(
  parts: CollectionParts,
  facts: DeletionLogFacts,
  readChanges: ChangesReader,
  pages: PageCalls,
): ChangesReader {
  const { where, definition, mapping, deps, skew } = parts;
  const { clock } = deps;
  const cursors = createLogCursors(facts);
  const readAfterWriteMs = durationMs(definition.read.readAfterWrite ?? '0s');
  const scale = logScale(facts.since, definition.read.readAfterWrite);
  const keptMs = durationMs(facts.keepsFor);
  const stepMs = keptMs * STEP_SHARE;
  const marks = createMarks(scale.lateness.lateMs);
  const told = createToldEntries(scale.sameWithinMs ?? 0);
  /** Where the last reading ended, if it was complete. */
  let ended: LogPlace | null = null;
  /** When what was known of the log came again for the last time. */
  let soundAtMs = clock.monotonicMs();

  async function* readLogged(
    text: string | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, void> {
    const found = text === null ? { changes: null, log: null } : cursors.read(text);
    const log = found.log ?? beginning();
    let { changes } = found;
    // Before anything else is read: what is deleted while the first load is read, or broken off, is behind this place.
    if (found.log === null)
      yield batchAt(changes, log, text === null ? null : 'the log of deletions was not read before');
    for await (const batch of readChanges(changes, signal, known)) {
      changes = batch.cursor ?? changes;
      yield batch.cursor === undefined ? batch : { ...batch, cursor: cursors.write({ changes, log }) };
    }
    yield* readLog(changes, log, signal);
  }

  /** @param why a scan is to find what the log did not tell; null: it told all */
  function batchAt(changes: string | null, log: LogPlace, why: string | null): ObservedBatch {
    if (why !== null) deps.log.warn(`${why}: a scan is to find what was deleted`, { collection: where });
    return { observations: [], cursor: cursors.write({ changes, log }), ...(why === null ? {} : { needsScan: true }) };
  }

  /** Behind this moment of the source's; what has numbers is read from the first one on. */
  function beginning(): LogPlace {
    const readMs = clock.nowMs();
    const skewMs = skew.skewMs();
    const behindMs = skewMs === null ? -CLOCKS_APART_MS : skewMs - CLOCK_SLACK_MS;
    return { settled: scale.isTime ? before(readMs + behindMs) : -1n, anchors: [], readMs, newestMs: null };
  }

  /** All that shows itself after this moment of the source's lies behind. */
  function before(sourceMs: number): bigint {
    return BigInt(Math.floor(sourceMs)) - scale.lateness.gap - 1n;
  }

  async function* readLog(
    changes: string | null,
    log: LogPlace,
    signal: AbortSignal,
  ): AsyncGenerator<ObservedBatch, void> {
    const beganMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const run = beginRun(log, marks, scale.lateness, beganMs);
    const telling = told.begin(beganMs, ended !== null && isSamePlace(log, ended));
    let sourceMs: number | null = null;
    let isFirst = true;
    try {
      for await (const answer of pages('poll', facts.list, askedFrom(log), signal, { keyOf: mapping.deletedKeyOf })) {
        if (isFirst) sourceMs = timeOf(answer, beganMs);
        isFirst = false;
        yield { observations: claims(answer, run, telling) };
      }
    } catch (thrown) {
      if (!isForgotten(thrown)) throw thrown;
      yield batchAt(changes, beginning(), 'the log of deletions no longer knows where we were');
      return;
    }
    const isFallen = run.isFallen();
    // A replica that lags shows less than was seen elsewhere: that is over when it must have caught up.
    if (isFallen && clock.monotonicMs() - soundAtMs < readAfterWriteMs) return;
    soundAtMs = clock.monotonicMs();
    const why = lossOf(log, isFallen, { sourceMs, nowMs });
    const next = placeAfter(log, run, isFallen, { sourceMs, nowMs });
    if (why !== null || !isSamePlace(next, log)) yield batchAt(changes, next, why);
    telling.end();
    ended = next;
  }

  /** The source's clock when it was asked; null: it does not tell it, and entries show their own. */
  function timeOf({ serverTimeMs }: PageAnswer, beganMs: number): number | null {
    if (serverTimeMs !== null) return serverTimeMs - (clock.monotonicMs() - beganMs);
    if (scale.sameWithinMs !== null) return null;
    throw new CallFault('badAnswer', 'expected a Date header, since entries do not show when they were made', {
      sourceIsSick: false,
    });
  }

  function askedFrom({ settled, anchors }: LogPlace): PageArguments {
    const lowest = anchors.at(-1)?.number;
    const next = settled + 1n;
    return { [scale.param]: scale.argument(lowest === undefined || next < lowest ? next : lowest) };
  }

  function claims({ rows }: PageAnswer, run: NumberRun, telling: ToldRun): readonly Observation[] {
    const atMs = clock.monotonicMs();
    const anchors: Anchor[] = [];
    const due = new Set<SourceKey>();
    for (const row of rows) {
      const key = mapping.deletedKeyOf(row);
      const number = scale.of(row);
      if (number !== null) anchors.push({ key, number });
      if (number === null || telling.isDue({ key, number }, atMs)) due.add(key);
    }
    run.page(anchors, atMs);
    return [...due].map((sourceKey) => ({ sourceKey, fields: null, sourceVersion: null }));
  }

  /** Why what was read of the log may not be all that was deleted since; null: it is. */
  function lossOf(log: LogPlace, isFallen: boolean, { sourceMs, nowMs }: Moment): string | null {
    const awayMs = nowMs - log.readMs;
    if (awayMs > keptMs || awayMs < -stepMs) return 'the log of deletions may have forgotten what was not read';
    if (wentBack(log, sourceMs)) return 'the clock of the source went back';
    // The newest entry goes in its own time.
    const isOld = log.newestMs !== null && nowMs - log.newestMs >= keptMs - stepMs;
    return isFallen && !isOld ? 'the log of deletions lost what it had' : null;
  }

  function wentBack(log: LogPlace, sourceMs: number | null): boolean {
    return scale.isTime && sourceMs !== null && before(sourceMs + CLOCK_SLACK_MS) < log.settled;
  }

  function placeAfter(log: LogPlace, run: NumberRun, isFallen: boolean, { sourceMs, nowMs }: Moment): LogPlace {
    const { settled: reached, anchors } = run.end();
    const settled = scale.isTime ? settledAt(log, reached, { sourceMs, nowMs }) : isFallen ? -1n : reached;
    const [newest] = anchors;
    const isNew = newest !== undefined && newest.number !== log.anchors[0]?.number;
    const newestMs = isNew ? Math.min(nowMs, scale.isTime ? Number(newest.number) : nowMs) : log.newestMs;
    const next = { settled, anchors, readMs: log.readMs, newestMs };
    const isLate = Math.abs(nowMs - log.readMs) >= stepMs;
    return isLate || !isSamePlace(next, log) ? { ...next, readMs: nowMs } : next;
  }

  /** A time that is still to come hides nothing; where entries show none, the source's own stands for theirs. */
  function settledAt(log: LogPlace, reached: bigint, { sourceMs, nowMs }: Moment): bigint {
    const limit = before(sourceMs ?? nowMs);
    const isShown = scale.sameWithinMs !== null;
    return !isShown || wentBack(log, sourceMs) || reached > limit ? limit : reached;
  }

  return readLogged;
}

/** When a log was read: by the source's clock where it tells it, and by ours, ms since 1970. */
interface Moment {
  readonly sourceMs: number | null;
  readonly nowMs: number;
}
