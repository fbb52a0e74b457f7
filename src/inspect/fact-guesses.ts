import { membersOf, type Member, type ObjectType, type ScalarType, type Shape } from './described-system.js';

/**
 * What a description lets one guess by name and type. Every one of these is shown as a guess in the draft: names promise nothing.
 */

/** An argument of a call: a query parameter, or an element of a request as its path. */
export interface Argument {
  readonly path: string;
  readonly member: Member;
}

export interface PagingGuess {
  readonly kind: 'offset' | 'page' | 'keyset' | 'token' | 'nextUrl';
  /** The argument that takes the place in the list; of `nextUrl`: where the answer has the address of the next page. */
  readonly at: string;
  /** Of `token`: where the answer has the next one. */
  readonly from?: string;
  readonly sizeIn: string | null;
  readonly size: number;
}

/** Rows per page where nothing says how many there may be. */
const PAGE_SIZE = 100;
const MOST_ROWS = 500;

/** Letters and digits only, in lower case: `Last_Modified` and `lastModified` are the same. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** The member that is the key, or some member; null: a row has none that could be one. */
export function guessKey(
  row: ObjectType,
  typeName: string,
  parameter: string | null,
): { readonly key: string; readonly keyIs: 'guess' | 'any' } | null {
  const key = likelyKey(row, typeName, parameter);
  if (key !== null) return { key, keyIs: 'guess' };
  const scalars = row.members.filter(({ shape }) => isOf(shape, KEY_TYPES));
  const any = scalars.find(({ required }) => required) ?? scalars[0];
  return any === undefined ? null : { key: any.name, keyIs: 'any' };
}

function likelyKey(row: ObjectType, typeName: string, parameter: string | null): string | null {
  const scalars = row.members.filter(({ shape }) => isOf(shape, KEY_TYPES));
  const type = plainName(typeName);
  const wanted = [
    ...(parameter === null ? [] : [plainName(parameter)]),
    'id',
    `${type}id`,
    'uuid',
    'guid',
    'uid',
    'key',
    `${type}key`,
    `${type}number`,
    `${type}no`,
    `${type}code`,
    'number',
    'code',
    'name',
  ];
  for (const name of wanted) {
    const found = scalars.find((member) => plainName(member.name) === name);
    if (found !== undefined) return found.name;
  }
  // `visitRef` of a path and `ref` of a row.
  const ending =
    parameter === null ? undefined : scalars.find(({ name }) => plainName(parameter) === `${type}${plainName(name)}`);
  return (ending ?? scalars.find(({ name, required }) => required && /id$/i.test(name)))?.name ?? null;
}

const KEY_TYPES: readonly ScalarType[] = ['string', 'int', 'long', 'decimal'];
const VERSION_TYPES: readonly ScalarType[] = ['string', 'int', 'long', 'decimal', 'dateTime'];

const VERSION_NAMES = new Set([
  'version',
  'etag',
  'odataetag',
  'rowversion',
  'revision',
  'rev',
  'lockversion',
  'optlock',
  'versionnumber',
  'recordversion',
  'changetoken',
  'resourceversion',
  'changenumber',
  'changekey',
  'concurrencystamp',
  'versionid',
]);

export function guessVersion(row: ObjectType): string | null {
  return named(row.members, VERSION_TYPES, VERSION_NAMES);
}

const STAMP_TYPES: readonly ScalarType[] = ['dateTime', 'string', 'long', 'int'];
const STAMP_NAMES = new Set(
  (
    'updatedat modifiedat changedat lastmodified lastmodifieddate lastmodifieddatetime lastmodifiedat lastmodifiedon lastmodifiedtime ' +
    'lastupdated lastupdatedat lastupdate lastupdatedate lastupdatedon lastchanged lastchangedat lastchange lastchangedatetime ' +
    'lastchangedate modified modifieddate modifieddatetime modifiedon modifieddateutc updated updatedon updateddate updateddatetime ' +
    'updatetime updatetimestamp changed changedon changeddate dateupdated datemodified datechanged modificationdate modificationtime ' +
    'systemmodstamp syslastmodified sysupdatedon editedat lasteditedat lastedited updatedtime modifiedtime dateofchange'
  ).split(' '),
);

export function guessStamp(row: ObjectType): string | null {
  return named(row.members, ['dateTime'], STAMP_NAMES) ?? named(row.members, STAMP_TYPES, STAMP_NAMES);
}

const FLAG_NAMES = new Set([
  'deleted',
  'isdeleted',
  'deletedat',
  'deletedon',
  'archived',
  'isarchived',
  'trashed',
  'removed',
  'deletionmark',
  'datedeleted',
  'isremoved',
]);

/** The member by which rows might say that they are deleted. */
export function guessFlag(row: ObjectType): string | null {
  return named(row.members, ['boolean', 'dateTime', 'string', 'int'], FLAG_NAMES);
}

const SINCE =
  /(modified|updated?|changed?|lastchange|edited).*(since|after|from|gt|gte|ge|min|start)$|^(since|(updated|modified|changed)(at|on)?)$|^(since|from|after|min).*(modified|updated?|changed?)/;

/** The argument that takes the moment of "changed since". */
export function guessSince(args: readonly Argument[]): string | null {
  const found = args.filter(
    ({ path, member }) => SINCE.test(plainName(path.split('.').at(-1) ?? '')) && isOf(member.shape, STAMP_TYPES),
  );
  return (found.find(({ member }) => isOf(member.shape, ['dateTime'])) ?? found[0])?.path ?? null;
}

