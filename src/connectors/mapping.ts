import type { Fields, JsonValue, SourceKey } from '../core/change.js';
import { fitObserved, type Collection } from '../core/collection.js';
import { describe, type FieldDefinition } from '../core/field.js';
import { misfitOfKey, sourceKeyParts } from '../core/id.js';
import { RecordMisfit } from '../core/misfit.js';
import { checkScopes } from '../core/scope.js';
import type { Observation } from '../core/source-port.js';
import type { AnyCollectionDefinition, KeyValue } from './define.js';
import { isRounded } from './rounded-number.js';
import { CallFault } from './fault.js';
import { readKey, type KeyForm, type KeyForms } from './key-form.js';
import { compileFilter } from './row-filter.js';
import { isFlagged } from './row-flag.js';
import type { RowTags } from './transport.js';
import { LAST_MODIFIED } from './write-guard.js';

/** A row's way to our fields and back, compiled once per collection. */
export interface Mapping {
  /**
   * @param tag what the head of a single read says; null: it is no single read
   * @throws CallFault badAnswer - no row, or one without a key
   * @throws RecordMisfit - a value is not of its declared type, its scope rule fails, or nothing can be known by its key
   */
  observe(row: unknown, tag: RowTags | null): Observation;
  readonly keyOf: (row: unknown) => SourceKey;
  /** The key that a row of a list of keys names: one of its members, or the row itself. @throws CallFault badAnswer - it names none */
  readonly listedKeyOf: (row: unknown) => SourceKey;
  /** The key that an entry of the source's log of deletions names. @throws CallFault badAnswer - it names none */
  readonly deletedKeyOf: (entry: unknown) => SourceKey;
  /** Fields in the source's names, references as the source has them. */
  bodyOf(fields: Fields): Readonly<Record<string, unknown>>;
  /** Our name of a source's field, if it is one of ours. */
  ourName(sourceField: string): string | null;
}

type Row = Readonly<Record<string, unknown>>;

export function compileMapping(
  collection: Collection,
  definition: AnyCollectionDefinition,
  textOnly: boolean,
  keyForms: KeyForms,
): Mapping {
  const fields = collection.fields.map((field) => ({
    name: field.name,
    from: definition.fields[field.name]?.from ?? field.name,
    read: readerOf(field, textOnly, keyForms.get(field.references ?? '')),
  }));
  const references = collection.fields.filter((field) => field.type === 'reference');
  const ourNames = new Map(fields.map(({ from, name }) => [from, name]));
  const map = definition.map as ((row: Row) => Row) | undefined;
  const unmap = definition.unmap as ((fields: Row) => Row) | undefined;
  const keyParts = keyReader(definition.key);
  const form = keyForms.get(collection.name);
  const { version } = definition;
  const { deletes } = definition.read;
  const flag = deletes?.kind === 'flag' ? deletes : null;
  const placeOf = compileFilter(definition.read.filter);
  const deletedKeyParts = deletes?.kind === 'log' && deletes.key !== undefined ? keyReader(deletes.key) : keyParts;

  function keyFrom(given: unknown, what: string): SourceKey {
    const key = readKey(given, form);
    if (key !== null) return key;
    throw new CallFault('badAnswer', `expected ${what} of ${collection.name} to have a key, got ${describe(given)}`);
  }

  const keyOf = (row: unknown): SourceKey => keyFrom(keyParts(rowOf(row)), 'a record');

  function fieldsIn(row: Row, key: SourceKey): Fields {
    const mapped = map === undefined ? row : mappedBy(map, row, collection, key);
    const observed: Record<string, unknown> = {};
    for (const { name, from, read } of fields) observed[name] = read(mapped[map === undefined ? from : name]);
    return fitRow(collection, key, observed);
  }

  /** Nobody sees what is outside: it need not fit. */
  function outside(row: Row, key: SourceKey): Pick<Observation, 'outside'> {
    try {
      return { outside: fieldsIn(row, key) };
    } catch (thrown) {
      if (thrown instanceof RecordMisfit) return {};
      throw thrown;
    }
  }

  return {
    keyOf,
    listedKeyOf: (row) => keyFrom(isKey(row) ? row : keyParts(rowOf(row)), 'a record'),
    deletedKeyOf: (entry) => keyFrom(isKey(entry) ? entry : deletedKeyParts(rowOf(entry)), 'a log of deletions'),
    observe(row, tag) {
      const key = keyOf(row);
      const keyReason = misfitOfKey(key);
      if (keyReason !== null)
        throw new RecordMisfit(collection.name, { sourceKey: key, field: null, reason: keyReason });
      const sourceVersion = versionIn(row as Row, tag, version);
      const versionReason = misfitOfVersion(version === undefined ? null : (row as Row)[version], sourceVersion);
      if (versionReason !== null)
        throw new RecordMisfit(collection.name, { sourceKey: key, field: null, reason: versionReason });
      if (flag !== null && isFlagged(row, flag)) {
        return { sourceKey: key, fields: null, sourceVersion };
      }
      const place = placeOf?.(row) ?? 'inside';
      if (typeof place === 'object')
        throw new RecordMisfit(collection.name, { sourceKey: key, field: null, reason: place.misfit });
      if (place === 'inside') return { sourceKey: key, fields: fieldsIn(row as Row, key), sourceVersion };
      return { sourceKey: key, fields: null, sourceVersion, ...outside(row as Row, key) };
    },
    bodyOf(given) {
      const plain = references.length === 0 ? given : withPlainReferences(given, references);
      if (unmap !== undefined) return unmap(plain);
      const body: Record<string, unknown> = {};
      for (const { name, from } of fields) {
        if (plain[name] !== undefined) body[from] = plain[name];
      }
      return body;
    },
    ourName: (sourceField) => ourNames.get(sourceField) ?? null,
  };
}

