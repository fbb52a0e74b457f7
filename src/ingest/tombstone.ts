import { EVERY_FIELD } from '../core/conflict.js';
import type { RecordView, RecordWrite } from '../core/record-port.js';
import { SOURCE_WRITER } from '../core/session.js';
import type { SourceFacts } from '../core/source-port.js';

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

/** May ingest delete this record? Not if it is gone already, and not while a change of it is on its way (F14). */
export function isDeletable(view: RecordView | undefined): view is RecordView {
  return view !== undefined && view.seq > 0 && !view.deleted && view.intents.length === 0;
}

/** The clocks of a node and of the database may be apart by so much. */
const CLOCKS_APART_MS = 1_000;

/**
 * So soon after a write of ours a source that lags may still show the time before it: what it does not show says nothing (F30).
 *
 * @param askedMs the time before the source was asked
 */
export function mayLag({ readAfterWriteMs = 0 }: SourceFacts, view: RecordView, askedMs: number): boolean {
  return readAfterWriteMs > 0 && view.written > 0 && askedMs < view.changedAtMs + readAfterWriteMs + CLOCKS_APART_MS;
}
