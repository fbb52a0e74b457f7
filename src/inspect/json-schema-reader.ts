import {
  entriesAt,
  memberAt,
  objectOf,
  textOf,
  type Data,
  type DataDocuments,
  type DataObject,
  type Placed,
} from './data-document.js';
import { misfitAt } from './data-document.js';
import { OPEN, type Member, type ObjectType, type ScalarShape, type Shape } from './described-system.js';

/** Schemas within each other that have no name. */
const MAX_DEPTH = 60;

interface Read {
  readonly shape: Shape;
  readonly nullable: boolean;
}

/** JSON Schemas of OpenAPI 3.0, 3.1 and Swagger 2 as shapes. A schema that is referred to is one type, however often. */
export class JsonSchemaReader {
  readonly #documents: DataDocuments;
  readonly #types = new Map<string, ObjectType>();
  readonly #inProgress = new Set<string>();

  constructor(documents: DataDocuments) {
    this.#documents = documents;
  }

  /**
   * @param name for an object that has none of its own
   * @throws StartupError config - a reference that leads nowhere
   */
  async shape(schema: Placed, name: string): Promise<Shape> {
    return (await this.#read(schema, name, 0)).shape;
  }

  /** A parameter or a member. */
  async member(name: string, schema: Placed, required: boolean): Promise<Member> {
    const { shape, nullable } = await this.#read(schema, name, 0);
    return { name, shape, required, nullable, readOnly: false };
  }

  async #read(schema: Placed, name: string, depth: number): Promise<Read> {
    if (depth > MAX_DEPTH) throw misfitAt(schema, `expected at most ${MAX_DEPTH} schemas within each other, got more`);
    const target = await this.#documents.resolved(schema);
    const value = objectOf(target.value);
    if (value === null) return { shape: OPEN, nullable: true };
    const isReferred = target.pointer !== schema.pointer || target.document !== schema.document;
    const origin = `${target.document.address}${target.pointer}`;
    const own = isReferred ? (target.pointer.split('/').at(-1) ?? name) : name;
    const title = isReferred && own !== '#' ? own : (textOf(value['title']) ?? name);
    const nullable = value['nullable'] === true || value['x-nullable'] === true || typesOf(value).includes('null');
    const variants = [...entriesAt(memberAt(target, 'oneOf')), ...entriesAt(memberAt(target, 'anyOf'))].map(
      ([, one]) => one,
    );
    if (variants.length > 0 && value['properties'] === undefined) {
      // A schema of nothing but itself and others would never end.
      if (this.#inProgress.has(origin)) return { shape: OPEN, nullable };
      this.#inProgress.add(origin);
      try {
        const read = await this.#oneOf(target, variants, title, origin, depth);
        return { shape: read.shape, nullable: nullable || read.nullable };
      } finally {
        this.#inProgress.delete(origin);
      }
    }
    if (isObject(value)) return { shape: await this.#object(target, value, title, origin, depth), nullable };
    if (typesOf(value).includes('array') || value['items'] !== undefined) {
      if (this.#inProgress.has(origin)) return { shape: { kind: 'list', item: OPEN }, nullable };
      this.#inProgress.add(origin);
      try {
        const items = memberAt(target, 'items');
        const item = objectOf(items.value) === null ? OPEN : await this.#item(items, `${title} item`, depth + 1);
        return { shape: { kind: 'list', item }, nullable };
      } finally {
        this.#inProgress.delete(origin);
      }
    }
    return { shape: scalarOf(value) ?? OPEN, nullable };
  }

  /** Of a list that has ids or whole records, the whole ones. */
  async #item(items: Placed, title: string, depth: number): Promise<Shape> {
    const { shape } = await this.#read(items, title, depth);
    if (shape.kind !== 'open') return shape;
    const target = await this.#documents.resolved(items);
    const variants = [...entriesAt(memberAt(target, 'anyOf')), ...entriesAt(memberAt(target, 'oneOf'))];
    const objects: ObjectType[] = [];
    for (const [, variant] of variants) {
      const read = await this.#read(variant, title, depth);
      if (read.shape.kind === 'object') objects.push(read.shape.type);
      else if (read.shape.kind !== 'scalar') return OPEN;
    }
    const [only] = objects;
    return only === undefined || objects.length > 1 ? OPEN : { kind: 'object', type: only };
  }

  async #object(target: Placed, value: DataObject, title: string, origin: string, depth: number): Promise<Shape> {
    const before = this.#types.get(origin);
    if (before !== undefined) return { kind: 'object', type: before };
    const members: Member[] = [];
    const parts = entriesAt(memberAt(target, 'allOf'));
    const hasOwn = objectOf(value['properties']) !== null;
    const isMap = value['additionalProperties'] !== undefined && value['additionalProperties'] !== false;
    const type = { name: title, origin, members, open: isMap && !hasOwn };
    // Its members may be of its own type.
    this.#types.set(origin, type);
    for (const [, part] of parts) {
      const { shape } = await this.#read(part, title, depth + 1);
      // allOf of a text and a description is that text.
      if (shape.kind !== 'object' && parts.length === 1 && !hasOwn) {
        this.#types.delete(origin);
        return shape;
      }
      if (shape.kind === 'object') {
        for (const member of shape.type.members) addMember(members, member);
        type.open ||= shape.type.open;
      }
    }
    const required = new Set(Array.isArray(value['required']) ? (value['required'] as readonly Data[]) : []);
    for (const [name, property] of entriesAt(memberAt(target, 'properties'))) {
      const read = await this.#read(property, `${title} ${name}`, depth + 1);
      const facts = objectOf(property.value);
      addMember(members, {
        name,
        shape: read.shape,
        required: required.has(name),
        nullable: read.nullable,
        readOnly: facts?.['readOnly'] === true,
      });
    }
    for (const [at, member] of members.entries()) {
      if (required.has(member.name) && !member.required) members[at] = { ...member, required: true };
    }
    if (members.length === 0) type.open = true;
    return { kind: 'object', type };
  }

  /** One of several: what they have in common. */
  async #oneOf(
    target: Placed,
    variants: readonly Placed[],
    title: string,
    origin: string,
    depth: number,
  ): Promise<Read> {
    const read: Read[] = [];
    let nullable = false;
    for (const variant of variants) {
      if (objectOf(variant.value)?.['type'] === 'null') nullable = true;
      else read.push(await this.#read(variant, title, depth + 1));
    }
    nullable ||= read.some((one) => one.nullable);
    const shapes = read.map(({ shape }) => shape);
    const [first] = shapes;
    if (first === undefined) return { shape: OPEN, nullable: true };
    if (shapes.length === 1) return { shape: first, nullable };
    const objects = shapes.flatMap((shape) => (shape.kind === 'object' ? [shape.type] : []));
    if (objects.length === shapes.length) return { shape: this.#merged(objects, title, origin), nullable };
    const scalars = shapes.flatMap((shape) => (shape.kind === 'scalar' ? [shape] : []));
    if (scalars.length === shapes.length) return { shape: commonScalar(scalars) ?? OPEN, nullable };
    return { shape: OPEN, nullable };
  }

  #merged(objects: readonly ObjectType[], title: string, origin: string): Shape {
    const before = this.#types.get(origin);
    if (before !== undefined) return { kind: 'object', type: before };
    const members: Member[] = [];
    for (const { members: some } of objects) {
      for (const member of some) {
        const known = members.findIndex(({ name }) => name === member.name);
        const isEverywhere = objects.every((one) =>
          one.members.some(({ name, required }) => name === member.name && required),
        );
        if (known < 0) members.push({ ...member, required: isEverywhere });
        else if (!isSameShape((members[known] as Member).shape, member.shape))
          members[known] = { ...(members[known] as Member), shape: OPEN };
      }
    }
    const type: ObjectType = { name: title, origin, members, open: true };
    this.#types.set(origin, type);
    return { kind: 'object', type };
  }
}

function addMember(members: Member[], member: Member): void {
  const known = members.findIndex(({ name }) => name === member.name);
  if (known < 0) members.push(member);
  else members[known] = { ...member, required: member.required || (members[known] as Member).required };
}

function isSameShape(one: Shape, other: Shape): boolean {
  if (one.kind === 'scalar' && other.kind === 'scalar') return one.type === other.type && one.wire === other.wire;
  if (one.kind === 'object' && other.kind === 'object') return one.type === other.type;
  if (one.kind === 'list' && other.kind === 'list') return isSameShape(one.item, other.item);
  return one.kind === other.kind;
}

function commonScalar(scalars: readonly ScalarShape[]): ScalarShape | null {
  const [first] = scalars as readonly [ScalarShape];
  if (scalars.some(({ wire }) => wire !== first.wire)) return null;
  if (scalars.every(({ type }) => type === 'enum')) {
    return { ...first, values: [...new Set(scalars.flatMap(({ values }) => values ?? []))] };
  }
  if (scalars.every(({ type }) => type === first.type)) return first;
  return first.wire === 'string'
    ? { kind: 'scalar', type: 'string', wire: 'string', says: 'string' }
    : { ...first, type: 'float' };
}

function typesOf(value: DataObject): readonly string[] {
  const type = value['type'];
  return (Array.isArray(type) ? (type as readonly Data[]) : [type]).filter(
    (one): one is string => typeof one === 'string',
  );
}

function isObject(value: DataObject): boolean {
  if (typesOf(value).includes('object') || value['properties'] !== undefined || value['allOf'] !== undefined)
    return true;
  return typesOf(value).length === 0 && value['additionalProperties'] !== undefined && value['enum'] === undefined;
}

/** Largest value of the kits' `int`. */
const INT32 = 2_147_483_647;

/** Null: it says no type. */
export function scalarOf(value: DataObject): ScalarShape | null {
  const format = textOf(value['format']) ?? '';
  const listed = Array.isArray(value['enum'])
    ? (value['enum'] as readonly Data[])
    : value['const'] === undefined
      ? []
      : [value['const']];
  const texts = listed.filter((one): one is string => typeof one === 'string');
  const type = typesOf(value).find((one) => one !== 'null') ?? (texts.length > 0 ? 'string' : undefined);
  const says = format === '' ? (type ?? '') : `${type} ${format}`;
  const example =
    value['example'] ??
    value['default'] ??
    (Array.isArray(value['examples']) ? (value['examples'] as readonly Data[])[0] : undefined);
  const facts = {
    says,
    ...(typeof value['maxLength'] === 'number' && value['maxLength'] > 0
      ? { maxLength: Math.floor(value['maxLength']) }
      : {}),
    ...(typeof value['minimum'] === 'number' ? { minimum: value['minimum'] } : {}),
    ...(typeof value['maximum'] === 'number' ? { maximum: value['maximum'] } : {}),
    ...(typeof example === type || (typeof example === 'number' && type === 'integer')
      ? { example: example as string | number | boolean }
      : {}),
  };
  switch (type) {
    case 'string':
    case 'file':
      if (texts.length > 0)
        return { kind: 'scalar', type: 'enum', wire: 'string', values: [...new Set(texts)], ...facts };
      return {
        kind: 'scalar',
        type: format === 'date-time' ? 'dateTime' : format === 'date' ? 'date' : 'string',
        wire: 'string',
        ...facts,
      };
    case 'boolean':
      return { kind: 'scalar', type: 'boolean', wire: 'boolean', ...facts };
    case 'integer': {
      const isLong =
        format === 'int64' || format === 'uint64' || format === 'unix-time' || (facts.maximum ?? 0) > INT32;
      return { kind: 'scalar', type: isLong ? 'long' : 'int', wire: 'number', ...facts };
    }
    case 'number':
      return { kind: 'scalar', type: format === 'decimal' ? 'decimal' : 'float', wire: 'number', ...facts };
    default:
      return null;
  }
}
