import { layerOf } from './overlay.js';
import type { RecordView, RecordWrite } from './record-port.js';

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
