import type { Collection } from '../core/collection.js';
import { SyncError, type ChangeError, type ErrorCode } from '../core/errors.js';
import type { RecordWrite } from '../core/record-port.js';
import type { Store } from '../core/store-port.js';
import { isKeptBody } from './digests.js';

/** Codes whose messages the gateway makes of names and counts alone, or an operator by hand. */
const WITHOUT_VALUES: ReadonlySet<ErrorCode> = new Set([
  'CONFLICT',
  'FORBIDDEN',
  'NOT_FOUND',
  'NO_SUCH_RECORD',
  'OPERATOR_REFUSED',
  'OUTCOME_UNKNOWN',
  'PARENT_REFUSED',
  'RECORD_BLOCKED',
  'SOURCE_REFUSED',
]);

/**
 * A store in which no field value of these collections rests (F29): refused edits are not kept, and stored errors tell no value. A write
 * that would keep a value all the same is a fault that keeps nothing. Open changes are the matter of `sealedEdits`.
 *
 * @param kept the collections, with their digests
 */
export function valuelessStore(store: Store, kept: readonly Collection[]): Store {
  const collections = new Map(kept.map((collection) => [collection.name, collection]));

  function bareWrite(write: RecordWrite): RecordWrite {
    const collection = collections.get(write.collection);
    if (collection === undefined) return write;
    const { next, settlement } = write;
    if (next !== undefined) checkNoValue(collection, next);
    if (settlement === undefined) return write;
    const { kept: _forgotten, error, ...rest } = settlement;
    return { ...write, settlement: { ...rest, error: error && withoutValues(collection, error) } };
  }

  return {
    ...store,
    commit: async (tenant, writes, context) => store.commit(tenant, writes.map(bareWrite), context),
    async restate(tenant, collection, records) {
      const own = collections.get(collection);
      if (own !== undefined) for (const one of records) checkNoValue(own, one);
      await store.restate(tenant, collection, records);
    },
  };
}

/** @throws SyncError INTERNAL - a fault of the gateway, after which nothing may be written */
function checkNoValue(
  collection: Collection,
  { body, vis }: Pick<NonNullable<RecordWrite['next']>, 'body' | 'vis'>,
): void {
  if (vis === null && (body === null || isKeptBody(collection, body))) return;
  throw new SyncError('INTERNAL', `${collection.name}: expected no field value in what is kept`);
}

/** A device sees the whole error once, in the answer to its push; what stays names the field and the kind of fault. */
function withoutValues(collection: Collection, error: ChangeError): ChangeError {
  if (WITHOUT_VALUES.has(error.code)) return error;
  const field = collection.fields.some(({ name }) => name === error.field) ? error.field : null;
  const where = field === null ? collection.name : `${collection.name}.${field}`;
  const message = `${where}: refused (${error.code}); what was wrong with it is not kept`;
  return { code: error.code, message, field, retryable: error.retryable };
}
