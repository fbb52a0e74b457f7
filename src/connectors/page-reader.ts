import { CallFault } from './fault.js';
import {
  withRows,
  type KeysetPaging,
  type LinkPaging,
  type LoadPage,
  type NextUrlPaging,
  type OffsetPaging,
  type PageAnswer,
  type PageArguments,
  type PagePaging,
  type Paging,
  type Sized,
  type TokenPaging,
} from './paging.js';

/**
 * All pages of a list; each is asked for only when the reader wants it. Ends only if nothing contradicts completeness.
 *
 * @throws CallFault badAnswer - pages repeat, the list shrinks while it is read, or it ends before its own total
 */
export function readPages(paging: Paging, load: LoadPage): AsyncGenerator<PageAnswer, void> {
  switch (paging.kind) {
    case 'whole':
      return readWhole(load);
    case 'page':
      return readNumbered(paging, load);
    case 'offset':
      return readByOffset(paging, load);
    case 'keyset':
      return readByKeyset(paging, load);
    case 'link':
    case 'nextUrl':
      return readLinked(paging, (args, next) => load(next === null ? args : {}, next));
    case 'token':
      return readLinked(paging, (args, next) => load(next === null ? args : { ...args, [paging.in]: next }, null));
  }
}

async function* readWhole(load: LoadPage): AsyncGenerator<PageAnswer, void> {
  const answer = await load({}, null);
  if (answer.more === true || answer.next !== null || (answer.total !== null && answer.total > answer.rows.length)) {
    throw doubt(`expected the whole list in one answer, got ${answer.rows.length} rows and a hint at more`);
  }
  yield answer;
}

async function* readNumbered(paging: PagePaging, load: LoadPage): AsyncGenerator<PageAnswer, void> {
  const first = paging.first ?? 1;
  const watch = watchEdges();
  let seen = 0;
  let total: number | null = null;
  for (let number = first; ; number++) {
    const answer = await load({ [paging.numberIn]: number, ...sizeArgument(paging) }, null);
    total = checkTotal(total, answer.total);
    watch.next(answer.rows, `page ${number}`);
    seen += answer.rows.length;
    if (answer.rows.length > 0 || number === first) yield answer;
    if (isLast(paging, answer, answer.rows.length, seen)) return;
  }
}

/** Pages of one length that each begin with another row, until the last one: whatever else is seen, rows are missing. */
function watchEdges(): { next(rows: readonly unknown[], name: string): void } {
  const begins = new Map<string, string>();
  let longest = 0;
  let before: { readonly name: string; readonly length: number } | null = null;
  return {
    next(rows, name) {
      if (rows.length === 0) return;
      if (before !== null && before.length < longest) throw doubt(`${before.name} is short and not the last one`);
      const begin = rowText(rows[0]);
      const same = begins.get(begin);
      if (same !== undefined) throw doubt(`${name} repeats ${same}`);
      begins.set(begin, name);
      longest = Math.max(longest, rows.length);
      before = { name, length: rows.length };
    },
  };
}

/** How far back to look when the overlapping rows are gone, in overlaps. */
const STEPS_BACK = [1, 4, 16] as const;

