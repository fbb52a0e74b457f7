import type { QName } from './xml-tree.js';

/** What the WSDL says of one element: all that is needed to write it, and to know what an answer can hold. */
export interface ElementShape {
  readonly name: string;
  /** Null: its name belongs to no namespace (an unqualified local element). */
  readonly namespace: string | null;
  /** May it say "no value" by xsi:nil? */
  readonly nillable: boolean;
  /** Its named type, which an encoded element tells; null: it has none. */
  readonly type: QName | null;
  /** Found when it is asked for: types may contain themselves. */
  content(): ElementContent;
}

export type ElementContent =
  | { readonly kind: 'text' }
  /** A SOAP-encoded array: its items, whatever they are called. */
  | { readonly kind: 'list'; readonly item: ElementShape }
  /** In the schema's order. `open`: there may be others (xs:any, a type that the WSDL does not contain). */
  | { readonly kind: 'elements'; readonly elements: readonly ElementShape[]; readonly open: boolean };

/** Members joined by dots, like `query.offset`; '' is the element itself. */
export function pathSteps(path: string): readonly string[] {
  return path === '' ? [] : path.split('.');
}

/** Why the schema has no such path, as "expected …, got …"; null: it has it, or leaves it open. */
export function misfitOfPath(shape: ElementShape, path: string): string | null {
  let at = shape;
  for (const step of pathSteps(path)) {
    const content = at.content();
    if (content.kind === 'text') return `expected nothing below ${at.name}, which is a text, got ${step}`;
    if (content.kind === 'list') return `expected nothing below ${at.name}, which is an array, got ${step}`;
    const next = content.elements.find(({ name }) => name === step);
    if (next === undefined) {
      if (content.open) return null;
      return `expected one of ${namesOf(content.elements)} in ${at.name}, got ${step}`;
    }
    at = next;
  }
  return null;
}

/** The elements that the schema has at a path; null: it leaves them open, or there is a text. */
export function elementsAt(shape: ElementShape, path: string): readonly ElementShape[] | null {
  let at: ElementShape | undefined = shape;
  for (const step of pathSteps(path)) {
    const content: ElementContent = at.content();
    at = content.kind === 'elements' ? content.elements.find(({ name }) => name === step) : undefined;
    if (at === undefined) return null;
  }
  const content = at.content();
  return content.kind !== 'elements' || content.open ? null : content.elements;
}

export function namesOf(elements: readonly ElementShape[]): string {
  return elements.length === 0 ? '(nothing)' : elements.map(({ name }) => name).join(', ');
}
