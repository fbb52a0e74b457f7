import type { AnyCollectionDefinition } from './define.js';
import { CallFault } from './fault.js';
import { doubtsOf, expandedName, membersRead, primitiveOf, problemsOf } from './odata-check.js';
import type { EntitySet, ODataModel } from './odata-model.js';
import type { ODataOperation } from './odata.js';

/** A collection that makes a call. */
export interface ODataUse {
  readonly name: string;
  readonly definition: AnyCollectionDefinition;
  /** The definition is that of the entries in its log of deletions. Absent: its own. */
  readonly isLog?: boolean;
}

/** What follows for one call from its facts, the collections that make it, and the service's model. */
export interface ODataPlan {
  readonly model: ODataModel;
  readonly set: EntitySet;
  /** The key's properties, in the order of the parts of our keys. */
  readonly keyNames: readonly string[];
  /** The query options that are the same in each such call: `$select`, `$expand`. */
  readonly shape: Readonly<Record<string, string>>;
  /** Does a write's answer show all that the collection reads? Not what lies behind `$expand`. */
  readonly answersWhole: boolean;
  /** The members that a whole row has. */
  readonly members: readonly string[];
  /** Members of a row of which a part only may come along, with a link to the rest. */
  readonly divided: readonly string[];
  readonly decimals: readonly string[];
  readonly moments: readonly string[];
}

/**
 * Checks a call against the service's model, with all that its collections declare.
 *
 * @throws CallFault notSent - naming each key, what was expected and what came
 */
export function planCall(operation: ODataOperation, uses: readonly ODataUse[], model: ODataModel): ODataPlan {
  const set = model.entitySet(operation.set);
  const problems = uses.flatMap(({ name, definition, isLog = false }) =>
    problemsOf(definition, operation, set, model)
      .map((problem) => (isLog ? `read.deletes.${problem.replace(/^read\.changes/, 'since')}` : problem))
      .map((problem) => (uses.length === 1 ? problem : `(${name}) ${problem}`)),
  );
  if (problems.length > 0) throw new CallFault('notSent', problems.join('; '), { sourceIsSick: false });
  const properties = [...set.type.properties.values()];
  const select = selected(operation, uses, set);
  const named = (type: string): readonly string[] =>
    properties.flatMap((one) => (primitiveOf(model, one.type) === type && !one.isCollection ? [one.name] : []));
  return {
    model,
    set,
    keyNames: keyNamesOf(uses, set),
    shape: shapeOf(operation, select),
    members: properties.flatMap(({ name, type, isNavigation }) =>
      isNavigation || type === 'Edm.Stream' || select?.includes(name) === false ? [] : [name],
    ),
    answersWhole: uses.every(({ definition }) => readsOwnMembersOnly(definition, set)),
    divided: properties.flatMap((one) => (one.isCollection || one.isNavigation ? [one.name] : [])),
    decimals: named('Edm.Decimal'),
    moments: named('Edm.DateTimeOffset'),
  };
}

/** What in a collection may go wrong later, for the log. */
export function doubtsOfCall(
  operation: ODataOperation,
  uses: readonly ODataUse[],
  { set }: ODataPlan,
): readonly string[] {
  return uses.flatMap(({ name, definition }) => doubtsOf(definition, set).map((doubt) => `${name}: ${doubt}`));
}

function keyNamesOf(uses: readonly ODataUse[], set: EntitySet): readonly string[] {
  const key = uses[0]?.definition.key;
  return typeof key === 'string' || Array.isArray(key) ? [key as string | readonly string[]].flat() : set.type.keys;
}

function shapeOf({ expand }: ODataOperation, select: readonly string[] | null): Readonly<Record<string, string>> {
  return {
    ...(select === null ? {} : { $select: select.join(',') }),
    ...(expand.length === 0 ? {} : { $expand: expand.join(',') }),
  };
}

/** Null: everything. */
function selected(
  { select, does, foundBy, expand }: ODataOperation,
  uses: readonly ODataUse[],
  set: EntitySet,
): readonly string[] | null {
  if (select === 'all') return null;
  if (select !== null) return select;
  const names = new Set(foundBy === null ? [] : [foundBy]);
  for (const { definition } of uses) {
    const members = membersRead(definition);
    // The whole entity goes back with a PUT.
    const isWhole = does === 'one' && definition.write?.update?.sends === 'merged';
    if (members === null || isWhole) return null;
    for (const [, member] of members) names.add(member);
  }
  for (const text of expand) names.delete(expandedName(text));
  return [...names].filter((name) => set.type.properties.get(name)?.isNavigation !== true);
}

function readsOwnMembersOnly({ map, read, fields }: AnyCollectionDefinition, set: EntitySet): boolean {
  if (map !== undefined) {
    const { list, one } = read as { readonly list: ODataOperation; readonly one?: ODataOperation };
    return list.expand.length === 0 && (one?.expand.length ?? 0) === 0;
  }
  return Object.entries(fields).every(
    ([name, spec]) => set.type.properties.get(spec.from ?? name)?.isNavigation !== true,
  );
}
