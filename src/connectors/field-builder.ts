import type { FieldType } from '../core/field.js';
import type { JsonValue } from '../core/change.js';

/** What a connector says about one field. `T` is what `unmap` gets and `map` may give, besides null. */
export interface FieldSpec<T = JsonValue> {
  readonly type: FieldType;
  readonly list: boolean;
  readonly required: boolean;
  /** May devices write it? Where absent: if its collection can be written at all. */
  readonly writable?: boolean;
  /** The source's name for it, when there is no `map` and it differs from ours. */
  readonly from?: string;
  readonly references?: string;
  readonly values?: readonly string[];
  readonly maxLength?: number;
  readonly sealed?: boolean;
  /** For types only: never there at run time. */
  readonly valueType?: T;
}

/** What holds for every type of field. */
export interface FieldOptions {
  /** Must be given when a device creates a record. Default: false. */
  readonly required?: boolean;
  /** False: the source keeps it, devices only read it. */
  readonly writable?: boolean;
  /** The source's name for it. */
  readonly from?: string;
  /** True: its values rest in the gateway only encrypted, under `sealingKeys` (F32). Default: false. */
  readonly sealed?: boolean;
}

export interface TextOptions extends FieldOptions {
  /** Longest text in characters that a device may push, and that is believed of the source. */
  readonly maxLength?: number;
}

/** The fields of a collection by our name. */
export type FieldSet = Readonly<Record<string, FieldSpec<never> | FieldSpec>>;

/** The value of a field in our encoding: null where the source has none. */
export type ValueOf<F> = F extends FieldSpec<infer T> ? T | null : never;

/** All fields of a record, by name, with their types. */
export type RecordOf<F extends FieldSet> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

function spec<T>(type: FieldType, options: FieldOptions = {}, more: Partial<FieldSpec<T>> = {}): FieldSpec<T> {
  return { required: false, ...options, ...more, type, list: false };
}

/**
 * The closed list of field types. Sources may deliver a decimal or a long as a number, and, where everything is text
 * (SOAP), numbers and truth values as text: they are read by the declared type.
 */
export const field = {
  string: (options?: TextOptions): FieldSpec<string> => spec('string', options),
  boolean: (options?: FieldOptions): FieldSpec<boolean> => spec('boolean', options),
  /** 32 bits. */
  int: (options?: FieldOptions): FieldSpec<number> => spec('int', options),
  float: (options?: FieldOptions): FieldSpec<number> => spec('float', options),
  /** 64 bits, as text. */
  long: (options?: FieldOptions): FieldSpec<string> => spec('long', options),
  /** Any digits, as text. */
  decimal: (options?: FieldOptions): FieldSpec<string> => spec('decimal', options),
  /** Like 2026-01-31. */
  date: (options?: FieldOptions): FieldSpec<string> => spec('date', options),
  /** With zone, kept in UTC with milliseconds. */
  dateTime: (options?: FieldOptions): FieldSpec<string> => spec('dateTime', options),
  enum: <const Values extends readonly string[]>(values: Values, options?: FieldOptions): FieldSpec<Values[number]> =>
    spec('enum', options, { values }),
  json: (options?: TextOptions): FieldSpec<JsonValue> => spec('json', options),
  /** The key of a record of another collection, or of the same: as the source has it, parts of a key as a list. */
  reference: (collection: string, options?: FieldOptions): FieldSpec<string> =>
    spec('reference', options, { references: collection }),
  /** Several values of one type, like `field.list(field.string())`. */
  list: <T>(item: FieldSpec<T>, options?: FieldOptions): FieldSpec<readonly T[]> => {
    const { valueType: _valueType, ...rest } = item;
    return { ...rest, ...options, list: true };
  },
} as const;
