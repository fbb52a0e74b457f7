import type { SupplyRecord } from './supply-records.js';
import { SUPPLY_CATEGORIES, SUPPLY_UNITS } from './supply-words.js';

/** What a caller says of a supply, as texts from its XML elements; an element that is missing is null. */
export type SupplyTexts = Readonly<Record<string, unknown>>;
/** The fields that a caller writes; the stock keeps key, version and time of change itself. */
export type SupplyFields = Omit<SupplyRecord, 'sku' | 'version' | 'modifiedAt'>;

/** Reading a supply came to: its fields, or the element that does not fit and why. */
export type SupplyReading =
  | { readonly ok: true; readonly fields: SupplyFields }
  | { readonly ok: false; readonly field: string; readonly message: string };

interface ElementRule {
  readonly required: boolean;
  /** The value, or undefined when the text does not fit. */
  readonly read: (text: string) => string | number | boolean | undefined;
  readonly expected: string;
}

const ELEMENTS: Readonly<Record<keyof SupplyFields, ElementRule>> = {
  name: text(true, 200),
  category: oneOf(SUPPLY_CATEGORIES),
  unit: oneOf(SUPPLY_UNITS),
  quantity: count(),
  reorderLevel: count(),
  unitPrice: {
    required: true,
    read: (value) => (/^\d{1,8}(\.\d{1,2})?$/.test(value) ? Number(value).toFixed(2) : undefined),
    expected: 'an amount with at most two decimals, like 6.80',
  },
  gtin: {
    required: false,
    read: (value) => (/^\d{8,14}$/.test(value) ? value : undefined),
    expected: '8 to 14 digits',
  },
  expiresOn: {
    required: false,
    read: (value) => (isDay(value) ? value : undefined),
    expected: 'a date like 2027-01-31',
  },
  shelf: text(false, 20),
  supplier: text(false, 200),
  coldChain: { required: true, read: (value) => BOOLEANS[value], expected: 'true or false' },
};

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false };

/** Reads the elements of a whole supply. An unknown element does not fit, so that a misspelt one is not lost in silence. */
export function readSupply(texts: SupplyTexts): SupplyReading {
  const fields: Record<string, string | number | boolean | null> = {};
  for (const [field, rule] of Object.entries(ELEMENTS)) {
    const given = texts[field];
    if (given === null || given === undefined || given === '') {
      if (rule.required) return { ok: false, field, message: `${field} is required: ${rule.expected}` };
      fields[field] = null;
      continue;
    }
    const value = typeof given === 'string' ? rule.read(given) : undefined;
    if (value === undefined) return { ok: false, field, message: `${field} must be ${rule.expected}` };
    fields[field] = value;
  }
  const unknown = Object.keys(texts).find(
    (field) => !(field in ELEMENTS) && !['sku', 'version', 'modifiedAt', 'attributes'].includes(field),
  );
  if (unknown !== undefined) return { ok: false, field: unknown, message: `a supply has no ${unknown}` };
  return { ok: true, fields: fields as unknown as SupplyFields };
}

/** A whole number from its text, or undefined. */
export function readCount(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function count(): ElementRule {
  return { required: true, read: readCount, expected: 'a whole number from 0 to 999999999' };
}

function text(required: boolean, max: number): ElementRule {
  return {
    required,
    read: (value) => (value.length <= max ? value : undefined),
    expected: `a text of at most ${max} characters`,
  };
}

function oneOf(values: readonly string[]): ElementRule {
  return {
    required: true,
    read: (value) => (values.includes(value) ? value : undefined),
    expected: `one of ${values.join(', ')}`,
  };
}

function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(day) && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
