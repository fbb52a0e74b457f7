import type { Fields, Seq } from '../core/change.js';
import type { KeptEdit } from '../core/intent.js';
import type { OpenIntent } from '../core/record-port.js';
import type { CheckedChange } from './pushed-change.js';

/**
 * The text of a refused edit as it is kept with its CONFLICT, for its device and for operators (F19).
 *
 * @param edit a pushed change, or the intent that it became; a base of 0 or 1 is a create, or an edit on top of one
 * @param conflicting the fields in which it conflicts; empty: because of another change
 */
export function keptEdit(
  edit: Pick<CheckedChange, 'kind' | 'fields' | 'base'> | Pick<OpenIntent, 'kind' | 'fields' | 'baseSeq'>,
  conflicting: readonly string[],
): string {
  const kept: KeptEdit =
    'base' in edit
      ? { kind: edit.kind, fields: edit.fields, baseSeq: edit.base?.seq ?? (0 as Seq), conflicting }
      : { kind: edit.kind, fields: JSON.parse(edit.fields) as Fields, baseSeq: edit.baseSeq, conflicting };
  return JSON.stringify(kept);
}
