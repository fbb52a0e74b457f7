import { faultAt } from './description-fault.js';
import {
  OPEN,
  type Member,
  type ObjectType,
  type ScalarShape,
  type Shape,
  type XmlElement,
} from './described-system.js';
import { childOf, childrenOf, qnameKey, qnameOf, type QName, type XmlNode } from './xml-tree.js';
import { builtInType } from './xsd-types.js';

export const XSD = 'http://www.w3.org/2001/XMLSchema';
const ENCODINGS: readonly string[] = [
  'http://schemas.xmlsoap.org/soap/encoding/',
  'http://www.w3.org/2003/05/soap-encoding',
];
/** Anonymous types, groups and base types within each other. */
const MAX_DEPTH = 100;

/** A schema of the description, with the namespace that it is for: an included one takes its includer's. */
export interface SchemaNode {
  readonly node: XmlNode;
  readonly targetNamespace: string;
  /** For messages. */
  readonly address: string;
}

interface Declared {
  readonly node: XmlNode;
  readonly schema: SchemaNode;
}

/** The types and elements of a description's XML schemas as shapes. Attributes are not read: the kit does not either. */
export class XsdReader {
  readonly #elements = new Map<string, Declared>();
  readonly #complexTypes = new Map<string, Declared>();
  readonly #simpleTypes = new Map<string, Declared>();
  readonly #groups = new Map<string, Declared>();
  readonly #types = new Map<XmlNode, ObjectType>();
  readonly #missing = new Set<string>();

  constructor(schemas: readonly SchemaNode[]) {
    const kinds = {
      element: this.#elements,
      complexType: this.#complexTypes,
      simpleType: this.#simpleTypes,
      group: this.#groups,
    };
    for (const schema of schemas) {
      for (const child of schema.node.children) {
        const name = child.attributes.get('name');
        const kind =
          child.namespace === XSD && Object.hasOwn(kinds, child.local)
            ? kinds[child.local as keyof typeof kinds]
            : undefined;
        if (kind === undefined || name === undefined) continue;
        const key = qnameKey({ namespace: schema.targetNamespace, local: name });
        if (!kind.has(key)) kind.set(key, { node: child, schema });
      }
    }
  }

  /** Types and elements that are referred to and described nowhere: they are left open. */
  get missing(): readonly string[] {
    return [...this.#missing];
  }

  /** A global element; null: there is none of this name. */
  element(name: QName): XmlElement | null {
    const declared = this.#elements.get(qnameKey(name));
    if (declared === undefined) return null;
    return {
      name: name.local,
      namespace: name.namespace === '' ? null : name.namespace,
      shape: this.#elementShape(declared.node, declared.schema, 0),
    };
  }

  /** A named type. */
  type(name: QName): Shape {
    return this.#typeShape(name, 0);
  }

  #elementShape(node: XmlNode, schema: SchemaNode, depth: number): Shape {
    const type = node.attributes.get('type');
    if (type !== undefined) return this.#typeShape(resolvedName(node, type, schema), depth);
    const complex = childOf(node, 'complexType');
    if (complex !== undefined) return this.#complex(complex, schema, node.attributes.get('name') ?? 'element', depth);
    const simple = childOf(node, 'simpleType');
    return simple === undefined ? OPEN : this.#simple(simple, schema, depth);
  }

