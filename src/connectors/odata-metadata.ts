import type { SaxesTagNS } from 'saxes';
import { CallFault, shownText } from './fault.js';
import type { HttpHead } from './http-client.js';
import type { DeclaredModel, DeclaredType, ODataProperty } from './odata-model.js';
import { createXmlParser, xmlReason } from './xml-parser.js';

const EDMX = 'http://docs.oasis-open.org/odata/ns/edmx';
const EDM = 'http://docs.oasis-open.org/odata/ns/edm';
/** Annotations are the deepest; the largest services have some hundred thousand elements and attributes. */
const LIMITS = { depth: 64, parts: 2_000_000 };

/**
 * Reads the `$metadata` document of an answer (CSDL XML of OData 4.0 and 4.01) as its bytes come. No DOCTYPE, no entities but XML's own five.
 *
 * @throws CallFault badAnswer - no such document; or what reading the bytes throws
 */
export async function readMetadata(head: HttpHead, chunks: AsyncIterable<Buffer>): Promise<DeclaredModel> {
  const type = head.headers.get('content-type') ?? 'no content-type';
  if (!/^\s*(application|text)\/([\w.+-]+\+)?xml\s*(;|$)/i.test(type)) {
    throw misfit(`expected XML, got ${shownText(type)}`);
  }
  const reader = new CsdlReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of chunks) reader.write(decodedBy(decoder, chunk));
  reader.write(decodedBy(decoder));
  return reader.end();
}

function decodedBy(decoder: InstanceType<typeof TextDecoder>, chunk?: Buffer): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new CallFault('badAnswer', 'expected XML in UTF-8', { cause, sourceIsSick: false });
  }
}

interface TypeDraft extends DeclaredType {
  readonly keys: string[];
  readonly properties: ODataProperty[];
}

type Attributes = Readonly<Record<string, string | undefined>>;

