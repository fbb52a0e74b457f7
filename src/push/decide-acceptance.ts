import type { Epoch, Fields, Seq } from '../core/change.js';
import { parseBody, valueText, type Collection } from '../core/collection.js';
import { conflictingFields, decide, EVERY_FIELD, stampOf, type RivalIntent, type Verdict } from '../core/conflict.js';
import { SyncError, toChangeError, type ChangeError } from '../core/errors.js';
import type { FeedHead } from '../core/feed-port.js';
import { isDeviceMadeId } from '../core/id.js';
import { keptFields } from '../core/keeping.js';
import { asTheyAre, type Mapping } from '../core/overlay.js';
import type { OpenIntent, RecordView } from '../core/record-port.js';
import { sameDevice, SOURCE_WRITER, writerOf, type DeviceKey, type ScopeGrant } from '../core/session.js';
import { wrong, type CheckedChange } from './pushed-change.js';
import { checkImages, sees } from './write-permission.js';

/** Most open intents of one device on one record; more are RECORD_BLOCKED (F19). */
export const MAX_OPEN_INTENTS = 100;

/** The base of a change that was made on top of a create: above 0, which only creates have, and below every stamp but the first. */
export const FOLLOWS_CREATE = 1 as Seq;

/** What becomes of a change at accept: its fate at once, an intent, or an error that is not remembered. */
export type AcceptDecision =
  | {
      readonly kind: 'final';
      /** APPLIED: its effect is there already, from before a restore. */
      readonly status: 'APPLIED' | 'CONFLICT' | 'REJECTED';
      readonly error: ChangeError | null;
      /** Of a CONFLICT: the fields in which it conflicts. */
      readonly conflicting?: readonly string[];
      /** The change because of which it falls. */
      readonly blockedBy?: string;
      /** Fields that show its values, of which nobody else is known to be the writer. Absent: none. */
      readonly wrote?: readonly string[];
    }
  | {
      readonly kind: 'intent';
      readonly baseSeq: Seq;
      readonly blockedBy: string | null;
      /** It may have taken effect before a restore (F5): what became of it is found out first. */
      readonly inDoubt: boolean;
    }
  | { readonly kind: 'retryLater'; readonly error: ChangeError };

/** Who pushed, and the feed as the request found it. */
export interface Pusher {
  readonly device: DeviceKey;
  readonly grant: ScopeGrant;
  /** Of `grant`, where it may write. */
  readonly writeGrant: ScopeGrant;
  readonly roles: readonly string[];
  readonly feed: Pick<FeedHead, 'epoch' | 'head'>;
  /** Collections that were not looked through since the epoch began: an older copy of the feed does not know what is there (F5). */
  readonly unswept: ReadonlySet<string>;
}

/** Does a change speak of another epoch than the one in force? */
export function isOfOtherEpoch({ sentEpoch, base }: Pick<CheckedChange, 'sentEpoch' | 'base'>, epoch: Epoch): boolean {
  return (sentEpoch !== null && sentEpoch !== epoch) || (base !== null && base.epoch !== epoch);
}

/**
 * Decides a pushed change against its record as last known (R9, R13; specification part 4, accept). Pure: the store
 * compares the record again when the decision is written.
 *
 * @param editedAtMs the time of the edit, skew-corrected
 * @param mapping of the records that the change refers to
 */
export function decideAcceptance(
  change: CheckedChange,
  view: RecordView,
  pusher: Pusher,
  editedAtMs: number,
  mapping: Mapping = asTheyAre,
): AcceptDecision {
  try {
    return decideOrThrow(change, view, pusher, editedAtMs, mapping);
  } catch (thrown) {
    if (!(thrown instanceof SyncError)) throw thrown;
    const error = toChangeError(thrown);
    if (error.retryable) return { kind: 'retryLater', error };
    const isUnsure = isOfOtherEpoch(change, pusher.feed.epoch) && pusher.unswept.has(change.collection.name);
    if (isUnsure && thrown.code !== 'VALIDATION') return { kind: 'retryLater', error: toChangeError(unswept(change)) };
    return { kind: 'final', status: thrown.code === 'CONFLICT' ? 'CONFLICT' : 'REJECTED', error };
  }
}

