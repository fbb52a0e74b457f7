import type { SourceKey } from '../core/change.js';
import { valueText } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { sourceKey, sourceKeyParts } from '../core/id.js';
import type { Chance } from '../core/ports.js';
import type { Observation } from '../core/source-port.js';
import type { ExaminedCollection } from './examined-collection.js';
import { CallFault } from './fault.js';
import type { AnswerWatch } from './probe-answers.js';
import { faultText, type ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import { keyIn, showsKeysOnly, type KeyedRow, type ListSample } from './probe-list.js';
import { isOfHeader } from './write-guard.js';

/** Keys that are made up until one is not there. */
const MADE_UP = 3;

/** Reads some of the list's records by their keys, and one that does not exist. */
export async function probeRecords(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  sample: ListSample,
  watch: AnswerWatch,
  chance: Chance,
): Promise<readonly FactFinding[]> {
  const { read, version } = examined.definition;
  if (read.one === undefined)
    return version === undefined || isOfHeader(version) ? [] : versionInRows(examined, sample);
  const chosen = someOf(sample.rows);
  if (chosen.length === 0) return [cannotTell('read.one', 'a record of the list', 'an empty list')];
  const findings: FactFinding[] = [];
  const seen: Seen[] = [];
  for (const listed of chosen) {
    try {
      const answer = await calls.row(listed.key);
      if (answer === 'absent') findings.push(absentThough());
      else if (keyIn(examined, answer.row) !== listed.key) findings.push(anotherRecord(examined, answer.row));
      else {
        const alone = observed(examined, answer.row, answer.tag);
        const inList = showsKeysOnly(examined) ? null : observed(examined, listed.row, null);
        seen.push({ key: listed.key, inList, alone });
      }
    } catch (thrown) {
      if (!(thrown instanceof CallFault)) throw thrown;
      findings.push(contradicts('read.one', 'the record', faultText(thrown)));
    }
    if (findings.length > 0) break;
  }
  if (findings.length === 0) {
    findings.push(showsKeysOnly(examined) ? fitsAlone(seen) : await sameRecord(examined, calls, seen));
    findings.push(...versionFinding(examined, seen));
  }
  findings.push(await probeAbsence(examined, calls, sample, watch, chance));
  return findings;
}

interface Seen {
  readonly key: SourceKey;
  /** Null: it does not fit its declaration. */
  readonly inList: Observation | null;
  readonly alone: Observation | null;
}

/** First, middle and last of what was read. */
function someOf(rows: readonly KeyedRow[]): readonly KeyedRow[] {
  const places = new Set([0, Math.floor(rows.length / 2), rows.length - 1]);
  return [...places].flatMap((at) => rows[at] ?? []);
}

function absentThough(): FactFinding {
  const means = 'a deletion that a scan suspects is confirmed although the record is there';
  return contradicts('read.one', 'a record that the list shows', 'that there is none', means);
}

function anotherRecord(examined: ExaminedCollection, row: unknown): FactFinding {
  const got = keyIn(examined, row) === null ? 'an answer without a key' : 'a record with another key';
  return contradicts('read.one', 'the record of the key that was asked for', got, 'no record can be read by its key');
}

function observed(
  { mapping }: ExaminedCollection,
  row: unknown,
  tag: Parameters<typeof mapping.observe>[1],
): Observation | null {
  try {
    return mapping.observe(row, tag);
  } catch (thrown) {
    if (thrown instanceof SyncError) return null;
    throw thrown;
  }
}

/** Where lists show keys only. */
function fitsAlone(seen: readonly Seen[]): FactFinding {
  const misfits = seen.filter(({ alone }) => alone === null).length;
  const means = 'these records are set aside, and devices do not get them';
  if (misfits === 0) return fits('read.one fields', `${seen.length} records as declared`);
  return contradicts('read.one fields', 'records as declared', `${misfits} of ${seen.length} do not fit`, means);
}

/** A record that differs is looked for in the list again: it may have changed meanwhile. */
async function sameRecord(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  seen: readonly Seen[],
): Promise<FactFinding> {
  const fact = 'read.one fields';
  const names = differing(seen);
  if (names.length === 0) return fits(fact, `${seen.length} records as the list shows them`);
  const { pages } = await calls.pages(examined.definition.read.list, {}, 1);
  const fresh = new Map((pages[0]?.rows ?? []).map((row) => [keyIn(examined, row), row]));
  const again = seen
    .filter(({ key }) => fresh.has(key))
    .map((one) => ({ ...one, inList: observed(examined, fresh.get(one.key), null) }));
  const still = differing(again.length > 0 ? again : seen);
  if (still.length === 0)
    return cannotTell(fact, 'the record as the list shows it', 'another one, which changed meanwhile');
  const means = 'endless changes: each read by key and each poll undo what the other showed';
  return contradicts(fact, 'the record as the list shows it', `other values of ${still.join(', ')}`, means);
}

/** Names of the fields that are not the same; `the record` where only one of the two fits its declaration. */
function differing(seen: readonly Seen[]): readonly string[] {
  const names = new Set<string>();
  for (const { inList, alone } of seen) {
    if ((inList === null) !== (alone === null)) names.add('the record');
    const [before, after] = [inList?.fields ?? {}, alone?.fields ?? {}];
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      if (valueText(before[name]) !== valueText(after[name])) names.add(name);
  }
  return [...names];
}

function versionFinding(examined: ExaminedCollection, seen: readonly Seen[]): readonly FactFinding[] {
  const { version } = examined.definition;
  if (version === undefined) return [];
  const isListed = !showsKeysOnly(examined);
  const both = seen.filter((one) => (one.inList !== null || !isListed) && one.alone !== null);
  if (both.length === 0) return [cannotTell('version', `${version} of a record`, 'no record that fits')];
  const lacking = both.filter(({ alone }) => alone?.sourceVersion === null).length;
  const means = 'changes of such records cannot be guarded';
  if (lacking > 0)
    return [
      contradicts(
        'version',
        `${version} of each record`,
        `${lacking} of ${both.length} single reads without it`,
        means,
      ),
    ];
  const listed = both.filter(({ inList }) => inList !== null && inList.sourceVersion !== null);
  const other = listed.filter(({ inList, alone }) => inList?.sourceVersion !== alone?.sourceVersion).length;
  if (other > 0)
    return [
      contradicts(
        'version',
        'the same version in list and single read',
        `another one of ${other} of ${listed.length} records`,
        'writes are refused as stale',
      ),
    ];
  if (listed.length === 0 && isListed && !isOfHeader(version))
    return [contradicts('version', `${version} in rows of the list`, `none in ${both.length} rows`, means)];
  const where = listed.length === 0 ? 'single reads only, as declared' : 'the same in list and single read';
  return [fits('version', `${version} of ${both.length} records, ${where}`)];
}

/** Where nothing can be read by key. */
function versionInRows(examined: ExaminedCollection, { rows }: ListSample): readonly FactFinding[] {
  const { version = '' } = examined.definition;
  const fitting = rows.map(({ row }) => observed(examined, row, null)).filter((one) => one !== null);
  const lacking = fitting.filter(({ sourceVersion }) => sourceVersion === null).length;
  if (fitting.length === 0) return [cannotTell('version', `${version} of a record`, 'no record that fits')];
  const got = `${lacking} of ${fitting.length} rows without it`;
  return [
    lacking === 0
      ? fits('version', `${version} in ${fitting.length} rows`)
      : contradicts('version', `${version} in each row`, got),
  ];
}

/** The proof of a deletion depends on it: what is not there must be told as such. */
async function probeAbsence(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  { rows }: ListSample,
  watch: AnswerWatch,
  chance: Chance,
): Promise<FactFinding> {
  const fact = 'read.one of a key that does not exist';
  const expected = '404, 410, or what classify calls absent';
  const known = new Set(rows.map(({ key }) => key));
  const like = rows[0]?.key;
  if (like === undefined) return cannotTell(fact, expected, 'no key to make one like it');
  const means = 'deletions that a scan suspects are never confirmed';
  for (let tried = 0; tried < MADE_UP; tried++) {
    const key = madeUp(like, chance);
    if (key === like || known.has(key)) continue;
    try {
      const answer = await calls.row(key);
      if (answer === 'absent') return fits(fact, `${watch.lastStatus() ?? 'an answer'}, taken for absent`);
      const found = keyIn(examined, answer.row);
      if (found !== key)
        return contradicts(
          fact,
          expected,
          `${watch.lastStatus() ?? 'an answer'} with ${found === null ? 'no record' : 'another record'}`,
          means,
        );
    } catch (thrown) {
      if (!(thrown instanceof CallFault)) throw thrown;
      return contradicts(fact, expected, faultText(thrown), means);
    }
  }
  return cannotTell(fact, expected, `records under the ${MADE_UP} keys that were made up`);
}

/** A key in the form of a known one: other digits, high ones first; other hex digits in a UUID. */
function madeUp(key: SourceKey, chance: Chance): SourceKey {
  const parts = sourceKeyParts(key);
  const last = parts.at(-1) ?? '';
  const digit = (from: number): string => String(from + Math.floor(chance() * (10 - from)));
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(last);
  let changed: string;
  if (isUuid) {
    const hex = (): string => Math.floor(chance() * 16).toString(16);
    changed = last.slice(0, 24) + last.slice(24).replace(/[0-9a-f]/gi, hex);
  } else if (/^\d+$/.test(last)) {
    // Nine digits fit an integer of 32 bits, and hardly any list is that long.
    changed = `9${Array.from({ length: Math.max(last.length, 9) - 1 }, () => digit(0)).join('')}`;
  } else if (/\d/.test(last)) {
    changed = last.replace(/\d+(?=\D*$)/, (run) => `9${Array.from(run.slice(1), () => digit(0)).join('')}`);
  } else
    changed = `${last.slice(0, -1)}${Array.from({ length: 8 }, () => 'bcdfghjkmnpqrstvwxz'[Math.floor(chance() * 19)]).join('')}`;
  return sourceKey([...parts.slice(0, -1), changed]);
}