class CsdlReader {
  readonly #parser = createXmlParser(LIMITS, {
    opened: (tag, depth) => this.#opened(tag, depth),
    closed: () => this.#closed(),
  });
  readonly #open: string[] = [];
  readonly #aliases = new Map<string, string>();
  readonly #model = {
    entityTypes: new Map<string, TypeDraft>(),
    complexTypes: new Map<string, TypeDraft>(),
    enums: new Map<string, { readonly members: string[]; readonly isFlags: boolean }>(),
    otherNames: new Map<string, string>(),
    sets: new Map<string, string>(),
  };
  /** Names of sets whose writes need an ETag. */
  readonly #guarded = new Set<string>();
  #namespace = '';
  #type: TypeDraft | null = null;
  #members: string[] = [];
  /** The property that is open, and where it stands in its type. */
  #property: { readonly of: TypeDraft; readonly at: number } | null = null;
  /** Properties that the source fills, as annotations elsewhere name them. */
  readonly #computed = new Set<string>();
  /** What annotations are about: a set, or a path like `Care.Visit/Number`. */
  #target: string | null = null;

  write(text: string): void {
    this.#parsed(() => this.#parser.write(text));
  }

  /** What is wrong with the text is told as our fault. */
  #parsed(parse: () => void): void {
    try {
      parse();
    } catch (thrown) {
      throw thrown instanceof CallFault ? thrown : misfit(xmlReason(thrown));
    }
  }

  end(): DeclaredModel {
    this.#parsed(() => this.#parser.close());
    const { entityTypes, complexTypes, enums, otherNames, sets } = this.#model;
    if (sets.size === 0) throw misfit('expected a service with entity sets, got none');
    const computed = new Set([...this.#computed].map((path) => this.#fullPath(path)));
    const qualified = (types: ReadonlyMap<string, TypeDraft>): ReadonlyMap<string, DeclaredType> =>
      new Map([...types].map(([name, type]) => [name, this.#qualified(name, type, computed)]));
    return {
      entityTypes: qualified(entityTypes),
      complexTypes: qualified(complexTypes),
      enums,
      otherNames: new Map([...otherNames].map(([name, type]) => [name, this.#fullName(type)])),
      sets: new Map(
        [...sets].map(([name, type]) => [name, { type: this.#fullName(type), isGuarded: this.#guarded.has(name) }]),
      ),
    };
  }

  #opened({ local, uri, attributes: given }: SaxesTagNS, depth: number): void {
    const attributes: Attributes = Object.fromEntries(Object.values(given).map((one) => [one.local, one.value]));
    if (depth === 0) checkRoot(local, uri, attributes);
    const parent = this.#open.at(-1) ?? '';
    // Elements of other namespaces are extensions; their names say nothing.
    this.#open.push(uri === EDM || uri === EDMX ? local : `{${uri}}`);
    if (uri === EDM) this.#declared(parent, local, attributes);
  }

  #declared(parent: string, element: string, attributes: Attributes): void {
    const { Name: name = '', Type: type = '' } = attributes;
    switch (`${parent}/${element}`) {
      case 'DataServices/Schema':
        this.#namespace = attributes['Namespace'] ?? '';
        if (attributes['Alias'] !== undefined) this.#aliases.set(attributes['Alias'], this.#namespace);
        break;
      case 'Schema/EntityType':
        this.#begin(this.#model.entityTypes, name, attributes);
        break;
      case 'Schema/ComplexType':
        this.#begin(this.#model.complexTypes, name, attributes);
        break;
      case 'Key/PropertyRef':
        // A key on a property of a complex property goes by its alias.
        this.#type?.keys.push(attributes['Alias'] ?? name);
        break;
      case 'EntityType/Property':
      case 'ComplexType/Property':
      case 'EntityType/NavigationProperty':
      case 'ComplexType/NavigationProperty':
        this.#addProperty(name, type, attributes, element === 'NavigationProperty');
        break;
      case 'Schema/EnumType':
        this.#members = [];
        this.#model.enums.set(this.#own(name), { members: this.#members, isFlags: attributes['IsFlags'] === 'true' });
        break;
      case 'EnumType/Member':
        this.#members.push(name);
        break;
      case 'Schema/TypeDefinition':
        this.#model.otherNames.set(this.#own(name), attributes['UnderlyingType'] ?? '');
        break;
      case 'EntityContainer/EntitySet':
        this.#model.sets.set(name, attributes['EntityType'] ?? '');
        this.#target = name;
        break;
      case 'Schema/Annotations':
        this.#target = attributes['Target'] ?? null;
        break;
      case 'EntitySet/Annotation':
      case 'Annotations/Annotation':
        if (this.#target === null) break;
        if (isTerm(attributes, 'OptimisticConcurrency')) this.#guarded.add(this.#target.replace(/^.*\//, ''));
        if (isFilling(attributes)) this.#computed.add(this.#target);
        break;
      case 'Property/Annotation':
        if (isFilling(attributes)) this.#fill();
        break;
    }
  }

  #begin(types: Map<string, TypeDraft>, name: string, attributes: Attributes): void {
    this.#type = {
      base: attributes['BaseType'] ?? null,
      keys: [],
      properties: [],
      isOpen: attributes['OpenType'] === 'true',
    };
    types.set(this.#own(name), this.#type);
  }

  #addProperty(name: string, type: string, attributes: Attributes, isNavigation: boolean): void {
    if (this.#type === null) return;
    const isCollection = type.startsWith('Collection(');
    this.#property = { of: this.#type, at: this.#type.properties.length };
    this.#type.properties.push({
      name,
      type: isCollection ? type.slice('Collection('.length, -1) : type === '' ? 'Edm.String' : type,
      isCollection,
      isNavigation,
      isNullable: attributes['Nullable'] !== 'false',
      isFilled: attributes['DefaultValue'] !== undefined,
    });
  }

  #fill(): void {
    const { of, at } = this.#property ?? {};
    const property = at === undefined ? undefined : of?.properties[at];
    if (of !== undefined && at !== undefined && property !== undefined)
      of.properties[at] = { ...property, isFilled: true };
  }

  #closed(): void {
    const element = this.#open.pop();
    if (element === 'EntityType' || element === 'ComplexType') this.#type = null;
    if (element === 'EntitySet' || element === 'Annotations') this.#target = null;
    if (element === 'Property' || element === 'NavigationProperty') this.#property = null;
  }

  #own(name: string): string {
    return `${this.#namespace}.${name}`;
  }

  /** Aliases may be declared behind their use. */
  #fullName(name: string): string {
    const dot = name.lastIndexOf('.');
    const namespace = this.#aliases.get(name.slice(0, dot));
    return namespace === undefined ? name : `${namespace}${name.slice(dot)}`;
  }

  #fullPath(path: string): string {
    const slash = path.indexOf('/');
    return slash < 0 ? path : `${this.#fullName(path.slice(0, slash))}${path.slice(slash)}`;
  }

  #qualified(name: string, { base, properties, ...type }: TypeDraft, computed: ReadonlySet<string>): DeclaredType {
    return {
      ...type,
      base: base === null ? null : this.#fullName(base),
      properties: properties.map((one) => ({
        ...one,
        type: this.#fullName(one.type),
        isFilled: one.isFilled || computed.has(`${name}/${one.name}`),
      })),
    };
  }
}

function checkRoot(local: string, uri: string, { Version: version = 'none' }: Attributes): void {
  if (local === 'Edmx' && uri === EDMX && /^4\.0[01]?$/.test(version)) return;
  if (local === 'Edmx') throw misfit(`expected the $metadata of OData 4.0 or 4.01, got an Edmx of version ${version}`);
  throw misfit(`expected the $metadata of OData 4.0 or 4.01 (Edmx), got the element ${shownText(local)}`);
}

function isFilling(attributes: Attributes): boolean {
  return isTerm(attributes, 'Computed') || isTerm(attributes, 'ComputedDefaultValue');
}

/** Vocabularies go by their namespace, or by an alias that each document chooses. */
function isTerm({ Term: term = '', Bool: truth }: Attributes, name: string): boolean {
  return term.endsWith(`.${name}`) && truth !== 'false';
}

/** The service is well, and would give the same document again. */
function misfit(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}