  #typeShape(name: QName, depth: number): Shape {
    const key = qnameKey(name);
    const complex = this.#complexTypes.get(key);
    if (complex !== undefined) return this.#complex(complex.node, complex.schema, name.local, depth);
    const simple = this.#simpleTypes.get(key);
    if (simple !== undefined) return this.#simple(simple.node, simple.schema, depth);
    if (name.namespace === XSD || ENCODINGS.includes(name.namespace)) return builtInType(name.local) ?? OPEN;
    this.#missing.add(name.local);
    return OPEN;
  }

  #simple(node: XmlNode, schema: SchemaNode, depth: number): ScalarShape {
    const restriction = childOf(node, 'restriction');
    const plain: ScalarShape = { kind: 'scalar', type: 'string', wire: 'string', says: 'xs:string' };
    // A list of values, or one of several types, is one text.
    if (restriction === undefined || depth > MAX_DEPTH) return plain;
    const baseName = restriction.attributes.get('base');
    const inline = childOf(restriction, 'simpleType');
    const found =
      baseName === undefined
        ? inline === undefined
          ? plain
          : this.#simple(inline, schema, depth + 1)
        : this.#typeShape(resolvedName(restriction, baseName, schema), depth + 1);
    const base = found.kind === 'scalar' ? found : plain;
    const values = childrenOf(restriction, 'enumeration').map((one) => one.attributes.get('value') ?? '');
    const longest = Number(
      childOf(restriction, 'maxLength')?.attributes.get('value') ??
        childOf(restriction, 'length')?.attributes.get('value'),
    );
    return {
      ...base,
      ...(values.length > 0 && (base.type === 'string' || base.type === 'enum')
        ? { type: 'enum' as const, values: [...new Set(values)] }
        : {}),
      ...(Number.isSafeInteger(longest) && longest > 0 ? { maxLength: longest } : {}),
    };
  }

  #complex(node: XmlNode, schema: SchemaNode, name: string, depth: number): Shape {
    if (depth > MAX_DEPTH)
      throw faultAt(schema.address, node.line, `expected at most ${MAX_DEPTH} types within each other, got more`);
    const simpleContent = childOf(node, 'simpleContent');
    if (simpleContent !== undefined) return this.#simpleContent(simpleContent, schema, depth);
    const item = this.#encodedArray(node, schema, depth);
    if (item !== null) return { kind: 'list', item };
    const before = this.#types.get(node);
    if (before !== undefined) return { kind: 'object', type: before };
    const members: Member[] = [];
    const origin = `${qnameKey({ namespace: schema.targetNamespace, local: name })} ${schema.address}:${node.line}`;
    const type = { name, origin, members, open: node.attributes.get('mixed') === 'true' };
    this.#types.set(node, type);
    type.open =
      this.#particles(node.children, schema, { isOptional: false, isRepeated: false }, members, depth) || type.open;
    return { kind: 'object', type };
  }

  #simpleContent(node: XmlNode, schema: SchemaNode, depth: number): Shape {
    const derived = childOf(node, 'extension') ?? childOf(node, 'restriction');
    const base = derived?.attributes.get('base');
    const shape =
      derived === undefined || base === undefined
        ? OPEN
        : this.#typeShape(resolvedName(derived, base, schema), depth + 1);
    return shape.kind === 'scalar' ? shape : (builtInType('string') as ScalarShape);
  }

  /** Arrays of SOAP's own encoding say their item's type in an attribute of the attribute. */
  #encodedArray(node: XmlNode, schema: SchemaNode, depth: number): Shape | null {
    const restriction = childOf(childOf(node, 'complexContent'), 'restriction');
    if (restriction === undefined) return null;
    const base = resolvedName(restriction, restriction.attributes.get('base') ?? '', schema);
    if (!ENCODINGS.includes(base.namespace) || base.local !== 'Array') return null;
    for (const attribute of childrenOf(restriction, 'attribute')) {
      const said = attribute.foreign.get('{http://schemas.xmlsoap.org/wsdl/}arrayType');
      if (said === undefined) continue;
      const name = resolvedName(attribute, said.replace(/\[[^[]*$/, ''), schema);
      // An array of arrays tells only that of what.
      return said.indexOf('[') === said.lastIndexOf('[') ? this.#typeShape(name, depth + 1) : OPEN;
    }
    const members: Member[] = [];
    this.#particles(restriction.children, schema, { isOptional: false, isRepeated: false }, members, depth + 1);
    const [item] = members;
    if (item === undefined || members.length > 1) return OPEN;
    return item.shape.kind === 'list' ? item.shape.item : item.shape;
  }

  /** Adds the elements of sequences, choices, groups and base types, in the order in which they are written. @returns are others allowed? */
  #particles(nodes: readonly XmlNode[], schema: SchemaNode, around: Around, members: Member[], depth: number): boolean {
    let open = false;
    if (depth > MAX_DEPTH) return true;
    for (const node of nodes) {
      if (node.namespace !== XSD) continue;
      const occurs = occurrence(node, around);
      switch (node.local) {
        case 'element':
          this.#addElement(node, schema, occurs, members, depth);
          break;
        case 'any':
          open = true;
          break;
        case 'sequence':
        case 'all':
          open = this.#particles(node.children, schema, occurs, members, depth) || open;
          break;
        case 'choice':
          open = this.#particles(node.children, schema, { ...occurs, isOptional: true }, members, depth) || open;
          break;
        case 'group': {
          const ref = node.attributes.get('ref');
          const group = ref === undefined ? undefined : this.#groups.get(qnameKey(resolvedName(node, ref, schema)));
          open =
            group === undefined ||
            this.#particles(group.node.children, group.schema, occurs, members, depth + 1) ||
            open;
          break;
        }
        case 'complexContent':
        case 'restriction':
          open = this.#particles(node.children, schema, around, members, depth) || open;
          break;
        case 'extension': {
          const base = this.#typeShape(resolvedName(node, node.attributes.get('base') ?? '', schema), depth + 1);
          if (base.kind === 'object') base.type.members.forEach((member) => addMember(members, member));
          open =
            this.#particles(node.children, schema, around, members, depth) ||
            (base.kind === 'object' && base.type.open) ||
            open;
          break;
        }
      }
    }
    return open;
  }

  #addElement(node: XmlNode, schema: SchemaNode, occurs: Around, members: Member[], depth: number): void {
    const ref = node.attributes.get('ref');
    const name = ref === undefined ? undefined : resolvedName(node, ref, schema);
    const declared = name === undefined ? { node, schema } : this.#elements.get(qnameKey(name));
    if (declared === undefined) this.#missing.add(name?.local ?? '');
    const target = declared ?? { node, schema };
    const form = node.attributes.get('form') ?? schema.node.attributes.get('elementFormDefault');
    const namespace = name?.namespace ?? (form === 'qualified' ? schema.targetNamespace : '');
    const shape = declared === undefined ? OPEN : this.#elementShape(target.node, target.schema, depth + 1);
    addMember(members, {
      name: name?.local ?? node.attributes.get('name') ?? '',
      shape: occurs.isRepeated ? { kind: 'list', item: shape } : shape,
      required: !occurs.isOptional,
      nullable: isTrue(target.node.attributes.get('nillable')),
      readOnly: false,
      namespace: namespace === '' ? null : namespace,
    });
  }
}

/** A name without a prefix means, in a schema that takes its includer's namespace, that one. */
function resolvedName(node: XmlNode, text: string, schema: SchemaNode): QName {
  const found = qnameOf(node, text);
  const isGuest = schema.node.attributes.get('targetNamespace') === undefined;
  return found.namespace === '' && isGuest ? { ...found, namespace: schema.targetNamespace } : found;
}

interface Around {
  readonly isOptional: boolean;
  readonly isRepeated: boolean;
}

function occurrence(node: XmlNode, around: Around): Around {
  const most = node.attributes.get('maxOccurs') ?? '1';
  return {
    isOptional: around.isOptional || node.attributes.get('minOccurs') === '0',
    isRepeated: around.isRepeated || most === 'unbounded' || Number(most) > 1,
  };
}

/** An element that may stand in several places of a type is one member of it. */
function addMember(members: Member[], member: Member): void {
  const known = members.findIndex(({ name }) => name === member.name);
  if (member.name === '') return;
  if (known < 0) members.push(member);
  else if (member.shape.kind === 'list') members[known] = member;
}

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}
