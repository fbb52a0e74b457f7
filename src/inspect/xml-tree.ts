import type { SaxesTagNS } from 'saxes';
import { createXmlParser, Misfit } from '../connectors/xml-parser.js';
import { faultAt } from './description-fault.js';

/** One element of a description, with what its schema needs of it. */
export interface XmlNode {
  readonly local: string;
  readonly namespace: string;
  /** Attributes without a namespace, by name. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Attributes with one, as `{namespace}name`. */
  readonly foreign: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  readonly line: number;
  /** The namespace of a prefix here; '' is the default one. */
  readonly prefixes: Readonly<Record<string, string | undefined>>;
  /** Its own text. */
  text: string;
}

const LIMITS = { depth: 200, parts: 2_000_000 };

/**
 * Reads an XML document as a tree. No DOCTYPE, so no entities but XML's own five.
 *
 * @param address for messages
 * @throws StartupError config - with the line
 */
export function readXml(address: string, text: string): XmlNode {
  const open: XmlNode[] = [];
  let root: XmlNode | null = null;
  const opened = (tag: SaxesTagNS): void => {
    const parent = open.at(-1);
    const prefixes = prefixesOf(tag.ns, parent?.prefixes);
    const all = Object.values(tag.attributes);
    const node: XmlNode = {
      local: tag.local,
      namespace: tag.uri,
      attributes: new Map(all.filter(({ uri }) => uri === '').map(({ local, value }) => [local, value])),
      foreign: new Map(all.filter(({ uri }) => uri !== '').map(({ uri, local, value }) => [`{${uri}}${local}`, value])),
      children: [],
      line: parser.line,
      prefixes,
      text: '',
    };
    if (parent === undefined) root = node;
    else (parent.children as XmlNode[]).push(node);
    open.push(node);
  };
  const addText = (more: string): void => {
    const top = open.at(-1);
    if (top !== undefined) top.text += more;
  };
  const parser = createXmlParser(LIMITS, { opened, closed: () => void open.pop(), text: addText }, true);
  try {
    parser.write(text).close();
  } catch (thrown) {
    const message = thrown instanceof Misfit ? thrown.message : `expected well-formed XML: ${plainMessage(thrown)}`;
    throw faultAt(address, parser.line, message, thrown);
  }
  if (root === null) throw faultAt(address, 1, 'expected an XML document, got nothing');
  return root;
}

/** What is declared holds for the elements within, until they declare it anew. */
function prefixesOf(
  own: Readonly<Record<string, string>>,
  around: XmlNode['prefixes'] | undefined,
): XmlNode['prefixes'] {
  if (around !== undefined && Object.keys(own).length === 0) return around;
  // Without a prototype at the top: a prefix may be called `constructor`.
  const prefixes = Object.create(around ?? null) as Record<string, string>;
  return Object.assign(prefixes, own);
}

/** The parser puts line and column in front of its messages; the line is told already. */
function plainMessage(thrown: unknown): string {
  return (thrown as Error).message.replace(/^\d+:\d+: /, '');
}

/** The element children of this name, whatever their namespace. */
export function childrenOf(node: XmlNode | undefined, local: string): readonly XmlNode[] {
  return node?.children.filter((child) => child.local === local) ?? [];
}

export function childOf(node: XmlNode | undefined, local: string): XmlNode | undefined {
  return node?.children.find((child) => child.local === local);
}

/** A name with a prefix, as an attribute holds it. */
export interface QName {
  readonly namespace: string;
  readonly local: string;
}

/** @returns with the namespace '' for a prefix that is declared nowhere */
export function qnameOf(node: XmlNode, text: string): QName {
  const trimmed = text.trim();
  const colon = trimmed.indexOf(':');
  const prefix = colon < 0 ? '' : trimmed.slice(0, colon);
  return { namespace: node.prefixes[prefix] ?? '', local: trimmed.slice(colon + 1) };
}

export function qnameKey({ namespace, local }: QName): string {
  return `{${namespace}}${local}`;
}
