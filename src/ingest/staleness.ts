import type { Seq } from '../core/change.js';
import type { ObservedState } from '../core/observed-state.js';
import type { RecordMark, RecordView } from '../core/record-port.js';
import { SOURCE_WRITER } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';
import type { ObservationToken } from './observed-batches.js';
import { mayLag } from '../core/tombstone.js';

/** R15: why an observation may be older than what we know; null when it is not. */
export function staleReason(
  { readOne }: SourceCollection['facts'],
  mark: RecordMark | undefined,
  token: ObservationToken,
  floor: Seq,
): string | null {
  if (token.head < floor) return 'older than the floor';
  if (mark === undefined) return null;
  if (mark.inFlight) return 'a write is in flight';
  if (token.head < mark.written) return 'written meanwhile';
  // A scan and polls go on beside each other where a read by key can tell which of them is right.
  return readOne && token.head < mark.ownSeq ? 'changed meanwhile' : null;
}

/**
 * For how long from now a source that lags may still show the state before our write (F30): an observation that was asked for in that time
 * counts only if it has the version of that write. What the source itself was seen to do since ends the doubt. Null: there is none.
 */
export function laggingForMs(
  facts: SourceCollection['facts'],
  view: RecordView,
  { observation }: ObservedState,
  { askedMs }: ObservationToken,
  nowMs: number,
): number | null {
  if (!mayLag(facts, view, askedMs)) return null;
  if (view.sourceVersion !== null && observation.sourceVersion === view.sourceVersion) return null;
  const isSeenSince = Object.values(view.stamps).some(
    ({ seq, writer }) => writer === SOURCE_WRITER && seq > view.written,
  );
  return isSeenSince ? null : Math.max(0, view.changedAtMs + (facts.readAfterWriteMs ?? 0) - nowMs);
}