function decideOrThrow(
  pushed: CheckedChange,
  view: RecordView,
  pusher: Pusher,
  editedAtMs: number,
  mapping: Mapping,
): AcceptDecision {
  // Compared with what the source has, which names records by their keys.
  const change = { ...pushed, fields: mapping.incoming(pushed.fields).fields };
  const own = view.intents.filter((intent) => sameDevice(intent.device, pusher.device));
  const inDoubt = wasSentBeforeRestore(change, pusher.feed.epoch);
  // Until then what had effect would look as if it had none.
  if (inDoubt && pusher.unswept.has(change.collection.name)) throw unswept(change);
  if (inDoubt && isInEffect(change, view, pusher))
    return { kind: 'final', status: 'APPLIED', error: null, wrote: wroteOf(change, view) };
  const isCreate = checkExistence(change, view, pusher, { own, inDoubt });
  checkOperation(change, isCreate);
  checkImages(pushed, view, pusher, own, mapping);
  if (own.length >= MAX_OPEN_INTENTS) {
    throw new SyncError('RECORD_BLOCKED', `expected at most ${MAX_OPEN_INTENTS} open changes of one record`);
  }
  const blockedBy = own.at(-1)?.changeId ?? null;
  if (isCreate) return { kind: 'intent', baseSeq: 0 as Seq, blockedBy, inDoubt };
  const isOtherEpoch = change.base !== null && change.base.epoch !== pusher.feed.epoch;
  const verdict = isOtherEpoch
    ? judgeOtherEpoch(change, view, editedAtMs)
    : judge(change, view, pusher.device, editedAtMs);
  // Refused it would be told as if it had no effect; the binding decision has the last word, should that prove true.
  if (verdict.kind === 'refuse' && inDoubt) return { kind: 'intent', baseSeq: FOLLOWS_CREATE, blockedBy, inDoubt };
  if (verdict.kind === 'refuse') {
    const error = toChangeError(conflict(view, verdict.fields));
    return { kind: 'final', status: 'CONFLICT', error, conflicting: verdict.fields };
  }
  // A base of another epoch says nothing in this one: the change was decided on the record as it is now.
  return { kind: 'intent', baseSeq: isOtherEpoch ? view.seq : baseOf(change), blockedBy, inDoubt };
}

function unswept({ collection }: CheckedChange): SyncError {
  const message = `${collection.name}: expected its source to be looked through first, the gateway was restored`;
  return new SyncError('RECORD_BLOCKED', message);
}

/** F5: it may have taken effect, and nothing here remembers it. */
function wasSentBeforeRestore({ sentEpoch }: CheckedChange, epoch: Epoch): boolean {
  return sentEpoch !== null && sentEpoch !== epoch;
}

/** Is everything as the change would make it? For what sets fields, it does not matter who set them; its create may have been edited since. */
function isInEffect(change: CheckedChange, view: RecordView, { device, grant }: Pusher): boolean {
  const { kind, collection } = change;
  if (view.body === null || view.intents.length > 0) return false;
  if (!sees(grant, collection, view)) return false;
  if (kind === 'DELETE') return view.deleted;
  if (view.deleted) return false;
  return isItsCreate(change, view, device) || shownOf(change, view).length === Object.keys(change.fields).length;
}

/**
 * Is the change what made this record? Its id says that its device did, and so it did when the create was told to be in effect: what has
 * no base after that was made on top of it. It names all that a create may: what names less may have been made on top of one of which
 * nobody knows any more, and taken for it would be lost.
 */
function isItsCreate({ base, id, fields, collection }: CheckedChange, view: RecordView, device: DeviceKey): boolean {
  if (base !== null || !isDeviceMadeId(id) || isWriter(view, device)) return false;
  return collection.fields.every(({ name, writable }) => !writable || name in fields);
}

/** The fields of a change that the record shows as the change sets them. */
function shownOf({ fields, collection }: CheckedChange, { body, sourceKey }: RecordView): readonly string[] {
  const pushed = keptFields(collection, sourceKey, fields);
  const current = parseBody(body ?? '{}');
  return Object.keys(pushed).filter((name) => valueText(pushed[name]) === valueText(current[name]));
}

function wroteOf(change: CheckedChange, view: RecordView): readonly string[] {
  if (change.kind === 'DELETE') return [];
  return shownOf(change, view).filter((name) => stampOf(view.stamps, name)?.writer === SOURCE_WRITER);
}

/** Did this device write something of the record, as far as the feed knows? */
function isWriter({ stamps }: RecordView, device: DeviceKey): boolean {
  const writer = writerOf(device);
  return Object.values(stamps).some((stamp) => stamp.writer === writer);
}

function baseOf(change: CheckedChange): Seq {
  return change.base?.seq ?? FOLLOWS_CREATE;
}

