import type { PushKind } from '../core/change.js';
import { SyncError, toChangeError } from '../core/errors.js';
import type { PushedChange, PushResult } from '../push/pushed-change.js';

/** `ChangeInput` as GraphQL coerced it, with the part that the typed schema adds. */
export interface ChangeArgument {
  readonly changeId: string;
  readonly collection: string;
  readonly id: string;
  readonly kind: PushKind;
  readonly baseVersion?: string | null;
  readonly changedAt: string;
  readonly json?: Readonly<Record<string, unknown>> | null;
  /** One key: the name of the collection. */
  readonly record?: Readonly<Record<string, Readonly<Record<string, unknown>> | null>> | null;
  readonly sentEpoch?: string | null;
}

/** The change that was sent, or its refusal where `json` and `record` do not fit together or do not fit the kind. */
export function readChangeArgument(argument: ChangeArgument): PushedChange | PushResult {
  try {
    return {
      changeId: argument.changeId,
      collection: argument.collection,
      id: argument.id,
      kind: argument.kind,
      baseVersion: argument.baseVersion ?? null,
      changedAt: argument.changedAt,
      fields: fieldsOf(argument),
      sentEpoch: argument.sentEpoch ?? null,
    };
  } catch (thrown) {
    const { changeId, collection, id } = argument;
    return {
      changeId,
      collection,
      id,
      status: 'REJECTED',
      error: toChangeError(SyncError.from(thrown)),
      blockedBy: null,
    };
  }
}

/** Is it a refusal? */
export function isRefusal(read: PushedChange | PushResult): read is PushResult {
  return 'status' in read;
}

function fieldsOf({ kind, collection, json, record }: ChangeArgument): Readonly<Record<string, unknown>> | null {
  const given = [json, record].filter((way) => way !== null && way !== undefined);
  if (kind === 'DELETE') {
    if (given.length === 0) return null;
    throw new SyncError('VALIDATION', 'a DELETE carries neither json nor record');
  }
  if (given.length !== 1) {
    throw new SyncError(
      'VALIDATION',
      `an UPSERT carries either json or record, got ${given.length === 0 ? 'neither' : 'both'}`,
    );
  }
  if (json !== null && json !== undefined) return json;
  // GraphQL holds @oneOf for us; this also holds where an executor does not (graphql-jit 0.8.9 does not).
  const keys = Object.keys(record ?? {});
  const fields = record && Object.hasOwn(record, collection) ? record[collection] : null;
  if (keys.length !== 1 || fields === undefined || fields === null) {
    throw new SyncError('VALIDATION', `record: expected the one key "${collection}", got ${keys.join(', ') || 'none'}`);
  }
  return fields;
}
