import { CallFault } from './fault.js';

/** A property of a structured type, as `$metadata` declares it. */
export interface ODataProperty {
  readonly name: string;
  /** Like `Edm.String`, or a full name of the model's own; of one value, where it is a collection. */
  readonly type: string;
  readonly isCollection: boolean;
  readonly isNavigation: boolean;
  readonly isNullable: boolean;
  /** Does the source fill it by itself where a create leaves it out? */
  readonly isFilled: boolean;
}

/** An entity type or a complex type as it stands in the document: without what it inherits. */
export interface DeclaredType {
  readonly base: string | null;
  /** Names of the key's properties in their order; empty: it declares none itself. */
  readonly keys: readonly string[];
  readonly properties: readonly ODataProperty[];
  readonly isOpen: boolean;
}

/** Everything of a `$metadata` document that reads and writes need, by full name. */
export interface DeclaredModel {
  readonly entityTypes: ReadonlyMap<string, DeclaredType>;
  readonly complexTypes: ReadonlyMap<string, DeclaredType>;
  readonly enums: ReadonlyMap<string, { readonly members: readonly string[]; readonly isFlags: boolean }>;
  /** Type definitions: other names of primitive types. */
  readonly otherNames: ReadonlyMap<string, string>;
  /** Entity sets by name. */
  readonly sets: ReadonlyMap<string, { readonly type: string; readonly isGuarded: boolean }>;
}

/** A structured type with all that it inherits. */
export interface WholeType {
  readonly keys: readonly string[];
  readonly properties: ReadonlyMap<string, ODataProperty>;
  readonly isOpen: boolean;
}

/** An entity set with its type. */
export interface EntitySet {
  readonly name: string;
  readonly type: WholeType;
  /** Does the source refuse writes without an ETag (`OptimisticConcurrency`)? */
  readonly isGuarded: boolean;
}

/** What a type's values are. */
export type ValueKind =
  | { readonly kind: 'primitive'; readonly name: string }
  | { readonly kind: 'enum'; readonly name: string; readonly members: readonly string[]; readonly isFlags: boolean }
  | { readonly kind: 'complex'; readonly type: WholeType }
  /** An entity, a stream, a type of another document: only its JSON is known. */
  | { readonly kind: 'other' };

/** A service's model, with what it inherits looked up. */
export interface ODataModel {
  /** @throws CallFault notSent - the service has no such entity set */
  entitySet(name: string): EntitySet;
  kindOf(type: string): ValueKind;
}

/** Other types' bases; a longer line of them leads in a circle. */
const MAX_BASES = 50;
/** Names that a message shows at most. */
const MOST_NAMED = 20;

/** A model over what a document declares. */
export function modelOf(declared: DeclaredModel): ODataModel {
  const whole = new Map<string, WholeType>();

  function wholeType(types: ReadonlyMap<string, DeclaredType>, name: string): WholeType {
    const known = whole.get(name);
    if (known !== undefined) return known;
    const line: DeclaredType[] = [];
    for (let next: string | null = name; next !== null;) {
      const type: DeclaredType | undefined = types.get(next);
      if (type === undefined) throw misfit(`expected the type ${next} in the $metadata, got none`);
      if (line.length >= MAX_BASES) throw misfit(`expected a type with at most ${MAX_BASES} bases, got ${name}`);
      line.unshift(type);
      next = type.base;
    }
    const made: WholeType = {
      keys: line.find(({ keys }) => keys.length > 0)?.keys ?? [],
      properties: new Map(line.flatMap(({ properties }) => properties.map((one) => [one.name, one] as const))),
      isOpen: line.some(({ isOpen }) => isOpen),
    };
    whole.set(name, made);
    return made;
  }

  return {
    entitySet(name) {
      const set = declared.sets.get(name);
      if (set === undefined) throw misfit(`expected one of the entity sets ${shownNames(declared.sets)}, got ${name}`);
      return { name, type: wholeType(declared.entityTypes, set.type), isGuarded: set.isGuarded };
    },
    kindOf(type) {
      const name = declared.otherNames.get(type) ?? type;
      const found = declared.enums.get(name);
      if (found !== undefined) return { kind: 'enum', name, ...found };
      if (declared.complexTypes.has(name)) return { kind: 'complex', type: wholeType(declared.complexTypes, name) };
      return PRIMITIVES.has(name) ? { kind: 'primitive', name } : { kind: 'other' };
    },
  };
}

/** Types whose values have a form of their own in URLs and in JSON. */
const PRIMITIVES: ReadonlySet<string> = new Set(
  [
    'Binary Boolean Byte Date DateTimeOffset Decimal Double Duration Guid Int16 Int32 Int64 SByte Single String TimeOfDay',
  ].flatMap((names) => names.split(' ').map((name) => `Edm.${name}`)),
);

/** Some names, for a message. */
export function shownNames(named: ReadonlyMap<string, unknown>): string {
  const names = [...named.keys()];
  return names.length <= MOST_NAMED ? names.join(', ') : `${names.slice(0, MOST_NAMED).join(', ')} …`;
}

/** The source answers: asking once more would change nothing. */
function misfit(message: string): CallFault {
  return new CallFault('notSent', message, { sourceIsSick: false });
}
