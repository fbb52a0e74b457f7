import type { FieldNode, GraphQLObjectType } from 'graphql';
import type { Collection } from '../core/collection.js';
import type { ChangePart, ChangeSlot } from '../core/shape.js';
import { projectedPart } from './projected-texts.js';
import { projectRecord, type RecordProjection } from './record-projection.js';
import { setsOf, type SelectedFields, type Selection } from './selection.js';

/** Fields of the interface Change whose JSON the store writes. */
const SLOT_OF: Readonly<Record<string, Exclude<ChangeSlot, 'fields'>>> = {
  collection: 'collection',
  id: 'id',
  version: 'version',
  changedAt: 'changedAt',
  kind: 'kind',
  pending: 'pending',
  mine: 'mine',
};

/**
 * How the text of a collection's changes is put together for a selection, or null where it takes more than ready texts and
 * projections of them.
 *
 * A `record` of all fields in declared order goes out as it is kept, unread, and so does `json`: that rests on `renderBody`
 * alone. Until a record that was stored under another declaration is ingested again, it goes out as it was stored: without
 * the keys of new fields, and with enum values that are no longer declared, where GraphQL would say null or add an error.
 *
 * @param changeType the collection's concrete type of Change
 * @param projections those of the operation: what this selection needs is added, and its parts name them by number
 */
export function changeParts(
  selection: Selection,
  collection: Collection,
  changeType: GraphQLObjectType,
  recordType: GraphQLObjectType,
  nodes: readonly FieldNode[],
  projections: RecordProjection[],
): readonly ChangePart[] | null {
  const parts: ChangePart[] = [{ literal: '{' }];
  let comma = '';
  for (const [key, fields] of selection.fieldsOf(changeType, setsOf(nodes))) {
    const own = partsOf(fields);
    if (own === null) return null;
    parts.push({ literal: `${comma}${JSON.stringify(key)}:` }, ...own);
    comma = ',';
  }
  return join([...parts, { literal: '}' }]);

  function partsOf(fields: readonly [FieldNode, ...FieldNode[]]): readonly ChangePart[] | null {
    const name = fields[0].name.value;
    const slot = SLOT_OF[name];
    if (slot !== undefined) return [{ slot }];
    if (name === '__typename') return [{ literal: JSON.stringify(changeType.name) }];
    // Only of bodies that are read from their source, which no ready page has.
    if (name === 'unavailable') return [{ literal: 'null' }];
    if (name === 'json') return [{ slot: 'fields', prefix: '' }];
    if (name !== 'record') return null;
    const selected = selection.fieldsOf(recordType, setsOf(fields));
    const whole = wholeRecord(selected);
    if (whole !== null) return [whole];
    const projection = projectRecord(collection, recordType, selected);
    return projection === null ? null : projectedPart(projections.push(projection) - 1);
  }

  /** The whole record as it is kept, with `__typename` before or behind its fields. */
  function wholeRecord(selected: SelectedFields): ChangePart | null {
    let prefix = '';
    let suffix = '';
    const names: string[] = [];
    for (const [key, [field]] of selected) {
      if (field.name.value === '__typename') {
        const entry = `${JSON.stringify(key)}:${JSON.stringify(recordType.name)}`;
        if (names.length === 0) prefix += `${entry},`;
        else suffix += `,${entry}`;
      } else {
        if (key !== field.name.value || suffix !== '') return null;
        names.push(key);
      }
    }
    const declared = collection.fields.map((field) => field.name);
    const isWhole = names.length === declared.length && names.every((name, at) => name === declared[at]);
    return isWhole ? { slot: 'fields', prefix, suffix } : null;
  }
}

/** Neighbouring literals as one. */
function join(parts: readonly ChangePart[]): readonly ChangePart[] {
  const joined: ChangePart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if ('literal' in part && last !== undefined && 'literal' in last) {
      joined[joined.length - 1] = { literal: last.literal + part.literal };
    } else joined.push(part);
  }
  return joined;
}
