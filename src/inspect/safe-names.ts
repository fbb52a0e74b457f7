/**
 * Names of a description are somebody else's texts: none of them may become code. They get into files through these functions only.
 */

/** Words that no identifier may be, and names of the language that a generated file must not hide. */
const RESERVED = new Set(
  (
    'abstract any arguments as async await boolean break case catch class const constructor continue debugger declare default delete do ' +
    'else enum eval export extends false finally for from function get if implements import in instanceof interface let module namespace ' +
    'never new null number object of package private protected public readonly require return set static string super switch symbol this ' +
    'throw true try type typeof undefined unknown var void while with yield Array Boolean Date Error Function Infinity JSON Map Math NaN ' +
    'Number Object Omit Partial Pick Promise Proxy Readonly ReadonlyArray Record Set String Symbol encodeURIComponent globalThis'
  ).split(' '),
);

/** Longest name that is made of one; longer ones are cut. */
const LONGEST = 80;

/** An identifier for a type, like `OrderLine`. */
export function typeName(raw: string): string {
  const words = wordsOf(raw);
  return notReserved(startingWell(words.map(capitalised).join('')) || 'Unnamed');
}

/** An identifier for a value, like `orderLines`. */
export function valueName(raw: string): string {
  const [first = '', ...rest] = wordsOf(raw);
  return notReserved(startingWell([lowered(first), ...rest.map(capitalised)].join('')) || 'unnamed');
}

/** The name of a field or collection as GraphQL takes it: the source's own, if it can be. */
export function graphqlName(raw: string): string {
  if (/^(?!__)[_A-Za-z][_0-9A-Za-z]{0,79}$/.test(raw)) return raw;
  return startingWell(valueWords(raw)) || 'unnamed';
}

function valueWords(raw: string): string {
  const [first = '', ...rest] = wordsOf(raw);
  return [lowered(first), ...rest.map(capitalised)].join('');
}

/** Gives each name once: a second one of the same form gets a number. */
export class NameKeeper {
  readonly #taken = new Set<string>();
  readonly #formOf: (name: string) => string;

  /** @param formOf names of the same form are the same; file names, for one, often do not tell `a` from `A` */
  constructor(taken: Iterable<string> = [], formOf: (name: string) => string = (name) => name) {
    this.#formOf = formOf;
    for (const name of taken) this.#taken.add(formOf(name));
  }

  take(wanted: string): string {
    let name = wanted;
    for (let number = 2; this.#taken.has(this.#formOf(name)); number++) name = `${wanted}${number}`;
    this.#taken.add(this.#formOf(name));
    return name;
  }
}

/** A text as a literal in single quotes. What is not seen on a screen is escaped, so that a reader sees what the compiler sees. */
export function literal(text: string): string {
  const inner = text.replaceAll(/[\\'\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) =>
    found === "'" || found === '\\'
      ? `\\${found}`
      : Array.from({ length: found.length }, (_, at) => unicodeEscape(found.charCodeAt(at))).join(''),
  );
  return `'${inner}'`;
}

function unicodeEscape(codeUnit: number): string {
  return `\\u${codeUnit.toString(16).padStart(4, '0')}`;
}

/** The name of a member in a type or an object: as it is where that is an identifier. */
export function propertyName(raw: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(raw) && raw !== '__proto__' ? raw : literal(raw);
}

/** A text for a comment: one line, short, and without its end. */
export function commentText(raw: string, longest = 160): string {
  const line = raw
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replaceAll('*/', '* /')
    .trim();
  return line.length > longest ? `${line.slice(0, longest - 3).trimEnd()}...` : line;
}

/** One of several: `visits` to `visit`, by the commonest rules of English. */
export function singular(word: string): string {
  if (/(ss|us|is|news|series|species)$/i.test(word)) return word;
  if (/ies$/i.test(word) && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(ch|sh|ss|x|zz)es$/i.test(word)) return word.slice(0, -2);
  return /[^s]s$/i.test(word) ? word.slice(0, -1) : word;
}

/** Words of ASCII letters and digits; other letters lose their marks, or are told by their number. */
export function wordsOf(raw: string): readonly string[] {
  const ascii = raw
    .slice(0, 4 * LONGEST)
    .replaceAll(/[ßæœøðþłđ]/gi, (letter) => LIGATURES[letter.toLowerCase()] ?? letter)
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .replaceAll(/[^\x20-\x7e]/gu, (letter) => `U${(letter.codePointAt(0) ?? 0).toString(16)}`);
  return ascii
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .slice(0, LONGEST)
    .split(' ')
    .filter((word) => word !== '');
}

const LIGATURES: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  đ: 'd',
};

function capitalised(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

/** `IDs` stays whole where it is all capitals: `URL` to `url`. */
function lowered(word: string): string {
  return /^[A-Z0-9]+$/.test(word) ? word.toLowerCase() : `${word.charAt(0).toLowerCase()}${word.slice(1)}`;
}

function startingWell(name: string): string {
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

function notReserved(name: string): string {
  return RESERVED.has(name) ? `${name}_` : name;
}
