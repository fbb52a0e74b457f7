import { faultAt, shown } from './description-fault.js';
import type { DescriptionLoader, LoadedText } from './description-loader.js';
import { childrenOf, readXml, type XmlNode } from './xml-tree.js';
import { XSD, type SchemaNode } from './xsd-reader.js';

export const WSDL = 'http://schemas.xmlsoap.org/wsdl/';

/** A WSDL with all that it imports and includes. */
export interface WsdlParts {
  readonly main: XmlNode;
  readonly definitions: readonly { readonly node: XmlNode; readonly address: string }[];
  readonly schemas: readonly SchemaNode[];
  /** Parts that lie elsewhere and were not read. */
  readonly elsewhere: readonly string[];
}

/** Namespaces that everybody refers to; nobody reads their schemas. */
const WELL_KNOWN: ReadonlySet<string> = new Set([
  XSD,
  'http://www.w3.org/XML/1998/namespace',
  'http://schemas.xmlsoap.org/soap/encoding/',
  'http://schemas.xmlsoap.org/soap/envelope/',
  'http://www.w3.org/2003/05/soap-encoding',
  'http://www.w3.org/2003/05/soap-envelope',
  WSDL,
]);

/** @throws StartupError config, source - a part is no WSDL or schema, or cannot be read */
export async function loadWsdl(loader: DescriptionLoader, root: XmlNode): Promise<WsdlParts> {
  const collector = new Collector(loader);
  await collector.addDefinitions(root, loader.main);
  return {
    main: root,
    definitions: collector.definitions,
    schemas: collector.schemas,
    elsewhere: [...collector.elsewhere],
  };
}

class Collector {
  readonly definitions: { readonly node: XmlNode; readonly address: string }[] = [];
  readonly schemas: SchemaNode[] = [];
  readonly elsewhere = new Set<string>();
  readonly #loader: DescriptionLoader;
  readonly #known = new Set<string>();
  readonly #roots = new Map<string, XmlNode>();

  constructor(loader: DescriptionLoader) {
    this.#loader = loader;
  }

  async addDefinitions(node: XmlNode, from: LoadedText): Promise<void> {
    this.definitions.push({ node, address: from.shownAddress });
    for (const types of childrenOf(node, 'types')) {
      for (const schema of childrenOf(types, 'schema')) await this.#addSchema(schema, from, '');
    }
    for (const one of childrenOf(node, 'import')) {
      const location = one.attributes.get('location');
      if (location !== undefined) await this.#addPart(location, from, '');
    }
  }

  async #addSchema(node: XmlNode, from: LoadedText, includedIn: string): Promise<void> {
    const targetNamespace = node.attributes.get('targetNamespace') ?? includedIn;
    this.schemas.push({ node, targetNamespace, address: from.shownAddress });
    for (const child of node.children) {
      const location = child.attributes.get('schemaLocation');
      if (child.namespace !== XSD || location === undefined) continue;
      if (child.local === 'include' || child.local === 'redefine') await this.#addPart(location, from, targetNamespace);
      else if (child.local === 'import' && !WELL_KNOWN.has(child.attributes.get('namespace') ?? '')) {
        await this.#addPart(location, from, '');
      }
    }
  }

  /** @param includedIn the namespace that a schema without one takes */
  async #addPart(location: string, from: LoadedText, includedIn: string): Promise<void> {
    const part = await this.#loader.part(location, from);
    if (part === null) {
      this.elsewhere.add(shown(location));
      return;
    }
    // The same schema may be included into several namespaces.
    const key = `${includedIn} ${part.address}`;
    if (part.address === this.#loader.main.address || this.#known.has(key)) return;
    this.#known.add(key);
    const root = this.#roots.get(part.address) ?? readXml(part.shownAddress, part.text);
    this.#roots.set(part.address, root);
    if (root.local === 'schema' && root.namespace === XSD) await this.#addSchema(root, part, includedIn);
    else if (root.local === 'definitions' && root.namespace === WSDL) await this.addDefinitions(root, part);
    else throw faultAt(part.shownAddress, root.line, `expected a WSDL or an XML schema, got ${shown(root.local)}`);
  }
}
