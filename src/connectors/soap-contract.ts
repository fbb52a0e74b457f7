import { CallFault } from './fault.js';
import { readSchemas, type SchemaPart, type Schemas } from './soap-schema.js';
import type { ElementShape } from './soap-shape.js';
import type { SoapVersion } from './soap-version.js';
import { childrenOf, type QName, type XmlElement } from './xml-tree.js';

/** Everything that a WSDL consists of. */
export interface WsdlDocuments {
  readonly definitions: readonly XmlElement[];
  readonly schemas: readonly SchemaPart[];
}

/** One operation of a WSDL, as far as it is needed to call it. */
export interface WsdlOperation {
  readonly name: string;
  readonly soapAction: string;
  readonly version: SoapVersion;
  /** In SOAP's own encoding: values tell their types, elements refer to each other. */
  readonly isEncoded: boolean;
  /** The element in the request's body; null: the body is empty. */
  readonly input: ElementShape | null;
  readonly output: ElementShape | null;
}

/** A WSDL that was read. */
export interface SoapContract {
  /** @throws CallFault notSent - the WSDL has no such operation, or one of a style that is not spoken */
  operation(name: string): WsdlOperation;
}

/** Which of a WSDL's ports is meant; null: the first that fits. */
export interface WsdlChoice {
  readonly service: string | null;
  readonly port: string | null;
  /** Spoken whatever the binding says. */
  readonly version: SoapVersion | null;
}

const WSDL = 'http://schemas.xmlsoap.org/wsdl/';
const BINDINGS: Readonly<Record<string, SoapVersion | undefined>> = {
  'http://schemas.xmlsoap.org/wsdl/soap/': '1.1',
  'http://schemas.xmlsoap.org/wsdl/soap12/': '1.2',
};
/** What is spoken over HTTP; some leave it out. */
const TRANSPORTS: ReadonlySet<string | undefined> = new Set([
  'http://schemas.xmlsoap.org/soap/http',
  'http://www.w3.org/2003/05/soap/bindings/HTTP/',
  undefined,
]);

/** How messages are made that are spoken here. */
const STYLES: readonly string[] = ['document/literal', 'rpc/literal', 'rpc/encoded'];

/** A port over SOAP and HTTP. */
interface Port {
  /** Its service's name and its own, for messages. */
  readonly name: string;
  readonly version: SoapVersion;
  readonly style: string;
  readonly binding: XmlElement;
  readonly portType: XmlElement;
}

/**
 * The operations of a WSDL: of the port that was chosen, else of the first SOAP port that has one, those of the version
 * that was chosen first.
 *
 * @param where the WSDL, for messages
 * @throws CallFault badAnswer - it has no such port, or none over SOAP and HTTP
 */
export function contractOf(where: string, documents: WsdlDocuments, choice: WsdlChoice): SoapContract {
  const ports = chosenPorts(portsOf(documents), choice);
  const schemas = readSchemas(documents.schemas);
  return {
    operation(name) {
      for (const port of ports) {
        const binding = named(childrenOf(port.binding, WSDL, 'operation'), name);
        const declared = named(childrenOf(port.portType, WSDL, 'operation'), name);
        if (binding === undefined || declared === undefined) continue;
        return new OperationReader(where, name, documents, schemas).read(port, binding, declared, choice.version);
      }
      throw unusable(`expected one of the operations ${operationsOf(ports)} of ${where}, got ${name}`);
    },
  };
}

function operationsOf(ports: readonly Port[]): string {
  const names = ports.flatMap(({ binding }) =>
    childrenOf(binding, WSDL, 'operation').map((one) => one.attribute('name') ?? ''),
  );
  return [...new Set(names)].join(', ');
}

