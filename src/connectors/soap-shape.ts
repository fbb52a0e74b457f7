import type { WSDL } from 'soap';

/** What the WSDL says of one element: all that is needed to write it, and to know what an answer can hold. */
export interface ElementShape {
  readonly name: string;
  /** Null: its name belongs to no namespace (an unqualified local element). */
  readonly namespace: string | null;
  /** May it say "no value" by xsi:nil? */
  readonly nillable: boolean;
  /** Found when it is asked for: types may contain themselves. */
  content(): ElementContent;
}

export type ElementContent =
  | { readonly kind: 'text' }
  /** In the schema's order. `open`: there may be others (xs:any, a type that the WSDL does not contain). */
  | { readonly kind: 'elements'; readonly elements: readonly ElementShape[]; readonly open: boolean };

/** Members joined by dots, like `query.offset`; '' is the element itself. */
export function pathSteps(path: string): readonly string[] {
  return path === '' ? [] : path.split('.');
}

/** Why the schema has no such path, as "expected …, got …"; null: it has it, or leaves it open. */
export function misfitOfPath(shape: ElementShape, path: string): string | null {
  let at = shape;
  for (const step of pathSteps(path)) {
    const content = at.content();
    if (content.kind === 'text') return `expected nothing below ${at.name}, which is a text, got ${step}`;
    const next = content.elements.find(({ name }) => name === step);
    if (next === undefined) {
      if (content.open) return null;
      return `expected one of ${namesOf(content.elements)} in ${at.name}, got ${step}`;
    }
    at = next;
  }
  return null;
}

/** The elements that the schema has at a path; null: it leaves them open, or there is a text. */
export function elementsAt(shape: ElementShape, path: string): readonly ElementShape[] | null {
  let at: ElementShape | undefined = shape;
  for (const step of pathSteps(path)) {
    const content: ElementContent = at.content();
    at = content.kind === 'text' ? undefined : content.elements.find(({ name }) => name === step);
    if (at === undefined) return null;
  }
  const content = at.content();
  return content.kind === 'text' || content.open ? null : content.elements;
}

export function namesOf(elements: readonly ElementShape[]): string {
  return elements.length === 0 ? '(nothing)' : elements.map(({ name }) => name).join(', ');
}

/** A node of a WSDL as the soap package keeps it: attributes are members that begin with `$`. */
export interface SchemaNode {
  readonly name?: string;
  readonly $name?: string;
  readonly $type?: string;
  readonly $ref?: string;
  readonly $base?: string;
  readonly $form?: string;
  readonly $nillable?: string;
  readonly children?: readonly SchemaNode[];
  readonly xmlns?: Prefixes;
  readonly schemaXmlns?: Prefixes;
}

type Prefixes = Readonly<Record<string, string | undefined>>;
interface Schema extends SchemaNode {
  readonly $targetNamespace?: string;
  readonly $elementFormDefault?: string;
  readonly elements: Readonly<Record<string, SchemaNode | undefined>>;
  readonly complexTypes: Readonly<Record<string, SchemaNode | undefined>>;
  readonly types: Readonly<Record<string, SchemaNode | undefined>>;
  readonly groups: Readonly<Record<string, SchemaNode | undefined>>;
}

/** The shapes of a WSDL's global elements. */
export function shapesOf(definitions: WSDL['definitions']): (node: SchemaNode, namespace: string) => ElementShape {
  const reader = new ShapeReader(definitions.schemas, definitions.xmlns ?? {});
  return (node, namespace) => reader.element(node, namespace, true);
}

const XSD = 'http://www.w3.org/2001/XMLSchema';
/** The soap package's name for "no prefix". */
const NO_PREFIX = '__tns__';
const TEXT: ElementContent = { kind: 'text' };
const OPEN: ElementContent = { kind: 'elements', elements: [], open: true };

interface Particles {
  readonly elements: readonly ElementShape[];
  readonly open: boolean;
}

class ShapeReader {
  readonly #schemas: Readonly<Record<string, Schema | undefined>>;
  readonly #prefixes: Prefixes;

  constructor(schemas: Readonly<Record<string, Schema | undefined>>, prefixes: Prefixes) {
    this.#schemas = schemas;
    this.#prefixes = prefixes;
  }

