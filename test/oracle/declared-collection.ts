import type { Collection } from '../../src/core/collection.js';
import type { CollectionPlan, Plan } from './plan.js';

/**
 * A planned collection as connectors declare it: two telling fields, the scope, and with `references` the patient of a visit; with `via`
 * a visit is in her scopes.
 */
export function declaredCollection(
  plan: CollectionPlan,
  { references, via = false }: Pick<Plan, 'references' | 'via'>,
): Collection {
  const field = { type: 'string', list: false, required: false, writable: true } as const;
  const patient = { ...field, name: 'patient', type: 'reference', references: 'patients' } as const;
  const { name, source, policy, visibility, deletedRecord } = plan;
  return {
    name,
    type: name === 'visits' ? 'Visit' : 'Patient',
    source,
    fields: [
      { ...field, name: 'note' },
      { ...field, name: 'mark' },
      { ...field, name: 'route', required: true },
      ...(references && name === 'visits' ? [patient] : []),
    ],
    policy,
    visibility,
    deletedRecord,
    writes: { create: true, update: true, delete: true },
    ...(via && name === 'visits'
      ? { via: { field: 'patient', collection: 'patients' }, scopesOf: () => [] }
      : { scopesOf: (fields) => (typeof fields['route'] === 'string' ? [fields['route']] : []) }),
  };
}
