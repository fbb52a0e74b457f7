import { describe } from '../core/field.js';
import type { ODataModel, ODataProperty, ValueKind, WholeType } from './odata-model.js';

/** A value that a property cannot hold: it is never sent as something else. */
export class UnsendableValue extends Error {
  readonly property: string;

  constructor(property: string, message: string) {
    super(message);
    this.name = 'UnsendableValue';
    this.property = property;
  }
}

const DIGITS = /^-?\d{1,40}$/;
const NUMBER = /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|-?INF|NaN)$/;

/** How a text of a primitive type stands in a URL. */
const URL_FORMS: Readonly<Record<string, readonly [pattern: RegExp, write: (text: string) => string]>> = {
  'Edm.Binary': [/^[\w-]*={0,2}$/, (text) => `binary'${text}'`],
  'Edm.Boolean': [/^(true|false)$/, same],
  'Edm.Byte': [DIGITS, same],
  'Edm.Date': [/^-?\d{4,}-\d{2}-\d{2}$/, same],
  'Edm.DateTimeOffset': [/^-?\d{4,}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,12})?)?(Z|[+-]\d{2}:\d{2})$/, same],
  'Edm.Decimal': [/^-?\d+(\.\d+)?$/, same],
  'Edm.Double': [NUMBER, same],
  'Edm.Duration': [/^-?P[\dDTHMS.]+$/, (text) => `duration'${text}'`],
  'Edm.Guid': [/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, same],
  'Edm.Int16': [DIGITS, same],
  'Edm.Int32': [DIGITS, same],
  'Edm.Int64': [DIGITS, same],
  'Edm.SByte': [DIGITS, same],
  'Edm.Single': [NUMBER, same],
  // A quote is doubled; that, too, is percent-encoded where the URL is made.
  'Edm.String': [/^/, (text) => `'${text.replaceAll("'", "''")}'`],
  'Edm.TimeOfDay': [/^\d{2}:\d{2}(:\d{2}(\.\d{1,12})?)?$/, same],
};

function same(text: string): string {
  return text;
}

/** A value as `$filter` and key predicates write it, not yet percent-encoded; null: the type has no such value. */
export function urlLiteral(kind: ValueKind, text: string): string | null {
  if (kind.kind === 'enum') return kind.members.includes(text) ? `${kind.name}'${text}'` : null;
  if (kind.kind !== 'primitive') return null;
  const [pattern, write] = URL_FORMS[kind.name] ?? [];
  return write !== undefined && pattern?.test(text) === true ? write(text) : null;
}

/** Types whose JSON is a number. Those of 64 bits and decimals go as texts (IEEE754Compatible), so that no digit is lost. */
const AS_NUMBERS = new Set(['Byte', 'SByte', 'Int16', 'Int32', 'Single', 'Double'].map((name) => `Edm.${name}`));
const AS_TEXTS = new Set(['Edm.Int64', 'Edm.Decimal']);

/** Only a PATCH leaves what is not in its body as it is, within a complex value too. */
export type BodyPurpose = 'create' | 'patch' | 'put';

/**
 * A write's body in the forms of the properties' types. What the model does not know, like a bind, goes as it is.
 *
 * @throws UnsendableValue - a property cannot hold its value
 */
export function bodyByTypes(
  model: ODataModel,
  type: WholeType,
  body: Readonly<Record<string, unknown>>,
  purpose: BodyPurpose,
): Readonly<Record<string, unknown>> {
  const typed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const property = type.properties.get(name);
    if (value === undefined) continue;
    // A whole row as the source showed it has more than the source takes back: its own notes, and other entities.
    const isNote = name.includes('@') && !/@(odata\.)?bind$/.test(name);
    if (purpose === 'put' && (isNote || property?.isNavigation === true)) continue;
    typed[name] = property === undefined ? value : valueByType(model, property, value, purpose);
  }
  return typed;
}

function valueByType(model: ODataModel, property: ODataProperty, value: unknown, purpose: BodyPurpose): unknown {
  if (value === null) return null;
  const kind = model.kindOf(property.type);
  if (property.isCollection && Array.isArray(value)) {
    return value.map((one: unknown) => oneByType(model, property, kind, one, purpose === 'patch' ? 'put' : purpose));
  }
  return oneByType(model, property, kind, value, purpose);
}

function oneByType(
  model: ODataModel,
  { name, type }: ODataProperty,
  kind: ValueKind,
  value: unknown,
  purpose: BodyPurpose,
): unknown {
  if (kind.kind === 'complex' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const members = bodyByTypes(model, kind.type, value as Readonly<Record<string, unknown>>, purpose);
    return purpose === 'patch' ? withoutOthers(kind.type, members) : members;
  }
  if (kind.kind !== 'primitive') return value;
  if (AS_TEXTS.has(kind.name)) return typeof value === 'number' ? numberText(name, type, value) : value;
  if (!AS_NUMBERS.has(kind.name) || typeof value !== 'string') return value;
  const number = Number(value);
  // What JSON has no number for, and what would be another number.
  if (/^(-?INF|NaN)$/.test(value)) return value;
  if (urlLiteral(kind, value) === null || !Number.isFinite(number)) throw unsendable(name, type, value);
  if (DIGITS.test(value) && BigInt(value) !== BigInt(number)) throw unsendable(name, type, value);
  return number;
}

/** A PATCH of a complex value changes the members that it has; a device means the whole value. */
function withoutOthers(type: WholeType, members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const gone = [...type.properties.values()].filter(
    ({ name, isNullable, isCollection, isNavigation }) =>
      !(name in members) && !isNavigation && (isNullable || isCollection),
  );
  return { ...members, ...Object.fromEntries(gone.map(({ name, isCollection }) => [name, isCollection ? [] : null])) };
}

function numberText(name: string, type: string, value: number): string {
  const text = String(value);
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw unsendable(name, type, value);
  return text;
}

function unsendable(name: string, type: string, value: unknown): UnsendableValue {
  return new UnsendableValue(name, `expected a value of ${type} in ${name}, got ${describe(value)}`);
}
