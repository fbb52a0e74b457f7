import type { SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import { sourceKeyParts } from '../core/id.js';
import type { KnownStates, KnownVersions, ObservedBatch, SourceCollection } from '../core/source-port.js';
import { CallFault, faultOfCall, unavailable } from './fault.js';
import { ofCall, type CollectionParts } from './collection-parts.js';
import { createDeltaReads } from './delta-reads.js';
import { withRecords } from './listed-records.js';
import { createLogReads } from './log-reads.js';
import { createNumberReads } from './number-reads.js';
import { createPageCalls, given, type PageCalls } from './page-calls.js';
import { withDigest } from './paging.js';
import { readResult } from './pending-result.js';
import { readRows } from './row-reading.js';
import { createSinceReads } from './since-reads.js';
import type { RowAnswer } from './transport.js';

/** A tag that stays although a record changed hides the change no longer than this, and until the next scan. */
const FRESH_EVERY_MS = 86_400_000;

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

/**
 * One way to find what changed since a cursor, as in `SourceCollection.readChanges`; null reads everything.
 *
 * @throws CallFault
 */
export type ChangesReader = (
  cursor: string | null,
  signal: AbortSignal,
  known?: KnownVersions,
) => AsyncGenerator<ObservedBatch, void>;

export function createReads(parts: CollectionParts): Reads {
  const { where, definition, mapping, transport, deps } = parts;
  const { read } = definition;
  const listing = ofCall(parts, 'read.list');
  const asking = ofCall(parts, read.delta === undefined ? 'read.changes' : 'read.delta');
  const reading = ofCall(parts, 'read.one');
  const listed = createPages(listing);
  const changed = createPages(asking);
  const changes = createChangesReader(asking, changed.pages, changed.plain);

  /** When a whole scan last asked for every row. */
  let freshAtMs: number | null = null;

  async function* scan(signal: AbortSignal, isProof = false, known?: KnownStates): AsyncGenerator<ObservedBatch, void> {
    const beganMs = deps.clock.monotonicMs();
    const isFresh = isProof || freshAtMs === null || beganMs - freshAtMs >= FRESH_EVERY_MS;
    try {
      for await (const answer of listed.pages('scan', read.list, {}, signal, { isFresh, ...given(known?.versions) })) {
        const { digest } = answer;
        const keys = digest === undefined || isFresh ? null : ((await known?.pages(digest)) ?? null);
        if (keys !== null) yield { observations: [], unchanged: keys };
        else yield { ...readRows(mapping, answer, 'list'), ...withDigest(digest) };
      }
      if (isFresh) freshAtMs = beganMs;
    } catch (thrown) {
      throw unavailable(where, 'read.list', thrown);
    }
  }

  async function* readChanges(
    cursor: string | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, void> {
    if (changes === null) throw new SyncError('BAD_REQUEST', `${where}: does not say what changed, scan it`);
    try {
      yield* changes(cursor, signal, known);
    } catch (thrown) {
      throw unavailable(where, read.delta === undefined ? 'read.changes' : 'read.delta', thrown);
    }
  }

  async function readRow(key: SourceKey, signal: AbortSignal): Promise<RowAnswer | 'absent'> {
    const { one } = read;
    if (one === undefined) throw new SyncError('BAD_REQUEST', `${where}: has no read by key`);
    const keyParts = sourceKeyParts(key);
    try {
      const answer = await readResult(
        reading,
        'record',
        (deadline) => transport.readRow(one, keyParts, deadline),
        signal,
      );
      if (answer === 'absent') return answer;
      const found = mapping.keyOf(answer.row);
      if (found === key) return answer;
      throw new CallFault('badAnswer', `asked for the record ${key}, got ${found}`);
    } catch (thrown) {
      throw faultOfCall('read.one', thrown);
    }
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
        key === null || read.one === undefined
          ? listed.plain('record', read.list, {}, signal).next()
          : readRow(key, signal),
      ).then(
        () => undefined,
        () => undefined,
      ),
    async readOne(key, signal) {
      try {
        const answer = await readRow(key, signal);
        return answer === 'absent' ? answer : mapping.observe(answer.row, answer.tag);
      } catch (thrown) {
        throw unavailable(where, 'read.one', thrown);
      }
    },
  };
}

/** `plain`: pages as they come, of a log of deletions for one. */
function createPages(parts: CollectionParts): { readonly pages: PageCalls; readonly plain: PageCalls } {
  const { listed, one } = parts.definition.read;
  const plain = createPageCalls(parts);
  return { plain, pages: listed === 'keys' && one !== undefined ? withRecords(parts, one, plain) : plain };
}

/** @param plain pages as they come, of a log of deletions */
function createChangesReader(parts: CollectionParts, pages: PageCalls, plain: PageCalls): ChangesReader | null {
  const { deletes } = parts.definition.read;
  const reader = createUpdatesReader(parts, pages);
  return reader === null || deletes?.kind !== 'log' ? reader : createLogReads(parts, deletes, reader, plain);
}

function createUpdatesReader(parts: CollectionParts, pages: PageCalls): ChangesReader | null {
  const { delta, changes } = parts.definition.read;
  if (delta !== undefined) return createDeltaReads(parts, delta, pages);
  if (changes === undefined) return null;
  return changes.kind === 'number' ? createNumberReads(parts, changes, pages) : createSinceReads(parts, changes, pages);
}
