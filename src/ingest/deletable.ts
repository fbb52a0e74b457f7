import type { RecordView } from '../core/record-port.js';

/** May ingest delete this record? Not if it is gone already, and not while a change of it is on its way (F14). */
export function isDeletable(view: RecordView | undefined): view is RecordView {
  return view !== undefined && view.seq > 0 && !view.deleted && view.intents.length === 0;
}