  /** @param inNamespace the target namespace of the schema that the node stands in */
  element(node: SchemaNode, inNamespace: string, isGlobal = false): ElementShape {
    if (node.$ref !== undefined) {
      const { namespace, local } = this.#resolve(node.$ref, node, inNamespace);
      const target = this.#schemas[namespace]?.elements[local];
      if (target !== undefined) return this.element(target, namespace, true);
      return { name: local, namespace, nillable: false, content: () => OPEN };
    }
    const form = node.$form ?? this.#schemas[inNamespace]?.$elementFormDefault;
    let known: ElementContent | undefined;
    return {
      name: node.$name ?? '',
      namespace: isGlobal || form === 'qualified' ? inNamespace : null,
      nillable: node.$nillable === 'true' || node.$nillable === '1',
      content: () => (known ??= this.#contentOf(node, inNamespace)),
    };
  }

  #contentOf(node: SchemaNode, inNamespace: string): ElementContent {
    if (node.$type !== undefined) return this.#typeContent(node.$type, node, inNamespace);
    const type = node.children?.find(({ name }) => name === 'complexType' || name === 'simpleType');
    if (type === undefined) return OPEN;
    return type.name === 'simpleType' ? TEXT : this.#complexContent(type, inNamespace);
  }

  #typeContent(type: string, node: SchemaNode, inNamespace: string): ElementContent {
    const { namespace, local } = this.#resolve(type, node, inNamespace);
    const schema = this.#schemas[namespace];
    const complex = schema?.complexTypes[local];
    if (complex !== undefined) return this.#complexContent(complex, namespace);
    if (schema?.types[local] !== undefined) return TEXT;
    return namespace === XSD && local !== 'anyType' ? TEXT : OPEN;
  }

  #complexContent(type: SchemaNode, inNamespace: string): ElementContent {
    const children = type.children ?? [];
    if (children.some(({ name }) => name === 'simpleContent')) return TEXT;
    const found = this.#particles(children, inNamespace);
    return { kind: 'elements', ...found };
  }

  /** The elements of sequences, choices, groups and base types, in the order in which they must be written. */
  #particles(nodes: readonly SchemaNode[], inNamespace: string): Particles {
    const elements: ElementShape[] = [];
    let open = false;
    const add = (found: Particles): void => {
      elements.push(...found.elements);
      open ||= found.open;
    };
    for (const node of nodes) {
      if (node.name === 'element') elements.push(this.element(node, inNamespace));
      else if (node.name === 'any') open = true;
      else if (node.name === 'group' && node.$ref !== undefined) add(this.#group(node.$ref, node, inNamespace));
      else if (PARTICLES.has(node.name ?? '')) {
        // A restriction repeats what it keeps of its base, an extension does not.
        if (node.name === 'extension' && node.$base !== undefined) add(this.#base(node.$base, node, inNamespace));
        add(this.#particles(node.children ?? [], inNamespace));
      }
    }
    return { elements, open };
  }

  #group(ref: string, node: SchemaNode, inNamespace: string): Particles {
    const { namespace, local } = this.#resolve(ref, node, inNamespace);
    const group = this.#schemas[namespace]?.groups[local];
    return group === undefined ? { elements: [], open: true } : this.#particles(group.children ?? [], namespace);
  }

  #base(base: string, node: SchemaNode, inNamespace: string): Particles {
    const content = this.#typeContent(base, node, inNamespace);
    return content.kind === 'elements' ? content : { elements: [], open: false };
  }

  #resolve(
    qname: string,
    node: SchemaNode,
    inNamespace: string,
  ): { readonly namespace: string; readonly local: string } {
    const colon = qname.indexOf(':');
    const prefix = colon < 0 ? NO_PREFIX : qname.slice(0, colon);
    const local = qname.slice(colon + 1);
    const schema = this.#schemas[inNamespace];
    const namespace =
      node.xmlns?.[prefix] ?? node.schemaXmlns?.[prefix] ?? schema?.xmlns?.[prefix] ?? this.#prefixes[prefix];
    return { namespace: namespace ?? inNamespace, local };
  }
}

const PARTICLES: ReadonlySet<string> = new Set([
  'sequence',
  'choice',
  'all',
  'group',
  'complexContent',
  'extension',
  'restriction',
]);
