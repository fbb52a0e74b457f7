import type { Collection } from '../core/collection.js';
import { StartupError } from '../core/errors.js';

/**
 * Collections, types and sources of a gateway may not share names, among each other or with the schema's own types.
 *
 * @param reservedTypes the static types of the GraphQL schema
 * @throws StartupError config - one line for each name that is taken twice
 */
export function checkNames(collections: readonly Collection[], reservedTypes: ReadonlySet<string>): void {
  const problems: string[] = [];
  const names = new Map<string, string>();
  const types = new Map<string, string>();
  for (const { name, type, source } of collections) {
    const where = `connector ${source}: ${name}`;
    const sameName = names.get(name);
    if (sameName !== undefined) problems.push(`${where}: expected a name of its own, ${sameName} has the same`);
    names.set(name, where);
    for (const made of [type, `${type}Change`, `${type}Input`]) {
      if (reservedTypes.has(made))
        problems.push(`${where}.type: expected a type of its own, ${made} is part of the schema`);
      const taken = types.get(made);
      if (taken !== undefined) problems.push(`${where}.type: expected a type of its own, ${made} belongs to ${taken}`);
      types.set(made, where);
    }
  }
  const known = new Set(collections.map((one) => one.name));
  for (const { name, source, fields } of collections) {
    for (const field of fields) {
      if (field.references === undefined || known.has(field.references)) continue;
      problems.push(
        `connector ${source}: ${name}.fields.${field.name}.references: expected one of ${[...known].join(', ')}, got "${field.references}"`,
      );
    }
  }
  problems.push(...circlesOf(collections));
  if (problems.length > 0) throw new StartupError('config', problems.join('\n'));
}

/** Collections that have their scopes from each other, in a circle: none of them would ever have any. One line for each of them. */
function circlesOf(collections: readonly Collection[]): readonly string[] {
  const viaOf = new Map(collections.map(({ name, via }) => [name, via?.collection]));
  return collections.flatMap(({ name, source }) => {
    const way = [name];
    for (let next = viaOf.get(name); next !== undefined; next = viaOf.get(next)) {
      if (next === name) {
        const round = [...way, name].join(' -> ');
        return [
          `connector ${source}: ${name}.scopes: expected via references that end at scopes of their own, got ${round}`,
        ];
      }
      if (way.includes(next)) return [];
      way.push(next);
    }
    return [];
  });
}
