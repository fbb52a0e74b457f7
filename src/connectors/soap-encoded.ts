import type { SaxesAttributeNS, SaxesTagNS } from 'saxes';
import type { ElementShape } from './soap-shape.js';
import { emptyMembers, valueAt, type XmlValue } from './soap-value.js';
import { INSTANCE_NAMESPACE, type SoapDialect } from './soap-version.js';
import { Misfit } from './xml-parser.js';

/** Elements within each other once all references are followed. */
const MAX_DEPTH = 64;
/** Elements once all references are followed: two that refer twice to the next, sixty times, are more than a memory holds. */
const MAX_EXPANDED = 2_000_000;
/** How PHP and Axis write what has names that no schema knows. */
const MAP_NAMESPACE = 'http://xml.apache.org/xml-soap';

/** An element as it came: what it refers to may come later. */
interface EncodedNode {
  readonly local: string;
  readonly namespace: string;
  readonly isNil: boolean;
  /** The id of the element that stands for it; null: it stands for itself. */
  readonly refersTo: string | null;
  /** It is there only to be referred to. */
  readonly isIndependent: boolean;
  readonly isMap: boolean;
  /** Of an array: how many items it says that it has; null: it says nothing. */
  readonly array: { readonly size: number | null } | null;
  readonly children: EncodedNode[];
  text: string;
}

interface Resolved {
  readonly value: XmlValue;
  /** Elements in it, itself included, counted as often as they are referred to. */
  readonly size: number;
}

/** A body in SOAP's own encoding: elements that refer to each other, arrays, typed values. */
export class EncodedBody {
  readonly #dialect: SoapDialect;
  readonly #open: EncodedNode[] = [];
  readonly #roots: EncodedNode[] = [];
  readonly #byId = new Map<string, EncodedNode>();
  /** What was referred to; `null` while it is looked into. */
  readonly #resolved = new Map<EncodedNode, Resolved | null>();

  constructor(dialect: SoapDialect) {
    this.#dialect = dialect;
  }

  /** @param prefixed what a prefix stands for at this element */
  opened(tag: SaxesTagNS, prefixed: (prefix: string) => string | undefined): void {
    const facts = this.#factsOf(tag, prefixed);
    const node: EncodedNode = { ...facts, local: tag.local, namespace: tag.uri, children: [], text: '' };
    const id = this.#reference(tag, 'id');
    if (id !== null) {
      if (this.#byId.has(id)) throw new Misfit(`expected each id once, got ${id} twice`);
      this.#byId.set(id, node);
    }
    (this.#open.at(-1)?.children ?? this.#roots).push(node);
    this.#open.push(node);
  }

  addText(text: string): void {
    const top = this.#open.at(-1);
    if (top !== undefined) top.text += text;
  }

  closed(): void {
    this.#open.pop();
  }

  /** The body's element: the first that is not there only to be referred to. */
  root(): { readonly local: string; readonly namespace: string } | null {
    return this.#root() ?? null;
  }

  /**
   * What the body's element holds, its references followed.
   *
   * @param rows the path of a list: an array, or an element that is repeated; null: it is no list
   * @throws Misfit - a reference leads nowhere or in a circle, an array is not whole
   */
  read(
    shape: ElementShape,
    rows: readonly string[] | null,
  ): { readonly answer: XmlValue; readonly rows: readonly XmlValue[] } {
    const root = this.#root();
    const answer = root === undefined ? null : this.#resolve(root, shape, 0).value;
    const found = rows === null ? undefined : valueAt(answer, rows);
    const listed =
      found === undefined || found === '' ? [] : Array.isArray(found) ? (found as readonly XmlValue[]) : [found];
    return { answer, rows: listed.filter((row) => row !== null) };
  }

  #root(): EncodedNode | undefined {
    return this.#roots.find(({ isIndependent }) => !isIndependent);
  }

  #factsOf(
    tag: SaxesTagNS,
    prefixed: (prefix: string) => string | undefined,
  ): Omit<EncodedNode, 'local' | 'namespace' | 'children' | 'text'> {
    const { encoding } = this.#dialect;
    const nil = attributeOf(tag, INSTANCE_NAMESPACE, 'nil') ?? attributeOf(tag, INSTANCE_NAMESPACE, 'null');
    const type = attributeOf(tag, INSTANCE_NAMESPACE, 'type')?.trim() ?? '';
    const colon = type.indexOf(':');
    const typeIn = prefixed(type.slice(0, Math.max(0, colon)));
    const isType = (namespace: string, local: string): boolean =>
      typeIn === namespace && type.slice(colon + 1) === local;
    if (
      attributeOf(tag, encoding, 'position') !== undefined ||
      (attributeOf(tag, encoding, 'offset') ?? '[0]') !== '[0]'
    )
      throw new Misfit(`expected whole arrays, got a part of one in ${tag.local}`);
    const declared = attributeOf(tag, encoding, 'arrayType') ?? attributeOf(tag, encoding, 'arraySize');
    const isArray =
      declared !== undefined || isType(encoding, 'Array') || attributeOf(tag, encoding, 'itemType') !== undefined;
    return {
      isNil: nil?.trim() === 'true' || nil?.trim() === '1',
      refersTo: this.#refersTo(tag),
      isIndependent: attributeOf(tag, encoding, 'root') === '0' || tag.local === 'multiRef',
      isMap: isType(MAP_NAMESPACE, 'Map'),
      array: isArray ? { size: sizeOf(tag.local, declared) } : null,
    };
  }

