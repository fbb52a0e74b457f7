import { EVERY_FIELD } from './conflict.js';
import { layerOf } from './overlay.js';
import type { RecordView, RecordWrite } from './record-port.js';
import { SOURCE_WRITER } from './session.js';
import type { SourceFacts } from './source-port.js';

/** The write that makes a record a tombstone, compared with the state on which its end was decided. */
export function tombstone(view: RecordView): RecordWrite {
  const { collection, id, seq, mark, sourceKey, body } = view;
  return {
    collection,
    id,
    expected: { seq, mark },
    next: {
      sourceKey,
      deleted: true,
      body,
      sourceVersion: null,
      hash: null,
      vis: null,
      pending: false,
      scopes: [],
      throughUs: false,
    },
    stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
  };
}

/** A tombstone gives its key up: another record has it now (F20). It keeps its id, and nobody is told anything. */
export function keyGivenUp(view: RecordView): RecordWrite {
  return {
    collection: view.collection,
    id: view.id,
    expected: { seq: view.seq, mark: view.mark },
    // Not a deletion that ingest made: it must not count towards the limit of the hour (R14).
    next: { ...layerOf(view), sourceKey: null, throughUs: true, vis: null, pending: false, scopes: [] },
  };
}

/** The clocks of a node and of the database may be apart by so much. */
const CLOCKS_APART_MS = 1_000;

/**
 * So soon after a write of ours a source that lags may still show the time before it: what it does not show says nothing (F30).
 *
 * @param askedMs the time before the source was asked
 */
export function mayLag(...asked: Parameters<typeof lagLeftMs>): boolean {
  return lagLeftMs(...asked) > 0;
}

/** For how long after `askedMs` that is so. A change that came after the write is newer than it: then it is a little longer than needed. */
export function lagLeftMs(
  { readAfterWriteMs = 0 }: Pick<SourceFacts, 'readAfterWriteMs'>,
  view: Pick<RecordView, 'written' | 'changedAtMs'>,
  askedMs: number,
): number {
  if (readAfterWriteMs === 0 || view.written === 0) return 0;
  return Math.max(0, view.changedAtMs + readAfterWriteMs + CLOCKS_APART_MS - askedMs);
}
