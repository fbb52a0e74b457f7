import type { KnownVersions, ObservedBatch } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import { CallFault } from './fault.js';
import { given, type PageCalls } from './page-calls.js';
import type { PageAnswer, PageArguments } from './paging.js';
import { readRows } from './row-reading.js';
import type { ChangesReader } from './source-reads.js';
import type { Operation } from './transport.js';
import {
  compileUpdatedSince,
  createOrderWatch,
  nextCursor,
  readCursor,
  writeCursor,
  type ChangesCursor,
  type UpdatedSinceFacts,
} from './updated-since.js';

/** A source whose clock went back further than this has been restored, or set: its times prove nothing any more. */
export const CLOCK_SLACK_MS = 5_000;

/** Changes by a filter of the time of change. */
export function createSinceReads(
  parts: CollectionParts,
  changes: UpdatedSinceFacts & { readonly list?: Operation },
  pages: PageCalls,
): ChangesReader {
  const { where, definition, mapping, deps } = parts;
  const { read } = definition;
  const since = compileUpdatedSince(changes, read.readAfterWrite);
  /** False once the source was seen to break the order that its connector promises. */
  let trustsOrder = true;

  /**
   * Without a cursor the whole list is read, from a cursor that was taken before it began. A source whose clock is behind
   * the cursor was set back or restored: everything is read again.
   */
  async function* readChanges(
    text: string | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, void> {
    const cursor = readCursor(text);
    const clockWentBack = yield* run(cursor === null ? null : cursor.atMs, signal, known);
    if (!clockWentBack) return;
    deps.log.warn('the clock of the source went back: reading everything again', { collection: where, cursor: text });
    // What it lost by coming back from a backup no filter shows.
    yield { observations: [], needsScan: true };
    yield* run(null, signal);
  }

  /** @returns true if nothing was yielded because the source's clock is behind the cursor */
  async function* run(
    fromMs: number | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, boolean> {
    const operation = fromMs === null ? read.list : (changes.list ?? read.list);
    const args: PageArguments = fromMs === null ? {} : { [changes.param]: since.argument(fromMs - since.overlapMs) };
    const hasStamps = changes.stamp !== undefined;
    const order = createOrderWatch(since.orderSlackMs);
    const beganMs = deps.clock.monotonicMs();
    let serverTimeMs: number | null = null;
    let newestMs: number | null = null;
    let reached: ChangesCursor | null = fromMs === null ? null : { atMs: fromMs };
    let canResume = trustsOrder && changes.ordered && hasStamps && fromMs !== null;
    const more = { isFresh: fromMs === null, ...given(known) };
    for await (const answer of pages('poll', operation, args, signal, more)) {
      if (serverTimeMs === null) {
        const answeredMs = timeOf(answer);
        if (fromMs !== null && answeredMs < fromMs - CLOCK_SLACK_MS) return true;
        // The rows were looked up before the answer was dated: what changed in between is still to be asked for.
        serverTimeMs = answeredMs - (deps.clock.monotonicMs() - beganMs);
      }
      for (const row of [...answer.rows, ...(answer.unchanged?.rows ?? [])]) {
        const stampMs = since.stampMs(row);
        order.next(stampMs);
        newestMs = later(newestMs, stampMs);
      }
      if (answer.isPart === true) canResume = false;
      const shown = readRows(mapping, answer, fromMs === null ? 'list' : 'changes');
      let next: ChangesCursor | null = reached;
      if (canResume && order.isBroken()) {
        // Where this run's cursor stands may hide older rows: it goes back, and moves with complete runs only from now on.
        canResume = trustsOrder = false;
        next = fromMs === null ? null : { atMs: fromMs };
        deps.log.warn('rows do not come in order of change, although the connector says so: polls are not resumed', {
          collection: where,
        });
      } else if (canResume) {
        next = nextCursor(reached, newestMs, serverTimeMs, hasStamps);
      }
      // Nothing is read ahead: the reader notes its token before the request of the next batch is sent.
      yield { ...shown, ...moved(reached, next) };
      reached = next;
    }
    const last = nextCursor(reached, newestMs, serverTimeMs ?? deps.clock.nowMs(), hasStamps);
    if (last !== reached) yield { observations: [], ...moved(reached, last) };
    return false;
  }

  /** The source's clock; ours only ever holds a cursor back where rows show their times. */
  function timeOf(answer: PageAnswer): number {
    if (answer.serverTimeMs !== null) return answer.serverTimeMs;
    if (changes.stamp !== undefined) return deps.clock.nowMs();
    throw new CallFault('badAnswer', 'expected a Date header, since rows do not show when they changed', {
      sourceIsSick: false,
    });
  }

  return readChanges;
}

function later(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

function moved(before: ChangesCursor | null, after: ChangesCursor | null): { readonly cursor?: string } {
  return after === null || after === before ? {} : { cursor: writeCursor(after) };
}
