import { SaxesParser, type SaxesTagNS } from 'saxes';
import { shownText } from './fault.js';

/** What an XML text itself is at fault for, as "expected …, got …": it is not believed. */
export class Misfit extends Error {}

/** What an XML text may cost. */
export interface XmlLimits {
  /** Elements within each other: a parser's stack is not the source's to fill. */
  readonly depth: number;
  /** Elements and attributes in all: a small one costs us fifty times its bytes. */
  readonly parts: number;
}

export interface XmlHandlers {
  /** @param depth of the element; 0: it is the root */
  readonly opened: (tag: SaxesTagNS, depth: number) => void;
  readonly closed: () => void;
  /** Characters of the element that is open, in pieces; absent: nobody wants them. */
  readonly text?: (piece: string) => void;
}

/**
 * A parser of what others wrote: no DOCTYPE, no entities but XML's own five, so that nothing is loaded and nothing grows. Without
 * lines, unless they are wanted for messages.
 *
 * Its `write` and `close` throw: Misfit, by these limits; Error, it is not well-formed.
 */
export function createXmlParser(
  limits: XmlLimits,
  handlers: XmlHandlers,
  position = false,
): SaxesParser<{ xmlns: true }> {
  const parser = new SaxesParser({ xmlns: true, position });
  let depth = 0;
  let parts = 0;
  const count = (): void => {
    if (++parts > limits.parts) throw new Misfit(`expected at most ${limits.parts} elements and attributes, got more`);
  };
  parser.on('doctype', () => {
    throw new Misfit('expected no DOCTYPE, got one');
  });
  parser.on('opentagstart', () => {
    if (depth >= limits.depth)
      throw new Misfit(`expected at most ${limits.depth} elements within each other, got more`);
    count();
  });
  parser.on('attribute', count);
  parser.on('opentag', (tag) => handlers.opened(tag, depth++));
  parser.on('closetag', () => {
    depth -= 1;
    handlers.closed();
  });
  const { text } = handlers;
  if (text !== undefined) {
    parser.on('text', text);
    parser.on('cdata', text);
  }
  return parser;
}

/** Why a text cannot be read, from what its parser threw. */
export function xmlReason(thrown: unknown): string {
  const { message } = thrown as Error;
  return thrown instanceof Misfit ? message : `expected whole, well-formed XML: ${shownText(message)}`;
}
