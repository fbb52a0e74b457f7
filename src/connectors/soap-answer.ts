import type { SaxesTagNS } from 'saxes';
import { CallFault, shownText } from './fault.js';
import type { HttpHead } from './http-client.js';
import type { WsdlOperation } from './soap-contract.js';
import { EncodedBody } from './soap-encoded.js';
import { FaultReader, type SoapFault } from './soap-fault-reader.js';
import { emptyMembers, type XmlValue } from './soap-value.js';
import { dialectOf, INSTANCE_NAMESPACE, type SoapDialect } from './soap-version.js';
import { createXmlParser, Misfit, xmlReason } from './xml-parser.js';

/** What an envelope held. */
export type SoapContent =
  /** `rows`: the elements at the path that was asked for; they are not in `answer`. */
  | { readonly kind: 'answer'; readonly answer: XmlValue; readonly rows: readonly XmlValue[] }
  | { readonly kind: 'fault'; readonly fault: SoapFault }
  /** Nothing that can be believed: HTML, half an envelope, another element; `reason` as "expected …, got …". */
  | { readonly kind: 'misfit'; readonly reason: string };

/** What of an operation its answer is compared with. */
export type ExpectedAnswer = Pick<WsdlOperation, 'isEncoded' | 'output' | 'version'>;

/** Elements of ours have a depth of six. */
const LIMITS = { depth: 64, parts: 2_000_000 };

/**
 * Reads an envelope as its bytes come; only what it says is kept, row by row. No DOCTYPE, no entities but XML's own five.
 *
 * @param expected the version of SOAP, and the element that the WSDL promises; null: an empty body
 * @param rows where the rows of a list are; null: it is no list
 * @throws CallFault - the connection broke off, or the answer is larger than allowed
 */
export async function readEnvelope(
  head: HttpHead,
  chunks: AsyncIterable<Buffer>,
  expected: ExpectedAnswer,
  rows: readonly string[] | null,
): Promise<SoapContent> {
  const type = head.headers.get('content-type') ?? 'no content-type';
  if (!isXml(type)) {
    return { kind: 'misfit', reason: `expected XML in UTF-8, got ${shownText(type)} (status ${head.status})` };
  }
  const reader = new EnvelopeReader(expected, rows);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of chunks) reader.write(decoder.decode(chunk, { stream: true }));
    reader.write(decoder.decode());
    return reader.end();
  } catch (thrown) {
    if (thrown instanceof CallFault || isOfNetwork(thrown)) throw thrown;
    return { kind: 'misfit', reason: `${reasonOf(thrown)} (status ${head.status})` };
  }
}

/** XML by its media type, in UTF-8. */
function isXml(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  return (
    /^(text|application)\/([a-z0-9.+-]+\+)?xml$/.test(type.trim()) &&
    /^(charset="?(utf-?8|us-ascii)"?)?$/.test(charset ?? '')
  );
}

interface Frame {
  readonly local: string;
  readonly namespace: string;
  /** Is it the body's element, or within it? */
  readonly isContent: boolean;
  /** The same, and it is read by the rules of SOAP's encoding. */
  readonly isEncoded: boolean;
  readonly isNil: boolean;
  /** How many steps of the path to the rows lead here; -1: none. */
  readonly steps: number;
  text: string;
  members: Record<string, XmlValue> | null;
}

