import { sourceKey } from '../core/id.js';
import type { SourceKey } from '../core/change.js';
import type { AnyCollectionDefinition, ConnectorDefinition } from './define.js';

/**
 * The one form of a key where its source takes several for the same record (F20): `7` and `007`, `abc ` and `ABC`. Ids are made of
 * it and calls send it, so it must be one that the source takes. Declared before the first record is read: another form is other ids.
 */
export interface KeyForm {
  /** White space around it says nothing. */
  readonly trim?: boolean;
  /** Capital and small letters are the same; it is written in these. */
  readonly case?: 'lower' | 'upper';
  /** Zeros in front of a number say nothing; it is written with at least so many digits: 1 leaves no zero in front. */
  readonly digits?: number;
}

/** The forms of every part of the keys, by collection; a collection without one has keys that are taken as they come. */
export type KeyForms = ReadonlyMap<string, readonly KeyForm[]>;

/** The key forms of all collections of a gateway: references may point into another connector's. */
export function keyFormsOf(definitions: readonly ConnectorDefinition[]): KeyForms {
  return new Map(
    definitions.flatMap(({ collections }) =>
      Object.entries(collections).flatMap(([name, { keyForm }]) =>
        keyForm === undefined ? [] : [[name, listOf(keyForm)] as const],
      ),
    ),
  );
}

/**
 * A key as its source gave it, in its collection's form.
 *
 * @param forms one for each part, or one for all of them; absent: as it comes
 * @returns null when there is none: no part, or one that is neither a text with something in it nor a whole number
 */
export function readKey(value: unknown, forms: readonly KeyForm[] = []): SourceKey | null {
  const given = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  const parts = given.map((part, at) => normal(part, forms.length === 1 ? forms[0] : forms[at]));
  return parts.length > 0 && parts.every(isKeyPart) ? sourceKey(parts) : null;
}

/** What in a key form does not go with its collection, as ".key: expected …, got …". */
export function misfitsOfKeyForm({ key, keyForm, write }: AnyCollectionDefinition): readonly string[] {
  if (keyForm === undefined) return [];
  const forms = listOf(keyForm);
  const misfits: string[] = [];
  const parts = typeof key === 'function' ? null : typeof key === 'string' ? 1 : key.length;
  if (forms.length > 1 && parts !== null && forms.length !== parts)
    misfits.push(`.keyForm: expected one form, or one for each of ${parts} parts of the key, got ${forms.length}`);
  if (write?.create?.takesKey === true && forms.some((form) => form.case === 'upper'))
    misfits.push(
      '.keyForm.case: expected "lower", since write.create takes the ids that devices make as keys, got "upper"',
    );
  return misfits;
}

function listOf(keyForm: KeyForm | readonly KeyForm[]): readonly KeyForm[] {
  return Array.isArray(keyForm) ? (keyForm as readonly KeyForm[]) : [keyForm as KeyForm];
}

function normal(part: unknown, form: KeyForm | undefined): unknown {
  if (form === undefined || (typeof part !== 'string' && typeof part !== 'number')) return part;
  let text = String(part);
  if (form.trim === true) text = text.trim();
  if (form.case !== undefined) text = form.case === 'lower' ? text.toLowerCase() : text.toUpperCase();
  if (form.digits !== undefined && /^[0-9]+$/.test(text)) text = text.replace(/^0+/, '').padStart(form.digits, '0');
  return text;
}

function isKeyPart(part: unknown): part is string | number {
  return (typeof part === 'string' && part !== '') || (typeof part === 'number' && Number.isSafeInteger(part));
}
