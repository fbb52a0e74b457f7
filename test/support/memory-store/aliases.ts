import type { RecordId } from '../../../src/core/change.js';
import { SyncError } from '../../../src/core/errors.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import { changeKey, intentsOf, moveMark, putIntent, recordKey, type TenantTables } from './tables.js';

/** @throws SyncError INTERNAL - the other record is this one, leads to it, or is not there and not made by the same commit */
export function checkAlias(
  tables: TenantTables,
  writes: readonly RecordWrite[],
  { collection, id, aliasOf }: RecordWrite,
): void {
  if (aliasOf === undefined) return;
  const other = tables.records.get(recordKey(collection, aliasOf));
  const isMade = writes.some(
    (write) => write.collection === collection && write.id === aliasOf && write.next !== undefined,
  );
  if ((other === undefined && !isMade) || (other?.aliasOf ?? aliasOf) === id) {
    throw new SyncError('INTERNAL', `expected another record that ${collection} ${id} is an alias of, got ${aliasOf}`);
  }
}

/**
 * A record turned out to be another one (F9): its id becomes an alias of the last one of the chain, and with it everything that
 * is open on it or refers to it.
 */
export function makeAlias(tables: TenantTables, collection: string, id: RecordId, other: RecordId): void {
  const key = recordKey(collection, id);
  const to = tables.records.get(recordKey(collection, other))?.aliasOf ?? other;
  for (const [at, record] of tables.records) {
    const isAlias = record.collection === collection && (record.id === id || record.aliasOf === id);
    if (isAlias) tables.records.set(at, { ...record, aliasOf: to });
  }
  moveMark(tables, { collection, id: to });
  const toKey = recordKey(collection, to);
  for (const intent of intentsOf(tables, collection, id)) {
    putIntent(tables, { ...intent, id: to, seq: null });
    const change = changeKey(intent.device, intent.changeId);
    const stored = tables.changes.get(change);
    if (stored !== undefined) tables.changes.set(change, { ...stored, effectOn: toKey });
  }
  for (const intent of tables.intents.values()) {
    if (!intent.refersTo.includes(key)) continue;
    putIntent(tables, { ...intent, refersTo: intent.refersTo.map((one) => (one === key ? toKey : one)) });
  }
}