function portsOf({
  definitions,
}: WsdlDocuments): readonly (Port & { readonly service: string; readonly port: string })[] {
  const bindings = globalsOf(definitions, 'binding');
  const portTypes = globalsOf(definitions, 'portType');
  return definitions.flatMap((root) =>
    childrenOf(root, WSDL, 'service').flatMap((service) =>
      childrenOf(service, WSDL, 'port').flatMap((port) => {
        const binding = bindings(port, 'binding');
        const soap = binding?.children.find((one) => one.local === 'binding' && BINDINGS[one.namespace] !== undefined);
        const portType = binding === undefined ? undefined : portTypes(binding, 'type');
        const version = BINDINGS[soap?.namespace ?? ''];
        if (binding === undefined || portType === undefined || version === undefined) return [];
        if (!TRANSPORTS.has(soap?.attribute('transport'))) return [];
        const names = { service: service.attribute('name') ?? '', port: port.attribute('name') ?? '' };
        const style = soap?.attribute('style') ?? 'document';
        return [{ ...names, name: `${names.service}.${names.port}`, version, style, binding, portType }];
      }),
    ),
  );
}

function chosenPorts(ports: ReturnType<typeof portsOf>, { service, port, version }: WsdlChoice): readonly Port[] {
  const known = (names: readonly string[]): string => [...new Set(names)].join(', ');
  if (ports.every(({ binding }) => childrenOf(binding, WSDL, 'operation').length === 0)) {
    throw unusable('expected a service over SOAP and HTTP with operations, got none');
  }
  const ofService = ports.filter((one) => service === null || one.service === service);
  if (ofService.length === 0)
    throw unusable(`expected one of the services ${known(ports.map((one) => one.service))}, got ${service ?? ''}`);
  const ofPort = ofService.filter((one) => port === null || one.port === port);
  if (ofPort.length === 0)
    throw unusable(`expected one of the ports ${known(ofService.map((one) => one.port))}, got ${port ?? ''}`);
  const preferred = ofPort.filter((one) => one.version === version);
  return [...preferred, ...ofPort.filter((one) => one.version !== version)];
}

class OperationReader {
  constructor(
    readonly where: string,
    readonly name: string,
    readonly documents: WsdlDocuments,
    readonly schemas: Schemas,
  ) {}

  read(port: Port, binding: XmlElement, declared: XmlElement, version: SoapVersion | null): WsdlOperation {
    const soap = binding.children.find((one) => one.local === 'operation' && BINDINGS[one.namespace] !== undefined);
    const style = soap?.attribute('style') ?? port.style;
    const uses = [this.#use('input', binding), this.#use('output', binding)].filter((use) => use !== null);
    const styles = [...new Set(uses.map((use) => `${style}/${use}`))];
    const [spoken = 'document/literal', ...others] = styles;
    if (others.length > 0 || !STYLES.includes(spoken)) {
      throw this.#unfit(`expected ${STYLES.join(', ')}, got ${styles.join(' and ')}`);
    }
    return {
      name: this.name,
      soapAction: soap?.attribute('soapAction') ?? '',
      version: version ?? port.version,
      isEncoded: spoken === 'rpc/encoded',
      input: this.#element('input', style, binding, declared),
      output: this.#element('output', style, binding, declared),
    };
  }

  /** The element of a message that stands in the body; null: the body is empty, or there is no such message. */
  #element(way: 'input' | 'output', style: string, binding: XmlElement, declared: XmlElement): ElementShape | null {
    const [bound] = childrenOf(binding, WSDL, way);
    const [message] = childrenOf(declared, WSDL, way);
    if (message === undefined) return null;
    const body = bound === undefined ? undefined : bodyOf(bound);
    const parts = this.#bodyParts(message, bound, body);
    if (style === 'rpc') return this.#call(way, body?.attribute('namespace') ?? '', parts);
    const [part, ...others] = parts;
    if (part === undefined) return null;
    const element = part.attribute('element');
    if (element === undefined || others.length > 0) {
      throw this.#unfit(`expected one part that is an element in its ${way}, got ${shownParts(parts)}`);
    }
    const name = part.resolve(element);
    const shape = name === null ? null : this.schemas.element(name);
    if (shape === null) throw this.#unfit(`expected the element ${element} in a schema, got none`);
    return shape;
  }