class EnvelopeReader {
  readonly #parser = createXmlParser(LIMITS, {
    opened: (tag, depth) => this.#opened(tag, depth),
    closed: () => this.#closed(),
    text: (piece) => this.#addText(piece),
  });
  readonly #fault = new FaultReader();
  readonly #expected: ExpectedAnswer;
  readonly #path: readonly string[] | null;
  readonly #open: Frame[] = [];
  readonly #rows: XmlValue[] = [];
  #dialect: SoapDialect | null = null;
  #encoded: EncodedBody | null = null;
  #language = '';
  #content: { readonly local: string; readonly namespace: string; readonly value: XmlValue } | null = null;
  #hasBody = false;

  constructor(expected: ExpectedAnswer, path: readonly string[] | null) {
    this.#expected = expected;
    this.#path = path;
    this.#parser.on('xmldecl', ({ encoding }) => {
      if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
        throw new Misfit(`expected XML in UTF-8, got ${encoding}`);
      }
    });
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  end(): SoapContent {
    this.#parser.close();
    const content = this.#content ?? this.#encoded?.root() ?? null;
    if (!this.#hasBody) throw new Misfit('expected an envelope with a body, got none');
    if (content?.local === 'Fault' && content.namespace === this.#dialect?.envelope) {
      return { kind: 'fault', fault: this.#fault.fault(this.#content?.value ?? null) };
    }
    const { output, version } = this.#expected;
    const got = this.#dialect?.version ?? '';
    if (got !== version) throw new Misfit(`expected a SOAP ${version} envelope, got one of SOAP ${got}`);
    if (content?.local !== output?.name || (content?.namespace ?? '') !== (output?.namespace ?? '')) {
      throw new Misfit(`expected ${shownName(output)} in the body, got ${shownName(content)}`);
    }
    if (this.#encoded !== null && output !== null) {
      return { kind: 'answer', ...this.#encoded.read(output, this.#path) };
    }
    return { kind: 'answer', answer: this.#content?.value ?? null, rows: this.#rows };
  }

  #addText(piece: string): void {
    const top = this.#open.at(-1);
    if (top?.isContent === true) top.text += piece;
    else if (top?.isEncoded === true) this.#encoded?.addText(piece);
  }

  #opened(tag: SaxesTagNS, depth: number): void {
    const { local, uri: namespace } = tag;
    const parent = this.#open.at(-1);
    if (depth === 0) this.#dialect = local === 'Envelope' ? dialectOf(namespace) : null;
    const envelope = this.#dialect?.envelope;
    if (envelope === undefined) {
      const got = shownName({ local, namespace });
      throw new Misfit(`expected a SOAP ${this.#expected.version} envelope, got ${got}`);
    }
    const isEnvelopes = namespace === envelope;
    if (depth === 1 && isEnvelopes && local === 'Body') this.#hasBody = true;
    if (isEnvelopes && local === 'Text') this.#language = tag.attributes['xml:lang']?.value ?? '';
    const isInBody = depth === 2 && parent?.local === 'Body' && parent.namespace === envelope;
    const isEncoded = isInBody ? this.#isEncoded(tag, isEnvelopes) : parent?.isEncoded === true;
    if (isInBody && !isEncoded && (this.#content !== null || this.#encoded !== null)) {
      throw new Misfit('expected one element in the body, got more');
    }
    if (isEncoded) this.#encoded?.opened(tag, (prefix) => this.#parser.resolve(prefix));
    this.#open.push({
      local,
      namespace,
      isContent: !isEncoded && (isInBody || parent?.isContent === true),
      isEncoded,
      isNil: isNil(tag),
      steps: isInBody && !isEncoded ? 0 : this.#stepsTo(local, parent),
      text: '',
      members: null,
    });
  }

  /** A fault is never encoded, whatever stands beside it. */
  #isEncoded({ local }: SaxesTagNS, isEnvelopes: boolean): boolean {
    if (!this.#expected.isEncoded || this.#dialect === null || (isEnvelopes && local === 'Fault')) return false;
    this.#encoded ??= new EncodedBody(this.#dialect);
    return true;
  }

  #stepsTo(local: string, parent: Frame | undefined): number {
    if (this.#path === null || parent === undefined || !parent.isContent || parent.steps < 0) return -1;
    return this.#path[parent.steps] === local ? parent.steps + 1 : -1;
  }

  #closed(): void {
    const frame = this.#open.pop();
    if (frame?.isEncoded === true) this.#encoded?.closed();
    if (frame?.isContent !== true) return;
    if (this.#open[2]?.local === 'Fault') this.#noteFault(frame);
    const value = frame.isNil ? null : (frame.members ?? frame.text);
    const parent = this.#open.at(-1);
    if (parent?.isContent !== true) {
      this.#content = { local: frame.local, namespace: frame.namespace, value };
    } else if (frame.steps === this.#path?.length) {
      // Some write a list without rows as one row that is nil.
      if (value !== null) this.#rows.push(value);
      // The list is there, though its rows are kept elsewhere.
      parent.members ??= emptyMembers();
    } else {
      addMember((parent.members ??= emptyMembers()), frame.local, value);
    }
  }

  /** What in a fault is a name, or has a language; its detail may hold anything. */
  #noteFault({ local, namespace, text }: Frame): void {
    const within = this.#open[3]?.local;
    const isEnvelopes = namespace === this.#dialect?.envelope;
    if ((local === 'faultcode' && within === undefined) || (local === 'Value' && isEnvelopes && within === 'Code')) {
      this.#fault.addCode(text, (prefix) => this.#parser.resolve(prefix));
    } else if (local === 'Text' && isEnvelopes && within === 'Reason') this.#fault.addReason(this.#language, text);
  }
}

function addMember(members: Record<string, XmlValue>, name: string, value: XmlValue): void {
  const before = members[name];
  if (before === undefined) members[name] = value;
  else if (Array.isArray(before)) (before as XmlValue[]).push(value);
  else members[name] = [before, value];
}

function isNil({ attributes }: SaxesTagNS): boolean {
  for (const name in attributes) {
    const { local, uri, value } = attributes[name] as SaxesTagNS['attributes'][string];
    if (local === 'nil' && uri === INSTANCE_NAMESPACE) return value.trim() === 'true' || value.trim() === '1';
  }
  return false;
}

function shownName(
  element: { readonly name?: string; readonly local?: string; readonly namespace: string | null } | null,
): string {
  if (element === null) return 'nothing';
  return `{${element.namespace ?? ''}}${element.name ?? element.local ?? ''}`;
}

/** What the text decoder's errors are called. */
const NOT_UTF8 = 'ERR_ENCODING_INVALID_ENCODED_DATA';

/** The connection, and the decoder of a compressed answer, throw errors with a code; ours and the parser's have none. */
function isOfNetwork(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code !== undefined && code !== NOT_UTF8;
}

function reasonOf(thrown: unknown): string {
  return codeOf(thrown) === NOT_UTF8 ? 'expected an answer in UTF-8' : xmlReason(thrown);
}

function codeOf(thrown: unknown): unknown {
  return (thrown as { readonly code?: unknown }).code;
}
