import type { Fields, SourceKey } from '../core/change.js';
import { changedFields, hashBody, parseBody, renderBody, valueText, type Collection } from '../core/collection.js';
import { conflictingFields, EVERY_FIELD } from '../core/conflict.js';
import { SyncError, toChangeError, type ChangeError } from '../core/errors.js';
import { asTheyAre, forgiving, layerOf, nextState, type Mapping, type SourceLayer } from '../core/overlay.js';
import { keptFields, keptWhole } from '../core/keeping.js';
import type { HashText } from '../core/ports.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { NextState, RecordView, RecordWrite, Stamping } from '../core/record-port.js';
import { SOURCE_WRITER, writerOf } from '../core/session.js';
import { fieldsShown, type Observation, type SourceWrite } from '../core/source-port.js';
import { keptEdit } from './kept-edit.js';

/** What a source made of a write that it took. */
export interface Applied {
  readonly write: Pick<SourceWrite, 'kind' | 'sourceKey' | 'fields'>;
  readonly observation: Observation | null;
  /** The observation is no answer to the call itself but a later look: what differs in it may be anybody's. Absent: no. */
  readonly isLater?: boolean;
  /** The record is gone again, as it is known here. Absent: no. */
  readonly isGone?: boolean;
  readonly status: 'APPLIED' | 'MERGED';
  /** Why not all of it was sent; absent: it was, or the device is told with the state. */
  readonly error?: ChangeError | undefined;
}

/**
 * The source took the change (specification part 4, settle): state, stamps, key and receipt in one write. Null when the
 * record's key is not known: a create that was answered without one.
 */
export function settleApplied(
  collection: Collection,
  view: RecordView,
  intent: LeasedIntent,
  applied: Applied,
  hash: HashText,
  mapping: Mapping = asTheyAre,
): RecordWrite | null {
  const { write, observation, status, error = null, isLater = false, isGone = false } = applied;
  const settlement = settlementOf(intent, status, error);
  // It took effect, and was deleted since.
  if (isGone) return { ...nameOf(view), next: without(collection, view, intent, layerOf(view), mapping), settlement };
  if (write.kind === 'delete') {
    const layer = { ...layerOf(view), deleted: true, sourceVersion: null, hash: null, throughUs: true };
    return {
      ...nameOf(view),
      next: without(collection, view, intent, layer, mapping),
      stamps: [{ fields: [EVERY_FIELD], writer: writerOf(intent.device), at: null }],
      settlement,
    };
  }
  // A record that is made again has another key than it had, unless somebody said so.
  const known = write.kind === 'create' ? null : view.sourceKey;
  const key: SourceKey | null = observation?.sourceKey ?? write.sourceKey ?? known;
  if (key === null) return null;
  const before = view.body === null || view.deleted ? null : parseBody(view.body);
  const sent = keptFields(collection, key, write.fields);
  const written = before === null ? keptWhole(collection, key, write.fields) : { ...before, ...sent };
  const after = (observation === null ? null : fieldsShown(observation)) ?? written;
  const body = renderBody(collection, after);
  if (observation?.outside !== undefined) {
    // The source took it, and the record is no longer one of the collection: it leaves with what was written.
    const layer = { sourceKey: key, deleted: true, body, sourceVersion: null, hash: null, throughUs: true };
    return {
      ...nameOf(view),
      next: without(collection, view, intent, layer, mapping),
      stamps: [{ fields: [EVERY_FIELD], writer: writerOf(intent.device), at: null }],
      settlement,
    };
  }
  const sourceVersion = observation?.sourceVersion ?? null;
  const layer = {
    sourceKey: key,
    deleted: false,
    body,
    sourceVersion,
    hash: hashBody(collection, hash, body),
    throughUs: true,
  };
  const next = without(collection, view, intent, layer, mapping);
  return { ...nameOf(view), next, stamps: stampsOf(collection, intent, { sent, isLater }, before, after), settlement };
}

/**
 * Values taken verbatim date from the overlay, altered ones from now; of a later look the source is their writer, or its device's next
 * edit would overwrite unseen what the back office made of them. What else moved is the source's doing, and so is what of the
 * change was not sent: whoever saw its overlay has not seen what stands there (F3). A record that is made again is sent whole: its other
 * fields are as they were last known, which its author need not have seen.
 */
