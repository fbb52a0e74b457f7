import type { SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import { sourceKeyParts } from '../core/id.js';
import type { ObservedBatch, SourceCollection } from '../core/source-port.js';
import { CallFault, unavailable } from './fault.js';
import { readPages } from './page-reader.js';
import type { PageAnswer, PageArguments } from './paging.js';
import type { CollectionParts } from './collection-parts.js';
import { readRows } from './row-reading.js';
import type { Operation, RowAnswer } from './transport.js';
import {
  compileUpdatedSince,
  createOrderWatch,
  nextCursor,
  readCursor,
  writeCursor,
  type ChangesCursor,
  type UpdatedSince,
} from './updated-since.js';

/** The reading half of a collection. */
export interface Reads extends Pick<SourceCollection, 'readChanges' | 'scan' | 'readOne'> {
  /** The source's own row, for writes that lay changes over it. @throws CallFault */
  readonly readRow: (key: SourceKey, signal: AbortSignal) => Promise<RowAnswer | 'absent'>;
  /** The same; it gives up when its time is over, whatever the source does. @throws CallFault */
  readonly readRowWithin: (key: SourceKey, withinMs: number, signal: AbortSignal) => Promise<RowAnswer | 'absent'>;
  /**
   * One small read that shows whether the source is back: of this record, or of the list's first page. What it says is not
   * looked at, and nothing is thrown: the guard has heard of it.
   */
  readonly probe: (key: SourceKey | null, withinMs: number, signal: AbortSignal) => Promise<void>;
}

/** A source whose clock went back further than this has been restored, or set: its times prove nothing any more. */
const CLOCK_SLACK_MS = 5_000;

export function createReads(parts: CollectionParts): Reads {
  const { where, definition, mapping, guard, transport, deps } = parts;
  const { read } = definition;
  /** False once the source was seen to break the order that its connector promises. */
  let trustsOrder = true;
  const since = read.changes === undefined ? null : compileUpdatedSince(read.changes, read.readAfterWrite);

  function pages(operation: Operation, args: PageArguments, signal: AbortSignal): AsyncGenerator<PageAnswer, void> {
    return readPages(operation.paging, (pageArgs, next) =>
      guard.read((deadline) => transport.readPage(operation, { ...args, ...pageArgs }, next, deadline), signal),
    );
  }

  async function* scan(signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    try {
      for await (const answer of pages(read.list, {}, signal)) yield readRows(mapping, answer.rows, 'list');
    } catch (thrown) {
      throw unavailable(where, thrown);
    }
  }

  /**
   * Without a cursor the whole list is read, from a cursor that was taken before it began. A source whose clock is behind
   * the cursor was set back or restored: everything is read again.
   */
  async function* readChanges(text: string | null, signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    if (since === null || read.changes === undefined) {
      throw new SyncError('BAD_REQUEST', `${where}: has no filter for changes, scan it`);
    }
    try {
      const cursor = readCursor(text);
      const clockWentBack = yield* run(since, cursor === null ? null : cursor.atMs, signal);
      if (!clockWentBack) return;
      deps.log.warn('the clock of the source went back: reading everything again', { collection: where, cursor: text });
      yield* run(since, null, signal);
    } catch (thrown) {
      throw unavailable(where, thrown);
    }
  }

  /** @returns true if nothing was yielded because the source's clock is behind the cursor */
  async function* run(
    facts: UpdatedSince,
    fromMs: number | null,
    signal: AbortSignal,
  ): AsyncGenerator<ObservedBatch, boolean> {
    const { changes, list } = read;
    const operation = fromMs === null ? list : (changes?.list ?? list);
    const args: PageArguments =
      fromMs === null || changes === undefined ? {} : { [changes.param]: facts.argument(fromMs - facts.overlapMs) };
    const hasStamps = changes?.stamp !== undefined;
    const order = since === null ? null : createOrderWatch(since.orderSlackMs);
    const beganMs = deps.clock.monotonicMs();
    let serverTimeMs: number | null = null;
    let newestMs: number | null = null;
    let reached: ChangesCursor | null = fromMs === null ? null : { atMs: fromMs };
    let canResume = trustsOrder && changes?.ordered === true && hasStamps && fromMs !== null;
    for await (const answer of pages(operation, args, signal)) {
      if (serverTimeMs === null) {
        const answeredMs = timeOf(answer);
        if (fromMs !== null && answeredMs < fromMs - CLOCK_SLACK_MS) return true;
        // The rows were looked up before the answer was dated: what changed in between is still to be asked for.
        serverTimeMs = answeredMs - (deps.clock.monotonicMs() - beganMs);
      }
      for (const row of answer.rows) {
        const stampMs = facts.stampMs(row);
        order?.next(stampMs);
        newestMs = later(newestMs, stampMs);
      }
      const shown = readRows(mapping, answer.rows, fromMs === null ? 'list' : 'changes');
      let next: ChangesCursor | null = reached;
      if (canResume && order?.isBroken() === true) {
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
    if (read.changes?.stamp !== undefined) return deps.clock.nowMs();
    throw new CallFault('badAnswer', 'expected a Date header, since rows do not show when they changed', {
      sourceIsSick: false,
    });
  }

  async function readRow(key: SourceKey, signal: AbortSignal): Promise<RowAnswer | 'absent'> {
    const { one } = read;
    if (one === undefined) throw new SyncError('BAD_REQUEST', `${where}: has no read by key`);
    const keyParts = sourceKeyParts(key);
    const answer = await guard.read((deadline) => transport.readRow(one, keyParts, deadline), signal);
    if (answer === 'absent') return answer;
    const found = mapping.keyOf(answer.row);
    if (found === key) return answer;
    throw new CallFault('badAnswer', `asked for the record ${key}, got ${found}`);
  }

  /** Ends a read when its time is over. */
  async function within<T>(
    withinMs: number,
    outer: AbortSignal,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (withinMs <= 0) throw new CallFault('notSent', 'no time is left to read the record', { sourceIsSick: false });
    const reading = new AbortController();
    const ended = new AbortController();
    const stop = (): void => reading.abort(outer.reason);
    if (outer.aborted) stop();
    else outer.addEventListener('abort', stop, { once: true });
    deps.clock.wait(withinMs, ended.signal).then(
      () => reading.abort(),
      () => undefined,
    );
    try {
      return await call(reading.signal);
    } finally {
      ended.abort();
      outer.removeEventListener('abort', stop);
    }
  }

  return {
    scan,
    readChanges,
    readRow,
    readRowWithin: (key, withinMs, outer) => within(withinMs, outer, (signal) => readRow(key, signal)),
    probe: (key, withinMs, outer) =>
      within<unknown>(withinMs, outer, (signal) =>
        key === null || read.one === undefined ? pages(read.list, {}, signal).next() : readRow(key, signal),
      ).then(
        () => undefined,
        () => undefined,
      ),
    async readOne(key, signal) {
      try {
        const answer = await readRow(key, signal);
        return answer === 'absent' ? answer : mapping.observe(answer.row, answer.tag);
      } catch (thrown) {
        throw unavailable(where, thrown);
      }
    },
  };
}

function later(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

function moved(before: ChangesCursor | null, after: ChangesCursor | null): { readonly cursor?: string } {
  return after === null || after === before ? {} : { cursor: writeCursor(after) };
}
