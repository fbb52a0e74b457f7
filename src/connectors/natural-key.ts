import { valueText } from '../core/collection.js';
import type { Fields } from '../core/change.js';
import { describe } from '../core/field.js';
import { fieldsShown, type NaturalKey, type Observation, type SourceCollection } from '../core/source-port.js';
import { ofCall, type CollectionParts } from './collection-parts.js';
import type { AnyCollectionDefinition, NaturalKeyFacts } from './define.js';
import { CallFault, unavailable } from './fault.js';
import { readResult } from './pending-result.js';
import type { SoughtValue } from './transport.js';

/** Where the look-up by natural key is declared. */
export const NATURAL_LOOK_UP = 'write.naturalKey.lookUp';

export function naturalKeyOf({ fields, fixed }: NaturalKeyFacts): NaturalKey {
  return { fields, isFixed: fixed === true };
}

/**
 * Finds the records that have the natural key of some fields. Safe to repeat.
 *
 * Throws SyncError SOURCE_UNAVAILABLE for an answer that does not show them and nothing else: a source that does not know the filter
 * shows all of its records, or the first of them.
 */
export function createFindAlike(
  parts: CollectionParts,
  { fields: names, lookUp }: NaturalKeyFacts,
): NonNullable<SourceCollection['findAlike']> {
  const { where, mapping, transport } = parts;

  function soughtBy(fields: Fields): readonly SoughtValue[] {
    return names.map((field) => {
      const members = Object.entries(mapping.bodyOf({ [field]: fields[field] ?? null }));
      const [[member, value] = ['', null]] = members;
      if (
        members.length === 1 &&
        (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      )
        return { field, member, value: String(value) };
      throw doubt(`expected one value of the natural key for ${field}, got ${describe(value)}`);
    });
  }

  function observed(row: unknown, fields: Fields): Observation {
    const seen = mapping.observe(row, null);
    const shown = fieldsShown(seen);
    const other = shown === null ? undefined : names.find((name) => valueText(shown[name]) !== valueText(fields[name]));
    if (other === undefined) return seen;
    throw doubt(`expected records with our natural key, got ${seen.sourceKey} with another ${other}`);
  }

  return async (fields, signal) => {
    try {
      const sought = { alike: soughtBy(fields) };
      const look = (deadline: AbortSignal) => transport.lookUp(lookUp, sought, deadline);
      const rows = await readResult(ofCall(parts, NATURAL_LOOK_UP), 'record', look, signal);
      return rows.map((row) => observed(row, fields));
    } catch (thrown) {
      throw unavailable(where, NATURAL_LOOK_UP, thrown);
    }
  };
}

/** The source may be well: it is the look-up that proves nothing. */
function doubt(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}

/** What is wrong with a natural key, each as ".key: expected …, got …". */
export function misfitsOfNaturalKey({ fields, write }: AnyCollectionDefinition): readonly string[] {
  const facts = write?.naturalKey;
  if (facts === undefined) return [];
  const where = '.write.naturalKey';
  const misfits: string[] = [];
  if (write?.create === undefined)
    misfits.push(`${where}: expected write.create beside it, since what a create made is found by it, got nothing`);
  const better =
    write?.idempotencyKey !== undefined
      ? 'write.idempotencyKey'
      : write?.reference !== undefined
        ? 'write.reference'
        : write?.create?.takesKey === true
          ? "the device's key in write.create"
          : null;
  if (better !== null) misfits.push(`${where}: expected nothing beside ${better}, which tells for certain, got both`);
  for (const name of facts.fields) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined)
      misfits.push(`${where}.fields: expected some of ${Object.keys(fields).join(', ')}, got "${name}"`);
    else if (!field.required || field.list || field.type === 'json' || field.writable === false)
      misfits.push(
        `${where}.fields: expected single values that every create sends (required: true, not writable: false), got "${name}"`,
      );
  }
  if (new Set(facts.fields).size !== facts.fields.length) misfits.push(`${where}.fields: expected each field once`);
  if (facts.lookUp.paging.kind !== 'whole')
    misfits.push(`${where}.lookUp: expected one answer with every such record, got pages`);
  return misfits;
}
