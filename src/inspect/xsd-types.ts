import type { ScalarShape, ScalarType } from './described-system.js';

const BUILT_IN: Readonly<Record<string, ScalarType>> = {
  boolean: 'boolean',
  byte: 'int',
  short: 'int',
  int: 'int',
  unsignedByte: 'int',
  unsignedShort: 'int',
  unsignedInt: 'long',
  long: 'long',
  unsignedLong: 'decimal',
  integer: 'decimal',
  nonNegativeInteger: 'decimal',
  positiveInteger: 'decimal',
  nonPositiveInteger: 'decimal',
  negativeInteger: 'decimal',
  decimal: 'decimal',
  float: 'float',
  double: 'float',
  date: 'date',
  dateTime: 'dateTime',
};

/** A type of XML Schema itself, or one of SOAP's encoding that is called like it; null: it may hold elements. */
export function builtInType(local: string): ScalarShape | null {
  if (local === 'anyType' || local === 'Array' || local === 'Struct') return null;
  return {
    kind: 'scalar',
    type: Object.hasOwn(BUILT_IN, local) ? (BUILT_IN[local] as ScalarType) : 'string',
    wire: 'string',
    says: `xs:${local}`,
  };
}
