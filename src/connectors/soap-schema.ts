import { CallFault } from './fault.js';
import type { ElementContent, ElementShape } from './soap-shape.js';
import { DIALECTS, XSD_NAMESPACE } from './soap-version.js';
import { childrenOf, type QName, type XmlElement } from './xml-tree.js';

/** A schema of a WSDL. */
export interface SchemaPart {
  readonly root: XmlElement;
  /** What it is the schema of: its own target namespace, or that of the schema that includes it. */
  readonly namespace: string;
}

/** All schemas of a WSDL together. */
export interface Schemas {
  /** The shape of a global element; null: there is none of this name. */
  element(name: QName): ElementShape | null;
  /** The shape of an element that a WSDL makes of a type, like a parameter of an rpc call. Its name belongs to no namespace. */
  typed(name: string, type: QName): ElementShape;
}

const TEXT: ElementContent = { kind: 'text' };
const OPEN: ElementContent = { kind: 'elements', elements: [], open: true };
const ENCODINGS: ReadonlySet<string> = new Set(Object.values(DIALECTS).map(({ encoding }) => encoding));
const WSDL_NAMESPACE = 'http://schemas.xmlsoap.org/wsdl/';
/** Types and groups that contain each other deeper than this do so without end. */
const MOST_BASES = 50;
/** Nodes that one WSDL may make us look at: groups within groups can stand for more elements than there are atoms. */
const MOST_NODES = 1_000_000;

/** Reads what the schemas say when it is asked for. */
export function readSchemas(parts: readonly SchemaPart[]): Schemas {
  return new SchemaReader(parts);
}

/** A definition, and the schema in which it stands. */
interface Definition {
  readonly node: XmlElement;
  readonly part: SchemaPart;
}

interface Particles {
  readonly elements: readonly ElementShape[];
  readonly open: boolean;
}

class SchemaReader implements Schemas {
  readonly #elements = new Map<string, Definition>();
  readonly #types = new Map<string, Definition>();
  readonly #groups = new Map<string, Definition>();
  #seen = 0;

  constructor(parts: readonly SchemaPart[]) {
    const kept: Readonly<Record<string, Map<string, Definition> | undefined>> = {
      element: this.#elements,
      complexType: this.#types,
      simpleType: this.#types,
      group: this.#groups,
    };
    for (const part of parts) {
      // What redefines stands in place of what it redefines.
      const redefined = childrenOf(part.root, XSD_NAMESPACE, 'redefine').flatMap(({ children }) => children);
      for (const node of [...part.root.children, ...redefined]) {
        const local = node.attribute('name');
        if (local !== undefined) kept[node.local]?.set(keyOf({ namespace: part.namespace, local }), { node, part });
      }
    }
  }

  element(name: QName): ElementShape | null {
    const found = this.#elements.get(keyOf(name));
    return found === undefined ? null : this.#shape(found, true);
  }

  typed(name: string, type: QName): ElementShape {
    let known: ElementContent | undefined;
    return {
      name,
      namespace: null,
      nillable: false,
      type,
      content: () => (known ??= this.#typeContent(type, 0)),
    };
  }

  #shape({ node, part }: Definition, isGlobal: boolean): ElementShape {
    const ref = node.attribute('ref');
    if (ref !== undefined) {
      const name = resolved(ref, node, part);
      return (
        this.element(name) ?? {
          name: name.local,
          namespace: name.namespace,
          nillable: false,
          type: null,
          content: () => OPEN,
        }
      );
    }
    const type = node.attribute('type');
    const nillable = node.attribute('nillable');
    const form = node.attribute('form') ?? part.root.attribute('elementFormDefault');
    const name = type === undefined ? null : resolved(type, node, part);
    let known: ElementContent | undefined;
    return {
      name: node.attribute('name') ?? '',
      namespace: isGlobal || form === 'qualified' ? (part.namespace === '' ? null : part.namespace) : null,
      nillable: nillable === 'true' || nillable === '1',
      type: name,
      content: () => (known ??= name === null ? this.#ownContent({ node, part }) : this.#typeContent(name, 0)),
    };
  }

  /** The content of an element whose type stands in it. */
  #ownContent({ node, part }: Definition): ElementContent {
    const type = node.children.find(({ local }) => local === 'complexType' || local === 'simpleType');
    if (type === undefined) return OPEN;
    return this.#definedContent({ node: type, part }, 0);
  }

