import type { Collection } from '../../src/core/collection.js';
import type { FieldDefinition, FieldType } from '../../src/core/field.js';

/** A field that devices may write and leave away. */
export function field(name: string, type: FieldType, rest: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, type, list: false, required: false, writable: true, ...rest };
}

/** Visits of patients: every field type there is. */
export const visits: Collection = {
  name: 'visits',
  type: 'Visit',
  source: 'clinic',
  policy: 'mergeFields',
  writes: { create: true, update: true, delete: true },
  scopesOf: () => ['all'],
  fields: [
    field('id', 'string', { writable: false }),
    field('patientId', 'reference', { references: 'patients', required: true }),
    field('status', 'enum', { values: ['PLANNED', 'DONE'] }),
    field('mood', 'enum', { values: ['so-so', 'well'] }),
    field('notes', 'string'),
    field('urgent', 'boolean'),
    field('minutes', 'int'),
    field('temperature', 'float'),
    field('kilometres', 'decimal'),
    field('serial', 'long'),
    field('day', 'date'),
    field('startsAt', 'dateTime'),
    field('tags', 'string', { list: true }),
    field('extra', 'json'),
  ],
};

export const patients: Collection = {
  name: 'patients',
  type: 'Patient',
  source: 'clinic',
  policy: 'sourceWins',
  writes: { create: false, update: false, delete: false },
  scopesOf: () => ['all'],
  fields: [field('id', 'string', { writable: false }), field('name', 'string', { writable: false })],
};

/** The configuration that GraphQL and HTTP are tested with. */
export const CLINIC: readonly Collection[] = [visits, patients];