/** An author's `map` that a row makes throw: told like a field that does not fit. */
function mappedBy(map: (row: Row) => Row, row: Row, collection: Collection, key: SourceKey): Row {
  try {
    return map(row);
  } catch (cause) {
    const reason = 'expected map to give the fields of a record, it threw';
    throw new RecordMisfit(collection.name, { sourceKey: key, field: null, reason }, cause);
  }
}

function fitRow(collection: Collection, key: SourceKey, observed: Row): Fields {
  const fit = fitObserved(collection, observed);
  if (!fit.ok) throw new RecordMisfit(collection.name, { sourceKey: key, field: fit.field, reason: fit.reason });
  try {
    checkScopes(collection.name, collection.scopesOf(fit.fields));
  } catch (cause) {
    // What no rule can place nobody may see; left to the feed, it would hold up the records beside it.
    const reason = 'expected scopes to name the scopes of a record, it failed';
    throw new RecordMisfit(collection.name, { sourceKey: key, field: null, reason }, cause);
  }
  return fit.fields;
}

function rowOf(row: unknown): Row {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Row;
  throw new CallFault('badAnswer', `expected a record, got ${describe(row)}`);
}

function isKey(row: unknown): row is string | number {
  return typeof row === 'string' || typeof row === 'number';
}

function keyReader(key: AnyCollectionDefinition['key']): (row: Row) => unknown {
  if (typeof key === 'function') {
    return (row) => {
      try {
        return (key as (row: Row) => KeyValue)(row);
      } catch (cause) {
        throw new CallFault('badAnswer', 'expected key to give the key of a record, it threw', { cause });
      }
    };
  }
  if (typeof key === 'string') return (row) => row[key];
  return (row) => key.map((member) => row[member]);
}

function versionIn(row: Row, tag: RowTags | null, version: string | undefined): string | null {
  if (version === undefined) return null;
  if (version === 'etag') return tag?.etag ?? null;
  return version === LAST_MODIFIED ? (tag?.lastModified ?? null) : versionOf(row[version]);
}

function versionOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}

/** A version is kept, and sent with each guarded write. */
const MAX_VERSION_LENGTH = 1_000;

function misfitOfVersion(given: unknown, version: string | null): string | null {
  if (typeof given === 'number' && isRounded(given))
    return 'expected a version that JSON keeps, a text or a number up to 2^53, got a greater one';
  if (version === null || version.length <= MAX_VERSION_LENGTH) return null;
  return `expected a version of at most ${MAX_VERSION_LENGTH} characters, got ${version.length}`;
}

