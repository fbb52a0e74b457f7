import type { SourceKey } from '../core/change.js';
import type { DeltaFacts } from './delta.js';
import type { ExaminedCollection } from './examined-collection.js';
import type { PageAnswer, PageArguments } from './paging.js';
import { faultText, type ProbeCalls, type ReadPages } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import { keyIn } from './probe-list.js';
import { isFlagged } from './row-flag.js';

/** Pages of the full read whose last one has the token, and of an answer to it. */
const MOST_PAGES = 8;
const MOST_ANSWER_PAGES = 2;

/**
 * Tries the source's own token: does a full read bring one, is it answered with what changed only, twice the same where that is declared, and
 * does it name deletions? A source that gives each answer once is not asked: somebody else's place might move.
 */
export async function probeDelta(
  examined: ExaminedCollection,
  facts: DeltaFacts,
  calls: ProbeCalls,
): Promise<readonly FactFinding[]> {
  const list = facts.list ?? examined.definition.read.list;
  const follow = facts.follow ?? list;
  const what = list.delta === 'link' ? 'a link' : 'a token';
  if (!facts.replayable)
    return [cannotTell('read.delta.replayable', `${what} that is answered once`, 'not tried: an answer would be lost')];
  const whole = await calls.pages(list, {}, MOST_PAGES);
  const token = whole.pages.at(-1)?.delta ?? null;
  const tokenFact = 'read.delta.list';
  const expected = `${what} on the last page of a full read`;
  if (whole.fault !== null) return [contradicts(tokenFact, expected, faultText(whole.fault), 'polls fail')];
  if (!whole.isComplete) return [cannotTell(tokenFact, expected, `a list of more than ${MOST_PAGES} pages`)];
  if (token === null || token === '') return [contradicts(tokenFact, expected, 'none', 'polls fail')];
  const findings = [fits(tokenFact, `${what} on the last of ${whole.pages.length} pages`)];

  const once = await ask();
  if (once.fault !== null)
    return [...findings, contradicts('read.delta.follow', `an answer to ${what}`, faultText(once.fault), 'polls fail')];
  const twice = await ask();
  const [first, second, all] = [keysOf(once.pages), keysOf(twice.pages), keysOf(whole.pages)];
  findings.push(changedOnly(first, all), nextOne(once), sameAgain(twice, first, second), ...deletions(once.pages));
  return findings;

  function ask(): Promise<ReadPages> {
    const args: PageArguments = facts.param === undefined ? {} : { [facts.param]: token as string };
    return calls.pages(follow, args, MOST_ANSWER_PAGES, facts.param === undefined ? token : null);
  }

  function keysOf(pages: readonly PageAnswer[]): readonly SourceKey[] {
    return pages.flatMap(({ rows }) => rows.flatMap((row) => keyIn(examined, row) ?? []));
  }

  function changedOnly(answered: readonly SourceKey[], known: readonly SourceKey[]): FactFinding {
    const given = new Set(answered);
    const isWhole = known.length > 1 && known.every((key) => given.has(key));
    if (!isWhole) return fits('read.delta.follow', `${given.size} entries, where the full read has ${known.length}`);
    const means =
      facts.param === undefined
        ? 'each poll reads everything'
        : `the source ignores ${facts.param}: each poll reads everything`;
    return contradicts('read.delta.follow', 'what changed since only', `all of ${known.length} records`, means);
  }

  function nextOne({ pages, isComplete }: ReadPages): FactFinding {
    const wanted = `${what} on the last page of its answer`;
    if (!isComplete) return cannotTell('read.delta.follow', wanted, 'an answer of many pages');
    return (pages.at(-1)?.delta ?? '') === ''
      ? contradicts('read.delta.follow', wanted, 'none', 'polls fail')
      : fits('read.delta.follow', wanted);
  }

  function sameAgain(
    { fault, pages }: ReadPages,
    before: readonly SourceKey[],
    now: readonly SourceKey[],
  ): FactFinding {
    const fact = 'read.delta.replayable';
    const wanted = `the same answer to ${what} that is asked with again`;
    const means = 'a lost answer loses changes: declare replayable: false';
    if (fault !== null && pages.length === 0) return contradicts(fact, wanted, faultText(fault), means);
    const given = new Set(now);
    const lost = before.filter((key) => !given.has(key)).length;
    if (lost > 0) return contradicts(fact, wanted, `${lost} of ${before.length} entries missing`, means);
    if (before.length === 0)
      return cannotTell(fact, wanted, 'an answer twice, of no entries: nothing changed meanwhile');
    return fits(fact, `${before.length} entries, and the same ones again`);
  }

  function deletions(pages: readonly PageAnswer[]): readonly FactFinding[] {
    const { removed } = facts;
    if (removed === undefined && follow.marksRemoved !== true) return [];
    const named = pages.reduce((sum, page) => {
      const isGone = (row: unknown): boolean =>
        page.removed?.has(row) === true || (removed !== undefined && isFlagged(row, removed));
      return sum + page.rows.filter(isGone).length;
    }, 0);
    const fact = 'read.delta.removed';
    if (named > 0) return [fits(fact, `${named} entries whose record is gone`)];
    return [cannotTell(fact, 'an entry whose record is gone', 'none meanwhile')];
  }
}
