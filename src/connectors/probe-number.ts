import { compileChangeNumber, type ChangeNumberFacts } from './change-number.js';
import type { SourceKey } from '../core/change.js';
import type { ExaminedCollection } from './examined-collection.js';
import { orNull, unanswered, type ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import { keyIn, showsKeysOnly, type ListSample } from './probe-list.js';
import type { Operation } from './transport.js';

/** Far behind every number that a source has, and still one of 64 bits. */
const FAR = 1_000_000_000n;
/** Pages of what changed since a number that are read at most. */
const MOST_PAGES = 2;

interface Numbered {
  readonly key: SourceKey;
  readonly number: bigint;
  readonly row: unknown;
}

interface Answered {
  readonly rows: readonly Numbered[];
  readonly count: number;
  readonly isComplete: boolean;
  /** Null: it answered. */
  readonly fault: string | null;
}

/** Tries the filter by a number: does each row show one, does it filter, from which number on, and does it move with a change? */
export async function probeNumber(
  examined: ExaminedCollection,
  changes: ChangeNumberFacts & { readonly list?: Operation },
  calls: ProbeCalls,
  sample: ListSample,
): Promise<readonly FactFinding[]> {
  const numbers = compileChangeNumber(changes);
  const { member, param, inclusive } = changes;
  const operation = changes.list ?? examined.definition.read.list;

  function numbered(rows: readonly unknown[]): readonly Numbered[] {
    return rows.flatMap((row) => {
      const key = keyIn(examined, row);
      const number = orNull(() => numbers.of(row));
      return key === null || number === null ? [] : [{ key, number, row }];
    });
  }

  async function ask(from: bigint): Promise<Answered> {
    const read = await calls.pages(operation, { [param]: numbers.argument(from) }, MOST_PAGES);
    const rows = read.pages.flatMap((page) => page.rows);
    return { rows: numbered(rows), count: rows.length, isComplete: read.isComplete, fault: unanswered(read) };
  }

  const known = numbered(sample.rows.map(({ row }) => row));
  const lacking = sample.rows.length - known.length;
  const first = await findMember();
  if (first !== null) return first;
  const highest = known.reduce((best, one) => (one.number > best.number ? one : best));
  const shown = `${known.length} rows with a number in ${member}`;
  const shared = known.length - new Set(known.map(({ number }) => number)).size;
  const findings = [fits('read.changes.member', shown)];
  if (shared > 0)
    findings.push(
      cannotTell('read.changes.member', 'a number of its own for each record', `${shared} that others have`),
    );
  const beyond = await ask(highest.number + FAR);
  findings.push(beyondFinding(beyond));
  if (findings.at(-1)?.verdict === 'contradicts') return findings;
  const sorted = known.toSorted((a, b) => (a.number < b.number ? -1 : 1));
  const middle = sorted[Math.floor(sorted.length / 2)] as Numbered;
  const since = await ask(middle.number);
  if (since.fault !== null)
    return [
      ...findings,
      contradicts('read.changes.param', 'what changed since a known number', since.fault, 'polls fail'),
    ];
  return [...findings, ...(await borderFindings(highest)), ...missingFindings(middle, since), movedFinding(since)];

  async function findMember(): Promise<readonly FactFinding[] | null> {
    const fact = 'read.changes.member';
    const expected = `a number in ${member} of each row, as ${changes.form ?? 'digits'}`;
    if (sample.rows.length === 0) return [cannotTell(fact, expected, 'no rows')];
    // What a list of keys leaves out, its filter may show.
    if (known.length === 0 && showsKeysOnly(examined)) return [cannotTell(fact, expected, 'a list of keys only')];
    if (lacking === 0) return null;
    return [
      contradicts(fact, expected, `none that can be read in ${lacking} of ${sample.rows.length} rows`, 'polls fail'),
    ];
  }

  function beyondFinding({ count, fault }: Answered): FactFinding {
    const expected = `no rows when ${param} is beyond every number`;
    if (fault !== null) return cannotTell('read.changes.param', expected, fault);
    if (count === 0) return fits('read.changes.param', expected);
    const means = `the source ignores ${param}, or cannot read its form (${changes.form ?? 'digits'}): each poll reads everything`;
    return contradicts('read.changes.param', expected, `${count} rows`, means);
  }

  /** Is the highest one given by its own number, and not by the next? */
  async function borderFindings(one: Numbered): Promise<readonly FactFinding[]> {
    const fact = 'read.changes.inclusive';
    const has = ({ rows }: Answered): boolean => rows.some(({ key }) => key === one.key);
    const expected = inclusive ? 'a record by its very number' : 'no record of the very number that is asked for';
    const [at, after] = [await ask(one.number), await ask(one.number + 1n)];
    if (at.fault !== null || after.fault !== null) return [cannotTell(fact, expected, at.fault ?? after.fault ?? '')];
    // It may have changed meanwhile: then it has another number.
    const moved = [...at.rows, ...after.rows].some(({ key, number }) => key === one.key && number !== one.number);
    if (moved) return [cannotTell(fact, expected, 'a record that changed meanwhile')];
    if (!has(at)) {
      if (!at.isComplete)
        return [cannotTell(fact, expected, 'answers of several pages, of which the first do not tell')];
      const means =
        'the highest number of a poll is passed over when another record gets it, and restores are seen where there is none';
      return [contradicts(fact, expected, 'it only by a lower number', means)];
    }
    if (has(after))
      return [contradicts(fact, expected, 'it', 'harmless: polls ask one number further back than needed')];
    return [fits(fact, `the record with the highest number, by its number and not by the next one`)];
  }

  function missingFindings(from: Numbered, { rows, isComplete }: Answered): readonly FactFinding[] {
    const fact = 'read.changes completeness';
    const later = known.filter(({ number }) => number > from.number);
    const untilNumber = isComplete ? null : rows.reduce((most, { number }) => (number > most ? number : most), 0n);
    const due = untilNumber === null ? later : later.filter(({ number }) => number < untilNumber);
    const given = new Set(rows.map(({ key }) => key));
    const missing = due.filter(({ key }) => !given.has(key)).length;
    const expected = `${due.length} records with a higher number than a known one`;
    // The one before may come where the filter is inclusive against its declaration, which is told by itself.
    const earlier = rows.filter(({ number }) => number < from.number - 1n).length;
    if (earlier > 0)
      return [
        contradicts(
          'read.changes.param',
          'only higher numbers than a known one',
          `${earlier} lower ones`,
          'more is read than needed',
        ),
      ];
    if (missing === 0) return [fits(fact, expected)];
    const means = isComplete
      ? 'changes are passed over'
      : 'changes are passed over, or rows do not come in order of their numbers';
    return [contradicts(fact, expected, `${missing} of them missing`, means)];
  }

  /** A record that changed while it was looked at must have got a higher number. */
  function movedFinding({ rows }: Answered): FactFinding {
    const fact = 'read.changes.member of a change';
    const before = new Map(known.map((one) => [one.key, one]));
    const changed = rows.flatMap((now) => {
      const was = before.get(now.key);
      return was === undefined || JSON.stringify(was.row) === JSON.stringify(now.row) ? [] : [{ was, now }];
    });
    const expected = 'a higher number of each record that changed';
    if (changed.length === 0) return cannotTell(fact, expected, 'no record that changed meanwhile');
    const stuck = changed.filter(({ was, now }) => now.number <= was.number).length;
    if (stuck === 0) return fits(fact, `${changed.length} records that changed meanwhile, each with a higher number`);
    return contradicts(
      fact,
      expected,
      `${stuck} of ${changed.length} without one`,
      'such changes are found by scans only',
    );
  }
}
