import { CallFault } from './fault.js';
import type { WsdlOperation } from './soap-contract.js';
import { namesOf, type ElementShape } from './soap-shape.js';
import { DIALECTS, INSTANCE_NAMESPACE, XSD_NAMESPACE, type SoapDialect } from './soap-version.js';
import { attributeText, elementText, unsendableIn } from './xml-text.js';
import type { QName } from './xml-tree.js';

/** A text that XML 1.0 cannot carry: it is never sent mangled. */
export class UnsendableText extends Error {
  /** The element that was to hold it. */
  readonly element: string;

  constructor(element: string, codeUnit: number) {
    const shown = `U+${codeUnit.toString(16).toUpperCase().padStart(4, '0')}`;
    super(`expected a text that XML can carry in ${element}, got one with the character ${shown}`);
    this.name = 'UnsendableText';
    this.element = element;
  }
}

/** A request that is written, but for what stands in its header ('' for nothing). */
export type Envelope = (header: string) => string;

/** What an element without a value becomes where its schema knows no xsi:nil. */
export type EmptyElements = 'leftOut' | 'sentEmpty';

/**
 * A request, its elements in the schema's order. `undefined` is left out; `null` is xsi:nil where the schema allows it; a
 * list is its element repeated. In SOAP's encoding every value tells its type, a list may be an array, and a parameter
 * without a value is xsi:nil: old stacks count them.
 *
 * @param value the elements of `input` by name; where `input` is a text itself: that one under its own name
 * @throws UnsendableText - a text has a character that XML 1.0 does not have
 * @throws CallFault notSent - the schema has no such element
 */
