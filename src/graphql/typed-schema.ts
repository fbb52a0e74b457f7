import { isInterfaceType, type GraphQLSchema } from 'graphql';
import type { Collection } from '../core/collection.js';
import { StartupError } from '../core/errors.js';
import type { FieldDefinition, FieldType } from '../core/field.js';
import { changeTypeName } from './change-source.js';

/**
 * The part of the schema that the collections give, as SDL to extend the static part with: per collection a record type, a
 * change type and an input, and one `RecordInput` over all of them.
 *
 * @throws StartupError config - a name that is none in GraphQL, or that is taken
 */
export function renderTypedSchema(collections: readonly Collection[], staticSchema: GraphQLSchema): string {
  checkNames(collections, staticSchema);
  const change = staticSchema.getType('Change');
  if (!isInterfaceType(change)) throw new StartupError('fault', 'no interface Change');
  const changeFields = Object.values(change.getFields()).map((field) => `  ${field.name}: ${String(field.type)}`);
  const parts = collections.flatMap((collection) => renderCollection(collection, changeFields));
  if (collections.length > 0) parts.push(renderRecordInput(collections));
  return parts.join('\n\n');
}

/** Change types by collection name. */
export function changeTypesByCollection(collections: readonly Collection[]): ReadonlyMap<string, string> {
  const known = CHANGE_TYPES.get(collections);
  if (known !== undefined) return known;
  const types = new Map(collections.map(({ name, type }) => [name, changeTypeName(type)]));
  CHANGE_TYPES.set(collections, types);
  return types;
}

const CHANGE_TYPES = new WeakMap<readonly Collection[], ReadonlyMap<string, string>>();

const SCALAR_OF: Record<Exclude<FieldType, 'enum'>, string> = {
  string: 'String',
  boolean: 'Boolean',
  int: 'Int',
  float: 'Float',
  long: 'Long',
  decimal: 'Decimal',
  date: 'Date',
  dateTime: 'DateTime',
  json: 'JSON',
  reference: 'ID',
};

function renderCollection(collection: Collection, changeFields: readonly string[]): readonly string[] {
  const { name, type, source, fields, writes } = collection;
  const writable = fields.filter((field) => field.writable);
  const enums = fields.filter((field) => enumTypeName(collection, field) !== null);
  return [
    `${describe(`A record of ${name}, owned by ${source}.`)}\ntype ${type} {\n${fields.map((field) => `${describe(fieldNote(field), '  ')}  ${field.name}: ${typeOfField(collection, field)}`).join('\n')}\n}`,
    ...enums.map((field) => renderEnum(collection, field)),
    `${describe(`A change of a record of ${name}.`)}\ntype ${changeTypeName(type)} implements Change {\n${changeFields.join('\n')}\n${describe('All fields; null where `json` is.', '  ')}  record: ${type}\n}`,
    ...(writable.length === 0 || !(writes.create || writes.update)
      ? []
      : [
          `${describe(`The changed fields of a record of ${name}. A field that is not given stays as it is; null empties it.`)}\ninput ${type}Input {\n${writable.map((field) => `${describe(inputNote(field), '  ')}  ${field.name}: ${typeOfField(collection, field)}`).join('\n')}\n}`,
        ]),
  ];
}

function renderRecordInput(collections: readonly Collection[]): string {
  const keys = collections.filter(takesInput).map(({ name, type }) => `  ${name}: ${type}Input`);
  if (keys.length === 0) return '';
  return [
    `${describe('The changed fields, typed: exactly one key, the name of the collection.')}\ninput RecordInput @oneOf {\n${keys.join('\n')}\n}`,
    `extend input ChangeInput {\n${describe('… or typed: one key, the name of the collection.', '  ')}  record: RecordInput\n}`,
  ].join('\n\n');
}

function takesInput({ fields, writes }: Collection): boolean {
  return (writes.create || writes.update) && fields.some((field) => field.writable);
}

function typeOfField(collection: Collection, field: FieldDefinition): string {
  const type = field.type === 'enum' ? (enumTypeName(collection, field) ?? 'String') : SCALAR_OF[field.type];
  return field.list ? `[${type}!]` : type;
}

/** The GraphQL enum of an enum field; null when one of its values is no name in GraphQL: then it is a String. */
function enumTypeName(collection: Collection, field: FieldDefinition): string | null {
  if (field.type !== 'enum') return null;
  const values = field.values ?? [];
  const fits = values.length > 0 && values.every((value) => NAME.test(value) && !NO_ENUM_VALUE.has(value));
  return fits ? `${collection.type}${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}` : null;
}

const NAME = /^(?!__)[A-Za-z_][A-Za-z0-9_]*$/;
const NO_ENUM_VALUE = new Set(['true', 'false', 'null']);

function renderEnum(collection: Collection, field: FieldDefinition): string {
  const values = (field.values ?? []).map((value) => `  ${value}`);
  return `${describe(`Values of ${collection.name}.${field.name}.`)}\nenum ${enumTypeName(collection, field)} {\n${values.join('\n')}\n}`;
}

function fieldNote(field: FieldDefinition): string {
  const notes: string[] = [];
  if (field.references !== undefined) notes.push(`The id of a record of ${field.references}.`);
  if (field.type === 'enum') notes.push(`One of ${(field.values ?? []).join(', ')}.`);
  if (!field.writable) notes.push('Read only.');
  return notes.join(' ');
}

function inputNote(field: FieldDefinition): string {
  const note = fieldNote(field);
  return field.required ? `${note} Required for a new record.`.trim() : note;
}

function describe(text: string, indent = ''): string {
  return text === '' ? '' : `${indent}${JSON.stringify(text)}${indent === '' ? '' : '\n'}`;
}

function checkNames(collections: readonly Collection[], staticSchema: GraphQLSchema): void {
  const takenBy = new Map<string, string>(
    Object.keys(staticSchema.getTypeMap()).map((name) => [name, 'the gateway itself']),
  );
  takenBy.set('RecordInput', 'the gateway itself');
  const names = new Map<string, string>();
  const take = (taken: Map<string, string>, name: string, what: string, owner: string): void => {
    if (!NAME.test(name)) {
      throw new StartupError(
        'config',
        `${owner}: ${what} ${JSON.stringify(name)}: expected a GraphQL name: letters, digits and _, not beginning with a digit or with __`,
      );
    }
    const other = taken.get(name);
    if (other !== undefined) {
      throw new StartupError('config', `${owner}: ${what} ${JSON.stringify(name)} is taken by ${other}`);
    }
    taken.set(name, owner);
  };
  for (const collection of collections) {
    const owner = `${collection.source}.${collection.name}`;
    take(names, collection.name, 'collection', owner);
    for (const type of typesOf(collection)) take(takenBy, type, 'type', owner);
    const fields = new Map<string, string>();
    if (collection.fields.length === 0)
      throw new StartupError('config', `${owner}: expected at least one field, got none`);
    for (const field of collection.fields) take(fields, field.name, 'field', owner);
  }
}

function typesOf(collection: Collection): readonly string[] {
  const { type, fields } = collection;
  const enums = fields.map((field) => enumTypeName(collection, field)).filter((name) => name !== null);
  return [type, changeTypeName(type), ...(takesInput(collection) ? [`${type}Input`] : []), ...enums];
}
