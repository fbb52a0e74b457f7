import type { ODataOperation } from './odata.js';
import type { CallPlace } from './transport.js';

/** What each call is made with. */
const PLACES: Readonly<Record<Exclude<CallPlace, 'step'>, ODataOperation['does']>> = {
  list: 'list',
  one: 'one',
  lookUp: 'find',
  create: 'insert',
  update: 'update',
  delete: 'remove',
};

const BUILDERS: Readonly<Record<ODataOperation['does'], string>> = {
  list: 'entitySet(…)',
  one: 'entity(…)',
  find: 'findBy(…)',
  findAlike: 'findAlike(…)',
  insert: 'insert(…)',
  update: 'update(…)',
  remove: 'remove(…)',
};

/** A simple identifier of OData: letters, digits and _, not beginning with a digit. */
const NAME = /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}\p{Pc}\p{Cf}]{0,127}$/u;

/** Can it be the name of an entity set or a property? */
export function isODataName(text: string): boolean {
  return NAME.test(text);
}

/**
 * What is wrong with an OData call in its place, as "expected …, got …"; null: nothing. What the service has is seen later.
 *
 * @param sought of a look-up by natural key: the fields; null: it is by reference
 */
export function misfitOfOData(
  operation: ODataOperation,
  purpose: CallPlace,
  sought: readonly string[] | null = null,
): string | null {
  const { does, set, foundBy, keyIn, select, expand } = operation;
  if (purpose === 'step') return 'expected a write of one call, got a step';
  const place = sought === null ? PLACES[purpose] : 'findAlike';
  if (does !== place) return `expected ${BUILDERS[place]}, got ${BUILDERS[does]}`;
  if (!isODataName(set)) return `expected the name of an entity set, got "${set}"`;
  for (const name of [foundBy, keyIn]) {
    if (name !== null && !isODataName(name)) return `expected the name of a property, got "${name}"`;
  }
  if (Array.isArray(select) && select.length === 0) return 'expected select to name a property, got none';
  const odd = [...(Array.isArray(select) ? (select as readonly string[]) : []), ...expand].find((one) => one === '');
  return odd === undefined ? null : 'expected the name of a property in select and expand, got ""';
}
