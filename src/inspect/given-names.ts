import {
  listsIn,
  objectsIn,
  type DescribedOperation,
  type DescribedSystem,
  type ObjectType,
  type Shape,
} from './described-system.js';
import { NameKeeper, typeName, valueName } from './safe-names.js';
import { rowsOf as restRowsOf } from './rest-collections.js';
import { rowsOf as soapRowsOf } from './soap-collections.js';

/** Types that a generated file imports or declares for itself. */
const OWN_TYPES = [
  'CallOptions',
  'EntitySetOptions',
  'GetOptions',
  'ODataOperation',
  'PostOptions',
  'PutOptions',
  'RestOperation',
  'Several',
  'SoapOperation',
  'Text',
  'WriteOptions',
];

/** Functions that it imports. */
const OWN_VALUES: Readonly<Record<DescribedSystem['kit'], readonly string[]>> = {
  rest: ['del', 'field', 'get', 'patch', 'post', 'put'],
  soap: ['call', 'field'],
  odata: ['entity', 'entitySet', 'field', 'insert', 'remove', 'update'],
};

/** The identifiers of a generated file: each type, each operation and each set of fields has one of its own. */
export interface GivenNames {
  /** All types that operations take or answer, in the order of their names. */
  readonly types: readonly ObjectType[];
  /** Types of which an operation lists or reads records: they have a set of fields. */
  readonly rows: ReadonlySet<ObjectType>;
  typeOf(type: ObjectType): string;
  fieldsOf(type: ObjectType): string;
  operationOf(call: DescribedOperation): string;
  /** Of a call's query parameters. */
  queryOf(call: DescribedOperation): string;
}

/** The same description gives the same names; a new type takes none from one that was there. */
export function giveNames(system: DescribedSystem): GivenNames {
  const types = [...reachable(system)].sort((a, b) => compare(a.name, b.name) || compare(a.origin, b.origin));
  const typeNames = new NameKeeper(OWN_TYPES);
  const byType = new Map(types.map((type) => [type, typeNames.take(typeName(type.name))]));
  const taken = new Set([...byType.values(), ...OWN_VALUES[system.kit]]);
  // Files are named like operations, and many file systems do not tell `getA` from `geta`.
  const values = new NameKeeper([], (name) => name.toLowerCase());
  const freed = (name: string): string => (taken.has(name) ? `${name}_` : name);
  const byCall = new Map(system.operations.map((call) => [call, values.take(freed(valueName(call.name)))]));
  const rows = rowTypes(system);
  const byRow = new Map(
    types
      .filter((type) => rows.has(type))
      .map((type) => [type, values.take(freed(`${valueName(byType.get(type) ?? '')}Fields`))]),
  );
  const byQuery = new Map(
    system.operations.map((call) => [call, typeNames.take(typeName(`${byCall.get(call) ?? ''} query`))]),
  );
  return {
    types,
    rows,
    typeOf: (type) => byType.get(type) ?? 'unknown',
    fieldsOf: (type) => byRow.get(type) ?? '',
    operationOf: (call) => byCall.get(call) ?? '',
    queryOf: (call) => byQuery.get(call) ?? '',
  };
}

/** By code points, on every machine alike. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function shapesOf(call: DescribedOperation): readonly (Shape | null)[] {
  switch (call.kit) {
    case 'rest':
      return [call.body, call.answer.shape];
    case 'soap':
      return [call.input?.shape ?? null, call.output?.shape ?? null];
    case 'odata':
      return [{ kind: 'object', type: call.set.type }];
  }
}

function reachable(system: DescribedSystem): ReadonlySet<ObjectType> {
  const found = new Set<ObjectType>();
  const waiting: Shape[] = system.operations.flatMap(shapesOf).filter((shape) => shape !== null);
  for (let shape = waiting.pop(); shape !== undefined; shape = waiting.pop()) {
    if (shape.kind === 'list') waiting.push(shape.item);
    if (shape.kind !== 'object' || found.has(shape.type)) continue;
    found.add(shape.type);
    waiting.push(...shape.type.members.map((member) => member.shape));
  }
  return found;
}

function rowTypes(system: DescribedSystem): ReadonlySet<ObjectType> {
  const rows = new Set<ObjectType>();
  for (const call of system.operations) {
    const list = listedBy(call);
    if (list !== null) rows.add(list);
    if (call.kit !== 'rest' || call.method !== 'GET' || listsIn(call.answer.shape).length > 0) continue;
    const single = objectsIn(call.answer.shape)[0];
    if (single !== undefined) rows.add(single.type);
  }
  return rows;
}

function listedBy(call: DescribedOperation): ObjectType | null {
  switch (call.kit) {
    case 'rest':
      return call.method === 'GET' ? (restRowsOf(call)?.type ?? null) : null;
    case 'soap':
      return soapRowsOf(call)?.type ?? null;
    case 'odata':
      return call.set.type;
  }
}