type Read = (value: unknown) => unknown;

/** Reads a source's value by the declared type, where JSON or XML has another form for it; what does not fit stays as it is. */
function readerOf(field: FieldDefinition, textOnly: boolean, keyForm: readonly KeyForm[] | undefined): Read {
  const one = oneReader(field, textOnly, keyForm);
  if (!field.list) return one ?? ((value) => value);
  // XML does not tell a list of one from a single element.
  const listed: Read = textOnly
    ? (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value])
    : (value) => value;
  if (one === null) return listed;
  return (value) => {
    const items = listed(value);
    return Array.isArray(items) ? items.map(one) : items;
  };
}

/** In the key form of the collection that it points into; an empty text points nowhere, what is no key stays a misfit. */
function referenceReader(keyForm: readonly KeyForm[] | undefined): Read {
  return (value) => readKey(value, keyForm) ?? (typeof value === 'string' ? null : value);
}

function oneReader(field: FieldDefinition, textOnly: boolean, keyForm: readonly KeyForm[] | undefined): Read | null {
  switch (field.type) {
    case 'reference':
      return referenceReader(keyForm);
    case 'long':
      return (value) => (Number.isSafeInteger(value) ? String(value) : textOnly ? digits(value) : value);
    case 'decimal':
      return (value) => (Number.isFinite(value) ? plainDecimal(value as number) : textOnly ? digits(value) : value);
    case 'int':
    case 'float':
      return textOnly ? (value) => (isNumberText(value) ? Number(value) : emptyAsNull(value)) : null;
    case 'boolean':
      return textOnly
        ? (value) => (typeof value === 'string' ? (TRUTH[value.trim()] ?? emptyAsNull(value)) : value)
        : null;
    case 'date':
    case 'dateTime':
    case 'enum':
      return textOnly ? (value) => (typeof value === 'string' ? emptyAsNull(value.trim()) : value) : null;
    case 'string':
    case 'json':
      return null;
  }
}

const TRUTH: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };

function emptyAsNull(value: unknown): unknown {
  return value === '' ? null : value;
}

function isNumberText(value: unknown): value is string {
  return typeof value === 'string' && /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(value);
}

/** XML Schema allows a plus sign and zeros in front; ours are canonical. */
function digits(value: unknown): unknown {
  const match = typeof value === 'string' ? /^\s*(-?)\+?0*(\d*)(?:\.(\d*))?\s*$/.exec(value) : null;
  if (match === null) return value;
  const [, minus = '', whole = '', fraction = ''] = match;
  if (whole === '' && fraction === '' && !String(value).includes('0')) return emptyAsNull(value);
  const text = `${whole === '' ? '0' : whole}${fraction === '' ? '' : `.${fraction}`}`;
  return minus === '-' && /[1-9]/.test(text) ? `-${text}` : text;
}

/**
 * A number without an exponent. Its digits are those of the double: sources that need more send texts. What has more digits than
 * a decimal takes is a misfit, not a zero, and so is a whole number that JSON may have rounded.
 */
function plainDecimal(value: number): string | number {
  if (value === 0) return '0';
  if (isRounded(value)) return value;
  const [, minus = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const digits = `${whole}${fraction}`;
  const point = whole.length + Number(power);
  if (point <= 0) return `${minus}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return `${minus}${digits}${'0'.repeat(point - digits.length)}`;
  return `${minus}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** References as the source has them: a text, or the parts of a key. */
function withPlainReferences(
  fields: Fields,
  references: readonly FieldDefinition[],
): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = { ...fields };
  for (const { name } of references) {
    const value = fields[name];
    if (typeof value === 'string') plain[name] = plainReference(value);
    else if (Array.isArray(value))
      plain[name] = (value as readonly JsonValue[]).map((key) => (typeof key === 'string' ? plainReference(key) : key));
  }
  return plain;
}

function plainReference(key: string): string | readonly string[] {
  const parts = sourceKeyParts(key as SourceKey);
  return parts.length === 1 ? (parts[0] as string) : parts;
}
