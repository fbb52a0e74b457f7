import {
  listsIn,
  membersOf,
  objectsIn,
  type Member,
  type ObjectType,
  type RowsPlace,
  type Shape,
  type SoapCall,
} from './described-system.js';
import type { Drafted, DraftedCall, DraftedCollection } from './drafted-collection.js';
import {
  guessCounts,
  guessFlag,
  guessKey,
  guessPaging,
  guessSince,
  guessStamp,
  guessVersion,
  isOf,
  plainName,
  type Argument,
} from './fact-guesses.js';
import { graphqlName, NameKeeper, singular, wordsOf } from './safe-names.js';

type Purpose = 'read' | 'create' | 'update' | 'remove';

/** What operations are called by, as their first word or their last. */
const VERBS: Readonly<Record<Purpose, readonly string[]>> = {
  read: [
    'list',
    'get',
    'find',
    'search',
    'query',
    'read',
    'retrieve',
    'fetch',
    'select',
    'lookup',
    'info',
    'load',
    'show',
  ],
  create: ['create', 'add', 'insert', 'new', 'register', 'submit'],
  update: ['update', 'modify', 'change', 'set', 'edit', 'save', 'put'],
  remove: ['delete', 'remove', 'erase'],
};
/** Words of an operation's name that say nothing of what it is about. */
const NOISE = new Set([
  'all',
  'by',
  'id',
  'ids',
  'list',
  'the',
  'of',
  'details',
  'detail',
  'key',
  'request',
  'operation',
  'with',
  'paged',
  'page',
  'since',
  'modified',
  'changed',
  'more',
  'next',
]);
/** Lists in an answer that are not what was asked for. */
const BESIDE_THE_POINT = /error|fault|warning|message|notice|validation|header|attribute|paging/i;
/** How far below the top of a request its arguments are looked for. */
const DEEPEST_ARGUMENT = 3;

interface Meant {
  readonly call: SoapCall;
  readonly purpose: Purpose;
  /** What it is about, in one form: `ListSupplies` and `GetSupply` are about `supply`. */
  readonly noun: string;
  readonly words: readonly string[];
  /** Does it only go on with what another one began? */
  readonly goesOn: boolean;
}

/** Collections of a SOAP system: each operation that lists objects, with those that are about one of them. */
export function draftSoapCollections(calls: readonly SoapCall[]): Drafted<SoapCall> {
  const meant = calls.flatMap((call) => meaningOf(call));
  const names = new NameKeeper();
  const collections: DraftedCollection<SoapCall>[] = [];
  const leftOut: string[] = [];
  const lists = meant.flatMap((one) => {
    const rows = one.purpose === 'read' && !one.goesOn ? rowsOf(one.call) : null;
    return rows === null ? [] : [{ one, rows }];
  });
  for (const noun of new Set(lists.map(({ one }) => one.noun))) {
    const same = lists.filter(({ one }) => one.noun === noun);
    const [best, ...others] = [...same].sort((a, b) => likelihood(b.one) - likelihood(a.one));
    if (best === undefined) continue;
    const { call } = best.one;
    const collection = collectionOf(best.one, best.rows, meant, names);
    if (collection === null) leftOut.push(`${call.name} lists records without an element that looks like a key`);
    else collections.push(collection);
    leftOut.push(...others.map(({ one }) => `${one.call.name} lists what ${call.name} does`));
  }
  return { collections, leftOut };
}

/** Of several lists of the same: one that can be paged, and is called a list, is likelier to be the whole one. */
function likelihood({ call }: Meant): number {
  const args = argumentsOf(call.input?.shape ?? null);
  const paged = guessPaging(args, null, '') === null ? 0 : 2;
  return paged + (/list|query|search|all/i.test(call.name) ? 1 : 0);
}

/** Where the rows of a list are in its answer; null: it lists no objects. */
export function rowsOf(call: SoapCall): RowsPlace | null {
  const places = listsIn(call.output?.shape ?? null).filter(({ path }) => path !== '');
  return places.find(({ path, type }) => !BESIDE_THE_POINT.test(path) && !BESIDE_THE_POINT.test(type.name)) ?? null;
}

/** All scalars of a request that can be named by a path. */
export function argumentsOf(shape: Shape | null): readonly Argument[] {
  const found: Argument[] = [];
  let level = membersOf(shape).map((member): Argument => ({ path: member.name, member }));
  for (let depth = 1; depth <= DEEPEST_ARGUMENT && level.length > 0; depth++) {
    found.push(...level.filter(({ member }) => member.shape.kind === 'scalar'));
    level = level.flatMap(({ path, member }) =>
      membersOf(member.shape).map((inner) => ({ path: `${path}.${inner.name}`, member: inner })),
    );
  }
  return found.filter(({ path }) => path.split('.').length <= DEEPEST_ARGUMENT);
}

function meaningOf(call: SoapCall): readonly Meant[] {
  const words = wordsOf(call.name).map((word) => word.toLowerCase());
  for (const purpose of Object.keys(VERBS) as Purpose[]) {
    for (const at of [0, words.length - 1]) {
      if (!VERBS[purpose].includes(words[at] ?? '')) continue;
      const rest = words.filter((word, index) => index !== at && !NOISE.has(word)).map(singular);
      return [
        { call, purpose, words: rest, noun: rest.join(''), goesOn: words.includes('more') || words.includes('next') },
      ];
    }
  }
  return [];
}

