import type { GivenNames } from './given-names.js';
import type { Member, ObjectType, ScalarShape, Shape } from './described-system.js';
import { commentText, literal, NameKeeper, propertyName, graphqlName } from './safe-names.js';

/** More values than this are told as the type that they are of. */
const MOST_VALUES = 60;

/** A type as rows of it arrive: JSON by its own types, XML as texts. */
export function renderType(type: ObjectType, names: GivenNames, isXml: boolean): string {
  const members = type.members.map((member) => `  readonly ${memberText(member, names, isXml)};\n`).join('');
  // No index signature: it would take every misspelt member for a known one.
  const open = type.open ? '/** There may be more: the description leaves it open. */\n' : '';
  return `${open}export interface ${names.typeOf(type)} {\n${members}}\n`;
}

function memberText({ name, shape, required, nullable }: Member, names: GivenNames, isXml: boolean): string {
  return `${propertyName(name)}${required ? '' : '?'}: ${shapeText(shape, names, isXml)}${nullable ? ' | null' : ''}`;
}

/** A shape as a type of TypeScript. */
export function shapeText(shape: Shape, names: GivenNames, isXml: boolean): string {
  switch (shape.kind) {
    case 'open':
      return 'unknown';
    case 'object':
      return shape.type.members.length === 0 ? 'Readonly<Record<string, unknown>>' : names.typeOf(shape.type);
    case 'list': {
      const item = shapeText(shape.item, names, isXml);
      if (isXml) return `Several<${item}>`;
      return /^[\w.]+$/.test(item) ? `readonly ${item}[]` : `ReadonlyArray<${item}>`;
    }
    case 'scalar':
      return scalarText(shape, isXml);
  }
}

function scalarText(shape: ScalarShape, isXml: boolean): string {
  const { values = [] } = shape;
  if (shape.type === 'enum' && values.length > 0 && values.length <= MOST_VALUES)
    return values.map(literal).join(' | ');
  return isXml ? `Text<${literal(shape.says)}>` : shape.wire;
}

/** One field of a set: what it is called in it, and of which member it is made. */
export interface RenderedField {
  readonly name: string;
  readonly member: Member;
}

/** The fields of a row, in its order, each with a name that GraphQL takes. */
export function fieldsOf(type: ObjectType): readonly RenderedField[] {
  const names = new NameKeeper(['id']);
  // Those that can keep their name keep it, whatever comes before them.
  const kept = new Set(
    type.members.map(({ name }) => name).filter((name) => graphqlName(name) === name && name !== 'id'),
  );
  for (const name of kept) names.take(name);
  return type.members.map((member) => ({
    name: kept.has(member.name)
      ? member.name
      : names.take(member.name === 'id' ? 'sourceId' : graphqlName(member.name)),
    member,
  }));
}

/** The set of fields of a row, as the builder of connectors takes them. */
export function renderFields(type: ObjectType, names: GivenNames): string {
  const lines = fieldsOf(type).map(({ name, member }) => {
    const facts = [
      ...(member.required && !member.readOnly ? ['required: true'] : []),
      ...(member.readOnly ? ['writable: false'] : []),
      ...(name === member.name ? [] : [`from: ${literal(member.name)}`]),
    ];
    return `  ${name}: ${fieldText(member.shape, facts)},\n`;
  });
  return `/** The fields of ${names.typeOf(type)}, as the description has them. */\nexport const ${names.fieldsOf(type)} = {\n${lines.join('')}};\n`;
}

function fieldText(shape: Shape, facts: readonly string[]): string {
  if (shape.kind === 'scalar') return scalarField(shape, facts);
  if (shape.kind === 'list' && shape.item.kind === 'scalar')
    return `field.list(${scalarField(shape.item, [])}${factsText(facts, ', ')})`;
  return `field.json(${factsText(facts, '')})`;
}

function scalarField(shape: ScalarShape, facts: readonly string[]): string {
  const { type, values = [], maxLength } = shape;
  // A connector's enum has GraphQL's names as its values.
  if (type === 'enum' && values.length > 0 && values.every(isEnumValue))
    return `field.enum([${values.map(literal).join(', ')}]${factsText(facts, ', ')})`;
  const length = (type === 'string' || type === 'enum') && maxLength !== undefined ? [`maxLength: ${maxLength}`] : [];
  return `field.${type === 'enum' ? 'string' : type}(${factsText([...facts, ...length], '')})`;
}

function factsText(facts: readonly string[], before: string): string {
  return facts.length === 0 ? '' : `${before}{ ${facts.join(', ')} }`;
}

function isEnumValue(value: string): boolean {
  return /^(?!__)[_A-Za-z][_0-9A-Za-z]{0,99}$/.test(value) && !['true', 'false', 'null'].includes(value);
}

/** A comment in front of a declaration. */
export function docComment(lines: readonly string[]): string {
  const texts = lines.map((line) => commentText(line)).filter((line) => line !== '');
  if (texts.length <= 1) return texts.length === 0 ? '' : `/** ${texts[0]} */\n`;
  return `/**\n${texts.map((text) => ` * ${text}\n`).join('')} */\n`;
}
