import type { Member, ObjectType, ScalarShape, Shape } from './described-system.js';

/** A value as JSON has it. */
export type Example = string | number | boolean | null | readonly Example[] | { readonly [name: string]: Example };

/** Objects within each other; what lies deeper is left out where it may be. */
const MAX_DEPTH = 6;
/** Members of one example, all objects in it together: types refer to each other without end. */
const MAX_MEMBERS = 2_000;

/** What an example is for: a request has nothing that the system keeps itself. */
export type ExampleOf = 'request' | 'answer';

/**
 * An example of a shape, made from nothing but it: the same each time.
 *
 * @param name what a text says that has no form
 */
export function exampleOf(shape: Shape, purpose: ExampleOf, name = ''): Example {
  return new Examples(purpose).value(shape, name, []) ?? null;
}

/** An example as XML needs it: members in order, with their namespaces. */
export interface XmlExample {
  readonly member: Pick<Member, 'name' | 'namespace'>;
  /** A text, or elements. */
  readonly content: string | readonly XmlExample[];
}

/** @param hasItems a list is one element that holds items, as SOAP's own encoding has it */
export function xmlExampleOf(
  shape: Shape,
  member: XmlExample['member'],
  purpose: ExampleOf,
  hasItems: boolean,
): XmlExample {
  return new Examples(purpose, hasItems).element(shape, member, [])[0] ?? { member, content: '' };
}

class Examples {
  readonly #purpose: ExampleOf;
  readonly #hasItems: boolean;
  #members = 0;

  constructor(purpose: ExampleOf, hasItems = false) {
    this.#purpose = purpose;
    this.#hasItems = hasItems;
  }

  /** Undefined: it has no end here, and is left out. */
  value(shape: Shape, name: string, within: readonly ObjectType[]): Example | undefined {
    switch (shape.kind) {
      case 'open':
        return {};
      case 'scalar':
        return scalarExample(shape, name);
      case 'list': {
        const item = this.value(shape.item, name, within);
        return item === undefined ? [] : [item];
      }
      case 'object': {
        if (!this.#mayEnter(shape.type, within)) return undefined;
        const inner = [...within, shape.type];
        // No prototype to set: a member may be called __proto__.
        const members: [string, Example][] = this.#membersOf(shape.type).flatMap((member) => {
          const value = this.value(member.shape, member.name, inner);
          if (value === undefined) return member.required ? [[member.name, {}] as [string, Example]] : [];
          return [[member.name, value] as [string, Example]];
        });
        return Object.fromEntries(members);
      }
    }
  }

  element(shape: Shape, member: XmlExample['member'], within: readonly ObjectType[]): readonly XmlExample[] {
    switch (shape.kind) {
      case 'open':
        return [{ member, content: '' }];
      case 'scalar':
        return [{ member, content: String(scalarExample(shape, member.name)) }];
      case 'list':
        if (!this.#hasItems) return this.element(shape.item, member, within);
        return [{ member, content: this.element(shape.item, { name: 'item', namespace: null }, within) }];
      case 'object': {
        if (!this.#mayEnter(shape.type, within)) return [];
        const inner = [...within, shape.type];
        return [{ member, content: this.#membersOf(shape.type).flatMap((one) => this.element(one.shape, one, inner)) }];
      }
    }
  }

  #membersOf(type: ObjectType): readonly Member[] {
    return type.members.filter(({ readOnly }) => {
      this.#members += 1;
      return this.#members <= MAX_MEMBERS && !(readOnly && this.#purpose === 'request');
    });
  }

  #mayEnter(type: ObjectType, within: readonly ObjectType[]): boolean {
    return within.length < MAX_DEPTH && !within.includes(type);
  }
}

function scalarExample(shape: ScalarShape, name: string): string | number | boolean {
  const { type, wire, values, maxLength, minimum, maximum, example } = shape;
  if (values?.[0] !== undefined) return values[0];
  if (example !== undefined && typeof example === wire) return example;
  if (type === 'boolean' || wire === 'boolean') return true;
  if (type === 'date') return '2026-01-31';
  if (type === 'dateTime') return '2026-01-31T08:30:00Z';
  if (wire === 'number' || type === 'int' || type === 'long' || type === 'float' || type === 'decimal') {
    return Math.min(
      maximum ?? Infinity,
      Math.max(minimum ?? -Infinity, type === 'decimal' || type === 'float' ? 1.5 : 1),
    );
  }
  const text = TEXTS[shape.says] ?? (name === '' ? 'text' : name);
  return maxLength === undefined ? text : text.slice(0, maxLength);
}

/** Texts that have a form. */
const TEXTS: Readonly<Record<string, string | undefined>> = {
  'string uuid': '00000000-0000-4000-8000-000000000001',
  'string email': 'name@example.com',
  'string uri': 'https://example.com/',
  'string url': 'https://example.com/',
  'string byte': 'dGV4dA==',
  'string time': '08:30:00',
  'xs:time': '08:30:00',
  'xs:duration': 'PT1H',
  'xs:base64Binary': 'dGV4dA==',
  'xs:hexBinary': '00',
  'Edm.Guid': '00000000-0000-4000-8000-000000000001',
  'Edm.TimeOfDay': '08:30:00',
  'Edm.Duration': 'PT1H',
  'Edm.Binary': 'dGV4dA==',
};
