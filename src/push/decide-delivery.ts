import type { Fields, SourceKey } from '../core/change.js';
import { parseBody } from '../core/collection.js';
import { conflictingFields, decide } from '../core/conflict.js';
import { SyncError, toChangeError, type ChangeError } from '../core/errors.js';
import type { OpenIntent, RecordView } from '../core/record-port.js';
import { writerOf } from '../core/session.js';
import type { SourceCollection, SourceWrite } from '../core/source-port.js';
import { conflict } from './decide-acceptance.js';

/** What is to be done with an intent whose turn has come. */
export type DeliveryDecision =
  | {
      readonly kind: 'send';
      readonly write: Omit<SourceWrite, 'idempotencyKey'>;
      /** What the change will be when the source takes it. */
      readonly status: 'APPLIED' | 'MERGED';
      /** What its device is told with a MERGED one. Absent: nothing. */
      readonly error?: ChangeError;
    }
  | {
      readonly kind: 'refuse';
      readonly status: 'CONFLICT' | 'REJECTED';
      readonly error: ChangeError;
      /** Of a CONFLICT: the fields in which it conflicts. */
      readonly conflicting: readonly string[];
    };

/**
 * The second, binding decision (R9, specification part 4, deliver): by the stamps of the source layer only; later intents do
 * not count. Pure; it is binding because the note before the call compares the record with `view`.
 */
export function decideDelivery(source: SourceCollection, view: RecordView, intent: OpenIntent): DeliveryDecision {
  const { collection } = source;
  const fields = JSON.parse(intent.fields) as Fields;
  const isCreate = intent.kind === 'UPSERT' && intent.baseSeq === 0;
  if (view.body === null) {
    if (!isCreate)
      return refuse('REJECTED', new SyncError('NO_SUCH_RECORD', 'the create that this follows was refused'));
    return { kind: 'send', write: createOf(source, view, fields), status: 'APPLIED' };
  }
  const declared = collection.fields.map((field) => field.name);
  const touched = intent.kind === 'DELETE' ? declared : Object.keys(fields);
  const contender = { writer: writerOf(intent.device), fields: touched, base: intent.baseSeq };
  const conflicting = view.deleted ? touched : conflictingFields(contender, declared, view.stamps, []);
  const verdict = decide(collection.policy, {
    kind: intent.kind,
    fields: touched,
    conflicting,
    deleted: view.deleted,
    editWins: collection.deletedRecord === 'editWins',
    editedAtMs: intent.editedAtMs,
    currentAtMs: view.changedAtMs,
  });
  if (verdict.kind === 'refuse') return refuse('CONFLICT', conflict(view, conflicting), conflicting);
  if (view.deleted)
    return { kind: 'send', write: createOf(source, view, { ...currentOf(view), ...fields }), status: 'APPLIED' };
  if (intent.kind === 'DELETE') return { kind: 'send', write: deleteOf(source, view), status: 'APPLIED' };
  if (verdict.kind === 'apply') return { kind: 'send', write: updateOf(source, view, fields), status: 'APPLIED' };
  const rest = Object.fromEntries(verdict.fields.map((name) => [name, fields[name] ?? null]));
  return { kind: 'send', write: updateOf(source, view, rest), status: 'MERGED' };
}

/** Must the source's version be read before this write, because the record came without one? */
export function lacksGuard(source: SourceCollection, write: Pick<SourceWrite, 'kind' | 'guard'>): boolean {
  if (write.kind === 'create' || write.guard !== null || !source.facts.readOne) return false;
  return (write.kind === 'update' ? source.facts.updateGuard : source.facts.deleteGuard) === 'version';
}

function refuse(
  status: 'CONFLICT' | 'REJECTED',
  error: SyncError,
  conflicting: readonly string[] = [],
): DeliveryDecision {
  return { kind: 'refuse', status, error: toChangeError(error), conflicting };
}

function createOf(source: SourceCollection, view: RecordView, fields: Fields): Omit<SourceWrite, 'idempotencyKey'> {
  // A device's id is a UUID: its own canonical key. A record that is made again had one.
  const key = source.facts.createKey === 'device' ? (view.sourceKey ?? (view.id as string as SourceKey)) : null;
  return { kind: 'create', sourceKey: key, fields, current: null, guard: null };
}

function updateOf(source: SourceCollection, view: RecordView, fields: Fields): Omit<SourceWrite, 'idempotencyKey'> {
  const guard = source.facts.updateGuard === 'version' ? view.sourceVersion : null;
  return { kind: 'update', sourceKey: view.sourceKey, fields, current: currentOf(view), guard };
}

function deleteOf(source: SourceCollection, view: RecordView): Omit<SourceWrite, 'idempotencyKey'> {
  const guard = source.facts.deleteGuard === 'version' ? view.sourceVersion : null;
  return { kind: 'delete', sourceKey: view.sourceKey, fields: {}, current: currentOf(view), guard };
}

function currentOf(view: RecordView): Fields | null {
  return view.body === null ? null : parseBody(view.body);
}