function stampsOf(
  collection: Collection,
  intent: LeasedIntent,
  { sent, isLater }: { readonly sent: Fields; readonly isLater: boolean },
  before: Fields | null,
  after: Fields,
): readonly Stamping[] {
  const writer = writerOf(intent.device);
  const parsed = parseBody(renderBody(collection, after));
  const isVerbatim = (name: string): boolean => valueText(sent[name]) === valueText(parsed[name]);
  const own = namesOf(collection, intent);
  const names = Object.keys(sent).filter((name) => own.includes(name));
  const unsent = own.filter((name) => !names.includes(name));
  const isOther = (name: string): boolean => !names.includes(name) && !unsent.includes(name);
  const others = [...unsent, ...changedFields(collection, before, after).filter(isOther)];
  return [
    { fields: names.filter(isVerbatim), writer, at: intent.seq },
    { fields: names.filter((name) => !isVerbatim(name)), writer: isLater ? SOURCE_WRITER : writer, at: null },
    { fields: others, writer: SOURCE_WRITER, at: null },
  ].filter(({ fields }) => fields.length > 0);
}

/**
 * The change falls: refused by the source (its device stays the writer) or by policy (the source is). Every field of it is
 * stamped, or another device could overwrite what it never saw (F3), and the record is sent again.
 */
export function settleRefused(
  collection: Collection,
  view: RecordView,
  intent: LeasedIntent,
  refusal: Refusal,
  mapping: Mapping = asTheyAre,
): RecordWrite {
  const settlement = {
    ...settlementOf(intent, refusal.status, refusal.error),
    ...(refusal.status === 'CONFLICT' ? { kept: keptEdit(intent, refusal.conflicting ?? []) } : {}),
    ...(refusal.blockedBy === undefined ? {} : { blockedBy: refusal.blockedBy }),
  };
  const wasShown = view.body === null && view.seq > 0 && !view.deleted;
  // Of a record that is not there, or not any more, nothing can be sent and nothing can be overwritten.
  if ((view.body === null || view.deleted) && !wasShown) return { ...nameOf(view), settlement };
  const next = without(collection, view, intent, layerOf(view), mapping);
  if (view.body === null) return { ...nameOf(view), next, settlement };
  return { ...nameOf(view), next, stamps: fallenStamps(collection, view, intent, refusal), settlement };
}

/**
 * A field in which the change conflicted was not sent, and holds what its device has never seen: it is the source's, or the
 * device's next edit would overwrite it unseen.
 */
function fallenStamps(
  collection: Collection,
  view: RecordView,
  intent: LeasedIntent,
  { by }: Refusal,
): readonly Stamping[] {
  const fields = namesOf(collection, intent);
  if (by === 'policy') return [{ fields, writer: SOURCE_WRITER, at: null }];
  const writer = writerOf(intent.device);
  const declared = collection.fields.map((field) => field.name);
  const unsent = conflictingFields({ writer, fields, base: intent.baseSeq }, declared, view.stamps, []);
  return [
    { fields: fields.filter((name) => !unsent.includes(name)), writer, at: null },
    { fields: unsent, writer: SOURCE_WRITER, at: null },
  ].filter((stamping) => stamping.fields.length > 0);
}

/** The fields that a change touches: a DELETE all of them. */
function namesOf(collection: Collection, { kind, fields }: LeasedIntent): readonly string[] {
  return kind === 'DELETE' ? collection.fields.map((field) => field.name) : Object.keys(JSON.parse(fields) as Fields);
}

/** Why a change falls. */
export interface Refusal {
  readonly status: 'CONFLICT' | 'REJECTED';
  readonly error: ChangeError;
  readonly by: 'source' | 'policy';
  /** Of a CONFLICT: the fields in which it conflicts. */
  readonly conflicting?: readonly string[];
  /** The change because of which it falls. */
  readonly blockedBy?: string;
}

/** Only an operator can settle it; its lane waits (R11). */
export function settleParked(view: RecordView, intent: LeasedIntent, reason: string): RecordWrite {
  const error = toChangeError(new SyncError('OUTCOME_UNKNOWN', reason));
  return { ...nameOf(view), settlement: settlementOf(intent, 'PARKED', error) };
}

function nameOf(view: RecordView): Pick<RecordWrite, 'collection' | 'id' | 'expected'> {
  return { collection: view.collection, id: view.id, expected: { seq: view.seq, mark: view.mark } };
}

function settlementOf(
  intent: LeasedIntent,
  status: NonNullable<RecordWrite['settlement']>['status'],
  error: ChangeError | null,
): NonNullable<RecordWrite['settlement']> {
  const { device, changeId, intentNo, fence } = intent;
  const inEffect = status === 'APPLIED' || status === 'MERGED';
  return { device, changeId, status, error, inEffect, intent: { intentNo, fence } };
}

/** The state that is left when the intent is not open any more. */
function without(
  collection: Collection,
  view: RecordView,
  { intentNo }: LeasedIntent,
  layer: SourceLayer,
  mapping: Mapping,
): NextState {
  const left = view.intents.filter((other) => other.intentNo !== intentNo);
  // The source has the record by now: a scope rule that cannot read it must not lose that.
  return nextState(forgiving(collection), layer, left, mapping);
}
