import type { SourceKey } from '../core/change.js';
import type { ExaminedCollection } from './examined-collection.js';
import type { PageAnswer } from './paging.js';
import { unanswered, type ProbeCalls } from './probe-calls.js';
import { keyIn, type ListSample } from './probe-list.js';
import { compileUpdatedSince, type UpdatedSince, type UpdatedSinceFacts } from './updated-since.js';
import type { Operation } from './transport.js';

/** The filter "changed since" of a collection, as a question with one page for an answer. */
export interface Filter {
  readonly facts: UpdatedSinceFacts;
  readonly since: UpdatedSince;
  /** The step in which moments are asked for, ms. */
  readonly stepMs: number;
  /** The first page of what changed since a moment, with the times of its rows. */
  ask(atMs: number): Promise<Filtered>;
}

/** Null `page`: the source did not answer properly. */
export interface Filtered {
  readonly page: PageAnswer | null;
  readonly fault: string | null;
  readonly rows: readonly StampedRow[];
  /** Does more come after this page, as far as one can tell? */
  readonly hasMore: boolean;
}

export interface StampedRow {
  readonly key: SourceKey | null;
  readonly atMs: number | null;
}

export function createFilter(
  examined: ExaminedCollection,
  changes: UpdatedSinceFacts & { readonly list?: Operation },
  calls: ProbeCalls,
  { fullPage }: ListSample,
): Filter {
  const { read } = examined.definition;
  const since = compileUpdatedSince(changes, read.readAfterWrite);
  const operation = changes.list ?? read.list;
  const { paging } = operation;
  const declared = paging.kind === 'whole' ? null : (paging.size ?? null);
  // Some sources give less on a page than they are asked for.
  const size = declared === null ? null : Math.min(declared, fullPage ?? Infinity);
  return {
    facts: changes,
    since,
    stepMs: since.grainMs,
    async ask(atMs) {
      const answered = await calls.pages(operation, { [changes.param]: since.argument(atMs) }, 1);
      const page = answered.pages[0] ?? null;
      if (page === null) return { page, fault: unanswered(answered), rows: [], hasMore: false };
      const rows = page.rows.map((row) => ({ key: keyIn(examined, row), atMs: since.stampMs(row) }));
      const hasMore =
        page.more ??
        (page.next !== null || (page.total === null ? size !== null && rows.length >= size : page.total > rows.length));
      return { page, fault: null, rows, hasMore };
    },
  };
}

/** Is a record in the filter's answer? Null: its page does not tell. */
export function isShown(filter: Filter, { rows, hasMore, page }: Filtered, known: KnownStamp): boolean | null {
  if (page === null) return null;
  if (rows.some(({ key }) => key === known.key)) return true;
  if (!hasMore) return false;
  const times = rows.flatMap(({ atMs }) => atMs ?? []);
  const ascends = times.every((atMs, at) => at === 0 || (times[at - 1] as number) <= atMs);
  // In order of change it would stand on a later page.
  return filter.facts.ordered && ascends && (times.at(-1) ?? Infinity) <= known.atMs ? true : null;
}

export interface KnownStamp {
  readonly key: SourceKey;
  readonly atMs: number;
}

/** Zones and their changes are whole quarters of an hour, and lie within fourteen hours of UTC. */
const QUARTER_MS = 900_000;
const WIDEST_QUARTERS = 56;

/**
 * By how much the filter takes a moment for a later one than was meant, ms; a negative one for an earlier. Halves the range in each
 * question.
 *
 * @param isLater the record is not shown when it is asked for by its own time
 * @returns null where it is not shifted by a zone, or answers do not tell
 */
export async function shiftOf(filter: Filter, known: KnownStamp, isLater: boolean): Promise<number | null> {
  const sign = isLater ? -1 : 1;
  const shownAt = async (quarters: number): Promise<boolean | null> =>
    isShown(filter, await filter.ask(known.atMs + sign * quarters * QUARTER_MS - filter.stepMs), known);
  // Later: hidden when asked near its time, shown when asked far enough before it. Earlier: the reverse.
  const nearIs = !isLater;
  const far = await shownAt(WIDEST_QUARTERS);
  if (far === null || far === nearIs) return null;
  let [near, reached] = [0, WIDEST_QUARTERS];
  while (reached - near > 1) {
    const middle = Math.floor((near + reached) / 2);
    const is = await shownAt(middle);
    if (is === null) return null;
    if (is === nearIs) near = middle;
    else reached = middle;
  }
  return (isLater ? reached : -near) * QUARTER_MS;
}
