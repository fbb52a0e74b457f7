import { CallFault } from '../connectors/fault.js';
import { readMetadata } from '../connectors/odata-metadata.js';
import { isODataName } from '../connectors/odata-misfit.js';
import {
  modelOf,
  type DeclaredModel,
  type ODataModel,
  type ODataProperty,
  type WholeType,
} from '../connectors/odata-model.js';
import { readCsdlFacts, type CsdlFacts, type SetFacts } from './csdl-facts.js';
import { faultAt, shown } from './description-fault.js';
import { isHttp, type DescriptionLoader, type LoadedText } from './description-loader.js';
import {
  OPEN,
  type DescribedSystem,
  type Member,
  type ObjectType,
  type ODataCall,
  type Shape,
} from './described-system.js';
import { commentText } from './safe-names.js';
import type { XmlNode } from './xml-tree.js';

/** Names that one note has. */
const MOST_NAMED = 10;

/**
 * A description of an OData service by its `$metadata`, read as the kit reads it when it calls the service.
 *
 * @param root the document's, read already
 * @throws StartupError config - no `$metadata` of OData 4.0 or 4.01, or one without entity sets
 */
export async function readODataDescription(loader: DescriptionLoader, root: XmlNode): Promise<DescribedSystem> {
  const { main } = loader;
  const declared = await declaredIn(main, root);
  const facts = readCsdlFacts(root);
  const reader = new SetReader(declared, facts);
  const operations = [...declared.sets.keys()].flatMap((set) => reader.callsOf(set));
  if (operations.length === 0)
    throw faultAt(
      main.shownAddress,
      root.line,
      `expected an entity set that can be read, got none: ${reader.notes.join('; ')}`,
    );
  return {
    kit: 'odata',
    format: `OData ${root.attributes.get('Version') ?? ''}`,
    title: titleOf(facts.namespace),
    version: null,
    address: isHttp(main.shownAddress) ? main.shownAddress.replace(/\/(\$|%24)metadata$/i, '') : null,
    signIn: [],
    operations,
    notes: [...reader.notes, ...othersNote(facts.others)],
  };
}

async function declaredIn({ text, shownAddress }: LoadedText, root: XmlNode): Promise<DeclaredModel> {
  if (root.namespace.startsWith('http://schemas.microsoft.com/ado/'))
    throw faultAt(shownAddress, root.line, 'expected the $metadata of OData 4.0 or 4.01, got one of OData 2 or 3');
  async function* whole(): AsyncGenerator<Buffer, void> {
    yield await Promise.resolve(Buffer.from(text.trimStart()));
  }
  try {
    return await readMetadata({ status: 200, headers: new Map([['content-type', 'application/xml']]) }, whole());
  } catch (thrown) {
    if (!(thrown instanceof CallFault)) throw thrown;
    throw faultAt(shownAddress, root.line, thrown.message, thrown);
  }
}

class SetReader {
  readonly notes: string[] = [];
  readonly #declared: DeclaredModel;
  readonly #model: ODataModel;
  readonly #facts: CsdlFacts;
  readonly #types = new Map<string, ObjectType>();

  constructor(declared: DeclaredModel, facts: CsdlFacts) {
    this.#declared = declared;
    this.#model = modelOf(declared);
    this.#facts = facts;
  }

  /** What can be done with a set, as far as the description knows. */
  callsOf(name: string): readonly ODataCall[] {
    const typeName = this.#declared.sets.get(name)?.type ?? '';
    if (!isODataName(name)) return this.#leftOut(name, 'its name is none that OData has');
    try {
      const { type, isGuarded } = this.#model.entitySet(name);
      const facts = this.#facts.setFacts(name);
      const row = this.#objectType(typeName, type, this.#declared.entityTypes);
      const set: ODataCall['set'] = {
        name,
        type: row,
        key: type.keys,
        hasETag: isGuarded,
        isCountable: facts.isCountable,
        tracksChanges: facts.tracksChanges,
        filterable: namesOf(row, facts.isFilterable),
        sortable: namesOf(row, facts.isSortable),
      };
      return allowed(facts).map((does) => ({
        kit: 'odata',
        name: `${WORDS[does]}${name.charAt(0).toUpperCase()}${name.slice(1)}`,
        does,
        set,
      }));
    } catch (thrown) {
      if (!(thrown instanceof CallFault)) throw thrown;
      return this.#leftOut(name, thrown.message);
    }
  }

