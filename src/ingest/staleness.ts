import type { Seq } from '../core/change.js';
import type { ObservedState } from '../core/observed-state.js';
import type { RecordMark, RecordView } from '../core/record-port.js';
import { SOURCE_WRITER } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';
import type { ObservationToken } from './observed-batches.js';

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
  return readOne && token.head < mark.seq ? 'changed meanwhile' : null;
}

/**
 * How long a source that lags may still show the state before our write (F30): until then an observation counts only if it has the
 * version of that write. What the source itself was seen to do since ends the doubt.
 */
export function laggingForMs(
  { readAfterWriteMs = 0 }: SourceCollection['facts'],
  view: RecordView,
  { observation }: ObservedState,
  nowMs: number,
): number {
  if (view.written === 0 || (view.sourceVersion !== null && observation.sourceVersion === view.sourceVersion)) return 0;
  const isSeenSince = Object.values(view.stamps).some(
    ({ seq, writer }) => writer === SOURCE_WRITER && seq > view.written,
  );
  return isSeenSince ? 0 : Math.max(0, view.changedAtMs + readAfterWriteMs - nowMs);
}
