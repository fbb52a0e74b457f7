import { listsIn, objectsIn, type ObjectType, type RestCall, type RowsPlace } from './described-system.js';
import type { Drafted, DraftedCall, DraftedCollection } from './drafted-collection.js';
import {
  guessCounts,
  guessFlag,
  guessKey,
  guessPaging,
  guessSince,
  guessStamp,
  guessVersion,
  type Argument,
} from './fact-guesses.js';
import { graphqlName, NameKeeper, singular } from './safe-names.js';

/** Members that hold the rows of a list, the likeliest first. */
const ROWS_NAMES = [
  'items',
  'data',
  'results',
  'value',
  'records',
  'entries',
  'content',
  'rows',
  'list',
  'elements',
  'resources',
  'objects',
];

/**
 * Collections of a REST system: each path that lists objects, with the calls for one of them.
 */
export function draftRestCollections(calls: readonly RestCall[]): Drafted<RestCall> {
  const byPath = new Map<string, RestCall[]>();
  for (const call of calls) {
    const path = plainPath(call.path);
    byPath.set(path, [...(byPath.get(path) ?? []), call]);
  }
  const lists = calls.flatMap((call) => {
    const rows = call.method === 'GET' && !endsWithParameter(call.path) ? rowsOf(call) : null;
    return rows === null ? [] : [{ call, rows }];
  });
  const listPaths = new Set(lists.map(({ call }) => plainPath(call.path)));
  const names = new NameKeeper();
  const collections: DraftedCollection<RestCall>[] = [];
  const leftOut: string[] = [];
  const seen = new Map<string, string>();
  for (const { call, rows } of lists) {
    const parent = listAbove(call.path, listPaths);
    if (parent !== null) {
      leftOut.push(`GET ${call.path} lists what belongs to one record of ${parent}`);
      continue;
    }
    const items = itemPathOf(call, rows.type, byPath);
    const known = items === null ? undefined : seen.get(items);
    if (known !== undefined) {
      leftOut.push(`GET ${call.path} lists the same records as GET ${known}`);
      continue;
    }
    if (items !== null) seen.set(items, call.path);
    const collection = collectionOf(call, rows, items, byPath, names);
    if (collection === null) leftOut.push(`GET ${call.path} lists records without a member that looks like a key`);
    else collections.push(collection);
  }
  return { collections, leftOut };
}

/** A query parameter as an argument. */
export function queryOf(call: RestCall): readonly Argument[] {
  return call.query.map((member) => ({ path: member.name, member }));
}

/** Where the rows of a list are in its answer; null: it lists no objects. */
export function rowsOf(call: RestCall): RowsPlace | null {
  const places = listsIn(call.answer.shape);
  const own = lastWord(call.path);
  const rank = ({ path }: RowsPlace): number => {
    if (path === '') return -2;
    const last = path.split('.').at(-1)?.toLowerCase() ?? '';
    if (last === own.toLowerCase()) return -1;
    const at = ROWS_NAMES.indexOf(last);
    return at < 0 ? ROWS_NAMES.length : at;
  };
  const best = [...places].sort((a, b) => rank(a) - rank(b))[0] ?? null;
  // The one list of a single record, like its lines, is not a list of records.
  return best !== null && rank(best) === ROWS_NAMES.length && places.length > 1 ? null : best;
}

/** Where a record of this type is in an answer; null: nowhere. */
export function recordIn(call: RestCall, type: ObjectType): string | null {
  const places = objectsIn(call.answer.shape);
  return (places.find((one) => one.type === type) ?? places.find((one) => one.type.name === type.name))?.path ?? null;
}

function collectionOf(
  list: RestCall,
  rows: RowsPlace,
  items: string | null,
  byPath: ReadonlyMap<string, readonly RestCall[]>,
  names: NameKeeper,
): DraftedCollection<RestCall> | null {
  const at = (path: string | null, ...methods: readonly RestCall['method'][]): RestCall | undefined =>
    methods.flatMap((method) =>
      path === null ? [] : (byPath.get(path) ?? []).filter((one) => one.method === method),
    )[0];
  const drafted = (call: RestCall | undefined): DraftedCall<RestCall> | null =>
    call === undefined ? null : { call, rows: recordIn(call, rows.type) };
  const one = at(items, 'GET');
  const path = plainPath(list.path);
  const create = at(path, 'POST') ?? (items === null ? undefined : at(parentOf(items), 'POST'));
  const update = at(items, 'PATCH', 'PUT', 'POST');
  const remove = at(items, 'DELETE');
  const parameter = [one, update, remove].find((call) => call !== undefined)?.pathParameters.at(-1)?.name ?? null;
  const word = graphqlName(lastWord(list.path));
  const key = guessKey(rows.type, singular(word), parameter);
  if (key === null || (key.keyIs === 'any' && one === undefined)) return null;
  const stamp = guessStamp(rows.type);
  const member = guessVersion(rows.type);
  const guarded = [update, remove].some((call) => call?.headers.includes('if-match') === true);
  const hasTag = one?.answer.headers.includes('etag') === true || guarded;
  const query = queryOf(list);
  return {
    name: names.take(word),
    row: rows.type,
    list: {
      call: list,
      rows: rows.path,
      paging: guessPaging(query, list.answer.shape, rows.path),
      since: guessSince(query),
      ...guessCounts(list.answer.shape, rows.path),
    },
    one: drafted(one),
    create: drafted(create),
    update: drafted(update),
    remove: drafted(remove),
    ...key,
    version: hasTag && one !== undefined ? 'etag' : member,
    hasGuard: guarded && one !== undefined,
    stamp,
    flag: guessFlag(rows.type),
  };
}

/** Of a list: the path of one record, below it or beside it. */
function itemPathOf(list: RestCall, type: ObjectType, byPath: ReadonlyMap<string, readonly RestCall[]>): string | null {
  const path = plainPath(list.path);
  if (byPath.has(`${path}/{}`)) return `${path}/{}`;
  const beside = `${parentOf(path)}/{}`;
  const isSame = byPath.get(beside)?.some((call) => call.method === 'GET' && recordIn(call, type) !== null) === true;
  return isSame ? beside : null;
}

/** The list that this one lies below, as `/orders` above `/orders/{id}/lines`; null: none. */
function listAbove(path: string, listPaths: ReadonlySet<string>): string | null {
  const steps = plainPath(path).split('/');
  for (const [at, step] of steps.entries()) {
    const above = steps.slice(0, at).join('/');
    if (step === '{}' && listPaths.has(above)) return above;
  }
  return null;
}

/** Without names of parameters and a slash at the end. */
export function plainPath(path: string): string {
  return path.replaceAll(/\{[^{}/]+\}/g, '{}').replace(/\/+$/, '');
}

export function endsWithParameter(path: string): boolean {
  return /\{[^{}/]+\}\/*$/.test(path);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The last step of a path that is no parameter and no file ending. */
function lastWord(path: string): string {
  const words = path.split('/').filter((step) => step !== '' && !step.includes('{'));
  return (words.at(-1) ?? 'records').replace(/\.(json|xml)$/i, '');
}
