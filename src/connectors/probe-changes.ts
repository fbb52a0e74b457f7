import { durationMs } from './duration.js';
import type { ExaminedCollection } from './examined-collection.js';
import type { AnswerWatch } from './probe-answers.js';
import type { ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import { createFilter, isShown, shiftOf, type Filter, type Filtered, type KnownStamp } from './probe-filter.js';
import type { ListSample } from './probe-list.js';
import { probeNumber } from './probe-number.js';
import { createOrderWatch } from './updated-since.js';

const DAY_MS = 86_400_000;
/** Newer records are looked for so many times, so that questions about the newest have short answers. */
const MOST_LEAPS = 3;
/** So many times must be whole steps before they are called so. */
const SOME_STAMPS = 5;

/**
 * Tries the filter "changed since": does it filter at all, from when on, in whose time, in which order? A source that does not know a
 * parameter mostly ignores it, and then each poll reads everything.
 *
 * @param nowMs our clock, for a source that does not date its answers
 */
export async function probeChanges(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  sample: ListSample,
  watch: AnswerWatch,
  nowMs: number,
): Promise<readonly FactFinding[]> {
  const { changes } = examined.definition.read;
  if (changes === undefined) return [];
  if (changes.kind === 'number') return await probeNumber(examined, changes, calls, sample);
  const filter = createFilter(examined, changes, calls, sample);
  const known = sample.rows.flatMap(({ key, row }): readonly KnownStamp[] => {
    const atMs = filter.since.stampMs(row);
    return atMs === null ? [] : [{ key, atMs }];
  });
  const sourceMs = nowMs + (watch.skewMs() ?? 0);
  const findings: FactFinding[] = [];
  findings.push(...stampFindings(filter, sample, known, sourceMs));
  const newestMs = Math.max(sourceMs, ...known.map(({ atMs }) => atMs));
  const inFuture = await futureFinding(filter, sample, newestMs + 2 * DAY_MS);
  findings.push(inFuture);
  if (inFuture.verdict === 'contradicts' || changes.stamp === undefined) return findings;
  const middle = known.toSorted((a, b) => a.atMs - b.atMs)[Math.floor(known.length / 2)];
  if (middle === undefined)
    return [...findings, cannotTell('read.changes.inclusive', 'a record with its time', 'none')];
  const sinceMiddle = await filter.ask(middle.atMs);
  if (sinceMiddle.page === null) {
    const got = sinceMiddle.fault ?? 'no answer';
    return [...findings, contradicts('read.changes.param', 'what changed since a known time', got, 'polls fail')];
  }
  const border = await borderFindings(filter, await newestOf(filter, known));
  // A filter in another time passes over records as well: that is said once.
  const isWrong = border.some(({ verdict }) => verdict === 'contradicts');
  const order = orderFindings(filter, sinceMiddle);
  findings.push(...border, ...order);
  const isClear = !isWrong && order.every(({ verdict }) => verdict !== 'contradicts');
  return isClear ? [...findings, ...missingFindings(filter, middle, known, sinceMiddle)] : findings;
}

/** Do rows show their time of change, how finely, and can it be one of UTC? */
function stampFindings(
  { facts, since, stepMs }: Filter,
  { rows }: ListSample,
  known: readonly KnownStamp[],
  sourceMs: number,
): readonly FactFinding[] {
  const { stamp } = facts;
  if (stamp === undefined || rows.length === 0) return [];
  const lacking = rows.length - known.length;
  if (known.length === 0)
    return [
      contradicts(
        'read.changes.stamp',
        `a time in ${stamp} of each row`,
        `none in ${rows.length} rows`,
        'polls never move on',
      ),
    ];
  const shown = `${known.length} of ${rows.length} rows show a time in ${stamp}`;
  const findings = [
    lacking === 0 ? fits('read.changes.stamp', shown) : cannotTell('read.changes.stamp', 'one in each row', shown),
  ];
  const times = [...new Set(known.map(({ atMs }) => atMs))];
  const finer = times.filter((atMs) => atMs % stepMs !== 0).length;
  const coarse = [DAY_MS, 60_000, 1_000].find((ms) => ms > stepMs && times.every((atMs) => atMs % ms === 0));
  const declared = `times in steps of ${facts.precision}`;
  if (finer > 0)
    findings.push(
      fits('read.changes.precision', `times that are finer than ${facts.precision}: asked from the whole step before`),
    );
  else if (coarse !== undefined && times.length >= SOME_STAMPS)
    findings.push(
      cannotTell(
        'read.changes.precision',
        declared,
        `${times.length} times in whole ${coarse / 1_000} s: rounded by the source, or by chance`,
      ),
    );
  else findings.push(fits('read.changes.precision', `${times.length} times in ${declared.slice(9)}`));
  const aheadMs = Math.max(...times) - sourceMs;
  const slackMs = 60_000 + durationMs(facts.maxTransaction) + Math.max(0, since.overlapMs - 3_600_000);
  if (aheadMs > slackMs) {
    const minutes = Math.round(aheadMs / 60_000);
    const got = `times up to ${minutes} min ahead of its Date header`;
    findings.push(
      contradicts(
        'read.changes.zone',
        `times in ${facts.zone ?? 'UTC'}, none in the future`,
        got,
        'another zone, or another clock',
      ),
    );
  }
  return findings;
}

/** A moment after all others: nothing may come. */
async function futureFinding(filter: Filter, { pages }: ListSample, atMs: number): Promise<FactFinding> {
  const { param } = filter.facts;
  const fact = 'read.changes.param';
  const expected = `no rows when ${param} is in the future`;
  const { page, fault, rows } = await filter.ask(atMs);
  // Some refuse a time that is still to come.
  if (page === null) return cannotTell(fact, expected, fault ?? 'no answer');
  if (pages.every((one) => one.rows.length === 0)) return cannotTell(fact, expected, 'a list that is empty without it');
  const early = rows.filter((row) => row.atMs === null || row.atMs < atMs).length;
  if (early === 0) return fits(fact, `${rows.length} rows when ${param} is in the future`);
  const whole = pages[0]?.rows.length ?? 0;
  const got = `${early} rows, where the list without it has ${whole} on its first page`;
  const means = `the source ignores ${param}, or cannot read its form (${filter.facts.format ?? 'iso'}): each poll reads everything`;
  return contradicts(fact, expected, got, means);
}

/** Records that are known to have changed later than a moment, and that are not among what changed since. */
function missingFindings(
  { facts, since }: Filter,
  middle: KnownStamp,
  known: readonly KnownStamp[],
  { rows, hasMore }: Filtered,
): readonly FactFinding[] {
  // What comes in order of change is complete up to the page's last time.
  if (hasMore && !facts.ordered) return [];
  const untilMs = hasMore ? Math.max(...rows.flatMap((row) => row.atMs ?? [])) : Infinity;
  const shown = new Set(rows.map(({ key }) => key));
  const later = known.filter(({ atMs }) => atMs > middle.atMs + since.overlapMs && atMs < untilMs);
  const missing = later.filter(({ key }) => !shown.has(key)).length;
  const fact = 'read.changes completeness';
  if (missing === 0) return [fits(fact, `${later.length} records that changed after a known time`)];
  const expected = `${later.length} records that changed after a known time`;
  return [contradicts(fact, expected, `${missing} of them missing`, 'changes are passed over')];
}

function orderFindings({ facts, since }: Filter, { rows }: Filtered): readonly FactFinding[] {
  if (!facts.ordered) return [];
  const fact = 'read.changes.ordered';
  const expected = 'rows in order of change';
  const times = rows.flatMap(({ atMs }) => atMs ?? []);
  const order = createOrderWatch(since.orderSlackMs);
  for (const atMs of times) order.next(atMs);
  if (order.isBroken()) {
    return [contradicts(fact, expected, 'another order', 'polls that break off begin again from their start')];
  }
  if (new Set(times).size < 2) return [cannotTell(fact, expected, 'too few times to tell')];
  return [fits(fact, `${times.length} rows in order of change`)];
}

/** The newest record that a few questions lead to, of those that stand on the first page of what changed since their time. */
async function newestOf(filter: Filter, known: readonly KnownStamp[]): Promise<KnownStamp> {
  let newest = known.reduce((best, one) => (one.atMs > best.atMs ? one : best));
  for (let leap = 0; leap < MOST_LEAPS; leap++) {
    const { rows, hasMore } = await filter.ask(newest.atMs);
    const stamped = rows.flatMap(({ key, atMs }) => (key === null || atMs === null ? [] : [{ key, atMs }]));
    const later = stamped.reduce((best, one) => (one.atMs > best.atMs ? one : best), newest);
    const isSame = later.atMs === newest.atMs;
    // Of many records of one moment, one that the first page shows.
    newest = isSame ? (stamped.find(({ atMs }) => atMs === newest.atMs) ?? newest) : later;
    if (isSame || !hasMore) break;
  }
  return newest;
}

/** From when on does the filter give a record? By its very time, a step before it and a step after it; else by hours. */
async function borderFindings(filter: Filter, known: KnownStamp): Promise<readonly FactFinding[]> {
  const { facts, stepMs } = filter;
  const fact = 'read.changes.inclusive';
  const zone = facts.zone ?? 'UTC';
  const expected = facts.inclusive
    ? 'a record when it is asked for by its very time'
    : 'no record of the very time that is asked for';
  const floorMs = Math.floor(known.atMs / stepMs) * stepMs;
  const isExact = floorMs === known.atMs;
  const shownAt = async (atMs: number): Promise<boolean | null> => isShown(filter, await filter.ask(atMs), known);
  const [at, after] = [await shownAt(known.atMs), await shownAt(floorMs + stepMs)];
  if (at === null || after === null)
    return [cannotTell(fact, expected, 'answers of several pages, of which the first does not tell')];
  if (after) {
    const shiftMs = await shiftOf(filter, known, false);
    if (shiftMs !== null && shiftMs !== 0)
      return [zoneFinding(zone, shiftMs, 'more is read than needed, and the overlap of polls hides it')];
    const got = `a record whose time was one step of ${facts.precision} before`;
    return [
      contradicts(
        'read.changes.precision',
        'only what changed since then',
        got,
        'the filter counts coarser than declared, or by another time',
      ),
    ];
  }
  if (at)
    return [
      ...(!isExact
        ? [cannotTell(fact, expected, `times that are finer than ${facts.precision}`)]
        : facts.inclusive
          ? [fits(fact, 'a record is given when it is asked for by its very time, and not one step later')]
          : [contradicts(fact, expected, 'it', 'harmless: polls ask one step further back than needed')]),
      fits('read.changes.zone', `${zone}: the filter counts as the rows do`),
    ];
  const before = await shownAt(floorMs - stepMs);
  if (before === null)
    return [cannotTell(fact, expected, 'answers of several pages, of which the first does not tell')];
  if (before)
    return [
      facts.inclusive
        ? contradicts(
            fact,
            expected,
            'only by a time one step before',
            'changes of the moment of a poll can be passed over',
          )
        : fits(fact, 'a record is given one step before its time, and not by it'),
      fits('read.changes.zone', `${zone}: the filter counts as the rows do`),
    ];
  const shiftMs = await shiftOf(filter, known, true);
  if (shiftMs !== null) return [zoneFinding(zone, shiftMs, 'changes are passed over')];
  const got = `none, not even by a time hours before`;
  return [
    contradicts('read.changes.stamp', 'the time of change that the filter compares', got, 'changes are passed over'),
  ];
}

function zoneFinding(zone: string, shiftMs: number, means: string): FactFinding {
  const hours = Math.abs(shiftMs) / 3_600_000;
  const got = `a filter that takes it for ${hours} h ${shiftMs > 0 ? 'later' : 'earlier'}`;
  return contradicts('read.changes.zone', `the moment that is asked for, in ${zone}`, got, means);
}
