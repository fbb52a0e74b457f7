import type { AnyCollectionDefinition } from './define.js';
import { hasFeedOfDeletions } from './delta.js';
import { scanPagingOf } from './paging.js';
import type { Operation } from './transport.js';

/** Pagings under which the last page is known, and seen. */
const DELTA_PAGINGS: readonly string[] = ['whole', 'link', 'nextUrl', 'token'];

/** What in the facts of a source's own token does not go together: each as ".key: expected …, got …". */
export function misfitsOfDelta({ read }: AnyCollectionDefinition): readonly string[] {
  const { delta } = read;
  if (delta === undefined) return [];
  const misfits: string[] = [];
  const list = delta.list ?? read.list;
  const listKey = delta.list === undefined ? 'read.list' : 'read.delta.list';
  if (read.changes !== undefined)
    misfits.push('.read.delta: expected it or read.changes, since one of them says what changed, got both');
  misfits.push(...misfitsOfCall(`.${listKey}`, list));
  if (delta.follow !== undefined) misfits.push(...misfitsOfCall('.read.delta.follow', delta.follow));
  const kind = list.delta ?? null;
  if (kind === 'token' && delta.param === undefined)
    misfits.push('.read.delta.param: expected the parameter that takes the token, got nothing');
  if (kind === 'link' && delta.param !== undefined)
    misfits.push(`.read.delta.param: expected none, since a link is followed as it is, got "${delta.param}"`);
  if (kind !== null && (delta.follow?.delta ?? kind) !== kind)
    misfits.push(
      `.read.delta.follow: expected a ${kind} like that of ${listKey}, got a ${String(delta.follow?.delta)}`,
    );
  return [...misfits, ...misfitsOfFeed(read)];
}

/** How late a change may show itself must be said: nobody can know it of a source. */
export function misfitsOfNumber({ read: { changes } }: AnyCollectionDefinition): readonly string[] {
  if (changes?.kind !== 'number' || changes.gap !== undefined || changes.longestTransaction !== undefined) return [];
  return [
    '.read.changes: expected gap or longestTransaction, which say how late a change may become visible (0, if numbers are given out in ' +
      'the order in which changes do), got neither',
  ];
}

function misfitsOfCall(where: string, operation: Operation): readonly string[] {
  const misfits: string[] = [];
  if ((operation.delta ?? null) === null)
    misfits.push(
      `${where}: expected it to say where its last page has the token or the link (deltaToken, deltaLink), got nothing`,
    );
  if (!DELTA_PAGINGS.includes(operation.paging.kind))
    misfits.push(
      `${where}: expected a paging of ${DELTA_PAGINGS.join(' or ')}, whose last page is seen, got ${operation.paging.kind}`,
    );
  return misfits;
}

/** A deletion that was told once must be found again when it could not be believed at that moment. */
function misfitsOfFeed(read: AnyCollectionDefinition['read']): readonly string[] {
  if (!hasFeedOfDeletions(read) || read.one !== undefined || scanPagingOf(read.list.paging) !== 'offset') return [];
  return [
    `.read.one: expected it, or a list whose scan proves what is gone (whole, keyset, offset with overlap), since a deletion that is ` +
      `held is found again only by one of them, got a list by ${read.list.paging.kind}`,
  ];
}
