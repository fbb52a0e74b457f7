/** What a description says of a system, in one form for WSDL, OpenAPI, Swagger and OData. Names in it come from outside: see `safe-names`. */
export interface DescribedSystem {
  readonly kit: 'rest' | 'soap' | 'odata';
  /** What was read, like `OpenAPI 3.1`. */
  readonly format: string;
  readonly title: string;
  readonly version: string | null;
  /** Where it says that the system is; the configuration decides. */
  readonly address: string | null;
  /** How it says that callers are known, one line each. */
  readonly signIn: readonly string[];
  readonly operations: readonly DescribedOperation[];
  /** What was left out or could not be read, one line each. */
  readonly notes: readonly string[];
}

export type DescribedOperation = RestCall | SoapCall | ODataCall;

export interface RestCall {
  readonly kit: 'rest';
  /** As the description calls it, else method and path. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{parameter}` where values go. */
  readonly path: string;
  readonly summary: string | null;
  readonly pathParameters: readonly Member[];
  readonly query: readonly Member[];
  /** Names of request headers, in lower case. */
  readonly headers: readonly string[];
  readonly body: Shape | null;
  readonly answer: {
    readonly status: number;
    readonly shape: Shape | null;
    /** Names of the answer's headers, in lower case. */
    readonly headers: readonly string[];
  };
}

export interface SoapCall {
  readonly kit: 'soap';
  readonly name: string;
  readonly soapAction: string;
  readonly soapVersion: '1.1' | '1.2';
  /** By SOAP's own encoding (use="encoded"): arrays hold items. */
  readonly isEncoded: boolean;
  readonly summary: string | null;
  /** Null: the body is empty. */
  readonly input: XmlElement | null;
  readonly output: XmlElement | null;
  /** Names of SOAP headers that go with the request. */
  readonly soapHeaders: readonly string[];
}

/** The element in a SOAP body. */
export interface XmlElement {
  readonly name: string;
  readonly namespace: string | null;
  readonly shape: Shape;
}

/** One thing that the OData kit does with an entity set. */
export interface ODataCall {
  readonly kit: 'odata';
  readonly name: string;
  readonly does: 'list' | 'one' | 'insert' | 'update' | 'remove';
  readonly set: EntitySet;
}

export interface EntitySet {
  readonly name: string;
  readonly type: ObjectType;
  readonly key: readonly string[];
  /** Says the description that writes need the entity's ETag (Core.OptimisticConcurrency)? */
  readonly hasETag: boolean;
  /** May lists be asked how many records there are? */
  readonly isCountable: boolean;
  /** Says the description that it gives delta links (Capabilities.ChangeTracking)? */
  readonly tracksChanges: boolean;
  /** Members that a list can be filtered by, and be ordered by. */
  readonly filterable: readonly string[];
  readonly sortable: readonly string[];
}

export type Shape = ScalarShape | ListShape | ObjectShape | OpenShape;

/** One of the connectors' own types of field. */
export type ScalarType = 'string' | 'boolean' | 'int' | 'long' | 'float' | 'decimal' | 'date' | 'dateTime' | 'enum';

export interface ScalarShape {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  /** What it is in JSON; in XML everything is a text. */
  readonly wire: 'string' | 'number' | 'boolean';
  /** The description's own name for the type, like `xs:int` or `integer int64`. */
  readonly says: string;
  /** Of an enum. */
  readonly values?: readonly string[];
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  /** The description's own example, if it fits. */
  readonly example?: string | number | boolean;
}

export interface ListShape {
  readonly kind: 'list';
  readonly item: Shape;
}

export interface ObjectShape {
  readonly kind: 'object';
  readonly type: ObjectType;
}

/** Anything: the description leaves it open, or has several forms that have nothing in common. */
export interface OpenShape {
  readonly kind: 'open';
}

/** One object type; its identity is the object itself, since types may contain themselves. */
export interface ObjectType {
  readonly name: string;
  /** Where it stands, unique within a description. */
  readonly origin: string;
  readonly members: readonly Member[];
  /** May there be members that the description does not name? */
  readonly open: boolean;
}

export interface Member {
  readonly name: string;
  readonly shape: Shape;
  readonly required: boolean;
  readonly nullable: boolean;
  /** The system keeps it: it is not taken in a request. */
  readonly readOnly: boolean;
  /** Of XML: the element's namespace; null: none. */
  readonly namespace?: string | null;
}

export const OPEN: OpenShape = { kind: 'open' };

/** The members of an object, through nothing else; none where it is something else. */
export function membersOf(shape: Shape | null): readonly Member[] {
  return shape?.kind === 'object' ? shape.type.members : [];
}

/** A list of objects somewhere in an answer, and where: members joined by dots. */
export interface RowsPlace {
  readonly path: string;
  readonly type: ObjectType;
}

/** How far below the top of an answer its rows are looked for. */
const DEEPEST_ROWS = 3;

/** The lists of objects in an answer, the highest first; '' is the answer itself. */
export function listsIn(shape: Shape | null): readonly RowsPlace[] {
  return placesIn(shape, (found) => (found.kind === 'list' && found.item.kind === 'object' ? found.item.type : null));
}

/** The objects in an answer, through nothing but objects, the highest first. */
export function objectsIn(shape: Shape | null): readonly RowsPlace[] {
  return placesIn(shape, (found) => (found.kind === 'object' ? found.type : null));
}

function placesIn(shape: Shape | null, typeOf: (shape: Shape) => ObjectType | null): readonly RowsPlace[] {
  const found: RowsPlace[] = [];
  let level: readonly { readonly path: string; readonly shape: Shape }[] = shape === null ? [] : [{ path: '', shape }];
  for (let depth = 0; depth <= DEEPEST_ROWS && level.length > 0; depth++) {
    for (const one of level) {
      const type = typeOf(one.shape);
      if (type !== null) found.push({ path: one.path, type });
    }
    level = level.flatMap((one) =>
      membersOf(one.shape)
        // A path is members joined by dots: one that holds a dot cannot be told.
        .filter(({ name }) => !name.includes('.'))
        .map((member) => ({
          path: one.path === '' ? member.name : `${one.path}.${member.name}`,
          shape: member.shape,
        })),
    );
  }
  return found;
}
