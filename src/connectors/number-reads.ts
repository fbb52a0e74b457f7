import { sourceKeyParts } from '../core/id.js';
import type { KnownVersions, Observation, ObservedBatch } from '../core/source-port.js';
import {
  compileChangeNumber,
  readPlace,
  writePlace,
  type Anchor,
  type ChangeNumberFacts,
  type NumberPlace,
} from './change-number.js';
import type { CollectionParts } from './collection-parts.js';
import { durationMs } from './duration.js';
import { beginRun, createMarks, type NumberRun } from './number-run.js';
import { readResult } from './pending-result.js';
import { given, type PageCalls } from './page-calls.js';
import type { PageAnswer, PageArguments } from './paging.js';
import { readRows } from './row-reading.js';
import type { ChangesReader } from './source-reads.js';
import type { Operation } from './transport.js';

/** Nothing has been read. */
const NOWHERE: NumberPlace = { settled: -1n, anchors: [] };

/**
 * Changes by a filter of their number. A place moves only to numbers below which nothing can become visible any more. The highest ones
 * that were seen are asked for again each time: a record that has lost its number is read by its key, and where none of them came again
 * the source is another one, as after a restore, and is read whole.
 */
export function createNumberReads(
  parts: CollectionParts,
  changes: ChangeNumberFacts & { readonly list?: Operation },
  pages: PageCalls,
): ChangesReader {
  const { where, definition, mapping, transport, deps } = parts;
  const { read } = definition;
  const { clock, log } = deps;
  const numbers = compileChangeNumber(changes);
  const readAfterWriteMs = durationMs(read.readAfterWrite ?? '0s');
  const lateMs = durationMs(changes.longestTransaction ?? '0s') + readAfterWriteMs;
  const lateness = { gap: BigInt(changes.gap ?? 0), lateMs };
  const marks = createMarks(lateMs);
  /** When all that was known came again for the last time. */
  let soundAtMs = clock.monotonicMs();

  const cursorOf = (place: NumberPlace): string => writePlace(place, changes.member);

  function note(run: NumberRun, { rows, unchanged }: PageAnswer): void {
    const anchors = [...rows, ...(unchanged?.rows ?? [])].map((row): Anchor => ({
      number: numbers.of(row),
      key: mapping.keyOf(row),
    }));
    run.page(anchors, clock.monotonicMs());
  }

  async function* readChanges(
    text: string | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, void> {
    const place = text === null ? null : readPlace(text, changes.member);
    if (place !== null && !(yield* readSince(place, signal, known))) return;
    if (place !== null)
      log.warn('none of the highest numbers of change came again, as after a restore: reading everything again', {
        collection: where,
        from: String(place.settled),
      });
    yield* readWhole(text !== null, signal);
  }

  /** What becomes visible late must be so before the list is read, or be asked for behind it. */
  async function* readWhole(isAgain: boolean, signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    marks.forget();
    if (lateMs > 0) {
      const first = pages('poll', read.list, {}, signal);
      const { value } = await first.next();
      if (value !== undefined) note(beginRun(NOWHERE, marks, lateness, clock.monotonicMs()), value);
      await first.return();
      await clock.wait(lateMs, signal);
    }
    const run = beginRun(NOWHERE, marks, lateness, clock.monotonicMs());
    for await (const answer of pages('poll', read.list, {}, signal, { isFresh: true })) {
      note(run, answer);
      yield readRows(mapping, answer, 'list');
    }
    soundAtMs = clock.monotonicMs();
    yield { observations: [], cursor: cursorOf(run.end()), ...(isAgain ? { needsScan: true } : {}) };
  }

  /** @returns true if nothing that was known came again */
  async function* readSince(
    before: NumberPlace,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, boolean> {
    const lowest = before.anchors.at(-1)?.number;
    const next = before.settled + 1n;
    const from = lowest === undefined || next < lowest ? next : lowest;
    const args: PageArguments = { [changes.param]: numbers.argument(from) };
    const run = beginRun(before, marks, lateness, clock.monotonicMs());
    for await (const answer of pages('poll', changes.list ?? read.list, args, signal, given(known))) {
      note(run, answer);
      yield readRows(mapping, answer, 'changes');
    }
    const vanished = run.vanished();
    if (vanished.length === 0) soundAtMs = clock.monotonicMs();
    // A replica that lags shows less than was seen elsewhere: that is over when it must have caught up.
    else if (clock.monotonicMs() - soundAtMs < readAfterWriteMs) return false;
    if (run.isFallen() || (await areOlder(vanished, signal))) return true;
    // They are deleted, as far as one can tell: that is looked at again before it is believed (R14).
    const gone = read.one === undefined || read.deletes?.kind === 'none' ? [] : vanished;
    const observations = gone.map(({ key }): Observation => ({ sourceKey: key, fields: null, sourceVersion: null }));
    const cursor = cursorOf(run.end());
    if (observations.length > 0 || cursor !== cursorOf(before))
      yield { observations, cursor, ...(vanished.length > gone.length ? { needsScan: true } : {}) };
    return false;
  }

  /** Is one of these records there with a lower number than it had? Then it is an older state of the source. */
  async function areOlder(vanished: readonly Anchor[], signal: AbortSignal): Promise<boolean> {
    const { one } = read;
    if (one === undefined) return false;
    for (const { number, key } of vanished) {
      const found = await readResult(
        parts,
        'poll',
        (deadline) => transport.readRow(one, sourceKeyParts(key), deadline),
        signal,
      );
      if (found !== 'absent' && numbers.of(found.row) < number) return true;
    }
    return false;
  }

  return readChanges;
}
