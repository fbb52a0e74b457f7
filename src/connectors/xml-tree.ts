import type { SaxesTagNS } from 'saxes';
import { createXmlParser, xmlReason } from './xml-parser.js';

/** A name with its namespace; '' is none. */
export interface QName {
  readonly namespace: string;
  readonly local: string;
}

/** An element of a document that is small enough to be kept whole, like a WSDL. Its texts are not kept. */
export interface XmlElement extends QName {
  /** An attribute by its local name, those with a prefix as `{namespace}local`; undefined: it has none. */
  attribute(name: string): string | undefined;
  readonly children: readonly XmlElement[];
  /** A name as it is written in an attribute, like `tns:Note`; null: its prefix is unknown. */
  resolve(name: string): QName | null;
}

/** Schemas nest, but not like this; the largest that are published have some hundred thousand elements and attributes. */
const LIMITS = { depth: 200, parts: 2_000_000 };

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  readonly prefixes: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a document whole.
 *
 * @throws Error - it is not well-formed, has a DOCTYPE, or is larger than a description may be; as "expected …, got …"
 */
export function parseXml(text: string): XmlElement {
  const open: OpenElement[] = [];
  let root: XmlElement | null = null;
  const parser = createXmlParser(LIMITS, {
    opened(tag) {
      const parent = open.at(-1);
      const element = elementOf(tag, parent);
      parent?.children.push(element);
      root ??= element;
      open.push(element);
    },
    closed: () => void open.pop(),
  });
  try {
    parser.write(text).close();
  } catch (thrown) {
    throw new Error(xmlReason(thrown), { cause: thrown });
  }
  if (root === null) throw new Error('expected well-formed XML, got nothing');
  return root;
}

/** The children of a name. */
export function childrenOf(element: XmlElement, namespace: string, local: string): readonly XmlElement[] {
  return element.children.filter((child) => child.local === local && child.namespace === namespace);
}

function elementOf(tag: SaxesTagNS, parent: OpenElement | undefined): OpenElement {
  // What a parent declares holds for its children, until they declare it anew.
  const inherited = (parent?.prefixes ?? XML_PREFIXES) as Record<string, string>;
  const prefixes = Object.assign(Object.create(inherited) as Record<string, string>, tag.ns);
  const attributes = new Map(
    Object.values(tag.attributes).map(({ prefix, local, uri, value }) => [
      prefix === '' ? local : `{${uri}}${local}`,
      value,
    ]),
  );
  return {
    local: tag.local,
    namespace: tag.uri,
    children: [],
    prefixes,
    attribute: (name) => attributes.get(name),
    resolve(name) {
      const text = name.trim();
      const colon = text.indexOf(':');
      const namespace = prefixes[text.slice(0, Math.max(0, colon))];
      if (namespace === undefined && colon >= 0) return null;
      return { namespace: namespace ?? '', local: text.slice(colon + 1) };
    },
  };
}

/** Without a prototype: a prefix may be called `constructor`. */
const XML_PREFIXES: Readonly<Record<string, string>> = Object.assign(Object.create(null) as Record<string, string>, {
  xml: 'http://www.w3.org/XML/1998/namespace',
});
