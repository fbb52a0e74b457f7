import { ERASED_HASH } from '../core/erasure-port.js';
import { SyncError, toChangeError, type ChangeError } from '../core/errors.js';
import type { KnownChange } from '../core/record-port.js';
import type { SourceWriteOutcome } from '../core/source-port.js';
import type { PushedChange, PushResult } from './pushed-change.js';

/** A change with the hash by which repeats are told. */
interface Asked {
  readonly change: PushedChange;
  readonly bodyHash: string;
}

/**
 * The answer to a change (R7): a known change id gets what is stored, under another body it is an error.
 *
 * @param results what this push made of its changes
 * @param firsts the first change of the push under each id
 * @throws SyncError UNAVAILABLE - its stored answer could not be found
 */
export function answerOf(
  { change, bodyHash }: Asked,
  results: ReadonlyMap<string, PushResult>,
  firsts: ReadonlyMap<string, Asked>,
  stored: ReadonlyMap<string, KnownChange>,
): PushResult {
  const known = stored.get(change.changeId);
  const first = known?.bodyHash ?? firsts.get(change.changeId)?.bodyHash;
  if (first !== bodyHash && first !== ERASED_HASH) {
    const error = new SyncError(
      'KEY_REUSED',
      'expected a new changeId: this one names another change already (a repeat is the same change to the letter, changedAt and baseVersion included)',
      { field: 'changeId' },
    );
    return resultOf(change, 'REJECTED', toChangeError(error));
  }
  if (known !== undefined) return resultOf(change, known.status, known.error, known.blockedBy);
  const result = results.get(change.changeId);
  if (result === undefined)
    throw new SyncError('UNAVAILABLE', `${change.changeId}: expected its stored answer, got none`);
  return result;
}

export function resultOf(
  { changeId, collection, id }: PushedChange,
  status: PushResult['status'],
  error: ChangeError | null,
  blockedBy: string | null = null,
): PushResult {
  return { changeId, status, error, blockedBy, collection, id };
}

/** Why a change is not taken that was pushed on top of one that could not be. */
export function blockedBehind(changeId: string): ChangeError {
  return toChangeError(new SyncError('RECORD_BLOCKED', `expected the earlier change ${changeId} of the record first`));
}

/** What a device is told of a source's no: its reason, and what it says of single fields. */
export function refusedBySource({
  message,
  field,
  fields,
}: SourceWriteOutcome & { readonly kind: 'refused' }): ChangeError {
  return {
    code: 'SOURCE_REFUSED',
    message,
    field,
    retryable: false,
    ...(fields === undefined || fields.length === 0 ? {} : { fields }),
  };
}
