import type { JsonValue } from './change.js';

/** The closed list of field types; see docs/protocol.md for their JSON encoding. */
export const FIELD_TYPES = [
  'string',
  'boolean',
  'int',
  'float',
  'long',
  'decimal',
  'date',
  'dateTime',
  'enum',
  'json',
  'reference',
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

/** One named value of a record, as its collection declares it. */
export interface FieldDefinition {
  readonly name: string;
  readonly type: FieldType;
  /** True: the value is a list of `type`. */
  readonly list: boolean;
  /** Must be given and not null when a device creates a record. */
  readonly required: boolean;
  /** May a device write it? (R13) */
  readonly writable: boolean;
  /** The collection that a reference points into. */
  readonly references?: string;
  /** The values of an enum. */
  readonly values?: readonly string[];
  /** Longest text in characters (string, decimal, enum, json as text); the collection's limit when absent. */
  readonly maxLength?: number;
  /** Its values rest here only encrypted (F32). Absent: as they are. */
  readonly sealed?: boolean;
}

/** Why a value does not fit: what was expected and what came. */
export interface Misfit {
  readonly expected: string;
  /** May show the value: for whoever sent it. */
  readonly got: string;
  /** The same without the value: for what is kept and logged. */
  readonly gotKind: string;
}

/** A fitting value in its canonical JSON encoding, or the misfit. */
export type Fit = { readonly ok: true; readonly value: JsonValue } | { readonly ok: false; readonly misfit: Misfit };

/** Default longest text of one field, in characters. */
export const DEFAULT_MAX_FIELD_LENGTH = 100_000;
/** Deepest nesting of a json field. */
export const MAX_JSON_DEPTH = 32;
const MAX_LIST_LENGTH = 10_000;

const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;
const DECIMAL = /^-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,37})?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Fits one value to its field: canonical encoding (UTC milliseconds for dateTime, canonical digits for long) or what
 * was wrong. Null always fits here; whether a field may be null is the collection's question. Pure, repeatable.
 */
export function fitValue(field: FieldDefinition, value: unknown): Fit {
  if (value === null || value === undefined) return fits(null);
  if (!field.list) return fitOne(field, value);
  if (!Array.isArray(value)) return misfit(`a list of ${field.type}`, value);
  if (value.length > MAX_LIST_LENGTH) return misfit(`at most ${MAX_LIST_LENGTH} items`, value);
  const items: JsonValue[] = [];
  for (const item of value as readonly unknown[]) {
    if (item === null || item === undefined) return misfit(`a list of ${field.type} without null`, value);
    const fit = fitOne(field, item);
    if (!fit.ok) return fit;
    items.push(fit.value);
  }
  return fits(items);
}

const FITTERS: Record<FieldType, (field: FieldDefinition, value: unknown) => Fit> = {
  string: fitText,
  boolean: (_field, value) => (typeof value === 'boolean' ? fits(value) : misfit('true or false', value)),
  int: (_field, value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31
      ? fits(value === 0 ? 0 : value)
      : misfit('a whole number of 32 bits', value),
  float: (_field, value) =>
    typeof value === 'number' && Number.isFinite(value)
      ? fits(value === 0 ? 0 : value)
      : misfit('a finite number', value),
  long: fitLong,
  decimal: (_field, value) =>
    typeof value === 'string' && DECIMAL.test(value)
      ? fits(value)
      : misfit('a decimal number as text, like "12.50"', value),
  date: (_field, value) =>
    typeof value === 'string' && DATE.test(value) && isRealDate(value)
      ? fits(value)
      : misfit('a date like 2026-01-31', value),
  dateTime: fitDateTime,
  enum: (field, value) =>
    typeof value === 'string' && (field.values ?? []).includes(value)
      ? fits(value)
      : misfit(`one of ${(field.values ?? []).join(', ')}`, value),
  json: fitJson,
  reference: (field, value) =>
    typeof value === 'string' && value.length >= 1 && value.length <= 200 && !/[\u0000-\u001f]/.test(value)
      ? fits(value)
      : misfit(`the id of a record of ${field.references ?? 'a collection'}`, value),
};

function fitOne(field: FieldDefinition, value: unknown): Fit {
  return FITTERS[field.type](field, value);
}

function fitText(field: FieldDefinition, value: unknown): Fit {
  const limit = field.maxLength ?? DEFAULT_MAX_FIELD_LENGTH;
  if (typeof value !== 'string') return misfit('a text', value);
  return value.length <= limit ? fits(value) : misfit(`a text of at most ${limit} characters`, value);
}

function fitLong(_field: FieldDefinition, value: unknown): Fit {
  const expected = 'a whole number of 64 bits as text, like "9007199254740993"';
  if (typeof value !== 'string' || !/^-?(0|[1-9][0-9]{0,18})$/.test(value) || value === '-0')
    return misfit(expected, value);
  const number = BigInt(value);
  return number >= LONG_MIN && number <= LONG_MAX ? fits(value) : misfit(expected, value);
}

function fitDateTime(_field: FieldDefinition, value: unknown): Fit {
  const expected = 'a date and time with zone, like 2026-01-31T12:00:00.000Z';
  if (typeof value !== 'string' || !DATE_TIME.test(value) || !isRealDate(value.slice(0, 10)))
    return misfit(expected, value);
  // As most sources write it: a scan of 100,000 records with two times each spends a quarter of its CPU on parsing and printing them.
  if (CANONICAL_TIME.test(value)) return fits(value);
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? misfit(expected, value) : fits(new Date(ms).toISOString());
}

const CANONICAL_TIME = /^.{10}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** @param date like 2026-01-31 */
function isRealDate(date: string): boolean {
  const [year, month, day] = [Number(date.slice(0, 4)), Number(date.slice(5, 7)), Number(date.slice(8))];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

function fitJson(field: FieldDefinition, value: unknown): Fit {
  if (!isJson(value, MAX_JSON_DEPTH)) return misfit(`a JSON value at most ${MAX_JSON_DEPTH} levels deep`, value);
  const limit = field.maxLength ?? DEFAULT_MAX_FIELD_LENGTH;
  return JSON.stringify(value).length <= limit
    ? fits(value as JsonValue)
    : misfit(`JSON of at most ${limit} characters`, value);
}

function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth === 0) return false;
  return Object.values(value).every((item) => isJson(item, depth - 1));
}

function fits(value: JsonValue): Fit {
  return { ok: true, value };
}

function misfit(expected: string, value: unknown): Fit {
  return { ok: false, misfit: { expected, got: describe(value), gotKind: kindOf(value) } };
}

/** What kind of thing a foreign value is, without telling it. */
export function kindOf(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : `a text of length ${value.length}`;
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : 'no finite number';
  if (typeof value === 'boolean') return 'true or false';
  return describe(value);
}

/** A short, safe description of a foreign value for error messages. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `a text of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === undefined ? 'nothing' : typeof value === 'object' ? 'an object' : typeof value;
}
