import type { AnyCollectionDefinition, ReadFacts } from './define.js';
import type { DeletionLogFacts } from './deletion-log.js';
import { hasFeedOfDeletions } from './delta.js';
import { durationMs } from './duration.js';
import { scanPagingOf } from './paging.js';
import type { Operation } from './transport.js';

/** Pagings under which the last page is known, and seen. */
const DELTA_PAGINGS: readonly string[] = ['whole', 'link', 'nextUrl', 'token'];

/** A log that keeps entries no longer than so many polls would be scanned for after each of them that is late. */
const LEAST_POLLS = 20;

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
  return hasFeedOfDeletions(read) ? [...misfits, ...misfitsOfHeld(read)] : misfits;
}

/** How late a change may show itself must be said: nobody can know it of a source. */
export function misfitsOfNumber({ read: { changes, deletes } }: AnyCollectionDefinition): readonly string[] {
  return [
    ...misfitsOfLateness('.read.changes', changes),
    ...misfitsOfLateness('.read.deletes.since', deletes?.kind === 'log' ? deletes.since : undefined),
  ];
}

function misfitsOfLateness(where: string, filter: ReadFacts['changes'] | DeletionLogFacts['since']): readonly string[] {
  if (filter?.kind !== 'number' || filter.gap !== undefined || filter.longestTransaction !== undefined) return [];
  return [
    `${where}: expected gap or longestTransaction, which say how late a change may become visible (0, if numbers are given out in ` +
      'the order in which changes do), got neither',
  ];
}

/** Lists of keys show nothing of their records. */
export function misfitsOfListed({ read }: AnyCollectionDefinition): readonly string[] {
  if (read.listed !== 'keys' || read.one !== undefined) return [];
  return [".read.one: expected it beside listed: 'keys', since it is what shows the records, got nothing"];
}

/** What in the facts of a log of deletions does not go together: each as ".key: expected …, got …". */
export function misfitsOfLog({ read }: AnyCollectionDefinition): readonly string[] {
  const { deletes, delta, changes, one } = read;
  if (deletes?.kind !== 'log') return [];
  const misfits: string[] = [];
  if (delta === undefined && changes === undefined)
    misfits.push(
      '.read.deletes: expected read.changes or read.delta beside a log, since each poll without them reads the whole list, got neither',
    );
  if (
    delta?.removed !== undefined ||
    (delta !== undefined && (delta.follow ?? delta.list ?? read.list).marksRemoved === true)
  )
    misfits.push('.read.deletes: expected no log beside a read.delta that says what is gone, got both');
  if (one === undefined && deletes.comesBack !== false)
    misfits.push(
      '.read.one: expected it, or comesBack: false in read.deletes, since the record of an entry may be there again, got neither',
    );
  const keptMs = durationMs(deletes.keepsFor);
  const leastMs = durationMs(read.pollEvery ?? '5s') * LEAST_POLLS;
  if (keptMs < leastMs)
    misfits.push(
      `.read.deletes.keepsFor: expected at least ${leastMs} ms, the time of ${LEAST_POLLS} polls, got "${deletes.keepsFor}"`,
    );
  return [...misfits, ...misfitsOfHeld(read)];
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
function misfitsOfHeld(read: AnyCollectionDefinition['read']): readonly string[] {
  if (read.one !== undefined || scanPagingOf(read.list.paging) !== 'offset') return [];
  return [
    `.read.one: expected it, or a list whose scan proves what is gone (whole, keyset, offset with overlap), since a deletion that is ` +
      `held is found again only by one of them, got a list by ${read.list.paging.kind}`,
  ];
}
