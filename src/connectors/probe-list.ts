import type { SourceKey } from '../core/change.js';
import { RecordMisfit } from '../core/misfit.js';
import type { ExaminedCollection } from './examined-collection.js';
import type { KeysetPaging, PageAnswer } from './paging.js';
import { faultText, orNull, type ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';

/** A row as the source gave it, under its key. */
export interface KeyedRow {
  readonly key: SourceKey;
  readonly row: unknown;
}

/** What of a list was seen. */
export interface ListSample {
  readonly pages: readonly PageAnswer[];
  /** Each key once, in the order in which it was shown first. */
  readonly rows: readonly KeyedRow[];
  readonly isComplete: boolean;
  /** Rows on a page behind which others come; null: nothing came behind the first page. */
  readonly fullPage: number | null;
}

/** Pages of a list that are read at most. */
const MOST_PAGES = 4;

/** Reads the beginning of the whole list, its first page twice. */
export async function probeList(
  examined: ExaminedCollection,
  calls: ProbeCalls,
): Promise<{ readonly sample: ListSample; readonly findings: readonly FactFinding[] }> {
  const { list } = examined.definition.read;
  const { pages, isComplete, fault } = await calls.pages(list, {}, MOST_PAGES);
  const all = pages.flatMap(({ rows }) => rows);
  const sample: ListSample = { pages, rows: keyed(examined, all), isComplete, fullPage: fullPageOf(examined, pages) };
  const findings: FactFinding[] = [];
  const extent = `${sample.rows.length} rows in ${pages.length} pages, ${isComplete ? 'the whole list' : 'the beginning of the list'}`;
  if (fault === null) findings.push(fits('read.list', extent));
  else findings.push(contradicts('read.list', 'a list that can be read', `${faultText(fault)}, after ${extent}`));
  const [first] = pages;
  if (first === undefined) return { sample, findings };
  findings.push(...sizeFinding(examined, first, sample.fullPage));
  findings.push(await stabilityOf(examined, calls, first));
  findings.push(...orderFinding(list.paging.kind === 'keyset' ? list.paging : null, all));
  findings.push(...totalFinding(sample, first));
  findings.push(...rowFindings(examined, pages, all));
  findings.push(...flagFinding(examined, all));
  return { sample, findings };
}

/** Are lists declared to show nothing of their records? */
export function showsKeysOnly({ definition }: Pick<ExaminedCollection, 'definition'>): boolean {
  return definition.read.listed === 'keys';
}

/** The key of a row; null: it has none. */
export function keyIn(examined: Pick<ExaminedCollection, 'mapping' | 'definition'>, row: unknown): SourceKey | null {
  const { mapping } = examined;
  return orNull(() => (showsKeysOnly(examined) ? mapping.listedKeyOf(row) : mapping.keyOf(row)));
}

/** The last rows of a page may come again on the next one. */
function fullPageOf(examined: ExaminedCollection, [first, second]: readonly PageAnswer[]): number | null {
  if (first === undefined || second === undefined) return null;
  const known = new Set(first.rows.map((row) => keyIn(examined, row)));
  return second.rows.some((row) => !known.has(keyIn(examined, row))) ? first.rows.length : null;
}

function keyed(examined: ExaminedCollection, rows: readonly unknown[]): readonly KeyedRow[] {
  const found = new Map<SourceKey, unknown>();
  for (const row of rows) {
    const key = keyIn(examined, row);
    if (key !== null && !found.has(key)) found.set(key, row);
  }
  return [...found].map(([key, row]) => ({ key, row }));
}

function sizeFinding(
  { definition }: ExaminedCollection,
  first: PageAnswer,
  fullPage: number | null,
): readonly FactFinding[] {
  const { paging } = definition.read.list;
  const size = paging.kind === 'whole' ? undefined : paging.size;
  if (size === undefined) return [];
  const fact = 'read.list.paging.size';
  const got = `${first.rows.length} rows on the first page`;
  if (first.rows.length > size)
    return [
      contradicts(fact, `at most ${size} rows on a page`, got, 'the source does not know the parameter of the size'),
    ];
  if (first.rows.length === size) return [fits(fact, got)];
  if (fullPage === null)
    return [cannotTell(fact, `${size} rows on a page that is not the last one`, `${got}, which is the last one`)];
  const isLost = 'shortPageEnds' in paging && paging.shortPageEnds === true;
  const means = isLost
    ? 'the list is taken for complete after its first page: rows are lost'
    : `lower it to ${first.rows.length}`;
  return [contradicts(fact, `${size} rows on a page that is not the last one`, got, means)];
}

/** Asks for the first page again; once more where it was another one, since records change. */
async function stabilityOf(examined: ExaminedCollection, calls: ProbeCalls, first: PageAnswer): Promise<FactFinding> {
  const fact = 'read.list order';
  const { list } = examined.definition.read;
  const isWhole = list.paging.kind === 'whole';
  const keysOf = ({ rows }: PageAnswer): string => {
    const keys = rows.map((row) => keyIn(examined, row) ?? '');
    return JSON.stringify(isWhole ? keys.sort() : keys);
  };
  const seen = [keysOf(first)];
  for (const _again of [2, 3]) {
    const { pages, fault } = await calls.pages(list, {}, 1);
    const [page] = pages;
    if (page === undefined) return cannotTell(fact, 'the first page again', fault === null ? 'none' : faultText(fault));
    seen.push(keysOf(page));
    if (seen.length === 2 && seen[0] === seen[1])
      return fits(fact, `the first page twice: the same keys${isWhole ? '' : ' in the same order'}`);
  }
  if (seen[1] === seen[2])
    return cannotTell(fact, 'the same keys again', 'others, as if records came or went meanwhile');
  const means = 'records are passed over between pages: a scan proves nothing';
  return contradicts(
    fact,
    'the first page again, with the same keys in the same order',
    'other keys or another order',
    isWhole ? null : means,
  );
}

function orderFinding(paging: KeysetPaging | null, rows: readonly unknown[]): readonly FactFinding[] {
  if (paging === null) return [];
  const fact = 'read.list.paging.by';
  const values = rows.map((row) =>
    typeof row === 'object' && row !== null ? (row as Record<string, unknown>)[paging.by] : undefined,
  );
  const lacking = values.filter((value) => typeof value !== 'string' && typeof value !== 'number').length;
  if (lacking > 0)
    return [
      contradicts(
        fact,
        `${paging.by} in each row`,
        `${lacking} of ${rows.length} rows without it`,
        'the list cannot be paged',
      ),
    ];
  const descents = Math.min(...ORDERS.map((compare) => descentsIn(values as readonly (string | number)[], compare)));
  if (descents === 0) return [fits(fact, `${rows.length} rows in order of ${paging.by}`)];
  const means = 'records are passed over: their deletion would be invented';
  return [
    contradicts(
      fact,
      `rows in order of ${paging.by}`,
      `${descents} of ${rows.length} rows before their predecessor`,
      means,
    ),
  ];
}

/** Which order a source's texts have is its own matter. */
const ORDERS: readonly ((a: string | number, b: string | number) => number)[] = [
  (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : Number(a !== b)),
  (a, b) => String(a).localeCompare(String(b), 'en', { sensitivity: 'base' }),
  (a, b) => Number(a) - Number(b) || 0,
];

function descentsIn(values: readonly (string | number)[], compare: (typeof ORDERS)[number]): number {
  if (compare === ORDERS[2] && values.some((value) => Number.isNaN(Number(value)))) return Infinity;
  return values.filter((value, at) => at > 0 && compare(values[at - 1] as string | number, value) > 0).length;
}

function totalFinding({ rows, isComplete }: ListSample, { total }: PageAnswer): readonly FactFinding[] {
  if (total === null) return [];
  const fact = 'read.list.total';
  if (isComplete ? rows.length === total : rows.length <= total && !isComplete && total > 0) {
    const got = `${total}, and ${rows.length} rows were read`;
    return [isComplete ? fits(fact, got) : cannotTell(fact, 'as many rows as the list has', got)];
  }
  return [
    contradicts(fact, `${total} rows, as it says`, `${rows.length}`, 'scans do not end, so no deletion is found'),
  ];
}

function rowFindings(
  examined: ExaminedCollection,
  pages: readonly PageAnswer[],
  all: readonly unknown[],
): readonly FactFinding[] {
  if (all.length === 0) return [cannotTell('key', 'rows', 'an empty list')];
  const keyless = all.filter((row) => keyIn(examined, row) === null).length;
  if (keyless > 0)
    return [
      contradicts(
        'key',
        'a key in each row',
        `${keyless} of ${all.length} rows without one`,
        'no poll and no scan succeeds',
      ),
    ];
  const doubles = pages.reduce(
    (sum, { rows }) => sum + rows.length - new Set(rows.map((row) => keyIn(examined, row))).size,
    0,
  );
  const unique = `${all.length} rows, no key twice on a page`;
  const findings: FactFinding[] = [
    doubles === 0
      ? fits('key', unique)
      : contradicts('key', 'each key once on a page', `${doubles} of ${all.length} rows with the key of another`),
  ];
  if (showsKeysOnly(examined)) return findings;
  const reasons: string[] = [];
  for (const row of all) {
    const reason = misfitOf(examined, row);
    if (reason !== null) reasons.push(reason);
  }
  if (reasons.length === 0) return [...findings, fits('fields', `${all.length} rows as declared`)];
  const means = 'these records are set aside, and devices do not get them';
  return [
    ...findings,
    contradicts(
      'fields',
      'rows as declared',
      `${reasons.length} of ${all.length} do not fit, first ${reasons[0]}`,
      means,
    ),
  ];
}

function misfitOf({ mapping }: ExaminedCollection, row: unknown): string | null {
  try {
    mapping.observe(row, null);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof RecordMisfit)) throw thrown;
    const { field, reason } = thrown.record;
    return `${field ?? 'the record'}: ${reason}`;
  }
}

/** Some sources leave the member out until it is set. */
function flagFinding({ definition }: ExaminedCollection, rows: readonly unknown[]): readonly FactFinding[] {
  const { deletes } = definition.read;
  if (deletes?.kind !== 'flag' || rows.length === 0) return [];
  const having = rows.filter((row) => typeof row === 'object' && row !== null && deletes.member in row).length;
  const got = `${having} of ${rows.length} rows have ${deletes.member}`;
  if (having > 0) return [fits('read.deletes.member', got)];
  return [
    cannotTell(
      'read.deletes.member',
      `${deletes.member} in rows`,
      `${got}: left out until it is set, or of another name`,
    ),
  ];
}