  #use(way: 'input' | 'output', binding: XmlElement): string | null {
    const [bound] = childrenOf(binding, WSDL, way);
    return bound === undefined ? null : (bodyOf(bound)?.attribute('use') ?? 'literal');
  }

  /** What an rpc call is: an element called like the operation, and in it one for each part. */
  #call(way: 'input' | 'output', namespace: string, parts: readonly XmlElement[]): ElementShape {
    const elements = parts.map((part) => {
      const type = part.attribute('type');
      const name = type === undefined ? null : part.resolve(type);
      if (name === null) throw this.#unfit(`expected parts of rpc that have a type, got ${shownParts([part])}`);
      return this.schemas.typed(part.attribute('name') ?? '', name);
    });
    return {
      name: way === 'input' ? this.name : `${this.name}Response`,
      namespace: namespace === '' ? null : namespace,
      nillable: false,
      type: null,
      content: () => ({ kind: 'elements', elements, open: false }),
    };
  }

  /** Of a message's parts those in the body: what is said there, else all that are no headers. */
  #bodyParts(message: XmlElement, bound: XmlElement | undefined, body: XmlElement | undefined): readonly XmlElement[] {
    const found = globalsOf(this.documents.definitions, 'message')(message, 'message');
    if (found === undefined) throw this.#unfit(`expected the message ${message.attribute('message') ?? ''}, got none`);
    const parts = childrenOf(found, WSDL, 'part');
    const told = body?.attribute('parts')?.split(/\s+/);
    if (told !== undefined) return parts.filter((part) => told.includes(part.attribute('name') ?? ''));
    const headers = (bound?.children ?? [])
      .filter(({ local, namespace }) => local === 'header' && BINDINGS[namespace] !== undefined)
      .filter((header) => globalsOf(this.documents.definitions, 'message')(header, 'message') === found)
      .map((header) => header.attribute('part'));
    return parts.filter((part) => !headers.includes(part.attribute('name')));
  }

  #unfit(misfit: string): CallFault {
    return unusable(`the operation ${this.name} of ${this.where}: ${misfit}`);
  }
}

/** Finds what an attribute names, wherever it is defined. */
function globalsOf(
  definitions: readonly XmlElement[],
  local: string,
): (node: XmlElement, attribute: string) => XmlElement | undefined {
  const all = definitions.flatMap((root) =>
    childrenOf(root, WSDL, local).map((one) => ({ one, namespace: root.attribute('targetNamespace') ?? '' })),
  );
  return (node, attribute) => {
    const text = node.attribute(attribute);
    const name: QName | null = text === undefined ? null : node.resolve(text);
    if (name === null) return undefined;
    return all.find(({ one, namespace }) => one.attribute('name') === name.local && namespace === name.namespace)?.one;
  };
}

function named(elements: readonly XmlElement[], name: string): XmlElement | undefined {
  return elements.find((one) => one.attribute('name') === name);
}

/** The soap:body of a message; with attachments it stands in their first part. */
function bodyOf(bound: XmlElement): XmlElement | undefined {
  const isBody = ({ local, namespace }: XmlElement): boolean => local === 'body' && BINDINGS[namespace] !== undefined;
  return (
    bound.children.find(isBody) ??
    bound.children.flatMap(({ children }) => children.flatMap((one) => one.children)).find(isBody)
  );
}

function shownParts(parts: readonly XmlElement[]): string {
  return parts
    .map((part) => {
      const { element, type } = { element: part.attribute('element'), type: part.attribute('type') };
      return `${part.attribute('name') ?? ''} (${element === undefined ? `type ${type ?? ''}` : `element ${element}`})`;
    })
    .join(', ');
}

/** The source answers: asking once more would change nothing. */
function unusable(message: string): CallFault {
  return new CallFault('notSent', message, { sourceIsSick: false });
}
