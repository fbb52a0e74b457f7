import { elsewhereNote, faultAt, shown } from './description-fault.js';
import type { DescriptionLoader } from './description-loader.js';
import {
  OPEN,
  type DescribedSystem,
  type Member,
  type ObjectType,
  type SoapCall,
  type XmlElement,
} from './described-system.js';
import { loadWsdl, WSDL, type WsdlParts } from './wsdl-parts.js';
import { childOf, childrenOf, qnameKey, qnameOf, type XmlNode } from './xml-tree.js';
import { XsdReader } from './xsd-reader.js';

const SOAP_VERSIONS: Readonly<Record<string, SoapCall['soapVersion'] | undefined>> = {
  'http://schemas.xmlsoap.org/wsdl/soap/': '1.1',
  'http://schemas.xmlsoap.org/wsdl/soap12/': '1.2',
};

/**
 * Reads WSDL 1.1: the operations that its ports offer over SOAP, each once, SOAP 1.1 before 1.2.
 *
 * @throws StartupError config - with the line
 */
export async function readWsdlDescription(loader: DescriptionLoader, root: XmlNode): Promise<DescribedSystem> {
  const parts = await loadWsdl(loader, root);
  const reader = new WsdlReader(parts);
  const { operations, address } = reader.read();
  if (operations.length === 0) {
    const others = reader.unusable.length;
    const got = others === 0 ? 'none' : `${others} in another style`;
    throw faultAt(
      loader.main.shownAddress,
      root.line,
      `expected operations over SOAP as document/literal or rpc, got ${got}`,
    );
  }
  const versions = [...new Set(operations.map(({ soapVersion }) => soapVersion))].sort().join(' and ');
  return {
    kit: 'soap',
    format: `WSDL 1.1${versions === '' ? '' : ` (SOAP ${versions})`}`,
    title: root.attributes.get('name') ?? reader.firstService() ?? '',
    version: null,
    address,
    signIn: [],
    operations,
    notes: [
      ...listed(
        reader.unusable,
        'operations of style document are encoded or have types instead of elements: left out, like',
      ),
      ...listed(reader.missing, 'types are described nowhere and are left open, like'),
      ...elsewhereNote(parts.elsewhere),
    ],
  };
}

function listed(names: readonly string[], what: string): readonly string[] {
  return names.length === 0 ? [] : [`${names.length} ${what} ${names.slice(0, 3).map(shown).join(', ')}`];
}

interface Port {
  readonly version: SoapCall['soapVersion'];
  readonly style: string;
  readonly binding: XmlNode;
  readonly portType: XmlNode;
  readonly address: string | null;
}

class WsdlReader {
  /** Of style document, encoded or with types instead of elements: the kit does not speak that. */
  readonly unusable: string[] = [];
  readonly #parts: WsdlParts;
  readonly #schemas: XsdReader;

  constructor(parts: WsdlParts) {
    this.#parts = parts;
    this.#schemas = new XsdReader(parts.schemas);
  }

  get missing(): readonly string[] {
    return this.#schemas.missing;
  }

  firstService(): string | undefined {
    return this.#parts.definitions.flatMap(({ node }) => childrenOf(node, 'service'))[0]?.attributes.get('name');
  }

  read(): { readonly operations: readonly SoapCall[]; readonly address: string | null } {
    const ports = [...this.#ports()].sort((a, b) => a.version.localeCompare(b.version));
    const calls = new Map<string, SoapCall>();
    for (const port of ports) {
      for (const binding of childrenOf(port.binding, 'operation')) {
        const name = binding.attributes.get('name') ?? '';
        const declared = childrenOf(port.portType, 'operation').find((one) => one.attributes.get('name') === name);
        if (declared === undefined || calls.has(name) || name === '') continue;
        const call = this.#call(name, port, binding, declared);
        if (call !== null) calls.set(name, call);
      }
    }
    return { operations: [...calls.values()], address: ports.find((port) => port.address !== null)?.address ?? null };
  }

  /** Of the services; a WSDL without one has its bindings at least. */
  #ports(): readonly Port[] {
    const services = this.#parts.definitions.flatMap(({ node }) => childrenOf(node, 'service'));
    if (services.length === 0) {
      const bindings = this.#parts.definitions.flatMap(({ node }) => childrenOf(node, 'binding'));
      return bindings.flatMap((binding) => this.#port(binding, null));
    }
    return services.flatMap((service) =>
      childrenOf(service, 'port').flatMap((port) => {
        const binding = this.#global('binding', port, 'binding');
        const address = port.children.find(({ local }) => local === 'address')?.attributes.get('location');
        return binding === undefined ? [] : this.#port(binding, address ?? null);
      }),
    );
  }

  #port(binding: XmlNode, address: string | null): readonly Port[] {
    const soap = binding.children.find((one) => one.local === 'binding' && SOAP_VERSIONS[one.namespace] !== undefined);
    const portType = this.#global('portType', binding, 'type');
    const version = SOAP_VERSIONS[soap?.namespace ?? ''];
    if (soap === undefined || version === undefined || portType === undefined) return [];
    return [{ version, style: soap.attributes.get('style') ?? 'document', binding, portType, address }];
  }