  #leftOut(set: string, why: string): readonly [] {
    this.notes.push(`the entity set ${shown(set)} is left out: ${commentText(why)}`);
    return [];
  }

  #objectType(name: string, whole: WholeType, types: DeclaredModel['entityTypes']): ObjectType {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    const members: Member[] = [];
    const type: ObjectType = { name: name.replace(/^.*\./s, ''), origin: name, members, open: whole.isOpen };
    // Before its members: types may contain themselves.
    this.#types.set(name, type);
    const immutable: string[] = [];
    const odd: string[] = [];
    for (const property of whole.properties.values()) {
      // What leads to other entities, and streams, come only when they are asked for by themselves.
      if (property.isNavigation || property.type === 'Edm.Stream') continue;
      if (!isODataName(property.name)) odd.push(shown(property.name));
      else {
        const facts = this.#facts.propertyFacts(declarerOf(name, property.name, types), property.name);
        if (facts.isImmutable) immutable.push(property.name);
        members.push(this.#member(property, whole, facts.maxLength, facts.isReadOnly));
      }
    }
    if (immutable.length > 0) this.notes.push(`${type.name}: a create takes ${some(immutable)}, an update does not`);
    if (odd.length > 0)
      this.notes.push(`${type.name}: left out, since these are no names that OData has: ${some(odd)}`);
    return type;
  }

  #member(property: ODataProperty, { keys }: WholeType, maxLength: number | null, readOnly: boolean): Member {
    const { name, isCollection, isNullable, isFilled } = property;
    const shape = this.#shape(property.type, maxLength);
    const isKey = keys.includes(name);
    return {
      name,
      shape: isCollection ? { kind: 'list', item: shape } : shape,
      // Of a collection it says whether its items may be null.
      required: isKey || (!isNullable && !isFilled && !isCollection),
      nullable: !isKey && isNullable && !isCollection,
      readOnly,
    };
  }

  #shape(type: string, maxLength: number | null): Shape {
    const kind = this.#model.kindOf(type);
    switch (kind.kind) {
      case 'complex':
        return { kind: 'object', type: this.#objectType(type, kind.type, this.#declared.complexTypes) };
      case 'enum':
        // Several members in one text are none of the members.
        if (kind.isFlags || kind.members.length === 0)
          return { kind: 'scalar', type: 'string', wire: 'string', says: type };
        return { kind: 'scalar', type: 'enum', wire: 'string', says: type, values: kind.members };
      case 'primitive': {
        const known = PRIMITIVES[kind.name] ?? (['string', 'string'] as const);
        const length = maxLength === null ? {} : { maxLength };
        return { kind: 'scalar', type: known[0], wire: known[1], says: kind.name, ...length };
      }
      case 'other':
        return OPEN;
    }
  }
}

const WORDS: Readonly<Record<ODataCall['does'], string>> = {
  list: 'list',
  one: 'read',
  insert: 'insert',
  update: 'update',
  remove: 'remove',
};

/** Types that are no texts. The kit asks for whole numbers of 64 bits and decimals as texts. */
const PRIMITIVES: Readonly<
  Record<
    string,
    readonly [
      type: 'boolean' | 'int' | 'long' | 'float' | 'decimal' | 'date' | 'dateTime',
      wire: 'string' | 'number' | 'boolean',
    ]
  >
> = {
  'Edm.Boolean': ['boolean', 'boolean'],
  'Edm.Byte': ['int', 'number'],
  'Edm.SByte': ['int', 'number'],
  'Edm.Int16': ['int', 'number'],
  'Edm.Int32': ['int', 'number'],
  'Edm.Int64': ['long', 'string'],
  'Edm.Decimal': ['decimal', 'string'],
  'Edm.Single': ['float', 'number'],
  'Edm.Double': ['float', 'number'],
  'Edm.Date': ['date', 'string'],
  'Edm.DateTimeOffset': ['dateTime', 'string'],
};

function allowed(facts: SetFacts): readonly ODataCall['does'][] {
  const said: readonly (readonly [ODataCall['does'], boolean])[] = [
    ['list', facts.isReadable],
    ['one', facts.isReadableByKey],
    ['insert', facts.isInsertable],
    ['update', facts.isUpdatable],
    ['remove', facts.isDeletable],
  ];
  return said.flatMap(([does, isAllowed]) => (isAllowed ? [does] : []));
}

function namesOf({ members }: ObjectType, is: (property: string) => boolean): readonly string[] {
  return members.map(({ name }) => name).filter(is);
}

/** The type in a line of bases that has the property: what is said of it is said of it there. */
function declarerOf(type: string, property: string, types: DeclaredModel['entityTypes']): string {
  for (let name: string | null = type; name !== null; name = types.get(name)?.base ?? null) {
    if (types.get(name)?.properties.some((one) => one.name === property) === true) return name;
  }
  return type;
}

/** The last word of a namespace that says something: `ODataWeb.Northwind.Model` is about Northwind. */
function titleOf(namespace: string): string {
  const words = namespace.split('.');
  const telling = words.filter((word) => !/^(default|models?|service|container|odata|entities|api|v?\d+)$/i.test(word));
  return telling.at(-1) ?? words.at(-1) ?? '';
}

function othersNote(others: number): readonly string[] {
  return others === 0 ? [] : [`singletons, functions and actions are left out: ${others}`];
}

function some(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.slice(0, MOST_NAMED).join(', ')}${more}`;
}
