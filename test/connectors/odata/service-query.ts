import { STATUSES, type PropertyType, type SetSchema } from './service-schema.js';
import { ServiceFault, type Entity } from './service-store.js';

/** A value as a URL writes it, with the kind of literal that it is. */
interface Literal {
  readonly kind: 'string' | 'number' | 'guid' | 'moment' | 'date' | 'boolean' | 'null' | 'status';
  readonly value: string;
}

type Token = { readonly word: string } | { readonly literal: Literal };
export type Filter = (entity: Entity) => boolean;

const TOKENS: readonly (readonly [RegExp, (text: string) => Token])[] = [
  [/Care\.Status'(\w+)'/y, (text) => literal('status', /'(\w+)'/.exec(text)?.[1] ?? '')],
  [/'(?:[^']|'')*'/y, (text) => literal('string', text.slice(1, -1).replaceAll("''", "'"))],
  [/[\da-fA-F]{8}(?:-[\da-fA-F]{4}){3}-[\da-fA-F]{12}/y, (text) => literal('guid', text.toLowerCase())],
  [/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)/y, (text) => literal('moment', new Date(text).toISOString())],
  [/\d{4}-\d\d-\d\d/y, (text) => literal('date', text)],
  [/-?\d+(?:\.\d+)?/y, (text) => literal('number', text)],
  [/true|false/y, (text) => literal('boolean', text)],
  [/null/y, (text) => literal('null', text)],
  [/[()]|\w+/y, (text) => ({ word: text })],
];

function literal(kind: Literal['kind'], value: string): Token {
  return { literal: { kind, value } };
}

const KINDS: Readonly<Record<string, Literal['kind']>> = {
  'Edm.String': 'string',
  'Edm.Int32': 'number',
  'Edm.Int64': 'number',
  'Edm.Decimal': 'number',
  'Edm.Double': 'number',
  'Edm.Guid': 'guid',
  'Edm.Boolean': 'boolean',
  'Edm.Date': 'date',
  'Edm.DateTimeOffset': 'moment',
  'Care.Status': 'status',
};

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === ' ') {
      at += 1;
      continue;
    }
    const found = TOKENS.flatMap(([pattern, make]) => {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      return match === null ? [] : [{ token: make(match[0]), length: match[0].length }];
    })[0];
    if (found === undefined) throw new ServiceFault(400, 'BadFilter', `cannot read the filter at ${at}: ${text}`);
    tokens.push(found.token);
    at += found.length;
  }
  return tokens;
}

/** Reads a `$filter` of comparisons, `and`, `or`, `not` and brackets; a literal of another type than its property is refused. */
export function parseFilter(text: string, schema: SetSchema): Filter {
  const tokens = tokensOf(text);
  let at = 0;
  const bad = (why: string): ServiceFault => new ServiceFault(400, 'BadFilter', `${why} in the filter ${text}`);
  const takeWord = (): string => {
    const token = tokens[at++];
    if (token === undefined || !('word' in token)) throw bad('expected a name or an operator');
    return token.word;
  };
  const isNext = (word: string): boolean => {
    const token = tokens[at];
    const found = token !== undefined && 'word' in token && token.word === word;
    if (found) at += 1;
    return found;
  };
  function either(): Filter {
    let found = both();
    while (isNext('or')) found = or(found, both());
    return found;
  }
  function both(): Filter {
    let found = one();
    while (isNext('and')) found = and(found, one());
    return found;
  }
  function one(): Filter {
    if (isNext('not')) {
      const inner = one();
      return (entity) => !inner(entity);
    }
    if (isNext('(')) {
      const inner = either();
      if (!isNext(')')) throw bad('expected a bracket to close');
      return inner;
    }
    const name = takeWord();
    const type = schema.properties[name];
    if (type === undefined) throw bad(`there is no property ${name}`);
    const operator = takeWord();
    const token = tokens[at++];
    if (token === undefined || !('literal' in token)) throw bad('expected a value');
    const { kind, value } = token.literal;
    if (kind !== 'null' && kind !== KINDS[type]) throw bad(`expected a value of ${type} for ${name}`);
    return (entity) =>
      compares(operator, ordered(type, entity[name] ?? null), kind === 'null' ? null : ordered(type, value));
  }
  const filter = either();
  if (at < tokens.length) throw bad('something is left over');
  return filter;
}

function or(a: Filter, b: Filter): Filter {
  return (entity) => a(entity) || b(entity);
}
function and(a: Filter, b: Filter): Filter {
  return (entity) => a(entity) && b(entity);
}

function compares(operator: string, a: number | string | null, b: number | string | null): boolean {
  if (operator === 'eq') return a === b;
  if (operator === 'ne') return a !== b;
  if (a === null || b === null) return false;
  if (operator === 'gt') return a > b;
  if (operator === 'ge') return a >= b;
  if (operator === 'lt') return a < b;
  if (operator === 'le') return a <= b;
  throw new ServiceFault(400, 'BadFilter', `there is no operator ${operator}`);
}

/** A value in a form that compares as its type orders it. */
export function ordered(type: PropertyType, value: unknown): number | string | null {
  if (value === null || value === undefined) return null;
  if (type === 'Care.Status') return STATUSES.indexOf(value as (typeof STATUSES)[number]);
  if (type === 'Edm.DateTimeOffset') return Date.parse(value as string);
  return KINDS[type] === 'number' ? Number(value) : String(value);
}

/** The key that a predicate names, like `('x')` or `(VisitID='x',Number=1)`; its values as the store has them. */
export function parseKey(predicate: string, schema: SetSchema): readonly (string | number)[] {
  const bad = (): ServiceFault => new ServiceFault(400, 'BadKey', `cannot read the key ${predicate}`);
  const found = new Map<string, string | number>();
  let rest = predicate;
  while (rest !== '') {
    const named = /^(\w+)=/.exec(rest);
    const name = named?.[1] ?? (schema.keys.length === 1 ? schema.keys[0] : undefined);
    const text = rest.slice(named?.[0].length ?? 0);
    const match = /^('(?:[^']|'')*'|[^,']+)(?:,(?=.)|$)/s.exec(text);
    const [token] = match === null ? [] : tokensOf(match[1] ?? '');
    const type = name === undefined ? undefined : schema.properties[name];
    if (name === undefined || type === undefined || token === undefined || !('literal' in token)) throw bad();
    if (token.literal.kind !== KINDS[type]) throw bad();
    found.set(name, type === 'Edm.Int32' ? Number(token.literal.value) : token.literal.value);
    rest = text.slice(match?.[0].length);
  }
  const key = schema.keys.map((name) => found.get(name));
  if (found.size !== key.length || key.includes(undefined)) throw bad();
  return key as readonly (string | number)[];
}
