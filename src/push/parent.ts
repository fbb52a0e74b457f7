import type { SourceKey } from '../core/change.js';
import { keyOf } from '../core/reference.js';
import type { OpenIntent, RecordView } from '../core/record-port.js';

/** What a record that an intent refers to has for it (F18). */
export type Parent =
  /** The source has it under this key. */
  | { readonly kind: 'key'; readonly key: SourceKey }
  /** It is on its way to the source by an intent that was accepted earlier, or that one may take it away: to be waited for. */
  | { readonly kind: 'earlier'; readonly waitsFor: number }
  /** It is on its way, but was accepted later: it may wait for this very intent. */
  | { readonly kind: 'later' }
  /** Its create was refused. */
  | { readonly kind: 'refused' }
  /** It was deleted. */
  | { readonly kind: 'gone' }
  /** Nothing is known of it, yet. */
  | { readonly kind: 'unknown' };

/** Pure. @param before the number of the intent that refers to it; intents from there on were accepted later */
export function parentOf(record: RecordView, before: number): Parent {
  const awaited = awaitedOf(record, before);
  if (awaited !== null) return { kind: 'earlier', waitsFor: awaited.intentNo };
  const key = keyOf(record);
  if (key !== null) return { kind: 'key', key };
  if (record.body !== null) return { kind: 'gone' };
  if (record.intents.length > 0) return { kind: 'later' };
  return record.seq === 0 && record.mark === 0 ? { kind: 'unknown' } : { kind: 'refused' };
}

/**
 * The open intent of a record that whatever refers to it has to wait for: the create that gives it its key, or a deletion. Null: none
 * that was accepted before.
 */
export function awaitedOf(record: RecordView, before = Number.POSITIVE_INFINITY): OpenIntent | null {
  const earlier = record.intents.filter((intent) => intent.intentNo < before);
  const [first] = earlier;
  if (first === undefined) return null;
  return keyOf(record) === null ? first : (earlier.findLast((intent) => intent.kind === 'DELETE') ?? null);
}