function collectionOf(
  list: Meant,
  rows: RowsPlace,
  all: readonly Meant[],
  names: NameKeeper,
): DraftedCollection<SoapCall> | null {
  const { type } = rows;
  const about = (purpose: Purpose): readonly Meant[] =>
    all.filter((one) => one.purpose === purpose && one.call !== list.call && isAbout(one, list, type));
  const input = list.call.input?.shape ?? null;
  const args = argumentsOf(input);
  const noun = list.words.length === 0 ? type.name : list.words.join(' ');
  const typeName = list.noun === '' ? type.name : list.noun;
  const one =
    about('read').find(({ call }) => rowsOf(call)?.type !== type && recordIn(call, type) !== null) ??
    about('read').find(
      ({ call }) => recordIn(call, type) !== null && argumentsOf(call.input?.shape ?? null).length <= 2,
    );
  const key = guessKey(type, typeName, askedBy(type, [one, ...about('remove'), ...about('update')]));
  if (key === null || (key.keyIs === 'any' && one === undefined)) return null;
  const version = guessVersion(type);
  const facts: KnownFacts = { row: type, key: key.key, version, typeName };
  const update = drafted(about('update')[0], facts);
  const remove = drafted(about('remove')[0], facts);
  return {
    name: names.take(graphqlName(plural(noun))),
    row: type,
    list: {
      call: list.call,
      rows: rows.path,
      paging: guessPaging(args, list.call.output?.shape ?? null, rows.path),
      since: guessSince(args),
      ...guessCounts(list.call.output?.shape ?? null, rows.path),
    },
    one: drafted(one, facts),
    create: drafted(about('create')[0], facts),
    update,
    remove,
    ...key,
    version,
    hasGuard: version !== null && [update, remove].some((call) => call !== null && call.versionIn !== null),
    stamp: guessStamp(type),
    flag: guessFlag(type),
  };
}

/** The row's element that calls for one record are given, like `sku` of GetSupply; null: there is no single one. */
function askedBy(row: ObjectType, calls: readonly (Meant | undefined)[]): string | null {
  for (const meant of calls) {
    const args = argumentsOf(meant?.call.input?.shape ?? null).filter(({ path }) => !path.includes('.'));
    const own = args.filter(({ path }) => row.members.some(({ name }) => plainName(name) === plainName(path)));
    const required = own.filter(({ member }) => member.required);
    const found = own.length === 1 ? own : required.length === 1 ? required : [];
    if (found[0] !== undefined) return found[0].path;
  }
  return null;
}

function isAbout(one: Meant, list: Meant, type: ObjectType): boolean {
  return one.noun === list.noun || one.noun === plainName(singular(type.name));
}

interface KnownFacts {
  readonly row: ObjectType;
  readonly key: string;
  readonly version: string | null;
  readonly typeName: string;
}

function drafted(meant: Meant | undefined, { row, key, version, typeName }: KnownFacts): DraftedCall<SoapCall> | null {
  if (meant === undefined) return null;
  const { call } = meant;
  const args = argumentsOf(call.input?.shape ?? null);
  const bodyIn = meant.purpose === 'read' || meant.purpose === 'remove' ? null : bodyPlace(call, row);
  const outside = args.filter(({ path }) => bodyIn === null || bodyIn === '' || !path.startsWith(`${bodyIn}.`));
  return {
    call,
    rows: recordIn(call, row),
    keyIn: argumentNamed(outside, key, typeName),
    versionIn:
      meant.purpose === 'read' || meant.purpose === 'create'
        ? null
        : (outside.find(({ path }) => version !== null && lastStep(path) === plainName(version))?.path ?? null),
    bodyIn,
  };
}

/** The argument that takes the key: of the member's own name, else what is called like one, else the only text or number. */
function argumentNamed(args: readonly Argument[], key: string, typeName: string): string | null {
  const scalars = args.filter(({ member }) => isOf(member.shape, ['string', 'int', 'long', 'decimal']));
  const wanted = [plainName(key), `${plainName(typeName)}id`, 'id', 'key'];
  for (const name of wanted) {
    const found = scalars.find(({ path }) => lastStep(path) === name);
    if (found !== undefined) return found.path;
  }
  return scalars.length === 1 ? (scalars[0]?.path ?? null) : null;
}

function lastStep(path: string): string {
  return plainName(path.split('.').at(-1) ?? '');
}

/** The element of a request that takes the record's fields: the one whose elements are the row's; '' is the request itself. */
function bodyPlace(call: SoapCall, row: ObjectType): string {
  const own = new Set(row.members.map(({ name }) => name));
  const shared = (members: readonly Member[]): number => members.filter(({ name }) => own.has(name)).length;
  const places = objectsIn(call.input?.shape ?? null);
  const best = [...places].sort((a, b) => shared(b.type.members) - shared(a.type.members))[0];
  return best === undefined || shared(best.type.members) === 0 ? '' : best.path;
}

function recordIn(call: SoapCall, type: ObjectType): string | null {
  return objectsIn(call.output?.shape ?? null).find((one) => one.type === type)?.path ?? null;
}

function plural(noun: string): string {
  const words = noun.split(' ');
  const last = words.pop() ?? '';
  const many = /s$|x$|ch$|sh$/i.test(last)
    ? `${last}es`
    : /[^aeiou]y$/i.test(last)
      ? `${last.slice(0, -1)}ies`
      : `${last}s`;
  return [...words, many]
    .map((word, at) => (at === 0 ? word : `${word.charAt(0).toUpperCase()}${word.slice(1)}`))
    .join('');
}
