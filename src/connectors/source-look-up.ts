import type { SourceCollection } from '../core/source-port.js';
import { ofCall, type CollectionParts } from './collection-parts.js';
import type { ReferenceFacts } from './define.js';
import { CallFault, unavailable } from './fault.js';
import { readResult } from './pending-result.js';
import type { Reads } from './source-reads.js';
import { isOfHeader } from './write-guard.js';

/** Keys that a message names at most. */
const MOST_NAMED = 3;

/**
 * Finds the record that a create of ours made. `absent` is said only when the source itself says that there is none: whoever
 * hears it creates again. Safe to repeat.
 *
 * Throws SyncError SOURCE_UNAVAILABLE for every other answer, several records and one without our reference among them; a
 * source that does not know the filter shows all of its records.
 */
export function createLookUp(
  parts: CollectionParts & { readonly readRow: Reads['readRow'] },
  { field, lookUp }: ReferenceFacts,
): NonNullable<SourceCollection['lookUp']> {
  const { where, definition, mapping, transport, readRow } = parts;
  const needsTag = isOfHeader(definition.version);

  function theOne(rows: readonly unknown[], reference: string): unknown {
    const [row] = rows;
    if (rows.length > 1) {
      const keys = rows.slice(0, MOST_NAMED).map((one) => mapping.keyOf(one));
      const more = rows.length > MOST_NAMED ? ' …' : '';
      throw doubt(`expected at most one record for a reference, got ${rows.length}: ${keys.join(', ')}${more}`);
    }
    const key = mapping.keyOf(row);
    const shown = (row as Readonly<Record<string, unknown>>)[field];
    if (shown !== reference) throw doubt(`expected a record whose ${field} is our reference, got the record ${key}`);
    return row;
  }

  return async (reference, signal) => {
    try {
      const rows = await readResult(
        ofCall(parts, 'write.reference.lookUp'),
        'record',
        (deadline) => transport.lookUp(lookUp, { reference }, deadline),
        signal,
      );
      if (rows.length === 0) return 'absent';
      const row = theOne(rows, reference);
      const found = needsTag ? await readRow(mapping.keyOf(row), signal) : 'absent';
      // A list shows no tags; a record that was deleted meanwhile was made all the same.
      return found === 'absent' ? mapping.observe(row, null) : mapping.observe(found.row, found.tag);
    } catch (thrown) {
      throw unavailable(where, 'write.reference.lookUp', thrown);
    }
  };
}

/** The source may be well: it is the look-up that proves nothing. */
function doubt(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}
