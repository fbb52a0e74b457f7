import type { FieldDefinition, FieldType } from './field.js';

/** What a collection's connector makes of rows, as far as it shows in records: kept, to be compared with the next start's. */
export interface Shape {
  /** How keys are read, and in which form: other texts may give other ids. */
  readonly key: string;
  /** Each field's type in words, in declared order. */
  readonly fields: Readonly<Record<string, string>>;
  /** Hash of everything else that decides how a row comes out: map, unmap, scopes, version, the source's names. */
  readonly rules: string;
}

/** How a collection is read; made at start. */
export interface Reading {
  readonly shape: Shape;
  /**
   * A salted hash of who reads (never a secret in clear), where, and which list; `whole` takes the shape in, too.
   *
   * @param kept an earlier mark, whose salt is taken: the same reading gives the same mark. Null: a new salt
   */
  mark(of: 'set' | 'whole', kept: string | null): string;
}

/** What is kept of readings, all of it null before the first. */
export interface KeptReading {
  /** Mark of the reading by which all of the collection was last read. */
  readonly readAs: string | null;
  /** Mark of the set with which absences are compared (R14). */
  readonly provenAs: string | null;
  /** JSON text of the shape that is known to be in force. */
  readonly shape: string | null;
}

/** What changed since a reading was kept. */
export interface ReadingChange {
  /** Everything is to be read again: an equal record takes no seq, one that comes out otherwise does. */
  readonly isAnew: boolean;
  /** Another set may be shown: what is missing from it is held for an operator (R14). */
  readonly isOtherSet: boolean;
  /** Keys may be others: what is known by the old ones cannot be read by them. */
  readonly isRekeyed: boolean;
}

const UNCHANGED: ReadingChange = { isAnew: false, isOtherSet: false, isRekeyed: false };

export function changeOfReading(reading: Reading | undefined, kept: KeptReading): ReadingChange {
  if (reading === undefined || kept.shape === null) return UNCHANGED;
  const isRekeyed = (JSON.parse(kept.shape) as Shape).key !== reading.shape.key;
  return {
    isAnew: reading.mark('whole', kept.readAs) !== kept.readAs,
    isOtherSet: isRekeyed || reading.mark('set', kept.provenAs) !== kept.provenAs,
    isRekeyed,
  };
}

/** A field's type as a shape names it. */
export function typeInWords(field: FieldDefinition): string {
  const { type, list, references, values } = field;
  const details: Partial<Record<FieldType, string>> = {
    reference: ` to ${references ?? ''}`,
    enum: ` of ${(values ?? []).join(', ')}`,
  };
  return `${list ? 'list of ' : ''}${type}${details[type] ?? ''}`;
}

/** What devices will see of another shape's fields, a line for each that was removed, added or has another type. */
export function fieldChanges(before: Shape, now: Shape): readonly { readonly field: string; readonly says: string }[] {
  const names = [...new Set([...Object.keys(before.fields), ...Object.keys(now.fields)])];
  return names.flatMap((field) => {
    const was = before.fields[field];
    const is = now.fields[field];
    if (was === is) return [];
    if (is === undefined)
      return [{ field, says: `no longer declared (it was ${was}): devices get records again without it` }];
    if (was === undefined) return [{ field, says: `new (${is}): devices get the records that have a value` }];
    return [
      {
        field,
        says: `was ${was}, is ${is}: devices get what is read otherwise now; records that do not fit are set aside`,
      },
    ];
  });
}
