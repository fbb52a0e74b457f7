import type { SourceKey } from '../core/change.js';
import type { SourceFacts } from '../core/source-port.js';
import type { RowTags } from './transport.js';

/** How a source divides a long list: facts, from which the reading is derived. */
export type Paging = WholePaging | PagePaging | OffsetPaging | KeysetPaging | LinkPaging | NextUrlPaging | TokenPaging;

export interface Sized {
  /** Rows asked for per request. */
  readonly size: number;
  /** The parameter that takes the size; absent: the source has its own. */
  readonly sizeIn?: string;
  /**
   * The source honours `size`, so that a shorter page is the last one. Otherwise reading goes on until a page brings
   * nothing new, which costs one request and cannot be deceived by a source that caps its pages.
   */
  readonly shortPageEnds?: boolean;
}

/** Everything comes in one answer. */
export interface WholePaging {
  readonly kind: 'whole';
}
/** By number: a deletion meanwhile moves a record over a page's edge, so absence proves nothing. */
export interface PagePaging extends Sized {
  readonly kind: 'page';
  readonly numberIn: string;
  /** The number of the first page. */
  readonly first?: number;
}
/** By offset. With overlap the last rows of a page must come again, so no record is passed over. */
export interface OffsetPaging extends Sized {
  readonly kind: 'offset';
  readonly fromIn: string;
  /** Rows read again at each edge; the source's order must be stable. 0: absence proves nothing. */
  readonly overlap?: number;
}
/** Rows after a value of the order: nothing can be passed over. */
export interface KeysetPaging extends Sized {
  readonly kind: 'keyset';
  readonly afterIn: string;
  /** The row's member by which the source orders. */
  readonly by: string;
  /** Does the filter give the row with that very value again? Must be true where several rows may share a value. */
  readonly inclusive: boolean;
}
/** The answer names the next page (`Link` with rel="next"). */
export interface LinkPaging {
  readonly kind: 'link';
  readonly size?: number;
  readonly sizeIn?: string;
}

/** The answer's body holds the address of the next page. */
export interface NextUrlPaging {
  readonly kind: 'nextUrl';
  /** Where: members joined by dots, like `@odata.nextLink`. None, or an empty one, is the end. */
  readonly from: string;
  readonly size?: number;
  readonly sizeIn?: string;
}
/** The answer holds a token, and the same call with it gives the next page. None, an empty one, or `more: false` is the end. */
export interface TokenPaging {
  readonly kind: 'token';
  /** The parameter or argument that takes the token. */
  readonly in: string;
  /** Where the answer has it: members (REST) or elements (SOAP) joined by dots, like `nextPageToken`. */
  readonly from?: string;
  /** The header that has it instead (REST). */
  readonly fromHeader?: string;
  readonly size?: number;
  readonly sizeIn?: string;
}

export function page(facts: Omit<PagePaging, 'kind'>): PagePaging {
  return { kind: 'page', ...facts };
}
export function offset(facts: Omit<OffsetPaging, 'kind'>): OffsetPaging {
  return { kind: 'offset', ...facts };
}
export function keyset(facts: Omit<KeysetPaging, 'kind'>): KeysetPaging {
  return { kind: 'keyset', ...facts };
}
export function link(facts: Omit<LinkPaging, 'kind'> = {}): LinkPaging {
  return { kind: 'link', ...facts };
}
export function nextUrl(facts: Omit<NextUrlPaging, 'kind'>): NextUrlPaging {
  return { kind: 'nextUrl', ...facts };
}
export function token(facts: Omit<TokenPaging, 'kind'>): TokenPaging {
  return { kind: 'token', ...facts };
}

/** Arguments of one request: query parameters, or elements of a SOAP request. */
export type PageArguments = Readonly<Record<string, string | number>>;

/** One page as the source gave it. */
export interface PageAnswer {
  readonly rows: readonly unknown[];
  /** How many rows there are in all, where the source says so. */
  readonly total: number | null;
  /** Does the source say that there is more? Null: it says nothing. */
  readonly more: boolean | null;
  /** Where the next page is, for `link` and `nextUrl`; for `token` what leads there. */
  readonly next: string | null;
  /** The source's clock when it answered, ms since 1970; null: unknown. */
  readonly serverTimeMs: number | null;
  /** The token or link of what comes after this list, as the last page of a `delta` has it; absent, or null: there is none. */
  readonly delta?: string | null;
  /** Those of `rows` that say that their record is gone, of which only the key counts; absent: none, as far as the kit can tell. */
  readonly removed?: ReadonlySet<unknown>;
  /** Another answer of this digest has the very same `rows`; absent: the kit does not say, or they were changed on the way. */
  readonly digest?: string;
  /** Rows without a key were left out, of this page or of one before: nothing may be taken for read. Absent: none were. */
  readonly isPart?: true;
  /** Of a list of keys: what the read of each of `rows` says of its state; absent: lists show it themselves, if at all. */
  readonly tags?: ReadonlyMap<unknown, RowTags>;
  /** Of a list of keys: records that are as they are known, which are not among `rows`, and what the list shows of them; absent: none. */
  readonly unchanged?: { readonly keys: readonly SourceKey[]; readonly rows: readonly unknown[] };
}

export type LoadPage = (args: PageArguments, next: string | null) => Promise<PageAnswer>;

/** For objects whose `digest` may be absent. */
export function withDigest(digest: string | undefined): Pick<PageAnswer, 'digest'> {
  return digest === undefined ? {} : { digest };
}

/** The answer with some of its rows: from its end, their number tells which. */
export function withRows(answer: PageAnswer, rows: readonly unknown[]): PageAnswer {
  const left = answer.rows.length - rows.length;
  if (left === 0) return answer;
  const { digest, ...rest } = answer;
  const isEnd = rows.every((row, at) => row === answer.rows[left + at]);
  return { ...rest, rows, ...(digest === undefined || !isEnd ? {} : { digest: `${digest}-${rows.length}` }) };
}

/** What paging proves about a scan (F14). */
export function scanPagingOf(paging: Paging): SourceFacts['scanPaging'] {
  switch (paging.kind) {
    case 'whole':
      return 'whole';
    case 'keyset':
      return 'keyset';
    case 'offset':
      return (paging.overlap ?? 0) > 0 ? 'overlap' : 'offset';
    case 'page':
    case 'link':
    case 'nextUrl':
    case 'token':
      return 'offset';
  }
}

/** What is wrong with facts of paging, as "expected …, got …"; null: nothing. */
export function misfitOfPaging(paging: Paging): string | null {
  if (paging.kind === 'token' && (paging.from === undefined) === (paging.fromHeader === undefined))
    return `expected from or fromHeader, where an answer has the token, got ${paging.from === undefined ? 'neither' : 'both'}`;
  if (paging.kind === 'whole' || paging.size === undefined) return null;
  const { size } = paging;
  if (!Number.isSafeInteger(size) || size < 1) return `expected a page size of at least 1, got ${size}`;
  const overlap = paging.kind === 'offset' ? (paging.overlap ?? 0) : 0;
  if (Number.isSafeInteger(overlap) && overlap >= 0 && overlap < size) return null;
  return `expected an overlap of 0 to ${size - 1} rows in pages of ${size}, got ${overlap}`;
}
