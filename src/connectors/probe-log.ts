import type { SourceKey } from '../core/change.js';
import type { DeletionLogFacts } from './deletion-log.js';
import { durationMs } from './duration.js';
import type { ExaminedCollection } from './examined-collection.js';
import { CallFault } from './fault.js';
import { logScale } from './log-scale.js';
import { faultText, orNull, unanswered, type ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import type { ListSample } from './probe-list.js';

const MOST_PAGES = 2;
/** Entries whose records are looked at. */
const MOST_RECORDS = 3;
/** Beyond every moment and every number that a log has. */
const FAR_MS = 172_800_000;
const FAR = 1_000_000_000n;

interface Entry {
  readonly key: SourceKey | null;
  readonly at: bigint | null;
}

interface Answered {
  readonly entries: readonly Entry[];
  readonly isComplete: boolean;
  /** Null: it answered. */
  readonly fault: string | null;
}

/**
 * Tries the log of deletions: does it answer, does each entry name a record of the collection, one that is gone, does it show its place, and
 * does its filter hold?
 *
 * @param sourceMs the source's clock, as far as is known
 */
export async function probeLog(
  examined: ExaminedCollection,
  facts: DeletionLogFacts,
  calls: ProbeCalls,
  { rows }: ListSample,
  sourceMs: number,
): Promise<readonly FactFinding[]> {
  const { mapping, definition } = examined;
  const scale = logScale(facts.since, definition.read.readAfterWrite);
  const place = facts.since.kind === 'number' ? facts.since.member : facts.since.stamp;
  const all = await ask(0n);
  if (all.fault !== null)
    return [contradicts('read.deletes.list', 'a log that can be read', all.fault, 'polls fail, after their changes')];
  const { entries } = all;
  const findings = [
    fits('read.deletes.list', `${entries.length} entries${all.isComplete ? '' : ', the beginning of the log'}`),
  ];
  if (entries.length === 0) return [...findings, cannotTell('read.deletes', 'entries to look at', 'an empty log')];
  findings.push(...(await keyFindings()), ...placeFindings());
  const placed = entries.flatMap((one) => (one.at === null ? [] : [{ ...one, at: one.at }]));
  const newest = placed.reduce<(Entry & { readonly at: bigint }) | null>(
    (best, one) => (best !== null && best.at >= one.at ? best : one),
    null,
  );
  const highest = newest?.at ?? 0n;
  const last = scale.isTime ? BigInt(Math.max(sourceMs, Number(highest))) + BigInt(FAR_MS) : highest + FAR;
  const beyond = await ask(last);
  const isIgnored = beyond.fault === null && beyond.entries.length > 0;
  const wanted = `no entries when ${scale.param} is beyond all of them`;
  if (beyond.fault !== null) findings.push(cannotTell('read.deletes.since.param', wanted, beyond.fault));
  else if (!isIgnored) findings.push(fits('read.deletes.since.param', wanted));
  else
    findings.push(
      contradicts(
        'read.deletes.since.param',
        wanted,
        `${beyond.entries.length} entries`,
        `the source ignores ${scale.param}, or cannot read its form: each poll reads the whole log`,
      ),
    );
  if (newest !== null && !isIgnored) findings.push(await newestFinding(newest));
  findings.push(keptFinding(placed.map(({ at }) => at)));
  return findings;

  async function ask(from: bigint): Promise<Answered> {
    const read = await calls.pages(facts.list, { [scale.param]: scale.argument(from) }, MOST_PAGES);
    const entries = read.pages.flatMap((page) => page.rows.map(entryOf));
    return { entries, isComplete: read.isComplete, fault: unanswered(read) };
  }

  function entryOf(row: unknown): Entry {
    return { key: orNull(() => mapping.deletedKeyOf(row)), at: orNull(() => scale.of(row)) };
  }

  /** Are they keys of this collection, and are their records gone? */
  async function keyFindings(): Promise<readonly FactFinding[]> {
    const fact = 'read.deletes.key';
    const keys = [...new Set(entries.flatMap(({ key }) => key ?? []))];
    const without = entries.filter(({ key }) => key === null).length;
    if (without > 0)
      return [contradicts(fact, 'a key in each entry', `none in ${without} of ${entries.length}`, 'polls fail')];
    const forms = new Set(rows.map(({ key }) => formOf(key)));
    const strange = keys.filter((key) => !forms.has(formOf(key))).length;
    if (forms.size > 0 && strange === keys.length)
      return [
        contradicts(
          fact,
          'keys of the form that the list has',
          `${strange} of another form`,
          'no deletion is found by the log',
        ),
      ];
    const told = fits(fact, `${keys.length} keys, of the form that the list has`);
    if (definition.read.one === undefined) return [told];
    let alive = 0;
    const looked = keys.slice(-MOST_RECORDS);
    for (const key of looked) {
      try {
        if ((await calls.row(key)) !== 'absent') alive += 1;
      } catch (thrown) {
        if (!(thrown instanceof CallFault)) throw thrown;
        return [told, cannotTell(fact, 'an entry whose record is gone', faultText(thrown))];
      }
    }
    if (alive === 0) return [told, fits(fact, `${looked.length} records of entries, all gone`)];
    const got = `${alive} of ${looked.length} that are there`;
    if (facts.comesBack === false)
      return [
        told,
        contradicts(
          'read.deletes.comesBack',
          'no record of an entry',
          got,
          'they are deleted here while they are there',
        ),
      ];
    return [told, cannotTell(fact, 'entries whose records are gone', `${got}: made again, or keys of something else`)];
  }

  function placeFindings(): readonly FactFinding[] {
    if (place === undefined) return [];
    const fact = facts.since.kind === 'number' ? 'read.deletes.since.member' : 'read.deletes.since.stamp';
    const lacking = entries.filter(({ at }) => at === null).length;
    if (lacking > 0)
      return [
        contradicts(
          fact,
          `a ${scale.isTime ? 'time' : 'number'} in ${place} of each entry`,
          `none in ${lacking} of ${entries.length}`,
          'the log is read from the same place again and again',
        ),
      ];
    const ahead = scale.isTime ? entries.filter(({ at }) => Number(at) > sourceMs + FAR_MS / 2).length : 0;
    if (ahead > 0)
      return [
        contradicts(fact, 'no time in the future', `${ahead} of ${entries.length}`, 'another zone, or another clock'),
      ];
    return [fits(fact, `${entries.length} entries show it`)];
  }

  /** An entry must come when its very place is asked for; what was deleted in that moment could be passed over. */
  async function newestFinding(newest: Entry & { readonly at: bigint }): Promise<FactFinding> {
    const fact = 'read.deletes.since';
    const wanted = 'the newest entry, by its own place';
    const { entries: given, fault, isComplete } = await ask(newest.at);
    if (fault !== null) return cannotTell(fact, wanted, fault);
    if (given.some(({ key }) => key === newest.key)) return fits(fact, wanted);
    if (!isComplete) return cannotTell(fact, wanted, 'an answer of many pages');
    return contradicts(fact, wanted, 'none', 'deletions are passed over, until a scan finds them');
  }

  function keptFinding(places: readonly bigint[]): FactFinding {
    const wanted = `an entry that is ${facts.keepsFor} old`;
    if (!scale.isTime || places.length === 0)
      return cannotTell('read.deletes.keepsFor', wanted, 'entries without a time');
    const oldestMs = sourceMs - Number(places.reduce((least, one) => (one < least ? one : least)));
    // The oldest one goes in its own time.
    const isOld = oldestMs >= durationMs(facts.keepsFor) * 0.9;
    if (isOld) return fits('read.deletes.keepsFor', `an entry of ${Math.floor(oldestMs / 86_400_000)} days ago`);
    return cannotTell('read.deletes.keepsFor', wanted, 'none so old');
  }
}

/** Letters and digits of a key, without which ones and how many. */
function formOf(key: SourceKey): string {
  return key.replace(/\d+/g, '9').replace(/[A-Za-z]+/g, 'a');
}
