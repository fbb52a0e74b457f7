import { childrenOf, type XmlNode } from './xml-tree.js';

const EDM = 'http://docs.oasis-open.org/odata/ns/edm';

/** What a `$metadata` document says of an entity set beyond its type. What it does not say is allowed, as OData has it. */
export interface SetFacts {
  readonly isReadable: boolean;
  readonly isReadableByKey: boolean;
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly isDeletable: boolean;
  readonly isCountable: boolean;
  readonly tracksChanges: boolean;
  readonly isFilterable: (property: string) => boolean;
  readonly isSortable: (property: string) => boolean;
}

/** What it says of a property beyond its type. */
export interface PropertyFacts {
  readonly maxLength: number | null;
  /** The system fills it, or lets it be read only. */
  readonly isReadOnly: boolean;
  /** It is taken in a create only. */
  readonly isImmutable: boolean;
}

/** What the kit's own reader of `$metadata` has no use for: capabilities, lengths, what else there is. */
export interface CsdlFacts {
  /** The namespace with the container. */
  readonly namespace: string;
  setFacts(set: string): SetFacts;
  /** @param type the full name of the type that declares it */
  propertyFacts(type: string, property: string): PropertyFacts;
  /** How many singletons, functions and actions the service has. */
  readonly others: number;
}

/** @param root the `edmx:Edmx` element */
export function readCsdlFacts(root: XmlNode): CsdlFacts {
  const schemas = childrenOf(root, 'DataServices').flatMap((services) => edm(services, 'Schema'));
  const aliases = new Map(
    schemas.map(({ attributes }) => [attributes.get('Alias') ?? '', nameOf(attributes, 'Namespace')]),
  );
  const properties = new Map<string, XmlNode>();
  const annotations = new Map<string, XmlNode[]>();
  const annotate = (target: string, node: XmlNode): void => {
    annotations.set(target, [...(annotations.get(target) ?? []), ...edm(node, 'Annotation')]);
  };
  const sets = new Map<string, string>();
  let others = 0;
  for (const schema of schemas) {
    const own = nameOf(schema.attributes, 'Namespace');
    for (const type of [...edm(schema, 'EntityType'), ...edm(schema, 'ComplexType')]) {
      for (const property of edm(type, 'Property')) {
        const target = `${own}.${nameOf(type.attributes)}/${nameOf(property.attributes)}`;
        properties.set(target, property);
        annotate(target, property);
      }
    }
    for (const container of edm(schema, 'EntityContainer')) {
      for (const set of edm(container, 'EntitySet')) {
        const target = `${own}.${nameOf(container.attributes)}/${nameOf(set.attributes)}`;
        sets.set(nameOf(set.attributes), target);
        annotate(target, set);
      }
      others += ['Singleton', 'FunctionImport', 'ActionImport'].flatMap((one) => edm(container, one)).length;
    }
    for (const node of edm(schema, 'Annotations'))
      annotate(fullTarget(nameOf(node.attributes, 'Target'), aliases), node);
  }
  const withContainer = schemas.find((schema) => edm(schema, 'EntityContainer').length > 0);
  const annotated = (target: string | undefined, term: string): XmlNode | undefined =>
    annotations.get(target ?? '')?.find(({ attributes }) => attributes.get('Term')?.endsWith(`.${term}`) === true);
  return {
    namespace: withContainer === undefined ? '' : nameOf(withContainer.attributes, 'Namespace'),
    others,
    setFacts: (set) => setFacts((term) => annotated(sets.get(set), term)),
    propertyFacts(type, property) {
      const target = `${type}/${property}`;
      const length = properties.get(target)?.attributes.get('MaxLength') ?? '';
      const isSaid = (term: string): boolean => {
        const node = annotated(target, term);
        return node !== undefined && boolOf(node) !== false;
      };
      return {
        maxLength: /^[1-9]\d{0,8}$/.test(length) ? Number(length) : null,
        isReadOnly: isSaid('Computed') || mayOnlyBeRead(annotated(target, 'Permissions')),
        isImmutable: isSaid('Immutable'),
      };
    },
  };
}

function setFacts(annotated: (term: string) => XmlNode | undefined): SetFacts {
  const part = (term: string, property: string): XmlNode | undefined => valueIn(annotated(term), property);
  const allows = (term: string, property: string): boolean => boolOf(part(term, property)) !== false;
  const named = (term: string, property: string): ReadonlySet<string> => new Set(pathsIn(part(term, property)));
  const filter = 'FilterRestrictions';
  const sort = 'SortRestrictions';
  const unfiltered = named(filter, 'NonFilterableProperties');
  const unsorted = named(sort, 'NonSortableProperties');
  const byKey = valueIn(part('ReadRestrictions', 'ReadByKeyRestrictions'), 'Readable');
  return {
    isReadable: allows('ReadRestrictions', 'Readable'),
    isReadableByKey: byKey === undefined ? allows('ReadRestrictions', 'Readable') : boolOf(byKey) !== false,
    isInsertable: allows('InsertRestrictions', 'Insertable'),
    isUpdatable: allows('UpdateRestrictions', 'Updatable'),
    isDeletable: allows('DeleteRestrictions', 'Deletable'),
    isCountable: allows('CountRestrictions', 'Countable'),
    tracksChanges: annotated('ChangeTracking') !== undefined && allows('ChangeTracking', 'Supported'),
    isFilterable: (property) => allows(filter, 'Filterable') && !unfiltered.has(property),
    isSortable: (property) => allows(sort, 'Sortable') && !unsorted.has(property),
  };
}

/** The value of a property in the record of an annotation, or in one within it. */
function valueIn(node: XmlNode | undefined, property: string): XmlNode | undefined {
  const records = node === undefined ? [] : edm(node, 'Record');
  return records
    .flatMap((record) => edm(record, 'PropertyValue'))
    .find(({ attributes }) => attributes.get('Property') === property);
}

/** True or false, as an attribute or as an element; null: neither. */
function boolOf(node: XmlNode | undefined): boolean | null {
  if (node === undefined) return null;
  const text = (node.attributes.get('Bool') ?? edm(node, 'Bool')[0]?.text ?? '').trim();
  return text === 'true' ? true : text === 'false' ? false : null;
}

function pathsIn(node: XmlNode | undefined): readonly string[] {
  const collections = node === undefined ? [] : edm(node, 'Collection');
  return collections.flatMap((one) => one.children.map(({ text }) => text.trim()));
}

/** `Core.Permissions` that are nothing more than reading. */
function mayOnlyBeRead(node: XmlNode | undefined): boolean {
  if (node === undefined) return false;
  const text = node.attributes.get('EnumMember') ?? edm(node, 'EnumMember')[0]?.text ?? '';
  const allowed = text.trim().split(/\s+/);
  return text.trim() !== '' && allowed.every((one) => /\/(Read|None)$/.test(one));
}

/** Elements of other namespaces are extensions; their names say nothing. */
function edm(node: XmlNode, local: string): readonly XmlNode[] {
  return childrenOf(node, local).filter(({ namespace }) => namespace === EDM);
}

function nameOf(attributes: XmlNode['attributes'], attribute = 'Name'): string {
  return attributes.get(attribute) ?? '';
}

function fullTarget(target: string, aliases: ReadonlyMap<string, string>): string {
  const dot = target.split('/', 1)[0]?.lastIndexOf('.') ?? -1;
  const namespace = dot < 0 ? undefined : aliases.get(target.slice(0, dot));
  return namespace === undefined ? target : `${namespace}${target.slice(dot)}`;
}
