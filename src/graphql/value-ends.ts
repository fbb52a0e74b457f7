import { getNullableType, isEnumType, isLeafType, isListType, type GraphQLOutputType } from 'graphql';

/** Where the JSON value that begins at `at` ends, behind its last character; `MISFIT` when it is not the value that is meant. */
export type ValueEnd = (text: string, at: number) => number;

/** No value that is meant begins here. */
export const MISFIT = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
/** Of all values only null begins with it. */
const LETTER_N = 0x6e;

/**
 * Passes over any JSON value, whatever is in it. The text is JSON without blanks, as `renderBody` writes it; one character
 * per byte of UTF-8 will do, since no byte of a longer character is an ASCII one.
 */
export function anyEnd(text: string, at: number): number {
  switch (text.charAt(at)) {
    case '"':
      return textEnd(text, at);
    case '{':
    case '[':
      return nestedEnd(text, at);
    case 't':
    case 'n':
      return at + 4;
    case 'f':
      return at + 5;
    default:
      return numberEnd(text, at);
  }
}

/**
 * Passes over a value that GraphQL sends, for this type of a field, exactly as it is kept: everything else is a misfit, and
 * what GraphQL makes of it (another value, or null and an error) is for GraphQL to say. Null for types that are not known
 * here.
 */
export function fittingEnd(type: GraphQLOutputType): ValueEnd | null {
  const end = endOfPresent(getNullableType(type));
  return end === null ? null : (text, at) => (text.charCodeAt(at) === LETTER_N ? at + 4 : end(text, at));
}

function endOfPresent(type: GraphQLOutputType): ValueEnd | null {
  if (isListType(type)) {
    const end = endOfPresent(getNullableType(type.ofType as GraphQLOutputType));
    return end === null ? null : (text, at) => listEnd(text, at, end);
  }
  if (isEnumType(type)) return enumEnd(type.getValues().map((value) => value.name));
  return isLeafType(type) ? (SCALAR_ENDS[type.name] ?? null) : null;
}

const SCALAR_ENDS: Readonly<Record<string, ValueEnd>> = {
  String: textEnd,
  ID: textEnd,
  Long: textEnd,
  Decimal: textEnd,
  Date: textEnd,
  DateTime: textEnd,
  Boolean: (text, at) => (text.startsWith('true', at) ? at + 4 : text.startsWith('false', at) ? at + 5 : MISFIT),
  Int: intEnd,
  Float: numberEnd,
  JSON: (text, at) => (text.charCodeAt(at) === LETTER_N ? MISFIT : anyEnd(text, at)),
};

function textEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return MISFIT;
  let closing = text.indexOf('"', at + 1);
  while (closing !== -1 && isEscaped(text, closing)) closing = text.indexOf('"', closing + 1);
  return closing === -1 ? MISFIT : closing + 1;
}

/** Behind an odd number of backslashes: pairs of them are backslashes of the text. */
function isEscaped(text: string, quote: number): boolean {
  let first = quote;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (quote - first) % 2 === 1;
}

function enumEnd(names: readonly string[]): ValueEnd {
  const known = new Set(names.map((name) => JSON.stringify(name)));
  return (text, at) => {
    const end = textEnd(text, at);
    return end !== MISFIT && known.has(text.slice(at, end)) ? end : MISFIT;
  };
}

function numberEnd(text: string, at: number): number {
  let end = at;
  while (isNumeric(text.charCodeAt(end))) end += 1;
  return end === at ? MISFIT : end;
}

/** A whole number of 32 bits: for any other GraphQL has an error. */
function intEnd(text: string, at: number): number {
  const end = numberEnd(text, at);
  const value = Number(text.slice(at, end));
  return end !== MISFIT && (value | 0) === value ? end : MISFIT;
}

/** Digits, `+`, `-`, `.` and the `e` of an exponent. */
function isNumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === MINUS || code === 0x2e || code === 0x2b || (code | 0x20) === 0x65;
}

function listEnd(text: string, at: number, itemEnd: ValueEnd): number {
  if (text.charAt(at) !== '[') return MISFIT;
  if (text.charAt(at + 1) === ']') return at + 2;
  for (let place = at + 1; ; place += 1) {
    place = itemEnd(text, place);
    if (place === MISFIT) return MISFIT;
    const delimiter = text.charAt(place);
    if (delimiter === ']') return place + 1;
    if (delimiter !== ',') return MISFIT;
  }
}

/** Objects and lists by their brackets, of which those inside texts are none. */
function nestedEnd(text: string, at: number): number {
  let depth = 0;
  for (let place = at; place < text.length; place += 1) {
    switch (text.charAt(place)) {
      case '"':
        place = textEnd(text, place) - 1;
        if (place < at) return MISFIT;
        break;
      case '{':
      case '[':
        depth += 1;
        break;
      case '}':
      case ']':
        depth -= 1;
        if (depth === 0) return place + 1;
    }
  }
  return MISFIT;
}