async function* readByOffset(paging: OffsetPaging, load: LoadPage): AsyncGenerator<PageAnswer, void> {
  const overlap = paging.overlap ?? 0;
  const watch = watchEdges();
  let position = 0;
  let total: number | null = null;
  let anchors: readonly string[] = [];
  let begin: { readonly from: number; readonly row: string } | null = null;
  let isStalled = false;
  for (;;) {
    const window: Window = await loadWindow(paging, load, position, anchors);
    const { answer, fresh, reached, from } = window;
    // With overlapping rows a shrinking list is harmless: nothing can slip through the edge.
    if (overlap === 0) {
      total = checkTotal(total, answer.total);
      watch.next(answer.rows, `the page from ${from}`);
    }
    const row = answer.rows.length === 0 ? '' : rowText(answer.rows[0]);
    // A source that does not know the parameter gives its first page again, with all of its anchors.
    if (begin !== null && from > begin.from && row === begin.row && row !== '') {
      throw doubt(`the page from ${from} repeats the one from ${begin.from}`);
    }
    begin = { from, row };
    if (fresh.length > 0 || position === 0) yield withRows(answer, fresh);
    const isFull = answer.rows.length >= paging.size;
    if ((fresh.length === 0 && !isFull) || isLast(paging, answer, answer.rows.length, reached)) {
      if (answer.more === true) throw doubt('a page without new rows says that there is more');
      if (answer.total !== null && reached < answer.total) throw endedEarly(reached, answer.total);
      const rows = answer.rows.length;
      if (fresh.length > 0 || rows === 0 || saysEnd(paging, answer)) return;
      // Nothing but rows that we know: the end, or a source that gives no more rows at once than the overlap.
      const behind = await load({ [paging.fromIn]: reached, ...sizeArgument(paging) }, null);
      if (behind.rows.length === 0) return;
      if (isStalled) throw doubt(`pages of ${rows} rows bring nothing behind an overlap of ${overlap}, and it goes on`);
      isStalled = true;
      continue;
    }
    isStalled = false;
    position = reached;
    if (overlap > 0) anchors = [...anchors, ...fresh.slice(-overlap).map(rowText)].slice(-overlap);
  }
}

/** Does the page itself tell that nothing comes behind it? */
function saysEnd(paging: Sized, { more, total }: PageAnswer): boolean {
  return more === false || total !== null || paging.shortPageEnds === true;
}

interface Window {
  readonly answer: PageAnswer;
  readonly fresh: readonly unknown[];
  readonly reached: number;
  readonly from: number;
}

/** The rows behind those that we know: the last known rows must come again, the very same, in the new page. */
async function loadWindow(
  paging: OffsetPaging,
  load: LoadPage,
  position: number,
  anchors: readonly string[],
): Promise<Window> {
  for (const steps of STEPS_BACK) {
    const from = Math.max(0, position - anchors.length * steps);
    const answer = await load({ [paging.fromIn]: from, ...sizeArgument(paging) }, null);
    const reached = from + answer.rows.length;
    if (anchors.length === 0) return { answer, fresh: answer.rows, reached, from };
    const known = new Set(anchors);
    const texts = answer.rows.map(rowText);
    const last = texts.findLastIndex((text) => known.has(text));
    if (last >= 0) return { answer, fresh: answer.rows.slice(last + 1), reached, from };
    if (from === 0) break;
  }
  throw doubt('the list moved while it was read: none of its last known rows came again');
}

/** Largest page asked for when many rows share the value by which a keyset is ordered. */
const LARGEST_KEYSET_PAGE = 20_000;

/** A source that gives so few rows at once, whatever it is asked for, is not reckoned with where a list is that short. */
const LEAST_CAP = 20;

async function* readByKeyset(paging: KeysetPaging, load: LoadPage): AsyncGenerator<PageAnswer, void> {
  let after: string | number | null = null;
  let boundary = new Set<string>();
  const passed = new Set<string | number>();
  let size = paging.size;
  let longest = 0;
  for (;;) {
    const answer: PageAnswer = await load(
      { ...(after === null ? {} : { [paging.afterIn]: after }), ...sizeArgument({ ...paging, size }) },
      null,
    );
    const known = boundary;
    const from: string | number | null = after;
    const fresh = answer.rows.filter((row) => memberOf(row, paging.by) !== from || !known.has(rowText(row)));
    if (fresh.length === 0 && (answer.rows.length >= size || answer.more === true)) {
      // A whole page of rows with one value: a greater one looks behind them.
      if (size >= LARGEST_KEYSET_PAGE) throw doubt(`more than ${size} rows have the ${paging.by} ${String(after)}`);
      size = Math.min(LARGEST_KEYSET_PAGE, size * 2);
      continue;
    }
    if (fresh.length > 0 || from === null) yield withRows(answer, fresh);
    if (fresh.length === 0 && !saysEnd(paging, answer)) {
      const least = passed.size > 1 ? Math.max(1, longest) : Math.max(LEAST_CAP, longest);
      // As long as any page was, and all of one value: the end, or a source that gives no more rows at once than share that value.
      if (answer.rows.length >= least)
        throw doubt(`nothing shows whether more than ${answer.rows.length} rows have the ${paging.by} ${String(from)}`);
    }
    if (fresh.length === 0 || answer.more === false) return;
    longest = Math.max(longest, answer.rows.length);
    if (answer.more === null && paging.shortPageEnds === true && answer.rows.length < size) return;
    const last = orderOf(answer.rows.at(-1), paging.by);
    // Behind the last value come others, or more rows with the very same one: anything else is a page seen before.
    const stands = last === from && fresh.some((row) => memberOf(row, paging.by) !== last);
    if (stands || (last !== from && passed.has(last)))
      throw doubt(`the page after ${String(from)} repeats an earlier one`);
    passed.add(last);
    const shared = answer.rows.filter((row) => memberOf(row, paging.by) === last).map(rowText);
    boundary = last === from ? new Set([...boundary, ...shared]) : new Set(shared);
    after = last;
    size = paging.size;
  }
}

