import { SaxesParser, type SaxesTagNS } from 'saxes';

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

/** Elements within each other: schemas nest, but not like this. */
const MAX_DEPTH = 200;

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  readonly prefixes: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a document whole. No DOCTYPE, no entities but XML's own five: nothing is loaded, nothing grows.
 *
 * @throws Error - it is not well-formed, has a DOCTYPE, or elements too deep within each other; as "expected …, got …"
 */
export function parseXml(text: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: false });
  const open: OpenElement[] = [];
  let root: XmlElement | null = null;
  parser.on('doctype', () => {
    throw new Error('expected no DOCTYPE, got one');
  });
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH) throw new Error(`expected at most ${MAX_DEPTH} elements within each other, got more`);
    const parent = open.at(-1);
    const element = elementOf(tag, parent);
    parent?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => open.pop());
  try {
    parser.write(text.replace(/^\ufeff/, '')).close();
  } catch (thrown) {
    const { message } = thrown as Error;
    throw message.startsWith('expected')
      ? thrown
      : new Error(`expected well-formed XML: ${message}`, { cause: thrown });
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
