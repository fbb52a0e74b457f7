import type { Fields, RecordId, SourceKey } from './change.js';
import type { Collection } from './collection.js';
import type { Incoming } from './overlay.js';
import { isNobodys } from './reference.js';

/** The reference through which a collection's records have their scopes: those of the record that it names. */
export interface Via {
  readonly field: string;
  /** Where it points. */
  readonly collection: string;
}

/** Names the record whose scopes another one has, as the store keeps it. Neither collections nor keys have blanks. */
export type ViaName = `k ${string} ${SourceKey}` | `i ${string} ${RecordId}`;

/** Whose scopes a record has that its source showed in this state. Null: its own, or nobody's, since it names none. */
export function viaOf({ via }: Pick<Collection, 'via'>, fields: Fields): ViaName | null {
  const target = via === undefined ? null : targetOf(via, fields);
  return via === undefined || target === null ? null : `k ${via.collection} ${target as SourceKey}`;
}

/** The same of a record that its source does not have yet: what it names may not be there yet either, and is named by its id until then. */
export function viaOfPending(
  { via }: Pick<Collection, 'via'>,
  { fields, unmapped }: Pick<Incoming, 'fields' | 'unmapped'>,
): ViaName | null {
  const target = via === undefined ? null : targetOf(via, fields);
  if (via === undefined || target === null || isNobodys(target)) return null;
  const isUnmapped = unmapped.includes(via.field);
  return isUnmapped ? `i ${via.collection} ${target as RecordId}` : `k ${via.collection} ${target as SourceKey}`;
}

function targetOf({ field }: Via, fields: Fields): string | null {
  const target = fields[field];
  return typeof target === 'string' ? target : null;
}