/** @returns whether the change makes the record. @throws SyncError NOT_FOUND, CONFLICT, VALIDATION */
function checkExistence(
  { base, id, kind, collection, isAlias }: CheckedChange,
  view: RecordView,
  { device, grant, feed }: Pusher,
  { own, inDoubt }: { readonly own: readonly OpenIntent[]; readonly inDoubt: boolean },
): boolean {
  if (base !== null && base.epoch === feed.epoch && base.seq > feed.head) {
    throw wrong('baseVersion', 'a version that pull gave out', `${base.epoch}.${base.seq}`);
  }
  // A record that the source does not have yet is there for its author, and for those who were shown it.
  const known = view.body ?? view.vis;
  const isVisible = (view.body === null && own.length > 0) || sees(grant, collection, view);
  if (base !== null) {
    if (known === null || !isVisible) throw notFound(collection, id);
    // A device that knows the tombstone cannot change the record any more.
    if (view.deleted && base.epoch === feed.epoch && base.seq >= view.seq) throw notFound(collection, id);
    return false;
  }
  if (!isDeviceMadeId(id) && isAlias !== true) throw wrong('id', 'a lower-case UUID for a new record', id);
  const isFree = view.body === null && view.intents.length === 0;
  if (isFree && kind === 'UPSERT') return true;
  // Under an alias, what follows its create follows on the record that it is; after a restore nobody else knows who that was.
  const isAuthor = isAlias === true || inDoubt || own.length > 0 || isWriter(view, device);
  // Queued behind its own create, made before any version of it was pulled.
  if (!isFree && isAuthor && isVisible) return false;
  if (kind === 'DELETE') throw notFound(collection, id);
  // The same for records that the session may see and for those that it may not (R13).
  throw new SyncError('CONFLICT', `${collection.name}: expected a new id for a new record, this one is taken`, {
    field: 'id',
  });
}

function checkOperation({ kind, collection, fields }: CheckedChange, isCreate: boolean): void {
  const operation = kind === 'DELETE' ? 'delete' : isCreate ? 'create' : 'update';
  if (!collection.writes[operation]) {
    throw wrong('kind', `something that devices may do with ${collection.name}`, `${kind} (${operation})`);
  }
  if (operation === 'update' && Object.keys(fields).length === 0) throw wrong('json', 'at least one field', 'none');
  if (operation !== 'create') return;
  for (const { name, required } of collection.fields) {
    if (required && (fields[name] ?? null) === null) throw wrong(name, 'a value, the field is required', 'nothing');
  }
}

function judge(change: CheckedChange, view: RecordView, device: DeviceKey, editedAtMs: number): Verdict {
  const declared = change.collection.fields.map((field) => field.name);
  const fields = change.kind === 'DELETE' ? declared : Object.keys(change.fields);
  const rivals = view.intents.map(rivalOf);
  const contender = { writer: writerOf(device), fields, base: baseOf(change) };
  const conflicting = view.deleted ? fields : conflictingFields(contender, declared, view.stamps, rivals);
  const rivalTimes = view.intents.filter((one) => !sameDevice(one.device, device)).map((one) => one.editedAtMs);
  const currentAtMs = Math.max(view.changedAtMs, ...rivalTimes);
  return decide(change.collection.policy, {
    kind: change.kind,
    fields,
    conflicting,
    deleted: view.deleted,
    editWins: change.collection.deletedRecord === 'editWins',
    editedAtMs,
    currentAtMs,
  });
}

/** Specification part 3: a base of another epoch conflicts on every field whose pushed value differs. */
function judgeOtherEpoch(change: CheckedChange, view: RecordView, editedAtMs: number): Verdict {
  const current = parseBody(view.body ?? '{}');
  const declared = change.collection.fields.map((field) => field.name);
  const fields = change.kind === 'DELETE' ? declared : Object.keys(change.fields);
  const pushed = keptFields(change.collection, view.sourceKey, change.fields);
  const isOther = (name: string): boolean => valueText(pushed[name]) !== valueText(current[name]);
  const conflicting = change.kind === 'DELETE' || view.deleted ? fields : fields.filter(isOther);
  const { policy } = change.collection;
  const clash = {
    kind: change.kind,
    fields,
    conflicting,
    deleted: view.deleted,
    editWins: change.collection.deletedRecord === 'editWins',
    editedAtMs,
    currentAtMs: view.changedAtMs,
  };
  const verdict = decide(policy, clash);
  // What does not conflict is what the record says already: nothing is left to merge.
  return verdict.kind === 'merge' ? { kind: 'refuse', fields: conflicting } : verdict;
}

/** An open intent as others' changes meet it: a DELETE touches every field. */
function rivalOf(intent: OpenIntent): RivalIntent {
  const fields = intent.kind === 'DELETE' ? [EVERY_FIELD] : Object.keys(JSON.parse(intent.fields) as Fields);
  return { writer: writerOf(intent.device), seq: intent.seq, fields };
}

function notFound(collection: Collection, id: string): SyncError {
  return new SyncError('NOT_FOUND', `${collection.name}: expected a record, there is none with the id ${id}`);
}

/** What a device is told when its change was made from a state that is no longer current. */
export function conflict(view: Pick<RecordView, 'collection' | 'deleted'>, fields: readonly string[]): SyncError {
  if (view.deleted) return new SyncError('CONFLICT', `${view.collection}: the record was deleted`);
  const named = fields.slice(0, 10).join(', ');
  return new SyncError(
    'CONFLICT',
    `${view.collection}: expected a change from the current state, changed since: ${named}`,
    {
      ...(fields[0] === undefined ? {} : { field: fields[0] }),
    },
  );
}
