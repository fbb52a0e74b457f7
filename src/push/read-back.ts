import type { Fields, SourceKey } from '../core/change.js';
import { parseBody, valueText, type Collection } from '../core/collection.js';
import { keptFields } from '../core/keeping.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import { fieldsShown, type Observation } from '../core/source-port.js';
import type { NotedCall } from './noted-call.js';
import type { Applied } from './settle.js';

/** What a read says of a call whose outcome is unknown (F4). */
export type Verdict =
  | { readonly kind: 'applied' }
  | { readonly kind: 'notApplied' }
  /** "Not there" may mean "applied, then changed by someone else": never to be sent again. `fields` differ from what was sent. */
  | { readonly kind: 'undecided'; readonly fields: readonly string[] };

const APPLIED: Verdict = { kind: 'applied' };
const NOT_APPLIED: Verdict = { kind: 'notApplied' };

/**
 * Compares what a source shows with what was sent to it (F4). Pure. `notApplied` is true only of a read that began when no
 * request of ours could take effect any more (F13); `absent` only of one that a canary has confirmed (F7).
 *
 * @param seen the record as it was read, or that the source has none
 */
export function judgeRead(collection: Collection, call: NotedCall, seen: Observation | 'absent'): Verdict {
  // A write that moved its record out of the collection took effect: what it wrote is compared there, too.
  const isGone = seen === 'absent' || fieldsShown(seen) === null;
  switch (call.kind) {
    case 'create':
      if (seen === 'absent') return NOT_APPLIED;
      // Deleted, so it was there: by its own key that was ours.
      if (isGone) return { kind: 'undecided', fields: [] };
      break;
    case 'delete':
      if (isGone) return APPLIED;
      return isMadeOn(call, seen) ? NOT_APPLIED : { kind: 'undecided', fields: [] };
    case 'update':
      if (isGone) return { kind: 'undecided', fields: Object.keys(call.fields) };
      if (isMadeOn(call, seen)) return NOT_APPLIED;
  }
  const fields = differing(collection, call, seen);
  return fields.length === 0 ? APPLIED : { kind: 'undecided', fields };
}

/** Does the source show exactly what was sent, in another version than the one that it was made on? */
export function showsCall(collection: Collection, call: NotedCall, seen: Observation | 'absent'): boolean {
  return judgeRead(collection, call, seen).kind === 'applied';
}

/** An update whose every field the record has already; null: it is none, or something differs. */
export function shownEffect(
  collection: Collection,
  { kind, fields }: LeasedIntent,
  { body, deleted, sourceKey }: RecordView,
): Applied['write'] | null {
  if (kind === 'DELETE' || body === null || deleted) return null;
  const wanted = JSON.parse(fields) as Fields;
  const isShown = sets(collection, wanted, sourceKey, parseBody(body)).length === 0;
  return isShown ? { kind: 'update', sourceKey, fields: wanted } : null;
}

/** What a call made, as a later look at the record shows it. */
export function laterOf(call: NotedCall, shown: Observation | 'absent'): Applied {
  const { status, error } = call;
  return { write: call, observation: shown === 'absent' ? null : shown, isLater: true, status, error };
}

/** Is the record still in the version on which the call was decided? Without versions nobody can tell. */
function isMadeOn(call: NotedCall, seen: Observation): boolean {
  return call.madeOn !== null && seen.sourceVersion === call.madeOn;
}

/** The fields of a call that a record shows otherwise. */
export function differing(
  collection: Collection,
  call: Pick<NotedCall, 'fields'>,
  seen: Observation,
): readonly string[] {
  return sets(collection, call.fields, seen.sourceKey, fieldsShown(seen) ?? {});
}

/** The fields to which a change gives another value than a record of this key has, as it is known here. */
export function sets(
  collection: Collection,
  fields: Fields,
  sourceKey: SourceKey | null,
  known: Fields,
): readonly string[] {
  const wanted = keptFields(collection, sourceKey, fields);
  return Object.keys(wanted).filter((name) => valueText(wanted[name]) !== valueText(known[name]));
}
