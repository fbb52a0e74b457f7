import type { SourceKey } from '../core/change.js';
import type { Anchor, NumberPlace } from './change-number.js';

/** So many of the highest numbers are known again; a handful is not deleted all at once. */
const ANCHORS = 5;
/** Marks kept of the time in which a change may become visible late. */
const MARKS = 64;

/** How late a change may show itself. */
export interface Lateness {
  readonly gap: bigint;
  readonly lateMs: number;
}

/** Which numbers were visible when: what is lower than one that was seen so long ago cannot come any more. */
export interface Marks {
  seen(high: bigint, atMs: number): void;
  /** The highest number that was visible then; null: it is not known. */
  visibleAt(ms: number): bigint | null;
  /** Those numbers mean nothing any more. */
  forget(): void;
}

export function createMarks(lateMs: number): Marks {
  let marks: { readonly atMs: number; readonly high: bigint }[] = [];
  return {
    seen(high, atMs) {
      const last = marks.at(-1);
      if (last !== undefined && (last.high >= high || atMs - last.atMs < lateMs / MARKS)) return;
      marks.push({ atMs, high });
      const ripe = marks.findLastIndex((mark) => mark.atMs <= atMs - lateMs);
      if (ripe > 0) marks = marks.slice(ripe);
    },
    visibleAt: (ms) => marks.findLast((mark) => mark.atMs <= ms)?.high ?? null,
    forget: () => void (marks = []),
  };
}

/** One reading from a place on, page by page. */
export interface NumberRun {
  /** The rows of the next page, which came at this time. */
  page(rows: readonly Anchor[], atMs: number): void;
  /** Records of the place that did not come again, though nothing that was seen since explains it. */
  vanished(): readonly Anchor[];
  /** Nothing of the place came again: these are not the numbers that it was made of. */
  isFallen(): boolean;
  /** Where to go on after the whole reading. */
  end(): NumberPlace;
}

/** @param beganMs before the first page was asked for */
export function beginRun(before: NumberPlace, marks: Marks, { gap, lateMs }: Lateness, beganMs: number): NumberRun {
  let highest: readonly Anchor[] = [];
  /** Visible when the first page was made, and so when everything behind it was. */
  let visible = before.anchors[0]?.number ?? -1n;
  let isFirst = true;

  const vanished = (): readonly Anchor[] =>
    before.anchors.filter(({ number, key }) => !highest.some((one) => one.key === key && one.number >= number));

  return {
    page(rows, atMs) {
      highest = highestOf([...highest, ...rows], before.anchors);
      const high = highest[0]?.number ?? -1n;
      if (isFirst && high > visible) visible = high;
      isFirst = false;
      if (high >= 0n) marks.seen(high, atMs);
    },
    vanished,
    isFallen: () => before.anchors.length > 0 && vanished().length === before.anchors.length,
    end() {
      const anchors = highest.slice(0, ANCHORS);
      const lowest = before.anchors.at(-1)?.number;
      if (vanished().length > 0 && lowest !== undefined) {
        // It may be an older state of the source, whose numbers go on from any of these.
        marks.forget();
        return { settled: before.settled < lowest ? before.settled : lowest - 1n, anchors };
      }
      const sure = lateMs === 0 ? visible : marks.visibleAt(beganMs - lateMs);
      // One that is lower by just so much may still come.
      const settled = sure === null ? -1n : sure - gap - 1n;
      return { settled: settled > before.settled ? settled : before.settled, anchors };
    },
  };
}

/** The highest numbers, one for each record, highest first, and behind them what is known of these anchors. */
function highestOf(rows: readonly Anchor[], known: readonly Anchor[]): readonly Anchor[] {
  const byKey = new Map<SourceKey, Anchor>();
  for (const row of rows) {
    const other = byKey.get(row.key);
    if (other === undefined || other.number < row.number) byKey.set(row.key, row);
  }
  const sorted = [...byKey.values()].sort((a, b) => (a.number < b.number ? 1 : a.number > b.number ? -1 : 0));
  const isKnown = new Set(known.map(({ key }) => key));
  return sorted.filter(({ key }, at) => at < ANCHORS || isKnown.has(key));
}