/** What leads from page to page is not looked into: whether it led here before is all that can be told. */
async function* readLinked(
  paging: LinkPaging | NextUrlPaging | TokenPaging,
  load: LoadPage,
): AsyncGenerator<PageAnswer, void> {
  const followed = new Set<string>();
  const args: PageArguments =
    paging.sizeIn === undefined || paging.size === undefined ? {} : { [paging.sizeIn]: paging.size };
  let next: string | null = null;
  let total: number | null = null;
  let seen = 0;
  do {
    const answer: PageAnswer = await load(args, next);
    // Some say it with the first page only.
    total = checkTotal(total, answer.total) ?? total;
    seen += answer.rows.length;
    yield answer;
    next = endsHere(paging, answer) ? null : answer.next;
    if (next === null && answer.more === true) throw doubt('the last page says that there is more');
    if (next === null && total !== null && seen < total) throw endedEarly(seen, total);
    if (next !== null && followed.has(next)) throw doubt('its pages lead round in a circle');
    if (next !== null) followed.add(next);
  } while (next !== null);
}

/** Some sources go on giving the token with which one asks for what comes later. */
function endsHere({ kind }: Paging, { more }: PageAnswer): boolean {
  return kind !== 'link' && more === false;
}

function sizeArgument(paging: Sized): PageArguments {
  return paging.sizeIn === undefined ? {} : { [paging.sizeIn]: paging.size };
}

function isLast(paging: Sized, answer: PageAnswer, rows: number, seen: number): boolean {
  if (answer.total !== null && seen > answer.total) {
    throw doubt(`the list has ${seen} rows, it says that there are ${answer.total}`);
  }
  if (rows === 0 || answer.more === false) {
    if (answer.more === true) throw doubt('an empty page says that there is more');
    if (answer.total !== null && seen < answer.total) throw endedEarly(seen, answer.total);
    return true;
  }
  if (answer.more === true) return false;
  if (answer.total !== null) return seen >= answer.total;
  return paging.shortPageEnds === true && rows < paging.size;
}

function checkTotal(before: number | null, now: number | null): number | null {
  if (before !== null && now !== null && now < before) {
    throw doubt(`the list shrank from ${before} to ${now} while it was read, a record may have been passed over`);
  }
  return now;
}

function endedEarly(seen: number, total: number): CallFault {
  return doubt(`the list ended after ${seen} of ${total} rows`);
}

/** The source may be well: it is this reading that proves nothing. */
function doubt(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}

function rowText(row: unknown): string {
  try {
    return JSON.stringify(row);
  } catch (thrown) {
    if (!(thrown instanceof RangeError) || typeof row !== 'object' || row === null) throw thrown;
    // Nested deeper than can be written: told apart by what stands at its top, so that one such row does not end the reading of all.
    return JSON.stringify(
      Object.entries(row as Readonly<Record<string, unknown>>).map(([name, value]) => [
        name,
        typeof value === 'object' ? null : value,
      ]),
    );
  }
}

function memberOf(row: unknown, name: string): unknown {
  return typeof row === 'object' && row !== null ? (row as Readonly<Record<string, unknown>>)[name] : undefined;
}

function orderOf(row: unknown, name: string): string | number {
  const value = memberOf(row, name);
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw doubt(`expected each row to have ${name}, by which the list is ordered`);
}