  #typeContent(type: QName, bases: number): ElementContent {
    if (type.namespace === XSD_NAMESPACE) return type.local === 'anyType' ? OPEN : TEXT;
    const found = this.#types.get(keyOf(type));
    if (found !== undefined && bases < MOST_BASES) return this.#definedContent(found, bases);
    const isEncoded = ENCODINGS.has(type.namespace);
    return isEncoded && type.local !== 'Array' && type.local !== 'Struct' ? TEXT : OPEN;
  }

  #definedContent({ node, part }: Definition, bases: number): ElementContent {
    if (node.local === 'simpleType') return TEXT;
    if (node.children.some(({ local }) => local === 'simpleContent')) return TEXT;
    return this.#array({ node, part }) ?? { kind: 'elements', ...this.#particles(node.children, part, bases) };
  }

  /** A type that restricts the encoding's Array tells what is in it by an attribute, or by the one element that repeats. */
  #array({ node, part }: Definition): ElementContent | null {
    const restriction = node.children
      .filter(({ local }) => local === 'complexContent')
      .flatMap(({ children }) => children)
      .find((one) => isArray(one.attribute('base'), one, part));
    if (restriction === undefined) return null;
    const told = restriction.children
      .map((one) => one.attribute(`{${WSDL_NAMESPACE}}arrayType`))
      .find((type) => type !== undefined);
    if (told !== undefined) {
      const [type = '', dimensions = ''] = told.split('[', 2);
      // An array of arrays tells only that of what.
      if (told.indexOf('[') !== told.lastIndexOf('[') || dimensions.includes(',')) return OPEN;
      return { kind: 'list', item: this.typed('item', resolved(type, restriction, part)) };
    }
    const [item, ...others] = this.#particles(restriction.children, part, 0).elements;
    return item === undefined || others.length > 0 ? OPEN : { kind: 'list', item };
  }

  /** The elements of sequences, choices, groups and base types, in the order in which they must be written. */
  #particles(nodes: readonly XmlElement[], part: SchemaPart, bases: number): Particles {
    const elements: ElementShape[] = [];
    let open = false;
    const add = (found: Particles): void => {
      elements.push(...found.elements);
      open ||= found.open;
    };
    for (const node of nodes) {
      this.#seen += 1;
      if (this.#seen > MOST_NODES) throw endless();
      if (node.local === 'element') elements.push(this.#shape({ node, part }, false));
      else if (node.local === 'any') open = true;
      else if (node.local === 'group' && node.attribute('ref') !== undefined) add(this.#group(node, part, bases));
      else if (PARTICLES.has(node.local)) {
        // A restriction repeats what it keeps of its base, an extension does not.
        if (node.local === 'extension') add(this.#base(node, part, bases));
        add(this.#particles(node.children, part, bases));
      }
    }
    return { elements, open };
  }

  #group(node: XmlElement, part: SchemaPart, bases: number): Particles {
    const group = this.#groups.get(keyOf(resolved(node.attribute('ref') ?? '', node, part)));
    if (group === undefined || bases >= MOST_BASES) return { elements: [], open: true };
    return this.#particles(group.node.children, group.part, bases + 1);
  }

  #base(node: XmlElement, part: SchemaPart, bases: number): Particles {
    const content = this.#typeContent(resolved(node.attribute('base') ?? '', node, part), bases + 1);
    return content.kind === 'elements' ? content : { elements: [], open: false };
  }
}

function endless(): CallFault {
  const misfit = `expected a schema of at most ${MOST_NODES} parts, got more`;
  return new CallFault('notSent', `the WSDL cannot be used: ${misfit}`, { sourceIsSick: false });
}

function keyOf({ namespace, local }: QName): string {
  return `{${namespace}}${local}`;
}

/** A name without a prefix means, in a schema that takes its includer's namespace, that one. */
function resolved(name: string, node: XmlElement, part: SchemaPart): QName {
  const found = node.resolve(name);
  if (found === null) return { namespace: part.namespace, local: name.slice(name.indexOf(':') + 1) };
  const isChameleon = part.root.attribute('targetNamespace') === undefined;
  return found.namespace === '' && isChameleon ? { ...found, namespace: part.namespace } : found;
}

function isArray(base: string | undefined, node: XmlElement, part: SchemaPart): boolean {
  if (base === undefined) return false;
  const { namespace, local } = resolved(base, node, part);
  return local === 'Array' && ENCODINGS.has(namespace);
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