  /** SOAP 1.1 has attributes without a namespace for it, 1.2 some of its encoding. */
  #reference(tag: SaxesTagNS, local: string): string | null {
    return attributeOf(tag, this.#dialect.version === '1.1' ? '' : this.#dialect.encoding, local) ?? null;
  }

  #refersTo(tag: SaxesTagNS): string | null {
    if (this.#dialect.version === '1.2') return this.#reference(tag, 'ref')?.replace(/^#/, '') ?? null;
    const href = this.#reference(tag, 'href');
    if (href === null || href.startsWith('#')) return href?.slice(1) ?? null;
    throw new Misfit(`expected a reference to an element of the answer in ${tag.local}, got one to elsewhere`);
  }

  #resolve(node: EncodedNode, shape: ElementShape | null, depth: number): Resolved {
    if (depth >= MAX_DEPTH) throw new Misfit(`expected at most ${MAX_DEPTH} elements within each other, got more`);
    if (node.refersTo !== null) {
      const target = this.#byId.get(node.refersTo);
      if (target === undefined) throw new Misfit(`expected the element that ${node.local} refers to, got none`);
      return this.#resolve(target, shape, depth + 1);
    }
    const known = this.#resolved.get(node);
    if (known === null) throw new Misfit(`expected elements that end, got ${node.local} within itself`);
    if (known !== undefined) return known;
    this.#resolved.set(node, null);
    const resolved = node.isNil ? { value: null, size: 1 } : this.#contentOf(node, shape, depth);
    if (resolved.size > MAX_EXPANDED) {
      throw new Misfit(`expected at most ${MAX_EXPANDED} elements with those that are referred to, got more`);
    }
    this.#resolved.set(node, resolved);
    return resolved;
  }

  #contentOf(node: EncodedNode, shape: ElementShape | null, depth: number): Resolved {
    const content = shape?.content();
    let size = 1;
    const resolve = (child: EncodedNode, childShape: ElementShape | null): XmlValue => {
      const resolved = this.#resolve(child, childShape, depth + 1);
      size += resolved.size;
      return resolved.value;
    };
    if (node.array !== null || content?.kind === 'list') {
      const item = content?.kind === 'list' ? content.item : null;
      const items = node.children.map((child) => resolve(child, item));
      const expected = node.array?.size ?? items.length;
      if (items.length !== expected) {
        throw new Misfit(`expected the ${expected} items that ${node.local} says it has, got ${items.length}`);
      }
      return { value: items, size };
    }
    if (node.children.length === 0) return { value: node.text, size };
    const members = emptyMembers();
    const seen = new Map<string, XmlValue[]>();
    for (const child of node.children) {
      const [name, held] = node.isMap ? this.#entryOf(child) : [child.local, child];
      const known = content?.kind === 'elements' ? content.elements.find((one) => one.name === name) : undefined;
      const value = resolve(held, known ?? null);
      const before = seen.get(name);
      if (before === undefined) seen.set(name, [value]);
      else before.push(value);
      members[name] = before ?? value;
    }
    return { value: members, size };
  }

  /** One `item` of a map: its key as a name, and where its value is. */
  #entryOf(item: EncodedNode): readonly [string, EncodedNode] {
    const [key, value] = ['key', 'value'].map((name) => item.children.find(({ local }) => local === name));
    if (key === undefined || value === undefined) throw new Misfit('expected a key and a value in a map, got none');
    const name = this.#resolve(key, null, 0).value;
    if (typeof name !== 'string') throw new Misfit('expected texts as keys of a map, got elements');
    return [name, value];
  }
}

function attributeOf(tag: SaxesTagNS, namespace: string, local: string): string | undefined {
  for (const name in tag.attributes) {
    const attribute = tag.attributes[name] as SaxesAttributeNS;
    if (attribute.local === local && attribute.uri === namespace) return attribute.value;
  }
  return undefined;
}

/** How many items an array says that it has, like `tns:Note[3]` (SOAP 1.1) or `3` (SOAP 1.2). */
function sizeOf(name: string, declared: string | undefined): number | null {
  if (declared === undefined) return null;
  const size = /\[([^\]]*)\]\s*$/.exec(declared)?.[1] ?? declared;
  const text = size.trim();
  if (text === '' || text === '*' || !/^[\d\s,*]+$/.test(text)) return null;
  if (!/^\d+$/.test(text)) throw new Misfit(`expected arrays of one dimension, got ${name} of more`);
  return Number(text);
}