const SIZE =
  /^(limit|perpage|pagesize|size|count|top|max|maxresults?|maxrecords|maxcount|maxitems|itemsperpage|pagelength|pagelimit|take|rows|numberofrecords|resultsperpage|nbresults|amount|length|recordcount)$/;
const OFFSET =
  /^(offset|skip|start|startindex|startat|startrow|startposition|startfrom|firstresult|first|from|fromindex|begin|index|rowoffset|recordoffset)$/;
const PAGE = /^(page|pagenumber|pageno|pagenum|pageindex|currentpage|p)$/;
const AFTER = /^(after|startingafter|afterid|lastid|idgt|idafter|idgte)$/;
const TOKEN =
  /^(cursor|pagetoken|nextpagetoken|continuationtoken|continuation|nexttoken|next|marker|scrollid|afterid|pagecursor|skiptoken|querylocator|continue)$/;

const NEXT = /^(next|nexturl|nextlink|nextpage|nextpageurl|nextpagelink|odatanextlink)$/;
const NEXT_TOKEN =
  /^(next)?(page)?(cursor|token|marker|continuation|scrollid|continuationtoken|querylocator|skiptoken|continue)$|^next(page|cursor|token|marker)$/;

/** How the list is divided, by the names of its arguments and of what is beside its rows; null: nothing looks like it. */
export function guessPaging(args: readonly Argument[], answer: Shape | null, rowsPath: string): PagingGuess | null {
  const find = (names: RegExp): Argument | undefined =>
    args.find(
      ({ path, member }) =>
        names.test(plainName(path.split('.').at(-1) ?? '')) &&
        isOf(member.shape, ['string', 'int', 'long', 'decimal', 'float']),
    );
  const size = find(SIZE);
  const facts = { sizeIn: size?.path ?? null, size: pageSize(size) };
  const token = find(TOKEN);
  const next = rowsPath === '' ? null : memberBeside(answer, rowsPath, NEXT_TOKEN, ['string', 'int', 'long']);
  if (token !== undefined && token !== size && next !== null)
    return { kind: 'token', at: token.path, from: next, ...facts };
  const kinds = [
    ['offset', OFFSET],
    ['page', PAGE],
    ['keyset', AFTER],
  ] as const;
  for (const [kind, names] of kinds) {
    const at = find(names);
    // `from` and `first` are paging only beside a size.
    if (at !== undefined && at !== size && (size !== undefined || kind !== 'offset'))
      return { kind, at: at.path, ...facts };
  }
  const address = rowsPath === '' ? null : memberBeside(answer, rowsPath, NEXT, ['string']);
  return address === null ? null : { kind: 'nextUrl', at: address, ...facts };
}

function pageSize(size: Argument | undefined): number {
  const maximum = size?.member.shape.kind === 'scalar' ? size.member.shape.maximum : undefined;
  return maximum !== undefined && maximum >= 1 ? Math.min(MOST_ROWS, Math.floor(maximum)) : PAGE_SIZE;
}

const TOTAL =
  /^(total|totalcount|totalitems|totalresults|totalrecords|totalelements|totalsize|totalrows|count|recordcount|numberofrecords|numfound|odatacount)$/;
const MORE = /^(hasmore|hasnext|hasnextpage|more|ismore|moreavailable|hasmoreitems|hasmoredata|hasmorepages)$/;

/** Where an answer says how many rows there are, and whether there is more. */
export function guessCounts(
  answer: Shape | null,
  rowsPath: string,
): { readonly total: string | null; readonly more: string | null } {
  if (rowsPath === '') return { total: null, more: null };
  return {
    total: memberBeside(answer, rowsPath, TOTAL, ['int', 'long', 'decimal', 'float']),
    more: memberBeside(answer, rowsPath, MORE, ['boolean']),
  };
}

/** A member of such a name at the top of an answer, or beside its rows, or in an object there, like `meta.total`. */
function memberBeside(
  answer: Shape | null,
  rowsPath: string,
  names: RegExp,
  types: readonly ScalarType[],
): string | null {
  const around = [...new Set(['', rowsPath.split('.').slice(0, -1).join('.')])];
  const inner = around.flatMap((place) =>
    membersOf(shapeAt(answer, place)).flatMap(({ name, shape }) =>
      shape.kind === 'object' && !name.includes('.') ? [joined(place, name)] : [],
    ),
  );
  for (const place of new Set([...around, ...inner])) {
    const found = membersOf(shapeAt(answer, place)).find(
      ({ name, shape }) => names.test(plainName(name)) && isOf(shape, types) && !name.includes('.'),
    );
    if (found !== undefined) return joined(place, found.name);
  }
  return null;
}

function joined(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}

export function shapeAt(shape: Shape | null, path: string): Shape | null {
  let at = shape;
  for (const step of path === '' ? [] : path.split('.'))
    at = membersOf(at).find(({ name }) => name === step)?.shape ?? null;
  return at;
}

export function isOf(shape: Shape, types: readonly ScalarType[]): boolean {
  return shape.kind === 'scalar' && types.includes(shape.type);
}

function named(members: readonly Member[], types: readonly ScalarType[], names: ReadonlySet<string>): string | null {
  return members.find(({ name, shape }) => isOf(shape, types) && names.has(plainName(name)))?.name ?? null;
}
