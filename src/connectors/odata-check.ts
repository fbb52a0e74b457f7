import type { FieldType } from '../core/field.js';
import type { AnyCollectionDefinition } from './define.js';
import type { FieldSpec } from './field-builder.js';
import { shownNames, type EntitySet, type ODataModel, type ODataProperty } from './odata-model.js';
import type { ODataOperation } from './odata.js';

/** Which of our types can hold the values of one of OData's. `json` holds any. */
const FITTING: Readonly<Record<string, readonly FieldType[]>> = {
  'Edm.Binary': ['string'],
  'Edm.Boolean': ['boolean'],
  'Edm.Byte': ['int', 'long', 'decimal', 'float', 'reference'],
  'Edm.Date': ['date', 'string'],
  'Edm.DateTimeOffset': ['dateTime', 'string'],
  'Edm.Decimal': ['decimal', 'long', 'reference'],
  'Edm.Double': ['float', 'decimal'],
  'Edm.Duration': ['string'],
  'Edm.Guid': ['string', 'reference'],
  'Edm.Int16': ['int', 'long', 'decimal', 'float', 'reference'],
  'Edm.Int32': ['int', 'long', 'decimal', 'float', 'reference'],
  'Edm.Int64': ['long', 'decimal', 'reference'],
  'Edm.SByte': ['int', 'long', 'decimal', 'float', 'reference'],
  'Edm.Single': ['float', 'decimal'],
  'Edm.String': ['string', 'enum', 'reference', 'date', 'dateTime', 'decimal', 'long'],
  'Edm.TimeOfDay': ['string'],
};

const MOMENTS: Readonly<Record<string, readonly string[]>> = {
  'Edm.DateTimeOffset': ['iso', 'isoSeconds'],
  'Edm.Date': ['date'],
  'Edm.Int64': ['epochMs', 'epochSeconds'],
  'Edm.Decimal': ['epochMs', 'epochSeconds'],
  'Edm.String': ['iso', 'isoSeconds', 'local', 'localSeconds', 'date', 'epochMs', 'epochSeconds'],
};

/** A place in a connector, and the member of the source's rows that it needs. */
type Need = readonly [where: string, member: string];

/** The members of a row that a collection reads; null: its own functions read it, nobody knows what. */
export function membersRead(one: AnyCollectionDefinition): readonly Need[] | null {
  if (one.map !== undefined || typeof one.key === 'function' || typeof one.read.filter === 'function') return null;
  return [...factMembers(one), ...fieldMembers(one).map(([where, member]): Need => [where, member])];
}

/** Members that facts name, apart from fields. */
function factMembers({ key, version, read }: AnyCollectionDefinition): readonly Need[] {
  const needs: Need[] = [];
  if (typeof key !== 'function') for (const member of [key].flat()) needs.push(['key', member]);
  if (version !== undefined && version !== 'etag') needs.push(['version', version]);
  const { changes } = read;
  if (changes?.kind === 'number') needs.push(['read.changes.member', changes.member]);
  else if (changes?.stamp !== undefined) needs.push(['read.changes.stamp', changes.stamp]);
  if (typeof read.filter === 'object')
    for (const member of Object.keys(read.filter)) needs.push([`read.filter.${member}`, member]);
  if (read.deletes?.kind === 'flag') needs.push(['read.deletes.member', read.deletes.member]);
  return needs;
}

function fieldMembers(one: AnyCollectionDefinition): readonly (readonly [string, string, FieldSpec])[] {
  if (one.map !== undefined) return [];
  return Object.entries(one.fields).map(([name, spec]) => [
    `fields.${name}`,
    spec.from ?? name,
    spec as unknown as FieldSpec,
  ]);
}

/**
 * What a collection declares and the service does not have, each as "key: expected …, got …". A misspelt name would otherwise be a
 * field that is always empty.
 */
export function problemsOf(
  one: AnyCollectionDefinition,
  operation: ODataOperation,
  set: EntitySet,
  model: ODataModel,
): readonly string[] {
  const { properties, isOpen } = set.type;
  const problems: string[] = [];

  function propertyOf(where: string, name: string): ODataProperty | null {
    const found = properties.get(name) ?? null;
    if (found === null && !isOpen)
      problems.push(`${where}: expected one of the properties ${shownNames(properties)} of ${set.name}, got "${name}"`);
    return found;
  }

  for (const [where, member] of factMembers(one)) propertyOf(where, member);
  for (const [where, member, spec] of fieldMembers(one)) {
    const property = propertyOf(where, member);
    const misfit = property === null ? null : misfitOfField(spec, property, model);
    if (misfit !== null) problems.push(`${where}: ${misfit}`);
    const isRead = operation.method === 'GET';
    if (property?.isNavigation === true && isRead && !operation.expand.some((text) => expandedName(text) === member))
      problems.push(`${where}: expected expand: ['${member}'] in the call, since ${member} leads to other entities`);
  }
  for (const text of operation.expand) {
    const property = propertyOf('expand', expandedName(text));
    if (property?.isNavigation === false)
      problems.push(`expand: expected a navigation property of ${set.name}, got "${property.name}"`);
  }
  problems.push(...misfitsOfKey(one, operation, set, model), ...misfitsOfSelect(one, operation, propertyOf));
  const { changes } = one.read;
  const since = changes === undefined ? null : propertyOf('read.changes.param', changes.param);
  if (changes !== undefined && changes.kind !== 'number' && since !== null) {
    const formats = MOMENTS[primitiveOf(model, since.type)] ?? [];
    const format = changes.format ?? 'iso';
    if (!formats.includes(format))
      problems.push(
        formats.length === 0
          ? `read.changes.param: expected a property that holds a moment, got ${since.name} of ${since.type}`
          : `read.changes.format: expected ${formats.join(' or ')} for ${since.type}, got "${format}"`,
      );
  }
  for (const name of [operation.foundBy, one.write?.reference?.field ?? null]) {
    const property = name === null ? null : propertyOf('write.reference', name);
    if (property !== null && primitiveOf(model, property.type) !== 'Edm.String')
      problems.push(`write.reference: expected a property of Edm.String, got ${property.name} of ${property.type}`);
  }
  return problems;
}