export function renderEnvelope(
  { input, version, isEncoded }: Pick<WsdlOperation, 'input' | 'isEncoded' | 'version'>,
  value: Readonly<Record<string, unknown>>,
  empty: EmptyElements,
): Envelope {
  const writer = new EnvelopeWriter(empty, isEncoded ? DIALECTS[version] : null);
  let body = '';
  if (input === null) writer.checkKnown('the request', [], value);
  else if (isEncoded) body = writer.encodedCall(input, value);
  else body = input.content().kind === 'text' ? writer.bareText(input, value) : writer.element(input, value);
  const open = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="${DIALECTS[version].envelope}"${writer.declarations()}>`;
  return (header) =>
    `${open}${header === '' ? '' : `<s:Header>${header}</s:Header>`}<s:Body>${body}</s:Body></s:Envelope>`;
}

class EnvelopeWriter {
  readonly #empty: EmptyElements;
  /** Set where SOAP's encoding is written. */
  readonly #encoded: SoapDialect | null;
  readonly #prefixes = new Map<string, string>();

  constructor(empty: EmptyElements, encoded: SoapDialect | null) {
    this.#empty = empty;
    this.#encoded = encoded;
  }

  /** A call in SOAP's encoding, with all its parameters. */
  encodedCall(shape: ElementShape, value: Readonly<Record<string, unknown>>): string {
    const content = shape.content();
    const names = content.kind === 'elements' ? content.elements.map(({ name }) => name) : [];
    const all = { ...Object.fromEntries(names.map((name) => [name, null])), ...withoutAbsent(value) };
    const name = this.#nameOf(shape);
    return `<${name} s:encodingStyle="${this.#encoded?.encoding ?? ''}">${this.#content(shape, all)}</${name}>`;
  }

  element(shape: ElementShape, value: unknown): string {
    if (value === undefined) return '';
    if (Array.isArray(value) && shape.content().kind === 'list') return this.#array(shape, value);
    if (Array.isArray(value)) return value.map((one) => this.element(shape, one)).join('');
    const name = this.#nameOf(shape);
    if (value === null) {
      if (shape.nillable || this.#encoded !== null)
        return `<${name} ${this.#prefixOf(INSTANCE_NAMESPACE)}:nil="true"/>`;
      return this.#empty === 'leftOut' ? '' : `<${name}/>`;
    }
    return `<${name}${this.#typeOf(shape)}>${this.#content(shape, value)}</${name}>`;
  }

  /** A bare request that is one text: `<sku>WND-001</sku>`. */
  bareText(shape: ElementShape, value: Readonly<Record<string, unknown>>): string {
    this.checkKnown('the request', [shape], value);
    return this.element(shape, value[shape.name]);
  }

  checkKnown(where: string, elements: readonly ElementShape[], value: Readonly<Record<string, unknown>>): void {
    const names = new Set(elements.map(({ name }) => name));
    for (const [name, member] of Object.entries(value)) {
      // What has no value says nothing, also under a name that the source does not know.
      if (member === undefined || member === null || names.has(name)) continue;
      throw misfit(`expected one of ${namesOf(elements)} in ${where}, got ${name}`);
    }
  }

  /** The namespaces that were used, for the envelope's own tag. */
  declarations(): string {
    return [...this.#prefixes].map(([namespace, prefix]) => ` xmlns:${prefix}="${attributeText(namespace)}"`).join('');
  }

  #content(shape: ElementShape, value: unknown): string {
    const content = shape.content();
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      if (content.kind === 'elements' && !(content.open && content.elements.length === 0))
        throw misfit(`expected the elements ${namesOf(content.elements)} in ${shape.name}, got a text`);
      return escaped(shape.name, String(value));
    }
    if (content.kind === 'list') throw misfit(`expected a list in ${shape.name}, got elements`);
    if (content.kind !== 'elements') throw misfit(`expected a text in ${shape.name}, got elements`);
    const members = value as Readonly<Record<string, unknown>>;
    this.checkKnown(shape.name, content.elements, members);
    return content.elements.map((element) => this.element(element, members[element.name])).join('');
  }

  #array(shape: ElementShape, items: readonly unknown[]): string {
    const content = shape.content();
    if (content.kind !== 'list' || this.#encoded === null) throw misfit(`expected no array in ${shape.name}, got one`);
    const { encoding, version } = this.#encoded;
    const encodes = this.#prefixOf(encoding);
    const type = this.#typeName(content.item.type ?? { namespace: XSD_NAMESPACE, local: 'anyType' });
    const told =
      version === '1.1'
        ? `${encodes}:arrayType="${type}[${items.length}]"`
        : `${encodes}:itemType="${type}" ${encodes}:arraySize="${items.length}"`;
    const name = this.#nameOf(shape);
    const inside = items.map((item) => this.element(content.item, item ?? null)).join('');
    return `<${name} ${this.#prefixOf(INSTANCE_NAMESPACE)}:type="${encodes}:Array" ${told}>${inside}</${name}>`;
  }

  /** In SOAP's encoding, the type of a value: an attribute, with a blank before it. */
  #typeOf({ type }: ElementShape): string {
    if (this.#encoded === null || type === null) return '';
    return ` ${this.#prefixOf(INSTANCE_NAMESPACE)}:type="${this.#typeName(type)}"`;
  }

  #typeName({ namespace, local }: QName): string {
    return namespace === '' ? local : `${this.#prefixOf(namespace)}:${local}`;
  }

  #nameOf({ namespace, name }: ElementShape): string {
    return namespace === null ? name : `${this.#prefixOf(namespace)}:${name}`;
  }

  #prefixOf(namespace: string): string {
    const known = this.#prefixes.get(namespace);
    if (known !== undefined) return known;
    const prefix = `n${this.#prefixes.size + 1}`;
    this.#prefixes.set(namespace, prefix);
    return prefix;
  }
}

function escaped(element: string, text: string): string {
  const unsendable = unsendableIn(text);
  if (unsendable !== null) throw new UnsendableText(element, unsendable);
  return elementText(text);
}

function withoutAbsent(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

function misfit(message: string): CallFault {
  return new CallFault('notSent', message, { sourceIsSick: false });
}
