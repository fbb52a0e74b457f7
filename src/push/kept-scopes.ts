import type { Fields } from '../core/change.js';
import { parseBody, type Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { knownOf } from '../core/keeping.js';
import type { RecordView } from '../core/record-port.js';

/**
 * The after image of a record whose values are not kept (R13, F29): without its other values nobody can say in which scopes it would be, so
 * what gives them may not be pushed. Everything else leaves it in those of the before image.
 *
 * @returns whether the record is such a one; false: its after image is to be computed
 * @throws SyncError VALIDATION - the change sets a field that gives the record its scopes
 */
export function staysInScopes(collection: Collection, fields: Fields, { body }: RecordView): boolean {
  const known = body === null ? null : knownOf(parseBody(body));
  if (known === null) return false;
  const moving = Object.keys(fields).find((name) => known.by.includes(name));
  if (moving === undefined) return true;
  const message = `${collection.name}.${moving}: expected a field that gives the record no scope, since its values are not kept`;
  throw new SyncError('VALIDATION', message, { field: moving });
}