/** What may go wrong later, for the log: nothing that the service could not do without. */
export function doubtsOf(one: AnyCollectionDefinition, set: EntitySet): readonly string[] {
  const doubts: string[] = [];
  const { write } = one;
  if (set.isGuarded && write?.guard === undefined && (write?.update ?? write?.remove) !== undefined)
    doubts.push(
      `${set.name} has ETags: version: 'etag' and write.guard: 'ifMatch' would keep writes from others' changes`,
    );
  if (write?.create === undefined) return doubts;
  for (const [where, member, { required, writable }] of fieldMembers(one)) {
    const property = set.type.properties.get(member);
    if (property === undefined || property.isNullable || property.isFilled || property.isCollection) continue;
    if (!required && writable !== false && !set.type.keys.includes(member))
      doubts.push(`${where}: ${member} must have a value, and devices may create records without one (required: true)`);
  }
  return doubts;
}

function misfitsOfKey(
  { key }: AnyCollectionDefinition,
  { does, keyIn }: ODataOperation,
  { name: set, type }: EntitySet,
  model: ODataModel,
): readonly string[] {
  const problems: string[] = [];
  if (does === 'one' || does === 'update' || does === 'remove') {
    const declared = typeof key === 'function' ? type.keys : [key].flat();
    const isSame = declared.length === type.keys.length && type.keys.every((one) => declared.includes(one));
    if (!isSame || type.keys.length === 0)
      problems.push(
        `key: expected ${type.keys.join(', ') || 'a type with a key'}, the key of ${set}, got ${declared.join(', ')}`,
      );
    for (const one of type.keys) {
      const property = type.properties.get(one);
      const kind = property === undefined ? null : model.kindOf(property.type).kind;
      if (kind !== 'primitive' && kind !== 'enum')
        problems.push(
          `key: expected ${one} of ${set} to be a property of a primitive type, got ${property?.type ?? 'a path'}`,
        );
    }
  }
  if (keyIn !== null && (type.keys.length !== 1 || type.keys[0] !== keyIn))
    problems.push(`keyIn: expected the only key property of ${set}, which has ${type.keys.join(', ')}, got "${keyIn}"`);
  const taken = keyIn === null ? undefined : type.properties.get(keyIn);
  if (taken !== undefined && !['Edm.Guid', 'Edm.String'].includes(primitiveOf(model, taken.type)))
    problems.push(
      `keyIn: expected a key of Edm.Guid or Edm.String, since devices make UUIDs, got one of ${taken.type}`,
    );
  return problems;
}

function misfitsOfSelect(
  one: AnyCollectionDefinition,
  { select, does }: ODataOperation,
  propertyOf: (where: string, name: string) => ODataProperty | null,
): readonly string[] {
  if (!Array.isArray(select)) return [];
  const names = select as readonly string[];
  for (const name of names) propertyOf('select', name);
  if (does === 'one' && one.write?.update?.sends === 'merged')
    return ["select: expected 'all', since write.update lays changes over the whole entity, got names"];
  return (membersRead(one) ?? [])
    .filter(([, member]) => !names.includes(member) && propertyOf('select', member)?.isNavigation === false)
    .map(([where, member]) => `select: expected it to have ${member}, which ${where} reads, got ${names.join(', ')}`);
}

function misfitOfField(spec: FieldSpec, property: ODataProperty, model: ODataModel): string | null {
  const { type, list, values = [] } = spec;
  const { name, isCollection } = property;
  if (type === 'json' && !list) return null;
  const shown = isCollection ? `Collection(${property.type})` : property.type;
  if (list !== isCollection)
    return `expected a ${isCollection ? 'list or json' : 'single value'} for ${name} of ${shown}, got ${list ? `a list of ${type}` : type}`;
  if (type === 'json') return null;
  const kind = model.kindOf(property.type);
  if (kind.kind === 'complex' || kind.kind === 'other' || property.isNavigation)
    return `expected the type json for ${name} of ${shown}, got ${type}`;
  if (kind.kind === 'enum') {
    const other = type === 'enum' ? values.find((value) => !kind.members.includes(value)) : undefined;
    if (other !== undefined) return `expected values among ${kind.members.join(', ')} of ${kind.name}, got "${other}"`;
    if (type === 'string' || (type === 'enum' && !kind.isFlags)) return null;
    return `expected the type ${kind.isFlags ? 'string, since it holds several members' : 'enum or string'} for ${name} of ${shown}, got ${type}`;
  }
  const fitting = FITTING[kind.name] ?? [];
  if (fitting.includes(type)) return null;
  return `expected the type ${fitting.join(' or ')} for ${name} of ${shown}, got ${type}`;
}

/** A primitive type under its own name; '' for any other. */
export function primitiveOf(model: ODataModel, type: string): string {
  const kind = model.kindOf(type);
  return kind.kind === 'primitive' ? kind.name : '';
}

/** The navigation property of one `$expand` item. */
export function expandedName(text: string): string {
  return /^[^(/]*/.exec(text)?.[0].trim() ?? text;
}