  #call(name: string, port: Port, binding: XmlNode, declared: XmlNode): SoapCall | null {
    const soap = binding.children.find(
      (one) => one.local === 'operation' && SOAP_VERSIONS[one.namespace] !== undefined,
    );
    const style = soap?.attributes.get('style') ?? port.style;
    const ways = { input: childOf(binding, 'input'), output: childOf(binding, 'output') };
    const isEncoded = [ways.input, ways.output].some((way) => bodyOf(way)?.attributes.get('use') === 'encoded');
    const parts = (['input', 'output'] as const).flatMap((way) => this.#bodyParts(childOf(declared, way), ways[way]));
    if (style !== 'rpc' && (isEncoded || parts.some((part) => part.attributes.get('element') === undefined))) {
      if (!this.unusable.includes(name)) this.unusable.push(name);
      return null;
    }
    const documentation = childOf(declared, 'documentation')?.text.trim() ?? '';
    return {
      kit: 'soap',
      name,
      soapAction: soap?.attributes.get('soapAction') ?? '',
      soapVersion: port.version,
      isEncoded,
      summary: documentation === '' ? null : documentation,
      input: this.#element(style, childOf(declared, 'input'), ways.input, name),
      output: this.#element(style, childOf(declared, 'output'), ways.output, `${name}Response`),
      soapHeaders: headersOf(ways.input).flatMap((header) => header.attributes.get('part') ?? []),
    };
  }

  /** @param wrapper the element of style rpc, which no schema has */
  #element(
    style: string,
    declared: XmlNode | undefined,
    bound: XmlNode | undefined,
    wrapper: string,
  ): XmlElement | null {
    if (declared === undefined) return null;
    const body = bodyOf(bound);
    const parts = this.#bodyParts(declared, bound);
    if (style === 'rpc') {
      const members = parts.map((part) => this.#rpcPart(part));
      const type: ObjectType = { name: wrapper, origin: `rpc ${wrapper}`, members, open: false };
      const namespace = body?.attributes.get('namespace') ?? '';
      return { name: wrapper, namespace: namespace === '' ? null : namespace, shape: { kind: 'object', type } };
    }
    const [part] = parts;
    if (part === undefined) return null;
    const qname = qnameOf(part, part.attributes.get('element') ?? '');
    return (
      this.#schemas.element(qname) ?? {
        name: qname.local,
        namespace: qname.namespace === '' ? null : qname.namespace,
        shape: OPEN,
      }
    );
  }

  /** Of a message's parts those in the body: what is said there, else all that are no headers. */
  #bodyParts(declared: XmlNode | undefined, bound: XmlNode | undefined): readonly XmlNode[] {
    const message = declared === undefined ? undefined : this.#global('message', declared, 'message');
    const said = bodyOf(bound)?.attributes.get('parts')?.split(/\s+/);
    const headers = headersOf(bound)
      .filter((header) => this.#global('message', header, 'message') === message)
      .map((header) => header.attributes.get('part'));
    return childrenOf(message, 'part').filter((part) => {
      const own = part.attributes.get('name') ?? '';
      return said === undefined ? !headers.includes(own) : said.includes(own);
    });
  }

  #rpcPart(part: XmlNode): Member {
    const type = part.attributes.get('type');
    const element = part.attributes.get('element');
    const shape =
      type !== undefined
        ? this.#schemas.type(qnameOf(part, type))
        : (this.#schemas.element(qnameOf(part, element ?? ''))?.shape ?? OPEN);
    return {
      name: part.attributes.get('name') ?? '',
      shape,
      required: true,
      nullable: false,
      readOnly: false,
      namespace: null,
    };
  }

  /** What an attribute names, wherever it is defined. */
  #global(local: string, node: XmlNode, attribute: string): XmlNode | undefined {
    const text = node.attributes.get(attribute);
    if (text === undefined) return undefined;
    const wanted = qnameKey(qnameOf(node, text));
    for (const { node: root } of this.#parts.definitions) {
      const namespace = root.attributes.get('targetNamespace') ?? '';
      const found = childrenOf(root, local).find(
        (one) => one.namespace === WSDL && qnameKey({ namespace, local: one.attributes.get('name') ?? '' }) === wanted,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** The soap:body of a message; with attachments it stands in their first part. */
function bodyOf(bound: XmlNode | undefined): XmlNode | undefined {
  return soapChildren(bound, 'body')[0];
}

function headersOf(bound: XmlNode | undefined): readonly XmlNode[] {
  return soapChildren(bound, 'header');
}

function soapChildren(bound: XmlNode | undefined, local: string): readonly XmlNode[] {
  const places = bound === undefined ? [] : [bound, ...bound.children.flatMap(({ children }) => children)];
  return places.flatMap(({ children }) =>
    children.filter((one) => one.local === local && SOAP_VERSIONS[one.namespace] !== undefined),
  );
}
